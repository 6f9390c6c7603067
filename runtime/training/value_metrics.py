"""Metrics of predictions against values of equal shape."""

from __future__ import annotations

import math
import sys

import torch
from torch import Tensor

from .accumulator import Accumulator, Kept, ranks, wide


def _pair(inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Predictions and values of one shape, wide; a single number stands for all values."""
    pred, y = (value.to(wide(value.device)) for value in inputs)
    return pred, y.expand_as(pred)


class _Mean(Accumulator):
    """The mean over elements of something computed from each."""

    def each(self, pred: Tensor, y: Tensor) -> Tensor:
        raise NotImplementedError

    def sums(self, *inputs: Tensor) -> Tensor:
        found = self.each(*_pair(inputs))
        return torch.stack((found.sum(), torch.full_like(found.sum(), found.numel())))

    def result(self, total: Tensor) -> float:
        return float(total[0] / total[1]) if total[1] else math.nan


class Mae(_Mean):
    def each(self, pred: Tensor, y: Tensor) -> Tensor:
        return (pred - y).abs()


class Rmse(_Mean):
    def each(self, pred: Tensor, y: Tensor) -> Tensor:
        return (pred - y) ** 2

    def result(self, total: Tensor) -> float:
        return math.sqrt(super().result(total))


class Pinball(_Mean):
    def each(self, pred: Tensor, y: Tensor) -> Tensor:
        q = self.args["q"]
        return torch.maximum(q * (y - pred), (q - 1) * (y - pred))


class Mape(_Mean):
    def each(self, pred: Tensor, y: Tensor) -> Tensor:
        return (pred - y).abs() / y.abs().clamp(min=sys.float_info.epsilon)


class Smape(_Mean):
    def each(self, pred: Tensor, y: Tensor) -> Tensor:
        scale = pred.abs() + y.abs()
        return torch.where(scale > 0, 2 * (pred - y).abs() / scale.where(scale > 0, 1), 0)


class MaxError(Accumulator):
    def update(self, *inputs: Tensor) -> None:
        found = self.sums(*inputs)
        self.total = found if self.total is None else torch.maximum(self.total, found)

    def sums(self, *inputs: Tensor) -> Tensor:
        pred, y = _pair(inputs)
        return (pred - y).abs().max()

    def result(self, total: Tensor) -> float:
        return float(total)


class _Moments(Accumulator):
    """Sums over pairs, the values about the first of them for precision: count, values, their squares, errors, their squares."""

    offset: Tensor | None = None

    def sums(self, *inputs: Tensor) -> Tensor:
        pred, y = _pair(inputs)
        if self.offset is None:
            self.offset = y.flatten()[0] if y.numel() else torch.zeros((), dtype=y.dtype, device=y.device)
        error, centred = pred - y, y - self.offset
        count = torch.full((), float(pred.numel()), dtype=pred.dtype, device=pred.device)
        return torch.stack((count, centred.sum(), (centred**2).sum(), error.sum(), (error**2).sum()))

    def result(self, total: Tensor) -> float:
        count, first, second, error, squared = total.tolist()
        left = self.left(count, error, squared)
        variance = second - first * first / count
        return 1 - left / variance if variance > 0 else (1.0 if left <= 0 else 0.0)

    def left(self, count: float, error: float, squared: float) -> float:
        """What is not explained, as a sum of squares."""
        raise NotImplementedError


class R2(_Moments):
    def left(self, count: float, error: float, squared: float) -> float:
        return squared


class ExplainedVariance(_Moments):
    def left(self, count: float, error: float, squared: float) -> float:
        return squared - error * error / count


class _Kept(Kept):
    def sums(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        pred, y = _pair(inputs)
        return pred.flatten(), y.flatten()


class Pearson(_Kept):
    def of_all(self, first: Tensor, second: Tensor) -> float:
        return _correlation(first, second)


class Spearman(_Kept):
    def of_all(self, first: Tensor, second: Tensor) -> float:
        return _correlation(ranks(first), ranks(second))


class MedianAbsoluteError(_Kept):
    def of_all(self, first: Tensor, second: Tensor) -> float:
        errors, count = (first - second).abs().sort().values, len(first)
        return float(errors[(count - 1) // 2] + errors[count // 2]) / 2 if count else math.nan


def _correlation(one: Tensor, other: Tensor) -> float:
    """NaN where one of both is constant."""
    if not len(one) or (one == one[0]).all() or (other == other[0]).all():
        return math.nan
    one, other = one - one.mean(), other - other.mean()
    return max(-1.0, min(1.0, float(one @ other / (one.norm() * other.norm()))))
