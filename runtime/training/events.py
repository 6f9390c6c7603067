"""What a run reports while it works. The command line draws these; the runtime itself prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from ...compiler.dataclass import dataclass, field
from ..checkpoints.judgements import Judgement


@dataclass(frozen=True)
class Started:
    """A run begins (or continues from `step`)."""

    run: Path
    device: str
    parameters: int
    records: Mapping[str, int]
    steps: int
    steps_per_epoch: int | None
    step: int = 0
    phases: tuple[str, ...] = ()


@dataclass(frozen=True)
class Progress:
    """The state after `step` updates; figures are means since the last of these, read at most once a second."""

    step: int
    steps: int
    epoch: int
    losses: Mapping[str, float]
    lr: float
    samples_per_second: float
    seconds_left: float
    memory: int | None = None
    phase: str = ""


@dataclass(frozen=True)
class Validated:
    """Figures of a split (`val.loss`, `val.acc`); `best` when the kept weights are now these. Where no split is held
    back, the split is `train` and its figures are the mean losses since the last of these."""

    step: int
    epoch: int
    split: str
    figures: Mapping[str, float]
    losses: Mapping[str, float]
    best: bool = False


@dataclass(frozen=True)
class Saved:
    """A checkpoint is on disk."""

    step: int
    path: Path


@dataclass(frozen=True)
class Note:
    """One sentence for the user: what was left out, why training stopped."""

    text: str
    code: str = ""


@dataclass(frozen=True)
class Finished:
    """The run is complete. `judged`: how good the answers of the kept weights are, by split."""

    run: Path
    step: int
    seconds: float
    figures: Mapping[str, float]
    best_step: int | None = None
    notes: tuple[str, ...] = field(default=())
    judged: tuple[Judgement, ...] = ()


Event: TypeAlias = Started | Progress | Validated | Saved | Note | Finished
Listener: TypeAlias = Callable[[Event], None]


def silent(event: Event) -> None:
    """Ignores everything."""
