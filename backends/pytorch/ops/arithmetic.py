"""Functions of each number."""

from __future__ import annotations

from ..lowering import Use, function
from ..python import Expr


@function("exp", "log", "sqrt", "sin", "cos", "floor", "abs")
def plain(use: Use) -> Expr:
    return use.call(f"torch.{use.op}", use[0])


@function("clamp")
def clamp(use: Use) -> Expr:
    bounds = [f"{name}={use.text(use.arg(name))}" for name in ("min", "max") if use.arg(name) is not None]
    return use.call("torch.clamp", use[0], *bounds)
