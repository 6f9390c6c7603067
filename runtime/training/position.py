"""Where a run is: the part of its state that is plain numbers, all of it in the checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ...compiler.catalogue.clock import clock_of, length_of
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.train import Train
from ..forms import FormReader


@dataclass
class Position:
    """Where a run is. All of it goes into the checkpoint."""

    step: int = 0
    phase: int = 0
    phase_step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    batch: int = 0  # the batch size the epoch was begun with, in `unit`
    unit: str = "samples"
    updates: dict[str, int] = field(default_factory=dict[str, int])
    best: float | None = None
    best_step: int | None = None
    best_figures: dict[str, float] = field(default_factory=dict[str, float])
    stop_best: float | None = None
    stop_step: int = 0
    seconds: float = 0.0
    stopped: bool = False  # by `stop`
    scale: float = 2.0**16  # of the loss in f16, see `scaling.py`
    unskipped: int = 0  # updates since the scale changed
    skipped: int = 0  # updates that were left out


_FORM = FormReader(Position)


def of(train: Train, loop: Mapping[str, Any]) -> Position | None:
    """The position in a checkpoint; None where it is not one of this section."""
    known = {field.name for field in fields(Position)}
    try:
        at = _FORM.convert({name: value for name, value in loop.items() if name in known})
    except ValueError:
        return None
    counts = (at.step, at.phase, at.phase_step, at.epoch, at.epoch_step, at.batch, at.stop_step, *at.updates.values())
    whole = min(*counts, at.unskipped, at.skipped) >= 0 and 0 < at.scale < math.inf
    return at if whole and at.phase < len(train.phases) else None


def complete(train: Train, at: Position, records: int) -> bool:
    """Whether nothing is left to do at this position."""
    if at.phase < len(train.phases) - 1:
        return False
    phase = train.phases[-1]
    clock = clock_of(phase, records)
    if at.stopped and train.stop and at.step - at.stop_step >= clock.steps(train.stop.patience):
        return True
    return at.phase_step >= length_of(phase, clock)
