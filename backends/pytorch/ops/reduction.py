"""Functions that take an axis away, or run along one."""

from __future__ import annotations

from ..lowering import Application, Arg, function
from ..python import Expr


def _axes(use: Application) -> list[str]:
    axis: Arg = use.arg("axis")
    if isinstance(axis, tuple) and len(axis) == 1:
        axis = axis[0]
    found = [] if axis is None else [f"dim={use.text(axis)}"]
    return [*found, *use.options(keepdim=("keepdim", False))] if found else []


@function("sum", "mean")
def total(use: Application) -> Expr:
    return _kept(use, use.call(f"torch.{use.op}", use[0], *_axes(use)))


@function("max", "min")
def extreme(use: Application) -> Expr:
    return _kept(use, use.call(f"torch.a{use.op}", use[0], *_axes(use)))


@function("var")
def var(use: Application) -> Expr:
    return _kept(use, use.call("torch.var", use[0], *_axes(use), *use.options(correction=("correction", 1))))


@function("norm")
def norm(use: Application) -> Expr:
    axes = _axes(use)
    return _kept(use, use.call("torch.linalg.vector_norm", use[0], *use.options(ord=("p", 2.0)), *axes))


def _kept(use: Application, expr: Expr) -> Expr:
    """Over all axes `keepdim` leaves as many axes of 1."""
    if use.arg("axis") is None and use.value("keepdim") and use.tensor().rank:
        return use.expr(f"{expr.text}.view({', '.join('1' * use.tensor().rank)})", weight=1)
    return expr


@function("l2_normalize")
def l2_normalize(use: Application) -> Expr:
    return use.call("F.normalize", use[0], *([] if use.is_("axis", 1) else [f"dim={use.text(use.arg('axis'))}"]))


@function("cumsum", "argmax")
def along(use: Application) -> Expr:
    return use.call(f"torch.{use.op}", use[0], f"dim={use.text(use.arg('axis'))}")
