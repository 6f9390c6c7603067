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
