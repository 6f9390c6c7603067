"""Lowerings of `compiler/catalogue/ops/operators.py`."""

from __future__ import annotations

import onnx_ir as ir

from ....compiler.catalogue.ops.linear import LEAST_ROUNDED
from ....compiler.sizes.types import TensorType, is_float
from .. import quantize
from ..layout import Factor, Layout
from ..lowering import Result, Use, lowers
from ..tensor import Tensor, align

_KINDS = {
    "plus": "Add", "minus": "Sub", "times": "Mul", "divide": "Div", "power": "Pow", "equal": "Equal", "less": "Less",
    "less_equal": "LessOrEqual", "greater": "Greater", "greater_equal": "GreaterOrEqual", "logical_and": "And",
    "logical_or": "Or",
}  # fmt: skip


@lowers(*_KINDS)
def binary(use: Use, *_: object) -> Result:
    return use.elementwise(_KINDS[use.op], use.tensor(0), use.tensor(1))


@lowers("not_equal")
def not_equal(use: Use, *_: object) -> Result:
    same = use.elementwise("Equal", use.tensor(0), use.tensor(1))
    return same.like(use.graph.node("Not", same.raw))


@lowers("floor_divide", "modulo")
def floor_divide(use: Use, *_: object) -> Result:
    """Rounding down for both signs: ONNX rounds whole quotients towards zero, and only its `Mod` rounds down."""
    graph, x, y = use.graph, use.tensor(0), use.tensor(1)
    dtype = x.dtype
    (a, b), layout = align((x, y), use.outputs[0].shape)
    made: ir.Value
    if is_float(dtype):
        quotient = graph.node("Floor", graph.node("Div", a, b))
        made = quotient if use.op == "floor_divide" else graph.node("Sub", a, graph.node("Mul", quotient, b))
    else:
        made = graph.node("Mod", a, b)
        if use.op == "floor_divide":
            made = graph.node("Div", graph.node("Sub", a, made), b)
    return Tensor(graph, made, use.outputs[0], layout)


@lowers("negative")
def negative(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node("Neg", x.raw))


@lowers("logical_not")
def logical_not(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node("Not", x.raw))


@lowers("matmul")
def matmul(use: Use, x: Tensor, y: Tensor) -> Result:
    """A matrix on the right takes all rows at once: `Gemm` also reads a transposed one (a tied weight) in place."""
    if y.rank == 2 and x.rank >= 2:
        return matrix_product(use, x, y, None)
    return use.graph.node("MatMul", x.value, y.value)


def matrix_product(use: Use, x: Tensor, matrix: Tensor, bias: ir.Value | None) -> Tensor:
    """x[.., K] @ matrix[K, N] + bias, on the rows of x."""
    transposed = _lies_transposed(matrix.layout)
    value = matrix.raw if transposed else matrix.value
    rounded = _rounded(use, x, value) if transposed and bias is None else None
    if rounded is not None:
        return as_rows(use, x, rounded, use.outputs[0])
    return gemm(use, x, value, bias, use.outputs[0], transposed=transposed)


def _rounded(use: Use, x: Tensor, matrix: ir.Value) -> ir.Value | None:
    """x @ matrix.T for a table that is a head too, the largest product of a small language model. Always in 8 bits: 4 are too
    few to distinguish likely words. The table itself is kept."""
    graph, stored = use.graph, matrix.const_value
    if graph.quantize is None or stored is None or stored.size < LEAST_ROUNDED:
        return None
    graph.quantized += 1
    return quantize.product(graph, "int8", matrix.name or "", x.rows(), stored.numpy(), None)


def gemm(use: Use, x: Tensor, matrix: ir.Value, bias: ir.Value | None, type: TensorType, *, transposed: bool) -> Tensor:
    """`Gemm` on the rows of x; the result stays a matrix until something needs its axes."""
    inputs = (x.rows(), matrix) if bias is None else (x.rows(), matrix, bias)
    attributes = {"transB": 1} if transposed else {}
    made = use.graph.node("Gemm", *inputs, **attributes)
    return as_rows(use, x, made, type)


def as_rows(use: Use, x: Tensor, made: ir.Value, type: TensorType) -> Tensor:
    """A matrix computed from the rows of x, as a tensor of `type`."""
    layout = x.layout.rows()
    size = type.shape[-1]
    last = () if size == 1 else (Factor(size),)
    return Tensor(use.graph, made, type, Layout((layout.physical[0], last), (*layout.logical[:-1], last)))


def _lies_transposed(layout: Layout) -> bool:
    return len(layout.physical) == 2 and layout.logical == layout.physical[::-1] and all(layout.physical)
