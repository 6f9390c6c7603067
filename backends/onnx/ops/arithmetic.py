"""Lowerings of `compiler/catalogue/ops/arithmetic.py`."""

from __future__ import annotations

from ..lowering import Result, Use, lowers, scalar
from ..tensor import Tensor

_KINDS = {"exp": "Exp", "log": "Log", "sqrt": "Sqrt", "sin": "Sin", "cos": "Cos", "floor": "Floor", "abs": "Abs"}


@lowers(*_KINDS)
def unary(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node(_KINDS[use.op], x.raw))


@lowers("clamp")
def clamp(use: Use, x: Tensor) -> Result:
    low, high = (None if use[name] is None else scalar(use.graph, use[name], x.dtype) for name in ("min", "max"))
    return x.like(use.graph.node("Clip", x.raw, low, high))


@lowers("maximum", "minimum")
def maximum(use: Use, *_: object) -> Result:
    dtype = use.outputs[0].dtype
    return use.elementwise("Max" if use.op == "maximum" else "Min", use.tensor(0, dtype), use.tensor(1, dtype))
