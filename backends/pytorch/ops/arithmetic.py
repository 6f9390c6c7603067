"""Functions of each number."""

from __future__ import annotations

from ..lowering import Application, function
from ..python import Expr


@function("exp", "log", "sqrt", "sin", "cos", "floor", "abs")
def plain(use: Application) -> Expr:
    return use.call(f"torch.{use.op}", use[0])


@function("clamp")
def clamp(use: Application) -> Expr:
    bounds = [f"{name}={use.text(use.arg(name))}" for name in ("min", "max") if use.arg(name) is not None]
    return use.call("torch.clamp", use[0], *bounds)


@function("maximum", "minimum")
def maximum(use: Application) -> Expr:
    """`torch.maximum` takes tensors; a number bounds the other side."""
    tensors = [index for index in (0, 1) if use.operand(index).type is not None]
    if len(tensors) == 1:
        bound = "min" if use.op == "maximum" else "max"
        return use.call("torch.clamp", use[tensors[0]], f"{bound}={use[1 - tensors[0]]}")
    device = f", device={use.device}" if use.device else ""
    values = [use[index] if index in tensors else f"torch.tensor({use[index]}{device})" for index in (0, 1)]
    return use.call(f"torch.{use.op}", *values)
