"""What is known of the values of a data graph: of a value that is one of two, and in words."""

from __future__ import annotations

from collections.abc import Sequence

from ..catalogue.sources import DataSource
from ..ir.data import ClassNames, DataNode, ItemType
from ..sizes.dims import Size, var
from ..sizes.types import shape_text


def out_of_scope(source: type[DataSource] | None, nodes: Sequence[DataNode], id: int, field: str) -> str | None:
    """What the source does not read that a field asks for, by its name or by those of the columns below it."""
    names, waiting = [field], [id]
    while waiting:
        node = nodes[waiting.pop()]
        waiting += node.inputs
        if node.op == "source":
            names.append(str(node.args["field"]))
    return None if source is None else next(filter(None, map(source.unsupported, names)), None)


def sizes_differ(one: ItemType, other: ItemType) -> bool:
    """Whether two images surely have different sizes."""
    pairs = [(one, other)] if not one.members else [(one.members[n], other.members[n]) for n in one.members]
    sizes = [(x, y) for a, b in pairs if a.shape and b.shape for x, y in zip(a.shape, b.shape, strict=True)]
    return any(x != y and None not in (x, y) for x, y in sizes)


def resized(before: ItemType, after: ItemType) -> bool:
    """Whether images have another size afterwards, as far as it is known."""
    pairs = [(before, after)] if not before.members else [(before.members[n], after.members[n]) for n in before.members]
    return any(a.shape is not None and b.shape is not None and a.shape != b.shape for a, b in pairs)


def merge(one: ItemType, other: ItemType) -> ItemType | None:
    """What is known of a value that is either; None when they cannot be one thing."""
    if one.kind != other.kind:
        return None
    if one.dtype is not None and other.dtype is not None and one.dtype != other.dtype:
        return None
    shape: tuple[Size | None, ...] | None = None
    if one.shape is not None and other.shape is not None:
        if len(one.shape) != len(other.shape):
            return None
        shape = tuple(a if a == b else None for a, b in zip(one.shape, other.shape, strict=True))
    if set(one.members) != set(other.members):
        return None
    members: dict[str, ItemType] = {}
    for name, item in one.members.items():
        merged = merge(item, other.members[name])
        if merged is None:
            return None
        members[name] = merged
    classes: ClassNames | None = one.classes if one.classes == other.classes else None
    return ItemType(kind=one.kind, dtype=one.dtype or other.dtype, shape=shape, classes=classes, members=members)


def described(item: ItemType) -> str:
    """An item in words: `u8[3, _, _]`, a text."""
    if item.kind == "tensor":
        if item.shape is None:
            return f"an array of {item.dtype}" if item.dtype else "an array"
        shape = shape_text([size if size is not None else var("_") for size in item.shape]) if item.shape else ""
        return f"`{item.dtype or ''}{shape}`" if item.dtype or shape else "a number"
    return {
        "column": "a column",
        "stream": "a stream",
        "text": "a text",
        "words": "words",
        "turns": "the turns of a chat",
        "record": f"a record of {' '.join(item.members)}",
    }[item.kind]
