"""Averaged weights: an exponential moving average (`ema`), and the mean of the last n validations (`average(last = n)`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...compiler.ir.train import Train
from ..checkpoints.checkpoint import Checkpoint
from ..generated.functions import Program
from . import fused


class Averages:
    """Averages of a program's parameters; buffers are copied, not averaged."""

    def __init__(self, train: Train, program: Program) -> None:
        self.program = program
        self.decay = train.ema
        self.live = [p for p in program.tensors().values() if isinstance(p, nn.Parameter)]
        self.averaged = [p.detach().clone() for p in self.live] if self.decay is not None else []
        self.samples: list[dict[str, Tensor]] = []

    def step(self) -> None:
        """After an update."""
        if self.decay is not None:
            with torch.no_grad():
                fused.lerp_(self.averaged, self.live, 1 - self.decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the nets have the averaged weights."""
        if self.decay is None:
            yield
            return
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for live, averaged in zip(self.live, self.averaged, strict=True):
            live.data, averaged.data = averaged.data, live.data

    def weights(self) -> dict[str, Tensor] | None:
        """All weights with the averages in their places; None without `ema`."""
        if self.decay is None:
            return None
        found = {id(live): averaged for live, averaged in zip(self.live, self.averaged, strict=True)}
        return {name: found.get(id(t), t.detach()) for name, t in self.program.tensors().items()}

    # ---- the last n ------------------------------------------------------------------------------------------------------------

    def sample(self, last: int) -> None:
        """Remembers the weights as they are now."""
        self.samples.append({name: t.detach().clone() for name, t in self.program.tensors().items()})
        del self.samples[:-last]

    def mean_of_samples(self) -> dict[str, Tensor] | None:
        """The mean of what was remembered; whole numbers are those of the last."""
        if not self.samples:
            return None
        newest = self.samples[-1]
        return {
            name: torch.stack([s[name] for s in self.samples]).mean(0) if t.is_floating_point() else t
            for name, t in newest.items()
        }

    # ---- checkpoints -----------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        return {f"sample.{i}.{name}": t for i, sample in enumerate(self.samples) for name, t in sample.items()}

    def restore(self, saved: Checkpoint, device: torch.device) -> None:
        if self.decay is not None and saved.averaged is not None:
            names = {id(t): name for name, t in self.program.tensors().items()}
            for live, averaged in zip(self.live, self.averaged, strict=True):
                averaged.copy_(saved.averaged[names[id(live)]])
        self.samples = []
        for key, tensor in saved.state.items():
            if key.startswith("sample."):
                _, number, name = key.split(".", 2)
                while len(self.samples) <= int(number):
                    self.samples.append({})
                self.samples[int(number)][name] = tensor.to(device)
