"""What a user sees who edits `model.py` of a run: a warning, figures of the spec, and with --edited those of the edit."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]


def test_evaluate_after_an_edit(dlc: Dlc, tmp_path: Path) -> None:
    dlc("new", "digits_mlp")
    dlc("train", "digits_mlp.dlspec", "duration=1 epochs", "--device", "cpu")
    run = "runs/digits_mlp/1"
    before = dlc("evaluate", run, "--device", "cpu")
    assert before.stderr == ""
    file = tmp_path / run / "model.py"
    edited = file.read_text("utf-8").replace("return ", "return -1.0 * ", 1)
    file.write_text(edited, "utf-8")

    plain = dlc("evaluate", run, "--device", "cpu")
    assert plain.stdout == before.stdout
    assert plain.stderr.splitlines() == [
        f"warning[W0409]: `{run}/model.py` was edited since the training; code generated from the spec is used",
        "  = help: `dlc evaluate --edited` runs the edited files",
    ]
    assert file.read_text("utf-8") == edited

    own = dlc("evaluate", run, "--device", "cpu", "--edited")
    assert own.stdout != before.stdout
    assert own.stderr == ""

    file.write_text("import nowhere\n", "utf-8")
    failed = dlc("evaluate", run, "--device", "cpu", "--edited", code=1)
    assert failed.stderr.splitlines() == [
        f"error[E0610]: the edited files of `{run}` fail: ModuleNotFoundError: No module named 'nowhere'",
        f"  = note: {run}/model.py:1: import nowhere",
        "  = help: without `--edited` the code is generated from the spec",
    ]
