"""The metadata of an ONNX file is text from elsewhere: whatever it holds, an answer or a message."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import dlc
from dlc.cli import main
from dlc.runtime.failure import BadInput, Damaged, RunFailure
from dlc.runtime.inference import answers
from dlc.runtime.inference.generate import choose

from .damage import variants

ENTRIES = ("dlc.facts", "dlc.outputs", "dlc.columns", "dlc.cached", "dlc.vocabulary")
INPUTS = {"image": np.zeros((2, 3, 8, 4), np.float32), "ids": np.zeros((2, 6), np.int64)}


def used(path: Path) -> None:
    """Everything that `dlc predict` and `dlc generate` do with what the file says."""
    session = dlc.Session(path, "cpu", threads=1)
    session.about.vocabulary()
    outputs = answers.in_units(session.predict(INPUTS), session.answers)
    answers.rows(["a", "b"], outputs, session.answers, raw=True)
    answers.notes(session.answers, list(outputs))


@pytest.mark.parametrize("entry", ENTRIES)
def test_any_part_of_an_entry(
    entry: str, exported: onnx.ModelProto, with_metadata: Callable[..., Path], sizes: Any
) -> None:
    before = {found.key: found.value for found in exported.metadata_props}
    known = json.loads(before.get(entry, '{"length": "T", "past": "past", "layers": 1}'))
    refused = tried = 0
    for variant in islice(variants(known), 0, None, 1 if sizes.full else 4):
        tried += 1
        try:
            used(with_metadata({entry: json.dumps(variant)}))
        except Damaged as failure:
            refused += 1
            assert entry in str(failure)
            assert failure.code == "E0603"
        except (BadInput, RunFailure):
            pass
    assert refused > tried / 2


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("text", ["", "{", "nope", "[" * 100_000, "[1e999]", "\ud7ff\x00", "NaN", '"x"'])
def test_text_that_is_no_entry(entry: str, text: str, with_metadata: Callable[..., Path]) -> None:
    with pytest.raises(Damaged, match=f"metadata entry `{entry}`"):
        used(with_metadata({entry: text}))


@pytest.mark.parametrize("name", ["../w.safetensors", "/etc/hostname", "", "a/b", "..", "a\\b", "gone.safetensors"])
def test_weights_are_next_to_the_model(name: str, with_metadata: Callable[..., Path]) -> None:
    with pytest.raises(BadInput):
        used(with_metadata({"dlc.weights.file": name, "dlc.weights.fingerprint": "0"}))


def test_dimensions_may_have_any_name(exported: onnx.ModelProto, tmp_path: Path) -> None:
    for name in ("3x", "", "a b", "(((", "9" * 5000, "\u202e", "T^20*T^20", "floor(B)/7", "*"):
        model = onnx.ModelProto()
        model.CopyFrom(exported)
        model.graph.input[1].type.tensor_type.shape.dim[1].dim_param = name
        (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
        with suppress(BadInput):  # the given sizes need not fit
            used(tmp_path / "m.onnx")


def test_what_is_printed_moves_no_cursor(
    with_metadata: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = ["\x1b[2Jcat", "d\u202eog", "c\nfake", "\x07hen"]
    outputs = json.dumps(
        {"y": {"kind": "unknown", "why": "\x1b]0;x\x07"}, "z": {"kind": "probabilities", "classes": names}}
    )
    path = with_metadata({"dlc.outputs": outputs})
    np.savez(tmp_path / "in.npz", **{**INPUTS, "ids": INPUTS["ids"][:, :1]})
    for form in ("text", "csv", "json"):
        assert main(["predict", str(path), str(tmp_path / "in.npz"), "--format", form, "--device", "cpu"]) == 0
        done = capsys.readouterr()
        assert all(character.isprintable() or character == "\n" for character in done.out + done.err)


@pytest.mark.parametrize("logits", [np.array([]), np.array([np.nan, 1.0])])
def test_logits_that_choose_nothing(logits: np.ndarray[Any, Any]) -> None:
    with pytest.raises(RunFailure, match="the model gives no next token"):
        choose(logits, 1.0, None, np.random.default_rng(0))
