"""What has its own notation: indices, `.T`, rearrangement, numbers and sizes among tensors."""

from __future__ import annotations

from typing import Any, cast

from ..lowering import Application, ClassNumber, dtype, function
from ..python import Expr


@function("index")
def index(use: Application) -> Expr:
    items: tuple[Any, ...] = use.arg("items")
    parts = [_item(use, item) for item in items]
    if parts[0] == "..." and len(parts) == 1:
        return use.operand(0).expr
    return use.expr(f"{use.at(0)}[{', '.join(parts)}]", weight=0)


def _item(use: Application, item: Any) -> str:
    if item is None:
        return "None"
    if item == "...":
        return "..."
    if isinstance(item, tuple):
        _, first, last = cast("tuple[str, ClassNumber | None, ClassNumber | None]", item)
        start, stop = ("" if bound is None else use.size(bound) for bound in (first, last))
        spaced = any(not text.lstrip("-").isalnum() for text in (start, stop) if text)
        return f"{start} : {stop}".strip() if spaced else f"{start}:{stop}"
    return use.size(item)


@function("transpose")
def transpose(use: Application) -> Expr:
    return use.expr(f"{use.at(0)}.mT" if use.tensor().rank != 2 else f"{use.at(0)}.T", weight=0)


@function("rearrange")
def rearrange(use: Application) -> Expr:
    """`reshape` to split axes, `permute` to move them, `flatten` to merge them; what does nothing is left out."""
    x = use.tensor()
    expanded: tuple[Any, ...] = use.arg("expanded")
    order: tuple[int, ...] = use.value("order")
    merged: tuple[int, ...] = use.value("merged")
    text = use.at(0)
    if [size.values for size in expanded] != [size.values for size in x.sizes]:
        text += f".reshape({use.shape(expanded)})"
    if list(order) != sorted(order):
        moved = [place for place, axis in enumerate(order) if place != axis]
        if len(moved) == 2:
            text += f".transpose({moved[0]}, {moved[1]})"
        else:
            text += f".permute({', '.join(map(str, order))})"
    if any(count != 1 for count in merged):
        text += _merge(use, merged)
    return use.expr(text, weight=1)


def _merge(use: Application, merged: tuple[int, ...]) -> str:
    wide = [at for at, count in enumerate(merged) if count != 1]
    if len(wide) == 1 and merged[wide[0]] > 1:
        start, count = wide[0], merged[wide[0]]
        last = start + count - 1
        return f".flatten({start})" if last == sum(merged) - 1 else f".flatten({start}, {last})"
    sizes = use.outputs[0].sizes
    if 0 not in merged and not all(map(use.has_name, sizes)):
        starts = [sum(merged[:at]) for at in wide]  # from the last, as the numbers of later axes shift
        ends = [start + merged[at] - 1 for start, at in zip(starts, wide, strict=True)]
        return "".join(f".flatten({start}, {end})" for start, end in reversed([*zip(starts, ends, strict=True)]))
    return f".reshape({use.shape(sizes)})"


@function("constant")
def constant(use: Application) -> Expr:
    return use.call(
        "torch.tensor", use.text(use.arg("value")), f"dtype={dtype(use.value('dtype'))}", f"device={use.device}"
    )


@function("size")
def size(use: Application) -> Expr:
    return use.call("torch.tensor", use.size(use.arg("value")), f"device={use.device}")
