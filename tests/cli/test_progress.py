"""What a run prints: plain lines where nothing can move, a bar on a terminal, the run first and last."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from dlc.cli import progress
from dlc.runtime.training.events import Finished, Note, Progress, Saved, Started, Validated

RUN = Path("runs/digits/1")
EVENTS = [
    Started(RUN, "cpu", 26_122, {"train": 1258, "val": 180}, steps=760, steps_per_epoch=19, step=19),
    Note("the last 42 records of an epoch are left out", code="W0407"),
    Progress(19, 760, 1, {"loss": 1.5}, 0.003, 41000.0, 8.25),
    Validated(19, 1, "val", {"val.acc": 0.9}, {"val.loss": 0.4}, best=True),
    Saved(19, RUN / "last"),
    Finished(RUN, 760, 9.5, {"test.acc": 0.975}, best_step=741, notes=("stopped early",)),
]


def told(listener: progress.Lines, capsys: pytest.CaptureFixture[str]) -> list[str]:
    for event in EVENTS:
        listener(event)
    listener.close()
    return capsys.readouterr().out.splitlines()


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(progress.Lines(), capsys) == [
        "run        runs/digits/1",
        "start      26,122 parameters on cpu; train 1,258  val 180",
        "resume     from step 19 of 760",
        "note[W0407]: the last 42 records of an epoch are left out",
        "step     19  epoch   1  val.loss 0.4  val.acc 0.9  (best)",
        "note: stopped early",
        "done       760 steps in 9.5 s, best at step 741",
        "result     test.acc 0.975",
        "run        runs/digits/1",
    ]


def test_a_slow_run_shows_where_it_is(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    told(progress.Lines(), capsys)
    progress.Lines()(EVENTS[2])
    assert "step     19 of 760  loss 1.5  41,000 samples/s  8.2 s left" in capsys.readouterr().err


def test_of_many_validations_the_best_and_every_twentieth_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    listener = progress.Lines()
    listener(Started(RUN, "cpu", 1, {}, steps=400, steps_per_epoch=4))
    for step in range(4, 401, 4):
        listener(Validated(step, step // 4, "val", {"val.acc": 0.5}, {}, best=step == 8))
    shown = [int(line.split()[1]) for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert shown == [8, *range(28, 400, 20), 400]


def test_the_bar_tells_the_same_milestones(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(progress.Moving(), capsys) == told(progress.Lines(), capsys)


def test_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    assert type(progress.listener()) is progress.Lines
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(progress.listener()) is progress.Moving
    monkeypatch.setenv("TERM", "dumb")
    assert type(progress.listener()) is progress.Lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(8.25, "8.2 s"), (125, "2 min 05 s"), (11_520, "3 h 12 min"), (59.99, "60.0 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text
