"""`[B, T, (heads, K)] => [B, heads, T, K]`: the sizes of the parts of each axis, and their order on the right."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..messages import shapes as errors
from ..messages.diagnostics import Failed
from ..messages.shapes import Demand
from ..sizes.dims import Dim, Size
from ..sizes.facts import equal, exact_div, missing_fact
from ..sizes.types import TensorType
from ..text import syntax
from ..text.printer import print_expression
from .shapes import fresh_size, named_sizes, size_of
from .state import Context


class Axis(NamedTuple):
    """One axis of the expanded form: its written text, by which the two sides correspond, and its size."""

    key: str
    size: Size


def rearrangement(context: Context, node: syntax.Rearrange, actual: TensorType) -> tuple[dict[str, Any], TensorType]:
    """Arguments of the `rearrange` operator and the resulting type of `[..] => [..]`."""
    items = list(node.before.items)
    sizes = list(actual.shape)
    groups: list[list[Axis]] = []
    lead = next((i for i, item in enumerate(items) if isinstance(item, syntax.Ellipsis)), None)
    missing = len(sizes) - (len(items) - (1 if lead is not None else 0))
    if missing < 0 or (lead is None and missing):
        raise Failed(errors.rank_differs(Demand("this rearrangement", actual), len(items), node.before.span))
    position = 0
    for item in items:
        if isinstance(item, syntax.Ellipsis):
            for _ in range(missing):
                groups.append([Axis(f"...{position}", sizes[position])])
                position += 1
            continue
        groups.append(solve_group(context, item, sizes[position], position, actual))
        position += 1
    atoms = [atom for group in groups for atom in group]
    order: list[int] = []
    merged: list[int] = []
    shape: list[Size] = []
    unused = list(range(len(atoms)))

    def take(part: syntax.Pipe) -> int | None:
        key = key_of(part)
        for index in unused:
            if atoms[index].key == key:
                unused.remove(index)
                order.append(index)
                return index
        if size_is_one(part):
            return None
        raise Failed(errors.rearrange_unknown(key, part.span, [atoms[i].key for i in unused]))

    for item in node.after.items:
        if isinstance(item, syntax.Ellipsis):
            for index in [i for i in unused if atoms[i].key.startswith("...")]:
                unused.remove(index)
                order.append(index)
                merged.append(1)
                shape.append(atoms[index].size)
            continue
        parts = item.items if isinstance(item, syntax.Tuple) else (unparen(item),)
        found = [index for index in map(take, parts) if index is not None]
        size: Size = 1
        for index in found:
            size = size * atoms[index].size
        merged.append(len(found))
        shape.append(size)
    for index in list(unused):
        if atoms[index].size == 1 and merged:
            order.append(index)  # a dropped axis of size 1 goes into the last group
            merged[-1] += 1
            unused.remove(index)
    if unused:
        raise Failed(errors.rearrange_dropped(atoms[unused[0]].key, node.after.span))
    arguments = {"expanded": tuple(atom.size for atom in atoms), "order": tuple(order), "merged": tuple(merged)}
    return arguments, TensorType(actual.dtype, tuple(shape))


def unparen(node: syntax.Pipe) -> syntax.Pipe:
    while isinstance(node, syntax.Paren):
        node = node.value
    return node


def size_is_one(node: syntax.Pipe) -> bool:
    return isinstance(node, syntax.Number) and node.value == 1


def key_of(node: syntax.Pipe) -> str:
    """The text by which an axis of one side is found on the other."""
    node = unparen(node)
    if isinstance(node, syntax.Ref):
        return node.name
    if isinstance(node, syntax.Number):
        return str(node.value)
    return print_expression(node)


def solve_group(context: Context, item: syntax.Pipe, size: Size, axis: int, actual: TensorType) -> list[Axis]:
    """Sizes of the parts of one axis: at most one is unknown, found by exact division."""
    item = unparen(item) if not isinstance(item, syntax.Tuple) else item
    parts = item.items if isinstance(item, syntax.Tuple) else (item,)
    known: list[Size | None] = []
    unknown: syntax.Ref | None = None
    product: Size = 1
    for part in parts:
        part = unparen(part)
        if isinstance(part, syntax.Ref) and part.name == "_":
            raise Failed(errors.rearrange_underscore(part.span))
        if isinstance(part, syntax.Ref) and fresh_size(context, part.name):
            if unknown is not None:
                raise Failed(errors.rearrange_two_unknown(unknown.name, part.name, part.span))
            unknown = part
            known.append(None)
            continue
        value = size_of(context, part, "this size", names_new=True)
        known.append(value)
        product = product * value
    if unknown is None:
        demand = Demand("this rearrangement", actual)
        answer = equal(product, size, context.facts)
        if answer is False:
            raise Failed(errors.size_differs(demand, axis, product, size, item.span, named_sizes(context, item)))
        if answer is None:
            fact, sizes = missing_fact(product, size), named_sizes(context, item)
            raise Failed(errors.size_unproved(demand, axis, product, size, item.span, fact, sizes))
    else:
        rest = exact_div(size, product, context.facts)
        if rest is None:
            raise Failed(errors.not_divisible(size, product, axis, actual, item.span))
        if isinstance(rest, Dim) and not isinstance(size, Dim):
            raise Failed(errors.not_divisible(size, product, axis, actual, item.span))
        context.environment.bind_size(unknown.name, rest, unknown.span)
        known = [rest if part is None else part for part in known]
    return [Axis(key_of(part), value) for part, value in zip(parts, known, strict=True) if value is not None]
