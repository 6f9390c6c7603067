"""Loss terms between two rows of `metrics.csv`: summed on the device, read when a row is written."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


class NotFinite(Exception):
    """The loss stopped being a number; `step` is the last one that was looked at."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


class RunningLosses:
    """Sums of the loss terms over the steps since the last row. `add` costs one small kernel a term and no read; everything
    that returns numbers waits for the device."""

    def __init__(self, total: bool) -> None:
        self.sums: list[Tensor] = []
        self.steps = 0
        self.names: list[str] = []  # of the terms of the phase, in the order of `sums`
        self.total = total  # whether the terms have a meaningful sum: not those of several nets
        self.last: dict[str, float] = {}  # means of the last row

    def add(self, terms: Sequence[Tensor]) -> None:
        if not self.sums:
            self.sums = [term.detach().clone() for term in terms]
        else:
            for total, term in zip(self.sums, terms, strict=True):
                total += term.detach()
        self.steps += 1

    def means(self) -> dict[str, float]:
        """The mean of each term so far. One device read."""
        if not self.steps:
            return {}
        values = torch.stack([total.float() for total in self.sums]).tolist()
        return {name: value / self.steps for name, value in zip(self.names, values, strict=True)}

    def drain(self, step: int) -> dict[str, float]:
        """The means since the last time, with their sum as `loss` if there are several; the sums begin again. Raises
        NotFinite."""
        if not self.steps:
            return {}
        named = self.means()
        self.sums, self.steps = [], 0
        if not all(map(math.isfinite, named.values())):
            raise NotFinite(step)
        summed = self.total and len(named) > 1 and "loss" not in named
        self.last = {"loss": sum(named.values()), **named} if summed else named
        return self.last

    def check(self, step: int) -> None:
        """Raises NotFinite when a loss since the last row was none. One device read."""
        if self.steps and not bool(torch.isfinite(torch.stack([total.float() for total in self.sums])).all()):
            raise NotFinite(step)
