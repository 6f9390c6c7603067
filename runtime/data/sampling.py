"""How likely each record of the train split is drawn: `sampling = balanced(label)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.ir.arguments import EntryUse
from . import split_mistakes
from .facts import values_of
from .feed import Data

Weights: TypeAlias = "NDArray[np.float64]"


def weights(data: Data, sampling: EntryUse) -> Weights:
    """A number for each record of the train split, by its position: how often it is drawn, relative to the others."""
    field: str = sampling.args["field"]
    numbers = np.concatenate([np.asarray(part, np.float64) for part in values_of(data, field)])
    found = weigher(sampling.name)(numbers)
    if not np.isfinite(found).all() or (found < 0).any():
        at = int(np.argmax(~np.isfinite(found) | (found < 0)))
        place = data.table.place(int(data.part("train").records[at]))
        raise split_mistakes.bad_weight(sampling.span, field, place, float(found[at]))
    if not found.any():
        raise split_mistakes.no_weight(sampling.span, field)
    return found


def balanced(numbers: NDArray[Any]) -> Weights:
    """By class numbers: one over the size of the class."""
    known = numbers >= 0
    _, which, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    return np.where(known, 1 / counts[which.reshape(-1)], 0.0)


def weighted(numbers: NDArray[Any]) -> Weights:
    return numbers


_WEIGHERS: Mapping[str, Callable[[NDArray[Any]], Weights]] = {"balanced": balanced, "weighted": weighted}


def weigher(name: str) -> Callable[[NDArray[Any]], Weights]:
    """The function of an entry; KeyError when there is none."""
    return _WEIGHERS[name]
