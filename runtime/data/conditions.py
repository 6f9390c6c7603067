"""`where`: which records a section keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.ir.data import Condition
from ...compiler.sizes.dims import Dim
from .graph import Graph, Part, Records


def holds(graph: Graph, condition: Condition, part: Part) -> NDArray[np.bool_]:
    """For which records of a part a `where` holds."""
    positions = np.arange(len(part))
    if condition.op in ("and", "or"):
        found = [holds(graph, item, part) for item in condition.items]
        return np.logical_and.reduce(found) if condition.op == "and" else np.logical_or.reduce(found)
    if condition.op == "not":
        return ~holds(graph, condition.items[0], part)
    left, right = (_side(graph, side, part, positions) for side in (condition.left, condition.right))
    if any(isinstance(side, np.ndarray) and side.dtype.kind in "US" for side in (left, right)):
        left, right = _comparable(left, right)
    compare: dict[str, Callable[[Any, Any], Any]] = {
        "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    }  # fmt: skip
    return np.broadcast_to(compare[condition.op](left, right), positions.shape).copy()


def _side(graph: Graph, side: Any, part: Part, positions: Records) -> Any:
    if isinstance(side, tuple):
        value = graph.evaluate([side[1]], part, positions, training=False)[side[1]]
        if isinstance(value, Tensor):
            return value.numpy()
        assert isinstance(value, list)
        return np.asarray(value)
    if isinstance(side, Dim):
        for item in graph.section.fields:
            for axis, size in enumerate(item.type.shape[1:]):
                if size == side:
                    value: Any = graph.evaluate([item.node], part, positions, training=False)[item.node]
                    return np.array([entry.shape[axis] for entry in value])
    return side


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Texts compared with numbers are read as numbers if they all are."""

    def read(side: Any) -> Any:
        try:
            return np.asarray(side, dtype=np.float64)
        except ValueError:
            return None

    a, b = read(left), read(right)
    return (np.asarray(left, str), np.asarray(right, str)) if a is None or b is None else (a, b)
