"""Which axis of an output counts the records: the first one for nearly all models, but a model may put time or members there.

inputs [B, 4]     outputs [B, 3] -> 0     [8, B] -> 1     [D] -> None: the same for every record
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def batch_axes(inputs: Iterable[Sequence[object]], outputs: Mapping[str, Sequence[object]]) -> dict[str, int | None]:
    """By output: the axis of the size that inputs begin with. None where no size of the output contains it; the first axis where
    one does in another form, and where inputs have no such size."""
    first = next((shape[0] for shape in inputs if len(shape)), None)
    if first is None or isinstance(first, int):
        return dict.fromkeys(outputs, 0)
    found: dict[str, int | None] = {}
    for name, shape in outputs.items():
        axis = next((axis for axis, size in enumerate(shape) if size == first), None)
        merged = any(not isinstance(size, int) for size in shape)
        found[name] = 0 if axis is None and merged else axis
    return found


def records_first(
    values: Mapping[str, NDArray[Any]], axes: Mapping[str, int | None], count: int
) -> dict[str, NDArray[Any]]:
    """Outputs with the records on the first axis."""
    found: dict[str, NDArray[Any]] = {}
    for name, value in values.items():
        axis = axes.get(name, 0)
        if axis is None:
            found[name] = np.broadcast_to(value, (count, *value.shape))
        else:
            found[name] = np.moveaxis(value, axis, 0) if axis else value
    return found
