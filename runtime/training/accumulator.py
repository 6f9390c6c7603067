"""What a metric gathers: sums on the device, one value at the end.

Nothing is read by the host until `value`. Figures that are ratios of sums are exact; sums are in f64.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

WIDE = torch.float64


def wide(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else WIDE


class Accumulator:
    """Base: `update` with each batch's inputs, then `value`."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        self.args = args
        self.total: Tensor | None = None

    def update(self, *inputs: Tensor) -> None:
        found = self.sums(*inputs)
        self.total = found if self.total is None else self.total + found

    def sums(self, *inputs: Tensor) -> Tensor:
        """What this batch adds: a vector of sums."""
        raise NotImplementedError

    def value(self) -> float:
        assert self.total is not None, "no batch"
        return self.result(self.total.cpu())

    def result(self, total: Tensor) -> float:
        raise NotImplementedError


class Kept(Accumulator):
    """Base of what needs the order of all values, so it keeps them."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        super().__init__(args)
        self.first: list[Tensor] = []
        self.second: list[Tensor] = []

    def update(self, *inputs: Tensor) -> None:
        kept = self.sums(*inputs)
        self.first.append(kept[0])
        self.second.append(kept[1])

    def sums(self, *inputs: Tensor) -> Any:
        """What is kept of this batch: a pair, of one row an example or element."""
        raise NotImplementedError

    def value(self) -> float:
        return self.of_all(torch.cat(self.first).to(WIDE).cpu(), torch.cat(self.second).cpu())

    def of_all(self, first: Tensor, second: Tensor) -> float:
        """The figure; `first` is in f64, both are on the host."""
        raise NotImplementedError


class MeanOfBatches(Accumulator):
    """The mean over examples of what a batch's mean is."""

    def sums(self, *inputs: Tensor) -> Tensor:
        value, count = inputs
        return torch.stack((value.to(wide(value.device)) * count, count.to(wide(value.device))))

    def result(self, total: Tensor) -> float:
        return float(total[0] / total[1])


def classes_last(logits: Tensor, axis: int) -> Tensor:
    return logits if axis in (-1, logits.dim() - 1) else logits.movedim(axis, -1)


def ranks(values: Tensor) -> Tensor:
    """From 1; equal values share the mean of their ranks."""
    _, inverse, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).to(WIDE)
    return (ends - (counts.to(WIDE) - 1) / 2)[inverse]
