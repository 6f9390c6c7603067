"""Whatever goes wrong: one clear message, the right exit code, no traceback, nothing half-written."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dlc.cli import failure, main
from dlc.tests.sizes import thinned

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = Path(__file__).resolve().parents[2] / "specs" / "digits_mlp.dlspec"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the spec, a short run and an exported model."""
    home = tmp_path_factory.mktemp("trained")
    shutil.copy(SPEC, home)
    for arguments in (
        ["train", SPEC.name, "train.duration=2 epochs", "--out", "run"],
        ["export", "run", "-o", "digits.onnx", "--no-verify"],
    ):
        subprocess.run([sys.executable, "-m", "dlc", *arguments], cwd=home, check=True, capture_output=True)
    return home


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["evaluate", "nowhere"], "there is no run `nowhere`"),
        (["evaluate", "rum"], "there is no run `rum`\n  = help: did you mean `run`?"),
        (["evaluate", "."], "`.` is not a run\n  = help: name a run in it: `run`"),
        (["evaluate", "digits_mlp.dlspec"], "= help: train it first, and name the run: `dlc train digits_mlp.dlspec`"),
        (["evaluate", "run", "--split", "tests"], "there is no split `tests`"),
        (["train", "digits_mlp.dlspec", "--out", "run"], "already holds a run"),
        (["train", "digits_mlp.dlspec", "--device", "tpu"], "there is no device `tpu`"),
        (["train", "digits_mlp.dlspec", "--device", "meta"], "there is no device `meta`"),
        (["train", "digits_mlp.dlspec", "--section", "gan"], "has no `train` section `gan`"),
        (["train", "digits_mlp.dlspec", "--resume", "nowhere"], "there is no run `nowhere`"),
        (["train", "digits_mlp.dlspec", "hiden=3"], "unknown setting `hiden`"),
        (["train", "missing.dlspec"], "`missing.dlspec`"),
        (["train", "digits_mlp.dlspec@small"], "small"),
        (["predict", "digits.onnx", "nofile.npz"], "there is no file `nofile.npz`"),
        (
            ["predict", "digits.onnx", "digts.onnx"],
            "there is no file `digts.onnx`\n  = help: did you mean `digits.onnx`?",
        ),
        (["predict", "digits.onnx", "."], "there are no images in the directory `.`\n  = help: name a"),
        (["predict", "run", "nofolder/x.csv"], "there is no folder `nofolder` either"),
        (
            ["predict", "run", "digits.onnx"],
            "files ending in `.onnx` are not supported\n  = help: use one of `.csv`, `.parquet`,",
        ),
        (["generate", "digits.onnx", "--prompt", "1 2"], "the model does not take tokens"),
        (["runs", "nowhere"], "there is no directory `nowhere`"),
        (["import-weights", "digits_mlp.dlspec", "."], "there are no weights in `.`"),
        (["import-weights", "digits_mlp.dlspec", "digits.onnx"], "`digits.onnx` cannot be read as weights"),
        (["export", "run", "--section", "phone"], "has no `export` section `phone`"),
        (["export", "run", "--weights", "theirs"], "has no weight map `theirs`"),
        (["predict", "digits.onnx", "digits_mlp.dlspec"], "files ending in `.dlspec` are not supported"),
        (["predict", "nomodel.onnx", "digits.npz"], "there is no model `nomodel.onnx`"),
        (["predict", "digits_mlp.dlspec", "digits.npz"], "is not a run"),
        (["export", "nonsense"], "`nonsense`"),
    ],
)
def test_wrong_input_is_exit_2(
    arguments: list[str],
    words: str,
    trained: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(trained)
    before = sorted(trained.rglob("*"))
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "= help: " in said
    assert "internal error" not in said
    assert sorted(trained.rglob("*")) == before


@pytest.mark.parametrize("damage", ["truncated", "emptied", "removed"])
def test_damaged_weights(damage: str, trained: Path, tmp_path: Path, dlc: Dlc) -> None:
    shutil.copytree(trained / "run", tmp_path / "broken")
    for weights in (tmp_path / "broken").glob("*/model.safetensors"):
        if damage == "removed":
            shutil.rmtree(weights.parent)
        else:
            os.truncate(weights, 1000 if damage == "truncated" else 0)
    for arguments in (["evaluate", "broken"], ["export", "broken", "-o", "out.onnx"]):
        said = dlc(*arguments, code=2).stderr
        assert "broken" in said
        assert "internal error" not in said
    assert not (tmp_path / "out.onnx").exists()


def test_too_large_a_model(trained: Path, dlc: Dlc) -> None:
    said = dlc("train", "digits_mlp.dlspec", "hidden=3000000", "--out", "huge", code=1, cwd=trained).stderr
    assert "out of memory" in said
    assert "internal error" not in said


@pytest.mark.parametrize(("number", "code"), thinned([(signal.SIGINT, 130), (signal.SIGTERM, 143)], 2))
def test_an_interrupted_run_is_saved(number: int, code: int, tmp_path: Path, dlc: Dlc) -> None:
    shutil.copy(SPEC, tmp_path)
    arguments = [sys.executable, "-m", "dlc", "train", SPEC.name, "train.duration=100k epochs"]
    with subprocess.Popen(
        arguments, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    ) as run:
        assert run.stdout is not None
        while not run.stdout.readline().startswith("start"):
            assert run.poll() is None
        time.sleep(0.5)
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert run.returncode == code, said
    assert "saved in runs/digits_mlp/1" in said
    assert "Traceback" not in said
    weights = tmp_path / "runs" / "digits_mlp" / "1" / "last" / "model.safetensors"
    assert weights.stat().st_size > 100_000
    assert "is saved" not in dlc("evaluate", "runs/digits_mlp/1").stderr


def test_a_fault_of_our_own_is_a_message_too(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise KeyError("surprise")
    except KeyError as error:
        assert failure.report(error) == 1
    said = capsys.readouterr().err
    assert "internal error: KeyError: 'surprise'" in said
    assert "Traceback" not in said


def test_a_closed_pipe_is_no_fault() -> None:
    done = subprocess.run(
        f"{sys.executable} -m dlc explain LSTM | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr
