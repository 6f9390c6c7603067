"""Records of one shape, which are one array or tensor, and of different shapes, which are a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .number import NotBelow

Array: TypeAlias = "NDArray[Any]"


def packed(items: Sequence[Array]) -> Array | list[Array]:
    """One array when all have one shape."""
    if all(item.shape == items[0].shape for item in items):
        return np.stack(items)
    return list(items)


def each(value: Any, function: Callable[[Any], Any], pack: Callable[[list[Any]], Any]) -> Any:
    """A function on `[n, ...]` applied to an array or a tensor; records of different shapes go through one by one, and `pack`
    puts them together again. Raises NotBelow with the position of the record."""
    if not isinstance(value, list):
        return function(value)
    found: list[Any] = []
    for at, item in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        try:
            found.append(function(item[None])[0])
        except NotBelow as wrong:
            raise NotBelow(at, wrong.number, wrong.n) from None
    return pack(found)


def largest(items: Any) -> int:
    """The largest number of arrays or tensors; 0 where there is none."""
    return max((int(item.max()) for item in items if len(item)), default=0)
