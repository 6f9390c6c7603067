"""Lowering of `compiler/catalogue/ops/linear.py`."""

from __future__ import annotations

from ....compiler.catalogue.ops.linear import LEAST_ROUNDED
from .. import quantize
from ..lowering import Result, Use, concrete, lowers
from ..tensor import Tensor
from .operators import as_rows, gemm


@lowers("Linear")
def linear(use: Use, x: Tensor) -> Result:
    """`Gemm` on all rows, with the weight as PyTorch stores it: neither a copy nor a folded transpose, and the bias in it.

    On the CPU it is as fast as `MatMul` on a transposed weight from eight rows on, and 5 % slower for a single row; a graph of
    transposed weights takes twice as long to load, since ONNX Runtime turns them then.
    """
    inputs = concrete(use, x.shape[-1], "the last axis")
    graph, count = use.graph, use["out"] * inputs
    if graph.quantize is not None and count >= LEAST_ROUNDED:
        values = use.array("weight", use["out"], inputs)
        bias = use.weight("bias", use["out"]) if use["bias"] else None
        graph.quantized += 1
        made = quantize.product(graph, graph.quantize, f"{use.path}.weight", x.rows(), values, bias)
        return as_rows(use, x, made, use.outputs[0])
    weight = use.weight("weight", use["out"], inputs)
    bias = use.weight("bias", use["out"]) if use["bias"] else None
    return gemm(use, x, weight, bias, use.outputs[0], transposed=True)
