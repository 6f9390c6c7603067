"""`where`: which records a section keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import Condition
from ...compiler.sizes.dims import Dim
from . import cells, text_columns
from .graph import Graph, Records, SplitPart
from .text_columns import is_cells

COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
}  # fmt: skip


def holds(graph: Graph, condition: Condition, part: SplitPart) -> NDArray[np.bool_]:
    """For which records of a part a `where` holds."""
    positions = np.arange(len(part))
    if condition.op in ("and", "or"):
        found = [holds(graph, item, part) for item in condition.items]
        return np.logical_and.reduce(found) if condition.op == "and" else np.logical_or.reduce(found)
    if condition.op == "not":
        return ~holds(graph, condition.items[0], part)
    left, right = _comparable(graph, condition, part, positions)
    compare = COMPARE[condition.op]
    if is_cells(left) and isinstance(right, str):  # each distinct text once
        codes, names = text_columns.distinct(left)
        if not right:  # the text of what is missing
            rule = graph.rule(graph.nodes[condition.left[1]])  # pyright: ignore[reportIndexIssue, reportOptionalSubscript, reportArgumentType, reportCallIssue]
            names = ["" if rule.is_missing(name) else name for name in names]
        return compare(np.array(names, str), right)[codes]
    left, right = (np.array(list(side), str) if is_cells(side) else side for side in (left, right))
    return np.broadcast_to(compare(left, right), positions.shape).copy()


def before_fitting(graph: Graph, condition: Condition) -> tuple[Condition | None, Condition | None]:
    """A condition as the part that reads nothing learned, which can hold before anything is learned from the records, and the
    rest."""
    parts = condition.items if condition.op == "and" else (condition,)
    early = tuple(part for part in parts if not _learned(graph, part))
    late = tuple(part for part in parts if part not in early)
    return _all(early, condition), _all(late, condition)


def _all(parts: tuple[Condition, ...], condition: Condition) -> Condition | None:
    return condition.model_copy(update={"op": "and", "items": parts, "left": None, "right": None}) if parts else None


def _learned(graph: Graph, condition: Condition) -> bool:
    if condition.items:
        return any(_learned(graph, item) for item in condition.items)
    nodes = [_node(graph, side) for side in (condition.left, condition.right)]
    needed = graph.needed([node for node in nodes if node is not None], training=False)
    return any(transforms.of(graph.nodes[identifier].op).learns for identifier in needed)


def _node(graph: Graph, side: Any) -> int | None:
    """The node that a side is computed from; None for a constant."""
    if isinstance(side, tuple):
        return side[1]
    if isinstance(side, Dim):
        return next((item.node for item in graph.section.fields if side in item.type.shape[1:]), None)
    return None


def _comparable(graph: Graph, condition: Condition, part: SplitPart, positions: Records) -> tuple[Any, Any]:
    """Both sides as numbers, or both as texts. A constant decides which; two columns are numbers where all their values are. In
    a comparison of texts a missing value is `""`, in one of numbers NaN: only `!=` holds for it."""
    sides = condition.left, condition.right
    values = [_side(graph, side, part, positions) for side in sides]
    constants = [side for side in sides if not isinstance(side, (tuple, Dim))]
    if any(isinstance(constant, str) for constant in constants):
        return tuple(_texts(graph, value) for value in values)  # pyright: ignore[reportReturnType]
    try:
        return tuple(_numbers(value) for value in values)  # pyright: ignore[reportReturnType]
    except cells.NotANumber as wrong:
        if not constants:
            return tuple(_texts(graph, value) for value in values)  # pyright: ignore[reportReturnType]
        at = next(side[1] for side in sides if isinstance(side, tuple))
        value = next(value for value in values if is_cells(value))
        record = int(part.records[wrong.position])
        raise graph.bad_cell(graph.nodes[at], value[wrong.position], record) from None


def _numbers(value: Any) -> Any:
    return text_columns.numbers(value) if is_cells(value) else value


def _texts(graph: Graph, value: Any) -> Any:
    return graph.texts(torch.from_numpy(value)) if isinstance(value, np.ndarray) else value


def _side(graph: Graph, side: Any, part: SplitPart, positions: Records) -> Any:
    """A constant, numbers as an array, or cells as a list."""
    node = _node(graph, side)
    if node is None:
        return side
    value = graph.evaluate([node], part, positions, training=False)[node]
    if isinstance(side, Dim):
        item = next(item for item in graph.section.fields if side in item.type.shape[1:])
        axis = item.type.shape[1:].index(side)
        found: Any = value
        return np.array([entry.shape[axis] for entry in found])
    return value.numpy() if isinstance(value, Tensor) else value
