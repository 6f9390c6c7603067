"""Functions that act in training only, and the flow of gradients."""

from __future__ import annotations

from ..lowering import Application, dtype, function, module
from ..python import Expr
from ..support import support


@function("dropout")
def dropout(use: Application) -> Expr:
    if use.is_("p", 0.0):
        return use.operand(0).expr
    return use.call("F.dropout", use[0], use.text(use.arg("p")), use.training)


@module("dropout")
def dropout_module(use: Application) -> str:
    return f"nn.Dropout({use.text(use.arg('p'))})"


@function("drop_path")
def drop_path(use: Application) -> Expr:
    if use.is_("p", 0.0):
        return use.operand(0).expr
    return use.call(support("drop_path"), use[0], use.text(use.arg("p")), use.training)


@function("stop_grad")
def stop_grad(use: Application) -> Expr:
    return use.expr(f"{use.at(0)}.detach()", weight=0)


@function("cast")
def cast(use: Application) -> Expr:
    kind = use.value("dtype")
    method = {"f32": "float()", "i64": "long()", "bool": "bool()", "f64": "double()", "f16": "half()"}.get(kind)
    return use.expr(f"{use.at(0)}.{method or f'to({dtype(kind)})'}", weight=0)
