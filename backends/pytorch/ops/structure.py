"""Functions that join, cut and reshape."""

from __future__ import annotations

from typing import Any

from ..lowering import Application, function, module
from ..python import SUM, Expr


@function("add")
def add(use: Application) -> Expr:
    return use.binary("+", SUM)


@function("concat")
def concat(use: Application) -> Expr:
    return _joined(use, "torch.cat")


@function("stack")
def stack(use: Application) -> Expr:
    return _joined(use, "torch.stack")


def _joined(use: Application, name: str) -> Expr:
    parts = ", ".join(use[i] for i in range(len(use)))
    axis = [] if use.is_("axis", 0) else [f"dim={use.text(use.arg('axis'))}"]
    return use.call(name, f"({parts},)" if len(use) == 1 else f"({parts})", *axis)


def _axis(use: Application) -> str:
    return "" if use.is_("axis", 0) else f"dim={use.text(use.arg('axis'))}"


@function("split")
def split(use: Application) -> Expr:
    return _method(use, "split", use.text(use.arg("size")), _axis(use))


@function("chunk")
def chunk(use: Application) -> Expr:
    return _method(use, "chunk", use.text(use.arg("n")), _axis(use))


@function("unbind")
def unbind(use: Application) -> Expr:
    return _method(use, "unbind", use.text(use.arg("axis")))


def _method(use: Application, name: str, *arguments: str) -> Expr:
    return use.expr(f"{use.at(0)}.{name}({', '.join(a for a in arguments if a)})")


@function("split_heads")
def split_heads(use: Application) -> Expr:
    return use.expr(f"{use.at(0)}.unflatten(-1, ({use.text(use.arg('heads'))}, -1)).transpose(1, 2)")


@function("merge_heads")
def merge_heads(use: Application) -> Expr:
    return use.expr(f"{use.at(0)}.transpose(1, 2).flatten(2)")


@function("flatten")
def flatten(use: Application) -> Expr:
    return _method(use, "flatten", *([] if use.is_("start", 0) else [use.text(use.arg("start"))]))


@module("flatten")
def flatten_module(use: Application) -> str:
    return f"nn.Flatten({'' if use.is_('start', 1) else use.text(use.arg('start'))})"


@function("squeeze")
def squeeze(use: Application) -> Expr:
    axis: Any = use.arg("axis")
    return _method(use, "squeeze", "" if axis is None else use.text(axis))


@function("expand")
def expand(use: Application) -> Expr:
    sizes: tuple[Any, ...] = use.arg("shape")
    return _method(use, "expand", use.shape(sizes))


@function("pad")
def pad(use: Application) -> Expr:
    return use.call("F.pad", use[0], use.text(use.arg("amounts")), *use.options(value=("value", 0)))


@function("roll")
def roll(use: Application) -> Expr:
    return use.call("torch.roll", use[0], use.text(use.arg("shift")), use.text(use.arg("axis")))
