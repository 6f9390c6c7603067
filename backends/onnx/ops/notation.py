"""Lowerings of `compiler/catalogue/ops/notation.py`."""

from __future__ import annotations

from ....compiler.sizes.dims import Size
from ....compiler.sizes.types import TensorType
from ..lowering import Result, Use, lowers, scalar
from ..tensor import Tensor
from .structure import insert_axis

_END = (1 << 63) - 1


@lowers("constant")
def constant(use: Use) -> Result:
    return scalar(use.graph, use["value"], use["dtype"])


@lowers("size")
def size(use: Use) -> Result:
    return use.graph.scalar(use["value"])


@lowers("transpose")
def transpose(use: Use, x: Tensor) -> Result:
    order = (*range(x.rank - 2), x.rank - 1, x.rank - 2)
    return Tensor(x.graph, x.raw, use.outputs[0], x.layout.permute(order))


@lowers("rearrange")
def rearrange(use: Use, x: Tensor) -> Result:
    expanded, order, merged = use["expanded"], use["order"], use["merged"]
    parts = x.reshape(expanded)
    return Tensor(x.graph, parts.raw, use.outputs[0], parts.layout.permute(order).merge(merged))


@lowers("index")
def index(use: Use, x: Tensor) -> Result:
    """One `Slice` for all cuts, a `Gather` for each selection; new axes are only a reading."""
    graph, items = use.graph, use["items"]
    taken = sum(item is not None and item != "..." for item in items)
    axis = 0
    cuts: list[tuple[int, Size, Size]] = []
    picks: list[tuple[int, Size]] = []
    new: list[int] = []  # places of new axes in the result
    place = 0
    for item in items:
        if item is None:
            new.append(place)
            place += 1
        elif item == "...":
            axis += x.rank - taken
            place += x.rank - taken
        elif isinstance(item, tuple):
            start, stop = item[1], item[2]  # pyright: ignore[reportUnknownVariableType]
            if start not in (None, 0) or stop is not None:
                cuts.append((axis, 0 if start is None else start, _END if stop is None else stop))  # pyright: ignore[reportUnknownArgumentType]
            axis += 1
            place += 1
        else:
            picks.append((axis, item))
            axis += 1
    result = x
    if cuts or picks:
        value, shape = x.value, list(x.shape)
        if cuts:
            axes, starts, stops = zip(*cuts, strict=True)
            value = graph.node("Slice", value, graph.shape(starts), graph.shape(stops), graph.ints(*axes))
            for at, start, stop in cuts:
                shape[at] = _length(x.shape[at], start, stop)
        for at, position in reversed(picks):
            value = graph.node("Gather", value, graph.scalar(position), axis=at)
            del shape[at]
        result = Tensor(graph, value, TensorType(x.dtype, tuple(shape)))
    for at in new:
        result = insert_axis(result, at)
    return result


def _length(size: Size, start: Size, stop: Size) -> Size:
    first = size + start if isinstance(start, int) and start < 0 else start
    last = size if stop == _END else size + stop if isinstance(stop, int) and stop < 0 else stop
    return last - first
