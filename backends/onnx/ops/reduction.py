"""Lowerings of `compiler/catalogue/ops/reduction.py`."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from ....compiler.catalogue.ops.rules import axes_of
from ....compiler.sizes.dims import Size
from ....compiler.sizes.types import is_float
from ..graph import GraphBuilder
from ..lowering import Result, Use, lowers
from ..tensor import Tensor

_KINDS = {"sum": "ReduceSum", "mean": "ReduceMean", "max": "ReduceMax", "min": "ReduceMin"}


def _axes(use: Use, x: Tensor) -> tuple[int, ...]:
    return axes_of(x.type, use["axis"])


def _whole(use: Use, x: Tensor) -> ir.Value:
    """Whole numbers and bools are summed as i64."""
    if is_float(x.dtype) or x.dtype == "i64":
        return x.value
    return use.graph.node("Cast", x.value, to=int(ir.DataType.INT64))


def _reduce(graph: GraphBuilder, kind: str, x: ir.Value, axes: Sequence[int], keep: bool) -> ir.Value:
    return graph.node(kind, x, graph.ints(*axes), keepdims=int(keep)) if axes else x


@lowers(*_KINDS)
def reduce(use: Use, x: Tensor) -> Result:
    axes, keep = _axes(use, x), bool(use["keepdim"])
    if not axes:
        return x
    value = _whole(use, x) if use.op == "sum" else x.value
    return _reduce(use.graph, _KINDS[use.op], value, axes, keep)


@lowers("var")
def variance(use: Use, x: Tensor) -> Result:
    """Squared distances from the mean, in two passes as PyTorch does, divided by the count less the correction."""
    graph, axes, keep = use.graph, _axes(use, x), bool(use["keepdim"])
    mean = _reduce(graph, "ReduceMean", x.value, axes, True)
    centred = graph.node("Sub", x.value, mean)
    squares = graph.node("Mul", centred, centred)
    correction = int(use["correction"])
    if correction == 0:
        return _reduce(graph, "ReduceMean", squares, axes, keep)
    count: Size = 1
    for axis in axes:
        count = count * x.shape[axis]
    total = _reduce(graph, "ReduceSum", squares, axes, keep)
    return graph.node("Div", total, graph.scalar(count - correction, x.dtype))


@lowers("norm")
def norm(use: Use, x: Tensor) -> Result:
    graph, axes, keep, p = use.graph, _axes(use, x), bool(use["keepdim"]), float(use["p"])
    if p in (1.0, 2.0):
        return _reduce(graph, f"ReduceL{int(p)}", x.value, axes, keep)
    powers = graph.node("Pow", graph.node("Abs", x.value), graph.constant(p, x.dtype))
    total = _reduce(graph, "ReduceSum", powers, axes, keep)
    return graph.node("Pow", total, graph.constant(1 / p, x.dtype))


@lowers("l2_normalize")
def l2_normalize(use: Use, x: Tensor) -> Result:
    graph = use.graph
    length = _reduce(graph, "ReduceL2", x.value, (use["axis"] % x.rank,), True)
    # 1e-12 is below the smallest f16
    least = graph.constant(1e-12 if graph.precision != "f16" else 1e-7, x.dtype)
    return graph.node("Div", x.value, graph.node("Max", length, least))


@lowers("cumsum")
def cumsum(use: Use, x: Tensor) -> Result:
    axis = use.graph.literal(use["axis"] % x.rank, ir.DataType.INT64)
    return use.graph.node("CumSum", _whole(use, x), axis)


@lowers("argmax")
def argmax(use: Use, x: Tensor) -> Result:
    return use.graph.node("ArgMax", x.value, axis=use["axis"] % x.rank, keepdims=0)
