"""Fields as they are declared: dtype, shape, and lengths within their bounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.ir.data import DataField
from ...compiler.messages.diagnostics import Failed
from ...compiler.sizes.dims import Dim
from ...compiler.sizes.types import shape_text
from . import mistakes
from .fitting import no_number
from .graph import Graph, Part, Records
from .values import DTYPES, Place, Value

Bad = Callable[[int], Failed]  # what is wrong with a record of a batch


def as_field(
    graph: Graph, field: DataField, value: Value, part: Part, positions: Records, *, look: bool = True
) -> Value:
    """A value in the declared dtype, its shape checked record by record. Without `look` the numbers are not read."""
    records = part.records[positions]
    place: Place = lambda i: graph.table.place(int(records[i]))
    node = graph.nodes[graph.real(field.node, False)]
    if isinstance(value, list) and value and isinstance(value[0], str):
        source = graph.nodes[node.id]
        numbers = graph.numbers(source, source.args["field"], records)
        value = torch.from_numpy(numbers)
    assert not isinstance(value, dict)
    _check_shapes(graph, field, value, place)
    dtype = DTYPES[field.type.dtype]
    if not look:
        return value.to(dtype) if isinstance(value, Tensor) else [item.to(dtype) for item in value]
    wrong: Bad = lambda i: no_number(graph, node, field.span, int(records[i]), field.name)
    if isinstance(value, Tensor):
        return _narrowed(field, value, dtype, place, wrong)
    return [
        _narrowed(field, item[None], dtype, lambda _, i=i: place(i), lambda _, i=i: wrong(i))[0]
        for i, item in enumerate(value)
    ]


def shared_lengths(fields: Sequence[DataField]) -> dict[str, list[tuple[str, int]]]:
    """Dimensions that several fields declare, each with the fields and the axis of a record."""
    found: dict[str, list[tuple[str, int]]] = {}
    for field in fields:
        for axis, size in enumerate(field.type.shape[1:]):
            if isinstance(size, Dim):
                found.setdefault(str(size), []).append((field.name, axis))
    return {name: places for name, places in found.items() if len(places) > 1}


def check_lengths(
    graph: Graph, shared: Mapping[str, Sequence[tuple[str, int]]], columns: Mapping[str, Value], records: Records
) -> None:
    """A dimension is one length a record, in all the fields that name it."""
    for name, ((first, axis), *others) in shared.items():
        for other, other_axis in others:
            one, two = (_lengths(columns[f], a) for f, a in ((first, axis), (other, other_axis)))
            if (one == two).all():
                continue
            at = int((one != two).argmax())
            place, span = graph.table.place(int(records[at])), graph.section.field(other).span
            raise mistakes.lengths_of_record(span, place, name, first, int(one[at]), other, int(two[at]))


def _lengths(value: Value, axis: int) -> NDArray[np.int64]:
    if isinstance(value, Tensor):
        return np.full(len(value), value.shape[axis + 1])
    assert isinstance(value, list)
    return np.array([item.shape[axis] for item in value], np.int64)


def _check_shapes(graph: Graph, field: DataField, value: Value, place: Place) -> None:
    declared = field.type.shape[1:]
    items: Any = [value[0]] if isinstance(value, Tensor) and len(value) else value
    for number, item in enumerate(items):
        shape = tuple(item.shape)
        right = len(shape) == len(declared) and all(
            have == want for have, want in zip(shape, declared, strict=True) if isinstance(want, int)
        )
        if not right:
            found, wanted = shape_text(shape), shape_text(declared)
            raise mistakes.field_shape(field.span, field.name, place(number), found, wanted)
        for have, want in zip(shape, declared, strict=True):
            limit = graph.section.lengths.get(str(want)) if isinstance(want, Dim) else None
            if limit is not None and have > limit:
                raise mistakes.too_long(field.span, field.name, place(number), have, str(want), limit)


def _narrowed(field: DataField, value: Tensor, dtype: torch.dtype, place: Place, wrong: Bad) -> Tensor:
    if value.is_floating_point():
        finite = torch.isfinite(value).reshape(len(value), -1).all(1)
        if not bool(finite.all()):
            raise wrong(int((~finite).nonzero()[0]))
        if not dtype.is_floating_point:
            whole = (value == value.round()).reshape(len(value), -1).all(1)
            if not bool(whole.all()):
                at = int((~whole).nonzero()[0])
                bad = value[at].reshape(-1)
                raise mistakes.not_whole(field.span, field.name, place(at), float(bad[bad != bad.round()][0]))
    return value.to(dtype)
