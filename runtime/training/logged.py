"""What `log { images = .. values = .. }` names, computed from the same records every time."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ...compiler.ir.data import Split
from ...compiler.ir.train import Phase
from .. import randomness
from ..data.feed import Feed
from . import image_grid
from .evaluate import evaluating
from .state import Job, TrainingState


class Logged:
    """What a phase logs."""

    def __init__(self, state: TrainingState, phase: Phase) -> None:
        self.state, self.phase = state, phase
        logged = state.program.logged
        self.function = logged[state.at.phase] if logged else None
        self.every = state.clock(phase).steps(phase.log.every) if phase.log.every else 1
        self.sample: dict[str, Tensor] | None = None

    def show(self) -> dict[str, float]:
        """The means of the values; images go to files. Records and random numbers are the same every time, so that images of
        two steps compare, and what training draws does not change."""
        if self.function is None:
            return {}
        state, job, at = self.state, self.state.job, self.state.at
        if self.sample is None:
            self.sample = first_records(job, image_grid.MOST)
        devices = [job.device] if job.device.type == "cuda" else []
        with torch.random.fork_rng(devices), state.averages.applied(), evaluating(state.program):
            randomness.seed_torch(job.train.seed, -1, job.device)
            found = self.function(self.sample)
        for name in self.phase.log.images if job.records and at.phase_step % self.every == 0 else ():
            file = job.run.path / "images" / f"{name}-{at.step:06}.png"
            image_grid.write_grid(file, found[name].cpu().numpy())
        return {name: float(found[name].double().mean()) for name in self.phase.log.values}


def first_records(job: Job, count: int) -> dict[str, Tensor]:
    """Records of the validation split, or of the train split, as evaluation sees them."""
    split: Split = "val" if "val" in job.data.parts else "train"
    part = job.data.part(split)
    few = replace(job.data, parts={split: replace(part, records=part.records[:count])})
    return next(Feed(few, split, training=False, device=job.device).batches(count))
