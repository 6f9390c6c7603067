"""The examples on which a model does worst, kept while a split goes by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..checkpoints.judgements import WorstExample
from ..data.draw import Records

Array: TypeAlias = "NDArray[Any]"
Told: TypeAlias = "tuple[str | float, str | float]"  # target and answer


class Worst:
    """The `most` examples with the largest measure: less the probability of the target, or the size of the error."""

    def __init__(self, most: int = 10) -> None:
        self.most = most
        self.kept: list[tuple[float, int, Told]] = []

    def add(self, positions: Records, measure: Array, told: Callable[[int], Told]) -> None:
        """Of examples at positions of the split: how bad each is (not a number: it does not count), and by its place among these its
        target and answer."""
        order = np.argsort(-np.where(np.isnan(measure), -np.inf, measure), kind="stable")[: self.most].tolist()
        kept = [at for at in order if not np.isnan(measure[at])]
        self.kept += [(float(measure[at]), int(positions[at]), told(at)) for at in kept]
        self.kept = sorted(self.kept, key=lambda each: (-each[0], each[1]))[: self.most]

    def examples(self, where: Callable[[int], tuple[int, str]]) -> tuple[WorstExample, ...]:
        """The worst first; `where` gives record and place of a position."""
        found: list[WorstExample] = []
        for measure, position, (target, answer) in self.kept:
            record, place = where(position)
            if isinstance(target, str) or isinstance(answer, str):
                found.append(
                    WorstExample(record=record, place=place, target=target, answer=answer, probability=-measure)
                )
            else:
                found.append(
                    WorstExample(record=record, place=place, target=target, answer=answer, error=answer - target)
                )
        return tuple(found)
