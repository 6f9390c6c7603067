"""What is counted of predicted classes: a table of targets against predictions, and how sure the predictions were."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.judgements import Bin, Calibration, ClassFigures, ClassJudgement, ClassMeans, Figure

Array: TypeAlias = "NDArray[Any]"

BINS = 10


class Confidence:
    """By interval of the probability of what is predicted: predictions, the sum of their probabilities, those that are right."""

    def __init__(self) -> None:
        self.sums = np.zeros((3, BINS))

    def add(self, confidence: Array, right: Array) -> None:
        at = np.clip((confidence * BINS).astype(np.int64), 0, BINS - 1)
        for row, weights in zip(self.sums, (np.ones(len(at)), confidence, right.astype(np.float64)), strict=True):
            row += np.bincount(at, weights, BINS)

    def result(self) -> Calibration:
        bins: list[Bin] = []
        for at, (count, probability, right) in enumerate(self.sums.T.tolist()):
            bins.append(
                Bin(
                    low=at / BINS,
                    high=(at + 1) / BINS,
                    count=int(count),
                    probability=probability / count if count else None,
                    right=right / count if count else None,
                )
            )
        count = self.sums[0].sum()
        ece = float(np.abs(self.sums[1] - self.sums[2]).sum() / count) if count else None
        return Calibration(ece=ece, bins=tuple(bins))


class ClassCounts:
    """One class an example (or pixel), of those along the last axis of the probabilities."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.table = np.zeros((len(names), len(names)), np.int64)
        self.confidence = Confidence()

    def add(self, shares: Array, target: Array) -> None:
        """Probabilities [n, classes] in f64, and class numbers [n]; those outside of the classes do not count."""
        count = len(self.names)
        counts = (target >= 0) & (target < count) & np.isfinite(shares).all(-1)
        shares, target = shares[counts], target[counts]
        predicted = shares.argmax(-1)
        self.table += np.bincount(target * count + predicted, minlength=count * count).reshape(count, count)
        self.confidence.add(shares.max(-1) if len(shares) else np.zeros(0), predicted == target)

    def result(self, output: str, field: str) -> ClassJudgement:
        right, predicted, support = self.table.diagonal(), self.table.sum(0), self.table.sum(1)
        rows = figures_of(self.names, right, predicted, support)
        return ClassJudgement(
            kind="classes",
            output=output,
            field=field,
            count=int(self.table.sum()),
            accuracy=_share(int(right.sum()), int(self.table.sum())),
            classes=rows,
            macro=_average(rows, [1] * len(rows)),
            weighted=_average(rows, support.tolist()),
            confusion=tuple(tuple(row) for row in self.table.tolist()),
            calibration=self.confidence.result(),
        )


class Labels:
    """Several yes-or-no labels an example, along the last axis."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.counts = np.zeros((3, len(names)), np.int64)  # right yes, predicted yes, targets that are yes
        self.right = self.total = 0
        self.confidence = Confidence()

    def add(self, shares: Array, target: Array) -> None:
        """Probabilities of yes [n, labels] in f64, and targets 0 and 1 likewise."""
        yes, wanted = shares > 0.5, target > 0.5
        self.counts += np.stack([(yes & wanted).sum(0), yes.sum(0), wanted.sum(0)])
        right = yes == wanted
        self.right, self.total = self.right + int(right.sum()), self.total + right.size
        self.confidence.add(np.maximum(shares, 1 - shares).ravel(), right.ravel())

    def result(self, output: str, field: str) -> ClassJudgement:
        right, predicted, support = self.counts
        rows = figures_of(self.names, right, predicted, support)
        return ClassJudgement(
            kind="labels",
            output=output,
            field=field,
            count=self.total,
            accuracy=_share(self.right, self.total),
            classes=rows,
            macro=_average(rows, [1] * len(rows)),
            weighted=_average(rows, support.tolist()),
            confusion=None,
            calibration=self.confidence.result(),
        )


def figures_of(names: Sequence[str], right: Array, predicted: Array, support: Array) -> tuple[ClassFigures, ...]:
    """A row a class; a ratio of nothing is 0, as in scikit-learn."""
    return tuple(
        ClassFigures(
            name=name,
            support=wanted,
            predicted=said,
            precision=_share(hits, said) or 0.0,
            recall=_share(hits, wanted) or 0.0,
            f1=_share(2 * hits, said + wanted) or 0.0,
        )
        for name, hits, said, wanted in zip(names, right.tolist(), predicted.tolist(), support.tolist(), strict=True)
    )


def _average(rows: Sequence[ClassFigures], weights: Sequence[int]) -> ClassMeans:
    total = sum(weights)

    def mean(figures: Sequence[float]) -> Figure:
        return sum(f * w for f, w in zip(figures, weights, strict=True)) / total if total else None

    return ClassMeans(
        precision=mean([row.precision for row in rows]),
        recall=mean([row.recall for row in rows]),
        f1=mean([row.f1 for row in rows]),
    )


def _share(part: int, whole: int) -> Figure:
    return part / whole if whole else None
