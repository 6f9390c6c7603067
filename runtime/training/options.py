"""What the caller of a training run chooses, beyond the spec."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ...compiler.dataclass import dataclass
from .events import Listener, silent

if TYPE_CHECKING:
    from ...compiler.ir.data import Split
    from ...compiler.ir.model import Spec
    from ...compiler.ir.train import Train
    from ..data.feed import Data
    from ..generated.functions import Program
    from .evaluate import JudgingWitness


class Judging(Protocol):
    """Makes the judge of a split. `classes` are class names by field, as the data gave them."""

    def __call__(
        self, spec: Spec, train: Train, program: Program, data: Data, split: Split, classes: Mapping[str, Sequence[str]]
    ) -> JudgingWitness: ...


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The keywords of `dlc.train`.

    `section` names the `train` section where there are several. `out` is the run directory itself (default: the next number
    in `base/NAME`). `resume` continues the newest unfinished run, or the run it names. `save_every` are the seconds between
    two checkpoints. `judge` judges the answers of the kept weights at the end.
    """

    section: str | None = None
    out: str | Path | None = None
    resume: bool | str | Path = False
    device: str = "auto"
    data_root: str | Path | None = None
    listener: Listener = silent
    base: str | Path = "runs"
    save_every: float | None = None
    judge: Judging | None = None
