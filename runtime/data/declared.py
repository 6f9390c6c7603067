"""Fields as they are declared: dtype, shape, and lengths within their bounds."""

from __future__ import annotations

import math
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
from . import cells, mistakes, text_columns
from .arrays.text_use import Place
from .graph import Graph, Part, Records
from .nodes import no_number
from .table import Numbers
from .text_columns import Selected
from .values import DTYPES, Value, is_cells

Bad = Callable[[int], Failed]  # what is wrong with a record of a batch


def as_field(
    graph: Graph, field: DataField, value: Value, part: Part, positions: Records, *, look: bool = True
) -> Value:
    """A value in the declared dtype, its shape checked record by record. Without `look` the numbers are not read."""
    records = part.records[positions]
    place: Place = lambda i: graph.table.place(int(records[i]))
    node = graph.nodes[graph.real(field.node, False)]
    dtype = DTYPES[field.type.dtype]
    if is_cells(value):
        value = (
            graph.as_numbers(node, value, records) if dtype.is_floating_point else _whole(graph, field, value, records)
        )
    assert not isinstance(value, (dict, Selected))
    _check_shapes(graph, field, value, place)
    if not look:
        return value.to(dtype) if isinstance(value, Tensor) else [item.to(dtype) for item in value]
    if node.op == "source" and isinstance(value, Tensor):
        _check_classes(graph, node.args["field"], field, value, place)
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
            one, two = (lengths(columns[f], a) for f, a in ((first, axis), (other, other_axis)))
            if (one == two).all():
                continue
            at = int((one != two).argmax())
            place, span = graph.table.place(int(records[at])), graph.section.field(other).span
            raise mistakes.lengths_of_record(span, place, name, first, int(one[at]), other, int(two[at]))


def lengths(value: Value, axis: int) -> NDArray[np.int64]:
    """The length of each record along one of its axes."""
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


def _check_classes(graph: Graph, column: str, field: DataField, value: Tensor, place: Place) -> None:
    """A number that is not a class stands for a missing label: data sets of the hub write -1."""
    found = graph.table.columns[column]
    if isinstance(found, Numbers) and found.classes is not None:
        bad = _first((value < 0) | (value >= len(found.classes)))
        if bad is not None:
            number, count = float(value[bad]), len(found.classes)
            raise mistakes.missing_class(field.span, place(bad[0]), column, number, count)


def _whole(graph: Graph, field: DataField, value: Sequence[str], records: Records) -> Tensor:
    """Cells as whole numbers, exactly."""
    node = graph.nodes[graph.real(field.node, False)]
    try:
        found = text_columns.whole_numbers(value)
    except cells.NotANumber as wrong:
        raise graph.bad_cell(node, value[wrong.position], int(records[wrong.position])) from None
    for position, number in enumerate(found) if isinstance(found, list) else ():
        record = int(records[position])
        if number is None or not math.isfinite(number):
            raise no_number(graph, node, field.span, record, field.name)
        if isinstance(number, float) and number != round(number):
            raise mistakes.not_whole(field.span, field.name, graph.table.place(record), number)
        if not -(2**63) <= number < 2**63:
            text = value[position].strip()
            raise mistakes.out_of_range(field.span, field.name, graph.table.place(record), text, field.type.dtype)
    return torch.from_numpy(np.array(found, np.int64))


def _narrowed(field: DataField, value: Tensor, dtype: torch.dtype, place: Place, wrong: Bad) -> Tensor:
    """In the declared dtype. Raises Failed for a record with a number that is not finite, not whole or does not fit."""
    if value.is_floating_point():
        bad = _first(~torch.isfinite(value))
        if bad is not None:
            raise wrong(bad[0])
        if not dtype.is_floating_point:
            bad = _first(value != value.round())
            if bad is not None:
                raise mistakes.not_whole(field.span, field.name, place(bad[0]), float(value[bad]))
    found = value.to(dtype)
    bad = _first(~torch.isfinite(found) if dtype.is_floating_point else ~_fits(value, dtype))
    if bad is not None:
        raise mistakes.out_of_range(field.span, field.name, place(bad[0]), f"{value[bad].item():g}", field.type.dtype)
    return found


def _first(wrong: Tensor) -> tuple[int, ...] | None:
    """The indices of the first wrong number; None where all are right."""
    return tuple(wrong.nonzero()[0].tolist()) if bool(wrong.any()) else None


def _fits(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Which numbers an integer dtype (or `bool`) can hold."""
    low, high = (0, 1) if dtype == torch.bool else (torch.iinfo(dtype).min, torch.iinfo(dtype).max)
    if not value.is_floating_point():
        own = (0, 1) if value.dtype == torch.bool else (torch.iinfo(value.dtype).min, torch.iinfo(value.dtype).max)
        if low <= own[0] and own[1] <= high:
            return torch.ones((), dtype=torch.bool)
        return (value >= low) & (value <= high)
    return (value >= low) & (value < high + 1)  # 2**63 - 1 is not a float
