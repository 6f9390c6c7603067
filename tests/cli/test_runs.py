"""`a=1,2,3` starts one run each, and `dlc runs` shows them side by side."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import dlc
from dlc.cli.app import run as dlc_line

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]

IRIS = """dlspec 1
param width = 4
data Iris {
  source = builtin("iris")
  split = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)
  x: f32[4] = source.x -> standardize
  label: i64 = source.label
}
model Net(x: [B, 4]) -> (logits: [B, 3]) { logits = x -> fc: Linear(width) -> relu -> head: Linear(3) }
train {
  model = Net
  data = Iris
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = SGD(0.1)
  batch = 40
  duration = 2 epochs
}
"""


@pytest.fixture
def iris(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris.dlspec").write_text(IRIS, "utf-8")
    return "iris.dlspec"


def test_every_combination_is_a_run_as_it_would_be_alone(iris: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dlc_line(["train", iris, "seed=1,2", "width=3,5"]) == 0
    said = capsys.readouterr().out
    assert [line for line in said.splitlines() if " of 4 " in line] == [
        "1 of 4     seed=1  width=3",
        "2 of 4     seed=1  width=5",
        "3 of 4     seed=2  width=3",
        "4 of 4     seed=2  width=5",
    ]
    assert dlc_line(["train", iris, "seed=2", "width=3"]) == 0
    alone, among = (load_file(f"runs/iris/{number}/last/model.safetensors") for number in (5, 3))
    assert alone and all(torch.equal(alone[name], among[name]) for name in {**alone, **among})

    found = dlc.runs()
    assert [row["run"] for row in found] == [f"runs/iris/{n}" for n in range(1, 6)]
    assert [row["settings"] for row in found] == [
        {"width": w, "train.seed": s} for w, s in [("3", "1"), ("5", "1"), ("3", "2"), ("5", "2"), ("3", "2")]
    ]
    assert all(row["state"] == "done" and 0 <= row["figures"]["test.acc"] <= 1 for row in found)


def test_a_run_says_what_it_changes(iris: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Settings that say what the file says already change nothing."""
    assert dlc_line(["train", iris, "seed=2", "width=3", "train.batch=40", "train.duration=1 epochs"]) == 0
    changed = "changed    width 4 -> 3   train.duration 2 epochs -> 1 epochs   train.seed 2"
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == changed
    assert not any(line.startswith("changed") for line in rest)
    assert dlc_line(["train", iris, "width=4"]) == 0
    assert "changed" not in capsys.readouterr().out


def test_one_that_fails_does_not_stop_the_others(iris: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert dlc_line(["train", iris, "train.optimizer=SGD(0.1),SGD(1e38),SGD(0.2)", "seed=3"]) == 3
    said = capsys.readouterr()
    assert "error[E0608]: diverged at step" in said.err
    table = said.out.splitlines()[-3:]
    assert table[0].split() == ["run", "state", "train.optimizer", "val.loss", "val.acc", "test.loss", "test.acc"]
    assert [line.split()[:3] for line in table[1:]] == [
        ["runs/iris/1", "done", "SGD(0.1)"],
        ["runs/iris/3", "done", "SGD(0.2)"],
    ]
    assert [row["state"] for row in dlc.runs("runs/iris")] == ["done", "diverged", "done"]


def test_an_interrupt_stops_all(iris: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from dlc.runtime import api
    from dlc.runtime.failure import Interrupted

    def interrupted(*_: object, **__: object) -> None:
        raise Interrupted(2, Path("runs/iris/1"))

    monkeypatch.setattr(api, "train", interrupted)
    assert dlc_line(["train", iris, "seed=1,2,3"]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "not started: seed=2",
        "not started: seed=3",
        "error: interrupted; the run is saved in runs/iris/1",
        "  = help: `--resume` continues it",
    ]


def test_mistakes_are_told_before_anything_runs(iris: str, dlc: Dlc) -> None:
    assert "expected an integer" in dlc("train", iris, "width=3,2.5", "seed=1,2", code=2).stderr
    assert (
        "applies to one run, but these settings start 2" in dlc("train", iris, "seed=1,2", "--out", "x", code=2).stderr
    )
    assert "2 values for one setting" in dlc("build", iris, "seed=1,2", code=2).stderr
    assert not Path("runs").exists()


def test_the_table_reads_what_there_is(iris: str, dlc: Dlc) -> None:
    dlc("train", iris)
    text = Path(iris).read_text("utf-8").replace("-> relu", "-> gelu").replace("width = 4", "width = 6")
    Path(iris).write_text(text, "utf-8")
    dlc("train", iris)
    lines = dlc("runs").stdout.splitlines()
    assert lines[0].split()[:3] == ["run", "state", "width"]
    assert lines[3] == "note: `model Net` differs between runs: compare with `dlc diff RUN/spec.dlspec RUN/spec.dlspec`"
    Path("runs/iris/2/result.json").unlink()
    Path("runs/iris/1/spec.dlspec").write_text("nonsense", "utf-8")
    rows = json.loads(dlc("runs", "--format", "json").stdout)
    assert [row["state"] for row in rows] == ["done", "unfinished"]
    assert rows[1]["step"] == 6
    assert "there is no directory `nowhere`" in dlc("runs", "nowhere", code=2).stderr
    Path("empty").mkdir()
    assert dlc("runs", "empty").stdout == "no runs in empty\n"
    assert "torch" not in dlc("runs", env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr
