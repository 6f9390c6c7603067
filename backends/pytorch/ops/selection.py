"""Functions that choose elements."""

from __future__ import annotations

from ..lowering import Application, function
from ..python import Expr


@function("take")
def take(use: Application) -> Expr:
    axis = use.value("axis")
    at = use.size(use.arg("i"))
    if 0 <= axis <= 2:
        return use.expr(f"{use.at(0)}[{', '.join([':'] * axis + [at])}]", weight=0)
    if axis == -1:
        return use.expr(f"{use.at(0)}[..., {at}]", weight=0)
    return use.expr(f"{use.at(0)}.select({axis}, {at})", weight=0)


@function("gather")
def gather(use: Application) -> Expr:
    axis = use.text(use.arg("axis"))
    return use.call("torch.gather", use[0], axis, use[1] if use.tensor(1).dtype == "i64" else f"{use.at(1)}.long()")


@function("where")
def where(use: Application) -> Expr:
    return use.call("torch.where", use[0], use[1], use[2])


@function("topk")
def topk(use: Application) -> Expr:
    axis = [] if use.is_("axis", -1) else [f"dim={use.text(use.arg('axis'))}"]
    return use.call("torch.topk", use[0], use.text(use.arg("k")), *axis)


@function("scatter")
def scatter(use: Application) -> Expr:
    values = use.tensor(0)
    sizes = [use.size(size) for size in (*values.sizes[:-1], use.arg("size"))]
    index = use[1] if use.tensor(1).dtype == "i64" else f"{use.at(1)}.long()"
    return use.expr(f"{use.at(0)}.new_zeros({', '.join(sizes)}).scatter(-1, {index}, {use[0]})")
