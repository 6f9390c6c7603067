"""What the caller of a training run chooses, beyond the spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .events import Listener, silent


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The keywords of `dlc.train`.

    `section` names the `train` section where there are several. `out` is the run directory itself (default: the next number
    in `base/NAME`). `resume` continues the newest unfinished run, or the run it names. `save_every` are the seconds between
    two checkpoints.
    """

    section: str | None = None
    out: str | Path | None = None
    resume: bool | str | Path = False
    device: str = "auto"
    data_root: str | Path | None = None
    listener: Listener = silent
    base: str | Path = "runs"
    save_every: float | None = None
