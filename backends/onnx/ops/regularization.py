"""Lowerings of `compiler/catalogue/ops/regularization.py`: what acts in training only vanishes."""

from __future__ import annotations

from ....compiler.sizes.types import is_float
from ..lowering import Result, Use, lowers
from ..tensor import Tensor


@lowers("dropout", "drop_path", "stop_grad")
def nothing(use: Use, x: Tensor) -> Result:
    return x


@lowers("cast")
def cast(use: Use, x: Tensor) -> Result:
    graph, dtype = use.graph, use["dtype"]
    if graph.data_type(dtype) == graph.data_type(x.dtype):
        return Tensor(graph, x.raw, use.outputs[0], x.layout)
    raw = x.raw
    if dtype == "bool" and is_float(x.dtype):
        raw = graph.node("Not", graph.node("Equal", raw, graph.constant(0.0, x.dtype)))
        return x.like(raw, "bool")
    return x.like(graph.node("Cast", raw, to=int(graph.data_type(dtype))), dtype)
