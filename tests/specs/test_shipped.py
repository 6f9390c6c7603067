"""Every spec that ships: checked, formatted, built, trained, resumed, exported, agreeing, predicting."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

import dlc
from dlc.cli.app import run as command_line
from dlc.runtime.events import Event, Validated
from dlc.runtime.session import Session

SPECS = Path(__file__).resolve().parents[2] / "specs"
NAMES = sorted(path.stem for path in SPECS.glob("*.dlspec"))

#: Two updates, each followed by a short validation; everything else as it ships.
SMALL = {"train.duration": "2 steps", "train.validate": "every(1 steps, batches = 2)"}
SMALLER = {"char_gpt": {"PythonDocs.split": "contiguous(train = 0.995, val = 0.005)"}}

#: Raw records for each source field that a model reads, by the name of the field.
RAW = {
    "digits_cnn": {"image": (5, 1, 8, 8)},
    "digits_lstm": {"image": (5, 1, 8, 8)},
    "digits_mlp": {"image": (5, 1, 8, 8)},
    "breast_cancer": {"x": (5, 30)},
    "diabetes": {"x": (5, 10)},
    "char_gpt": {"tokens": (5, 64)},
}


def dlc_ok(capsys: pytest.CaptureFixture[str], *arguments: str | Path, code: int = 0) -> str:
    """One command line that succeeds without a word on standard error; what it printed."""
    capsys.readouterr()
    found = command_line([str(argument) for argument in arguments])
    out, err = capsys.readouterr()
    assert found == code, f"dlc {' '.join(map(str, arguments))} exits with {found}\n{out}\n{err}"
    assert not err, err
    return out


def interrupted(event: Event) -> None:
    """Ctrl-C after the first step: the loop finishes what it does and saves."""
    if isinstance(event, Validated):
        os.kill(os.getpid(), signal.SIGINT)


def raw_records(name: str) -> dict[str, Any]:
    random = np.random.default_rng(0)
    found = {}
    for field, shape in RAW[name].items():
        whole = field == "tokens"
        found[field] = random.integers(0, 100, shape) if whole else (16 * random.random(shape)).astype(np.float32)
    return found


def weights(run: Path) -> dict[str, bytes]:
    """Every tensor, bit for bit (the order of the file's metadata is not fixed)."""
    return {name: array.tobytes() for name, array in load_file(run / "last" / "model.safetensors").items()}


def test_every_spec_is_tried() -> None:
    assert set(RAW) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_checks_without_a_word_and_is_in_canonical_layout(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    spec = SPECS / f"{name}.dlspec"
    assert dlc_ok(capsys, "check", spec).strip().endswith("ok")
    assert dlc.load(spec).check() == []
    dlc_ok(capsys, "fmt", "--check", spec)
    lines = spec.read_text("utf-8").splitlines()
    assert lines[0] == "dlspec 1"
    assert lines[1].startswith("# "), "the second line says what the spec is about: `dlc new` shows it"
    assert len(lines) <= 60, "a spec to start from fits a screen"


@pytest.mark.parametrize("name", NAMES)
def test_from_text_to_predictions(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dlc_ok(capsys, "new", name)
    spec = Path(f"{name}.dlspec")
    assert spec.read_bytes() == (SPECS / spec).read_bytes()

    dlc_ok(capsys, "build", spec)
    (source,) = Path("build").rglob("model.py")
    compile(source.read_text("utf-8"), str(source), "exec")

    small = SMALL | SMALLER.get(name, {})
    written = [f"{setting}={value}" for setting, value in small.items()]
    dlc_ok(capsys, "train", spec, *written, "--out", "whole", "--device", "cpu")
    with pytest.raises(dlc.RunFailure) as stopped:
        dlc.train(dlc.load(spec, **small), out="halves", device="cpu", listener=interrupted)
    assert stopped.value.exit_code == 130
    assert weights(Path("halves")) != weights(Path("whole"))
    dlc_ok(capsys, "train", spec, *written, "--resume", "halves", "--device", "cpu")
    assert weights(Path("halves")) == weights(Path("whole")), "a resumed run is the uninterrupted one, bit for bit"

    exported = dlc.export("whole", "model.onnx")
    assert exported.parity is not None
    rows = exported.parity.rows
    assert {row.level for row in rows} >= {"none", "all"}
    assert {row.sizes["B"] for row in rows} >= {1, 7}
    assert all(row.share <= 1e-4 for row in rows)
    if "T" in rows[0].sizes:
        assert len({row.sizes["T"] for row in rows}) >= 2
    assert not list(tmp_path.glob(".*.part")), "nothing is left beside the destination"

    raw = raw_records(name)
    np.savez("raw.npz", **raw)
    assert len(dlc_ok(capsys, "predict", "model.onnx", "raw.npz").splitlines()) == 6
    session = Session(Path("model.onnx"), "cpu")
    answers = session.predict(raw)
    assert all(len(values) == 5 and np.isfinite(values).all() for values in answers.values())
