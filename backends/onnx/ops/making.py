"""Lowerings of `compiler/catalogue/ops/making.py`. Random functions have none: they are E0502."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ..lowering import Result, Use, lowers


@lowers("zeros", "ones")
def filled(use: Use) -> Result:
    number = use.graph.constant(0.0 if use.op == "zeros" else 1.0, "f32")
    shape = use.outputs[0].shape
    return use.graph.node("Expand", number, use.graph.shape(shape)) if shape else number


@lowers("arange")
def arange(use: Use) -> Result:
    n = use.outputs[0].shape[0]
    return use.table("arange", np.arange(n), "i64") if isinstance(n, int) else use.steps(n)


@lowers("sinusoid")
def sinusoid(use: Use) -> Result:
    graph, (n, d) = use.graph, use.outputs[0].shape
    assert isinstance(d, int)
    frequency = np.exp(np.arange(0, d, 2) * -(np.log(10000.0) / d))
    if isinstance(n, int):
        angles = np.arange(n)[:, None] * frequency[None, :]
        return use.table("sinusoid", np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(n, d))
    rows = graph.node("Unsqueeze", graph.node("Cast", use.steps(n), to=int(ir.DataType.FLOAT)), graph.ints(1))
    table = graph.initializer(f"{graph.scope}/frequency", frequency.astype(np.float32))
    angles_value = graph.node("Mul", rows, table)
    pairs = [graph.node("Unsqueeze", graph.node(kind, angles_value), graph.ints(2)) for kind in ("Sin", "Cos")]
    made = graph.node("Reshape", graph.node("Concat", *pairs, axis=2), graph.ints(-1, d))
    if graph.data_type("f32") != ir.DataType.FLOAT:
        made = graph.node("Cast", made, to=int(graph.data_type("f32")))
    return made
