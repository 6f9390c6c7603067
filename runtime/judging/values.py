"""What is gathered of predicted values: errors over all of them, their spread, and errors by tenths of the target."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.judgements import Figure, Spread, TargetRange, ValueJudgement

Array: TypeAlias = "NDArray[Any]"

MOST = 1 << 21  # values that are kept for quantiles; of more every second, fourth, .. is
POINTS = 200
PARTS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class Moments:
    """Count, mean, variance and extremes of numbers, exact whatever the batches (Chan et al., 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.squares = 0, 0.0, 0.0
        self.low, self.high = math.inf, -math.inf

    def add(self, values: Array) -> None:
        if not values.size:
            return
        with np.errstate(over="ignore"):
            mean, count = float(values.mean()), values.size
        total, apart = self.count + count, mean - self.mean
        with np.errstate(over="ignore", invalid="ignore"):  # of values beyond 1e154 the squares are infinite
            self.squares += float(((values - mean) ** 2).sum()) + apart * apart * self.count * count / total
        self.mean, self.count = self.mean + apart * count / total, total
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    def spread(self, kept: Array) -> Spread:
        """With the quantiles of the values that were kept."""
        known = self.count > 0
        quantiles = np.quantile(kept, QUANTILES).tolist() if kept.size else [None] * len(QUANTILES)
        return Spread(
            mean=self.mean if known else None,
            std=math.sqrt(self.squares / self.count) if known else None,
            min=self.low if known else None,
            max=self.high if known else None,
            **dict(zip(("q05", "q25", "median", "q75", "q95"), quantiles, strict=True)),
        )


class Values:
    """Pairs of target and answer."""

    def __init__(self) -> None:
        self.targets, self.residuals = Moments(), Moments()
        self.magnitude = 0.0
        self.kept: list[Array] = []
        self.seen = self.size = 0
        self.every = 1

    def add(self, answers: Array, targets: Array) -> None:
        """In f64, of equal length; pairs whose difference is not finite do not count."""
        with np.errstate(over="ignore"):
            finite = np.isfinite(answers - targets)
        answers, targets = answers[finite], targets[finite]
        errors = answers - targets
        self.targets.add(targets)
        self.residuals.add(errors)
        with np.errstate(over="ignore"):
            self.magnitude += float(np.abs(errors).sum())
        first = -self.seen % self.every
        pairs = np.stack([targets[first :: self.every], answers[first :: self.every]])
        self.kept.append(pairs)
        self.seen, self.size = self.seen + len(targets), self.size + pairs.shape[1]
        while self.size > MOST:
            whole = np.concatenate(self.kept, 1)[:, ::2]
            self.kept, self.size, self.every = [whole], whole.shape[1], 2 * self.every

    def result(self, output: str, field: str, units: str) -> ValueJudgement:
        kept = np.concatenate(self.kept, 1) if self.kept else np.zeros((2, 0))
        targets, answers = kept
        count, errors = self.residuals.count, self.residuals
        squared = errors.squares + count * errors.mean * errors.mean
        return ValueJudgement(
            output=output,
            field=field,
            units=units,
            count=count,
            sampled=self.every > 1,
            mae=self.magnitude / count if count else None,
            rmse=math.sqrt(squared / count) if count else None,
            r2=_explained(squared, self.targets.squares),
            targets=self.targets.spread(targets),
            residuals=errors.spread(answers - targets),
            deciles=parts(targets, answers),
            points=tuple((a, b) for a, b in kept[:, _evenly(targets)].T.tolist()),
        )


def _explained(squared: float, variance: float) -> Figure:
    return 1 - squared / variance if variance > 0 else None


def _evenly(targets: Array) -> Array:
    """Places of some values, evenly spaced in the order of the targets."""
    order = np.argsort(targets, kind="stable")
    return order[np.unique(np.linspace(0, len(order) - 1, min(POINTS, len(order))).astype(np.int64))]


def parts(targets: Array, answers: Array) -> tuple[TargetRange, ...]:
    """Tenths by target; equal targets are in one part, so that there may be fewer."""
    if not targets.size:
        return ()
    edges = np.unique(np.quantile(targets, np.linspace(0, 1, PARTS + 1)[1:-1]))
    at = np.searchsorted(edges, targets, side="left")
    found: list[TargetRange] = []
    for part in np.unique(at).tolist():
        inside = at == part
        y, errors = targets[inside], answers[inside] - targets[inside]
        with np.errstate(over="ignore", invalid="ignore"):
            found.append(
                TargetRange(
                    low=float(y.min()),
                    high=float(y.max()),
                    count=int(inside.sum()),
                    bias=float(errors.mean()),
                    mae=float(np.abs(errors).mean()),
                    rmse=float(np.sqrt((errors**2).mean())),
                )
            )
    return tuple(found)
