"""What training works on: the job that it is given, and the state that a checkpoint keeps.

The state lies below the functions that change it: `loop.py` trains, `validation.py` measures, `reporter.py` reports, `resume.py`
saves and restores, `finish.py` ends.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor

from ...compiler.catalogue.clock import Clock, clock_of
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import Split
from ...compiler.ir.expand import ParameterEntry
from ...compiler.ir.train import Phase, Train
from ..checkpoints.rundir import RunDir
from ..data.feed import Data, Feed
from ..generated.functions import LossCode, Program
from .averages import Averages
from .evaluate import JudgingWitness
from .events import Listener, Note
from .losses import RunningLosses
from .optimizers import Stepper
from .position import Position

SAVE_EVERY = 30.0  # seconds between two checkpoints


class StepWatch(Protocol):
    """Looks at every step before the weights change; used to find the step at which a loss stops being a number."""

    def before(self, batches: Sequence[dict[str, Tensor]], loss: LossCode) -> None: ...

    def after(self, losses: Sequence[Tensor], step: int) -> None: ...


@dataclass
class Job:
    """Everything that one training is made from."""

    train: Train
    program: Program
    entries: dict[str, ParameterEntry]  # by the paths of the checkpoint
    data: Data
    run: RunDir
    device: torch.device
    listener: Listener
    metadata: dict[str, str] = field(default_factory=dict[str, str])  # of the weights files
    save_every: float = SAVE_EVERY
    watch: StepWatch | None = None
    records: bool = True  # False: nothing is written
    judge: Callable[[Split], JudgingWitness] | None = None
    baselines: Callable[[Program, Feed], dict[str, float]] | None = None

    def log(self, text: str) -> None:
        if self.records:
            self.run.log(text)

    def say(self, text: str, code: str = "") -> None:
        """To the log and to the user."""
        self.log(text)
        self.listener(Note(text, code))


class KeptWeights:
    """The weights that were best in validation: one copy on the device, written when the next checkpoint is."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] | None = None
        self.on_disk = True

    def take(self, program: Program) -> None:
        tensors = program.tensors()
        if self.tensors is None:
            self.tensors = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        else:
            for name, tensor in tensors.items():
                self.tensors[name].copy_(tensor.detach())
        self.on_disk = False


class TrainingState:
    """The state of one training."""

    def __init__(self, job: Job) -> None:
        train, data = job.train, job.data
        self.job, self.train, self.program = job, train, job.program
        self.at = Position()
        self.feed = Feed(data, "train", training=True, device=job.device)
        measured = bool(train.evaluation.terms or train.evaluation.metrics) and "val" in data.parts
        self.val = Feed(data, "val", training=False, device=job.device) if measured else None
        self.averages = Averages(train, job.program)
        self.kept = KeptWeights()
        self.steppers: list[Stepper] = []  # of the phase, one an update
        self.optimizers: dict[str, Tensor] = {}  # their state in the checkpoint, until the phase has made them
        self.undefined: set[str] = set()  # figures that were reported as not a number
        self.losses = RunningLosses(total=len(train.phases[0].updates) == 1)

    def clock(self, phase: Phase) -> Clock:
        return clock_of(phase, len(self.feed))
