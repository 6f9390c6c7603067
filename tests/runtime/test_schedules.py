"""Schedules, as functions of the generated code, equal torch's own at every step, and meet where segments meet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from dlc.backends.pytorch.schedules import Schedules
from dlc.compiler.catalogue.clock import Clock
from dlc.compiler.ir.train import Duration, Schedule, Segment
from dlc.compiler.messages.source import Span

NOWHERE = Span("x", 0, 0)
CLOCK = Clock(per_epoch=10, batch=4, tokens=32)


def curve(start: float, *segments: tuple, total: int = 100, scale: float = 1.0) -> Callable[[int], float]:
    made = [
        Segment(
            kind=kind,
            span=NOWHERE,
            length=None if length is None else Duration(amount=length[0], unit=length[1]),
            **more,
        )
        for kind, length, more in segments
    ]
    schedule = Schedule(start=start, segments=tuple(made), scale=scale, span=NOWHERE)
    written = Schedules(())
    name = written.name(schedule, CLOCK, total, (), (), "lr")
    module: dict[str, Any] = {"math": math}
    for lines in written.functions:
        exec("\n".join("    " * line.indent + line.text for line in lines), module)
    return module[name]


def rates(scheduler_of, steps: int, lr: float) -> list[float]:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    scheduler = scheduler_of(optimizer)
    found = []
    for _ in range(steps):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


def test_cosine_is_torchs() -> None:
    ours = curve(0.1, ("cosine", (50, "steps"), {"to": 0.01}))
    theirs = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 50, 0.01), 51, 0.1)
    assert [ours(t) for t in range(51)] == pytest.approx(theirs)


def test_linear_is_torchs() -> None:
    ours = curve(0.02, ("linear", (20, "steps"), {"to": 0.1}))
    theirs = rates(lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.2, 1.0, 20), 30, 0.1)
    assert [ours(t) for t in range(30)] == pytest.approx(theirs)


def test_decay_is_torchs() -> None:
    ours = curve(0.1, ("decay", (7, "steps"), {"factor": 0.5}))
    theirs = rates(lambda o: torch.optim.lr_scheduler.StepLR(o, 7, 0.5), 60, 0.1)
    assert [ours(t) for t in range(60)] == pytest.approx(theirs)


def test_warm_up_then_cosine_is_torchs() -> None:
    ours = curve(0.01, ("linear", (20, "steps"), {"to": 0.1}), ("cosine", (0, "rest"), {"to": 0.001}))
    warm = rates(lambda o: torch.optim.lr_scheduler.LinearLR(o, 0.1, 1.0, 20), 20, 0.1)
    falling = rates(lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 80, 0.001), 81, 0.1)
    assert [ours(t) for t in range(101)] == pytest.approx([*warm, *falling])


def test_warm_up_then_the_rest() -> None:
    ours = curve(0.0, ("linear", (2, "epochs"), {"to": 1.0}), ("cosine", (0, "rest"), {"to": 0.0}))
    assert ours(0) == 0
    assert ours(10) == 0.5
    assert ours(20) == 1
    assert ours(60) == pytest.approx(0.5)
    assert ours(100) == pytest.approx(0, abs=1e-12)
    assert ours(500) == pytest.approx(0, abs=1e-12)


def test_hold_jump_inverse_root_and_scale() -> None:
    ours = curve(
        1.0, ("hold", (5, "steps"), {}), ("jump", None, {"to": 4.0}), ("inverse_sqrt", (0, "rest"), {}), scale=0.5
    )
    assert [ours(0), ours(4)] == [0.5, 0.5]
    assert ours(5) == 2.0
    assert ours(20) == pytest.approx(2.0 * math.sqrt(5 / 20))


@pytest.mark.parametrize(
    ("amount", "unit", "steps"),
    [
        (3, "steps", 3),
        (2, "epochs", 20),
        (0.5, "epochs", 5),
        (40, "samples", 10),
        (320, "tokens", 10),
        (0.001, "epochs", 1),
    ],
)
def test_durations(amount: float, unit, steps: int) -> None:
    assert CLOCK.steps(Duration(amount=amount, unit=unit)) == steps
