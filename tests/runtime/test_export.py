"""Exports as a whole: what is written where, from which weights, and that a failure leaves nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

import dlc
from dlc.cli.export import story
from dlc.runtime.api import export
from dlc.runtime.exporting import parity
from dlc.runtime.exporting.request import sections
from dlc.runtime.failure import BadInput, RunFailure
from dlc.runtime.inference.session import Session

PLAIN = "dlspec 1\nmodel M(x: [B, 40]) -> (y: [B, 30]) { h = x -> a: Linear(40) -> relu\n y = h -> b: Linear(30) }\n"
DIGITS = """dlspec 1
data Digits {
  source = builtin("digits")
  split  = random(train = 0.7, val = 0.1, test = 0.2, seed = 0)
  image: f32[1, 8, 8] = source.image -> if training { shift(1) } -> scale(1 / 16)
  label: i64          = source.label
}
model Net(classes = 10)(image: [B, 1, 8, 8]) -> (logits: [B, classes]) {
  logits = image -> flatten -> fc1: Linear(16) -> relu -> dropout(0.1) -> fc2: Linear(classes)
}
train {
  model = Net
  data = Digits
  loss = cross_entropy(logits, label)
  optimizer = AdamW(1e-3)
  batch = 64
  duration = 1 epochs
}
"""
EXPORT = 'export { onnx = "net.onnx"; preprocess = true; outputs { probs = softmax(logits) } }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "m.dlspec").write_text(PLAIN, "utf-8")
    (tmp_path / "digits.dlspec").write_text(DIGITS + EXPORT, "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_initial_weights_are_said_and_verified(folder: Path) -> None:
    made = export("m.dlspec")
    assert made.path == Path("m.onnx")
    assert made.weights == "initial, seed 0: not trained"
    assert made.inputs == ("x f32[B, 40]",)
    assert made.parity is not None
    assert made.parity.ok
    assert made.bytes == (folder / "m.onnx").stat().st_size
    assert sorted(os.listdir(folder)) == ["digits.dlspec", "m.dlspec", "m.onnx"]


def test_the_same_model_is_exported_twice_alike(folder: Path) -> None:
    assert export("m.dlspec", "a.onnx").path.read_bytes() == export("m.dlspec", "b.onnx").path.read_bytes()


def test_given_weights(folder: Path) -> None:
    weights = {
        "a.weight": np.zeros((40, 40)),
        "a.bias": np.zeros(40),
        "b.weight": np.zeros((30, 40)),
        "b.bias": np.arange(30.0),
    }
    x = np.ones((2, 40), np.float32)
    made = export("m.dlspec", "arrays.onnx", weights=weights)
    assert made.weights == "given arrays"
    np.testing.assert_array_equal(
        dlc.Session(made.path, "cpu")(x=x)["y"], np.tile(np.arange(30, dtype=np.float32), (2, 1))
    )
    save_file({name: array.astype(np.float32) for name, array in weights.items()}, "w.safetensors")
    made = export("m.dlspec", "file.onnx", weights=Path("w.safetensors"), linked=True)
    assert [file.name for file in made.files] == ["file.onnx", "w.safetensors"]
    np.testing.assert_array_equal(dlc.Session(made.path, "cpu")(x=x)["y"][0], np.arange(30))


def test_linked_initial_weights(folder: Path) -> None:
    made = export("m.dlspec", "out/m.onnx", linked=True)
    assert sorted(os.listdir(folder / "out")) == ["m.onnx", "m.safetensors"]
    assert made.files[0].stat().st_size < 3000
    assert made.parity is not None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({}, "the weights have no `a.weight` [40, 40]"),
        ({"a.weight": np.zeros((40, 41))}, "`a.weight` is [40, 40] in the model and [40, 41] in the weights"),
        ("no.safetensors", "there is no weights file `no.safetensors`"),
        ("m.dlspec", "`m.dlspec` cannot be read as weights"),
    ],
)
def test_weights_that_do_not_fit(folder: Path, weights: Any, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        export("m.dlspec", "deep/er/m.onnx", weights=weights)
    assert str(caught.value) == message
    assert not (folder / "deep").exists()


def test_beyond_tolerance_nothing_is_left(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "m.onnx").write_bytes(b"an older model")
    answers = Session.predict

    def wrong(session: Session, inputs: Any) -> Any:
        return {name: value + 1e-3 * abs(value).max() for name, value in answers(session, inputs).items()}

    monkeypatch.setattr(Session, "predict", wrong)
    with pytest.raises(parity.Disagrees):
        export("m.dlspec", "m.onnx")
    assert (folder / "m.onnx").read_bytes() == b"an older model"
    with pytest.raises(RunFailure):
        export("m.dlspec", "new/m.onnx")
    assert sorted(os.listdir(folder)) == ["digits.dlspec", "m.dlspec", "m.onnx"]


def test_a_directory_as_destination(folder: Path) -> None:
    with pytest.raises(BadInput, match="is a directory"):
        export("m.dlspec", folder)


def test_half_precision(folder: Path) -> None:
    made = export("m.dlspec", precision="f16")
    assert made.parity is not None
    assert made.parity.rows[0].tolerance == 2e-2
    assert made.inputs == ("x f32[B, 40]",)
    proto = onnx.load("m.onnx")
    assert {t.data_type for t in proto.graph.initializer} == {onnx.TensorProto.FLOAT16}
    with pytest.raises(BadInput, match="no precision `f8`"):
        export("m.dlspec", precision="f8")


def test_preprocessing_and_outputs_of_the_section(folder: Path) -> None:
    made = export("digits.dlspec")
    assert made.path == Path("net.onnx")
    assert made.outputs == ("probs f32[B, 10]",)
    session = dlc.Session(made.path, "cpu")
    image = np.full((1, 1, 8, 8), 16, np.float32)
    weights = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load("net.onnx").graph.initializer}
    hidden = np.maximum(weights["fc1.weight"].sum(1) + weights["fc1.bias"], 0)
    logits = weights["fc2.weight"] @ hidden + weights["fc2.bias"]
    wanted = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(session(image=image)["probs"][0], wanted, rtol=1e-4)
    recorded = json.loads(session.metadata["dlc.preprocessing"])
    assert [(step["op"], step["in_graph"]) for step in recorded["image"]] == [("source", False), ("scale", True)]


def test_a_trained_run(folder: Path) -> None:
    run = dlc.train("digits.dlspec", out=folder / "run", device="cpu")
    made = export(run)
    assert made.path == run.path / "export" / "net.onnx"
    assert made.weights.startswith("the run run, ")
    assert made.parity is not None
    assert made.parity.ok
    linked = export(folder / "run", folder / "linked.onnx", linked=True)
    image = np.random.default_rng(0).integers(0, 17, (5, 1, 8, 8)).astype(np.float32)
    packed = dlc.Session(made.path, "cpu")(image=image)["probs"]
    np.testing.assert_array_equal(dlc.Session(linked.path, "cpu")(image=image)["probs"], packed)
    initial = export("digits.dlspec", "initial.onnx")
    assert not np.allclose(dlc.Session(initial.path, "cpu")(image=image)["probs"], packed)


def test_predictions_name_the_classes(folder: Path) -> None:
    (folder / "cells.dlspec").write_text(
        """dlspec 1
data Cells {
  source = builtin("breast_cancer")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  x: f32[30] = source.x -> standardize
  label: i64 = source.label
}
model Net(x: [B, 30]) -> (logits: [B, 2]) { logits = x -> fc: Linear(2) }
train {
  model = Net
  data = Cells
  loss = cross_entropy(logits, label)
  optimizer = AdamW(1e-3)
  batch = 64
  duration = 1 epochs
}
""",
        "utf-8",
    )
    run = dlc.train("cells.dlspec", out=folder / "run", device="cpu")
    made = export(run, folder / "cells.onnx")
    np.save(folder / "x.npy", np.random.default_rng(0).standard_normal((3, 30), dtype=np.float32))
    found = dlc.predict(made.path, [folder / "x.npy"], device="cpu")
    rows, notes = found.rows(raw=True), found.notes
    assert len(rows) == 3
    assert notes == []
    for row in rows:
        assert row["class"] == ("malignant", "benign")[int(np.argmax(row["logits"]))]
        assert 0.5 <= row["probability"] <= 1
    (folder / "plain.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 30]) -> (logits: [B, 2]) { logits = x -> fc: Linear(2) }\n"
    )
    initial = export("plain.dlspec", folder / "plain.onnx", verify=False)
    found = dlc.predict(initial.path, [folder / "x.npy"], device="cpu")
    rows, notes = found.rows(raw=True), found.notes
    assert set(rows[0]) == {"input", "logits"}  # no loss says what they are
    assert notes == []


def test_a_run_without_weights(folder: Path) -> None:
    run = dlc.train("digits.dlspec", out=folder / "run", device="cpu")
    import shutil

    for name in ("best", "last"):
        shutil.rmtree(run.path / name, ignore_errors=True)
    with pytest.raises(BadInput, match="has no weights yet"):
        export(run)


def test_several_sections(folder: Path) -> None:
    (folder / "two.dlspec").write_text(
        PLAIN + 'export front { onnx = "f.onnx"; model = M; outputs = [h] }\n'
        'export back { onnx = "b.onnx"; model = M; inputs = [h]; outputs = [y] }\n',
        "utf-8",
    )
    assert sections(dlc.load("two.dlspec")) == ["front", "back"]
    with pytest.raises(BadInput, match="several `export` sections: `front`, `back`"):
        export("two.dlspec")
    front, back = export("two.dlspec", section="front"), export("two.dlspec", section="back")
    assert (front.inputs, front.outputs) == (("x f32[B, 40]",), ("h f32[B, 40]",))
    assert (back.inputs, back.outputs) == (("h f32[B, 40]",), ("y f32[B, 30]",))
    whole = export("m.dlspec", "whole.onnx")
    x = np.random.default_rng(0).standard_normal((3, 40)).astype(np.float32)
    h = dlc.Session(front.path, "cpu")(x=x)["h"]
    wanted = dlc.Session(whole.path, "cpu")(x=x)["y"]
    np.testing.assert_allclose(dlc.Session(back.path, "cpu")(h=h)["y"], wanted, rtol=1e-5, atol=1e-6)
    with pytest.raises(BadInput, match="no `export` section `middle`"):
        export("two.dlspec", section="middle")


GPT = """dlspec 1
model M(depth = 1)(tokens: i64[B, T <= 12]) -> (logits: [B, T, 9]) {
  x      = (tokens -> wte: Embedding(9, 8)) + (arange(T) -> wpe: Embedding(12, 8))
  logits = x -> h: repeat depth { MultiHeadAttention(2, causal = true) } -> head: Linear(9)
}
"""


def test_the_cached_form_is_compared_in_steps(folder: Path) -> None:
    (folder / "gpt.dlspec").write_text(GPT, "utf-8")
    made = export("gpt.dlspec", cached=True)
    assert made.kept == 1
    assert made.inputs == ("tokens i64[B, T]", "past_key_values.0.key f32[B, 2, past, 4] and 1 more")
    assert made.parity is not None
    assert made.parity.ok
    ways = {row.steps for row in made.parity.rows if row.sizes["T"] == 5}
    assert ways == {(5,), (4, 1), (1, 1, 3), (1,) * 5}
    assert {row.level for row in made.parity.rows} == {"none", "all"}
    assert {row.sizes["B"] for row in made.parity.rows} >= {1, 7}


def test_a_cached_form_that_forgets_is_seen(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dlc.runtime.inference.key_values import KeyValues

    (folder / "gpt.dlspec").write_text(GPT, "utf-8")
    monkeypatch.setattr(KeyValues, "following", lambda self, outputs: self.empty(len(outputs["logits"])))
    with pytest.raises(parity.Disagrees, match="the model disagree on") as caught:
        export("gpt.dlspec", cached=True)
    assert "as 4+1" in caught.value.notes[0] or "as 1+1" in caught.value.notes[0]
    assert not (folder / "gpt.onnx").exists()


def test_the_length_of_a_cached_form_is_checked(folder: Path) -> None:
    (folder / "gpt.dlspec").write_text(GPT, "utf-8")
    session = dlc.Session(export("gpt.dlspec", cached=True, verify=False).path, "cpu")
    assert session.cached is not None
    past = session.cached.following(session(tokens=np.zeros((1, 10), np.int64), **session.cached.empty(1)))
    session(tokens=np.zeros((1, 2), np.int64), **past)
    with pytest.raises(BadInput, match="`require T <= 12` does not hold"):
        session(tokens=np.zeros((1, 3), np.int64), **past)


def test_no_cached_form(folder: Path) -> None:
    with pytest.raises(dlc.SpecError) as caught:
        export("m.dlspec", cached=True)
    assert [found.code for found in caught.value.diagnostics] == ["E0503"]
    assert not (folder / "m.onnx").exists()


@pytest.mark.parametrize(("kind", "tolerance"), [("int8", 1e-1), ("int4", 5e-1)])
def test_rounded_weights(folder: Path, kind: str, tolerance: float) -> None:
    (folder / "q.dlspec").write_text(
        "dlspec 1\nmodel M(x: [B, 64]) -> (y: [B, 8]) { y = x -> a: Linear(128) -> relu -> b: Linear(8) }\n"
        f'export {{ model = M; quantize = "{kind}" }}\n',
        "utf-8",
    )
    made = export("q.dlspec")
    assert made.precision == kind
    assert any("rest of the batch" in line for line in story(made)) == (kind == "int8")
    assert made.parity is not None
    assert {row.tolerance for row in made.parity.rows} == {tolerance}
    assert 0 < made.parity.worst[0].share < tolerance
    assert dlc.Session(made.path, "cpu").metadata["dlc.quantized"] == "1"


def test_a_file_names_the_processor_that_compared_it(folder: Path) -> None:
    import platform

    import torch

    compared = dlc.Session(export("m.dlspec").path, "cpu").metadata["dlc.compared_on"]
    assert compared.startswith(f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}, onnxruntime ")
    unseen = dlc.Session(export("m.dlspec", verify=False).path, "cpu").metadata
    assert "dlc.compared_on" not in unseen


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('quantize = "int8"', "`quantize` has nothing to do: no `Linear` is large enough"),
        ('quantize = "int4"; precision = "f16"', '`quantize` cannot be expressed in ONNX with `precision = "f16"`'),
        ("opset = 17", "`opset = 17` cannot be expressed in ONNX"),
    ],
)
def test_what_is_not_written_is_said(folder: Path, keys: str, message: str) -> None:
    (folder / "q.dlspec").write_text(PLAIN + f"export {{ model = M; {keys} }}\n", "utf-8")
    with pytest.raises(dlc.SpecError) as caught:
        export("q.dlspec")
    assert [(found.code, found.message) for found in caught.value.diagnostics] == [("E0501", message)]
    assert sorted(os.listdir(folder)) == ["digits.dlspec", "m.dlspec", "q.dlspec"]
