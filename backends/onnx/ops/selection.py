"""Lowerings of `compiler/catalogue/ops/selection.py`."""

from __future__ import annotations

import onnx_ir as ir

from ..lowering import Result, Use, lowers
from ..tensor import Tensor, align


@lowers("take")
def take(use: Use, x: Tensor) -> Result:
    return use.graph.node("Gather", x.value, use.graph.scalar(use["i"]), axis=use["axis"] % x.rank)


@lowers("gather")
def gather(use: Use, x: Tensor, index: Tensor) -> Result:
    return use.graph.node("GatherElements", x.value, index.value, axis=use["axis"] % x.rank)


@lowers("where")
def where(use: Use, *_: object) -> Result:
    dtype = use.outputs[0].dtype
    tensors = (use.tensor(0, "bool"), use.tensor(1, dtype), use.tensor(2, dtype))
    values, layout = align(tensors, use.outputs[0].shape)
    return Tensor(use.graph, use.graph.node("Where", *values), use.outputs[0], layout)


@lowers("topk")
def topk(use: Use, x: Tensor) -> Result:
    attributes = {"axis": use["axis"] % x.rank, "largest": 1, "sorted": 1}
    graph, given, inside = use.graph, x.value, use.graph.data_type(x.dtype)
    if inside == ir.DataType.BFLOAT16:  # TopK takes it only from opset 24 on
        given = graph.node("Cast", given, to=int(ir.DataType.FLOAT))
    values, index = graph.nodes_of("TopK", [given, graph.ints(use["k"])], attributes, outputs=2)
    return (graph.node("Cast", values, to=int(inside)) if given is not x.value else values), index


@lowers("scatter")
def scatter(use: Use, values: Tensor, index: Tensor) -> Result:
    graph, type = use.graph, use.outputs[0]
    zeros = graph.node("Expand", graph.constant(0.0, type.dtype), graph.shape(type.shape))
    ids = index.value
    return graph.node("ScatterElements", zeros, ids, values.value, axis=type.rank - 1)
