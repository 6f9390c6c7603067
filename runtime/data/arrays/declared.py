"""Fields as they are declared: dtype, shape, and lengths within their bounds. `runtime/data/declared.py` calls it for tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.ir.data import DataField
from ....compiler.messages.diagnostics import Failed
from ....compiler.sizes.dims import Dim
from ....compiler.sizes.types import shape_text
from .. import cells, mistakes, table_mistakes, text_columns
from ..nodes import Nodes, no_number
from ..table import Numbers
from ..text_columns import Selected, is_cells

Array: TypeAlias = "NDArray[Any]"
Records: TypeAlias = "NDArray[np.int64]"
Field: TypeAlias = "Array | list[Array]"

#: Of bf16, which NumPy does not have, the numbers are checked in f32.
DTYPES: dict[str, Any] = {
    "f16": np.float16, "bf16": np.float32, "f32": np.float32, "f64": np.float64, "i8": np.int8, "i16": np.int16,
    "i32": np.int32, "i64": np.int64, "u8": np.uint8, "bool": np.bool_,
}  # fmt: skip
BF16_ENDS = np.float32(3.3961775e38)  # from here on a number is infinite in bf16


def as_field(
    nodes: Nodes,
    field: DataField,
    value: Any,
    records: Records,
    dtype: Any,
    *,
    raw: bool = False,
    holes: bool = False,
) -> Field:
    """A value in a dtype, its shape checked record by record. `raw`: it goes into transforms that the graph of a file holds, whose
    input may have another shape than the field; `holes`: one of these fills in what is missing."""
    node = nodes.nodes[nodes.real(field.node, False)]
    floating = np.dtype(dtype).kind == "f"
    if is_cells(value):
        value = nodes.numbers(node, value, records) if floating else _whole(nodes, field, value, records)
    assert not isinstance(value, (dict, Selected))
    if not raw:
        check_shapes(nodes, field, value, records)
    if node.op == "source" and isinstance(value, np.ndarray):
        _check_classes(nodes, node.args["field"], field, value, records)
    narrow = _Narrow(nodes, field, np.dtype(dtype), holes=holes)
    if isinstance(value, np.ndarray):
        return narrow(value, records)
    return [narrow(item[None], records[i : i + 1])[0] for i, item in enumerate(value)]


class _Narrow:
    """To the declared dtype. Raises Failed for a record with a number that is not finite, not whole or does not fit."""

    def __init__(self, nodes: Nodes, field: DataField, dtype: np.dtype[Any], *, holes: bool) -> None:
        self.nodes, self.field, self.dtype, self.holes = nodes, field, dtype, holes
        self.node = nodes.nodes[nodes.real(field.node, False)]

    def __call__(self, value: Array, records: Records) -> Array:
        place = lambda at: self.nodes.place(self.node, int(records[at[0]]), at[1:])
        floating = self.dtype.kind == "f"
        if value.dtype.kind == "f":
            if (bad := self._not_finite(value)) is not None:
                raise self._no_number(records, bad)
            if not floating and (bad := _first(value != np.round(value))) is not None:
                raise table_mistakes.not_whole(self.field.span, self.field.name, place(bad), float(value[bad]))
        if floating and value.dtype == self.dtype and self.field.type.dtype != "bf16":
            return value
        with np.errstate(all="ignore"):
            found = value.astype(self.dtype)
        bad = _first(self._infinite(found) if floating else ~_fits(value, self.dtype))
        if bad is not None:
            text, dtype = f"{value[bad].item():g}", self.field.type.dtype
            raise table_mistakes.out_of_range(self.field.span, self.field.name, place(bad), text, dtype)
        return found

    def _not_finite(self, value: Array) -> tuple[int, ...] | None:
        """The indices of the first number that is not finite; a hole may be there where it is filled."""
        with np.errstate(all="ignore"):
            if np.isfinite(value.sum()):  # then each is: one pass over images, and nothing made
                return None
        holes = np.isnan(value) if self.holes and self.dtype.kind == "f" else False
        return _first(~(np.isfinite(value) | holes))

    def _infinite(self, found: Array) -> Array:
        return np.abs(found) >= BF16_ENDS if self.field.type.dtype == "bf16" else np.isinf(found)

    def _no_number(self, records: Records, bad: tuple[int, ...]) -> Failed:
        return no_number(self.nodes, self.node, self.field.span, int(records[bad[0]]), self.field.name)


def _first(wrong: Array) -> tuple[int, ...] | None:
    """The indices of the first wrong number; None where all are right."""
    return tuple(np.argwhere(wrong)[0].tolist()) if wrong.any() else None


def _fits(value: Array, dtype: np.dtype[Any]) -> Array:
    """Which numbers an integer dtype (or `bool`) can hold."""
    low, high = (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))
    if value.dtype.kind == "f":
        return (value >= low) & (value < float(high + 1))  # 2**63 - 1 is not a float
    own = (0, 1) if value.dtype.kind == "b" else (int(np.iinfo(value.dtype).min), int(np.iinfo(value.dtype).max))
    if low <= own[0] and own[1] <= high:
        return np.ones((), bool)
    fits = np.ones(value.shape, bool)
    if own[0] < low:
        fits &= value >= low
    if high < own[1]:
        fits &= value <= high
    return fits


def check_shapes(nodes: Nodes, field: DataField, value: Any, records: Records) -> None:
    """The shapes of arrays or tensors are those that the field declares. Raises Failed."""
    declared = field.type.shape[1:]
    items = value if isinstance(value, list) else value[:1]
    for number, item in enumerate(items):
        shape = tuple(item.shape)
        right = len(shape) == len(declared) and all(
            have == want for have, want in zip(shape, declared, strict=True) if isinstance(want, int)
        )
        if not right:
            place = nodes.table.place(int(records[number]))
            raise mistakes.field_shape(field.span, field.name, place, shape_text(shape), shape_text(declared))
        for have, want in zip(shape, declared, strict=True):
            limit = nodes.section.lengths.get(str(want)) if isinstance(want, Dim) else None
            if limit is not None and have > limit:
                place = nodes.table.place(int(records[number]))
                raise mistakes.too_long(field.span, field.name, place, have, str(want), limit)


def _check_classes(nodes: Nodes, column: str, field: DataField, value: Array, records: Records) -> None:
    """A number that is not a class stands for a missing label: data sets of the hub write -1."""
    found = nodes.table.columns[column]
    if isinstance(found, Numbers) and found.classes is not None:
        bad = _first((value < 0) | (value >= len(found.classes)))
        if bad is not None:
            place = nodes.table.place(int(records[bad[0]]))
            raise table_mistakes.missing_class(field.span, place, column, float(value[bad]), len(found.classes))


def _whole(nodes: Nodes, field: DataField, value: Sequence[str], records: Records) -> Array:
    """Cells as whole numbers, exactly."""
    node = nodes.nodes[nodes.real(field.node, False)]
    try:
        found = text_columns.whole_numbers(value)
    except cells.NotANumber as wrong:
        raise nodes.bad_cell(node, value[wrong.position], int(records[wrong.position])) from None
    for position, number in enumerate(found) if isinstance(found, list) else ():
        record = int(records[position])
        if number is None or not math.isfinite(number):
            raise no_number(nodes, node, field.span, record, field.name)
        if isinstance(number, float) and number != round(number):
            raise table_mistakes.not_whole(field.span, field.name, nodes.place(node, record), number)
        if not -(2**63) <= number < 2**63:
            text, place = value[position].strip(), nodes.place(node, record)
            raise table_mistakes.out_of_range(field.span, field.name, place, text, field.type.dtype)
    return np.array(found, np.int64)


# ---- lengths -----------------------------------------------------------------------------------------------------------------


def shared_lengths(fields: Sequence[DataField]) -> dict[str, list[tuple[str, int]]]:
    """Dimensions that several fields declare, each with the fields and the axis of a record."""
    found: dict[str, list[tuple[str, int]]] = {}
    for field in fields:
        for axis, size in enumerate(field.type.shape[1:]):
            if isinstance(size, Dim):
                found.setdefault(str(size), []).append((field.name, axis))
    return {name: places for name, places in found.items() if len(places) > 1}


def check_lengths(
    nodes: Nodes, shared: Mapping[str, Sequence[tuple[str, int]]], columns: Mapping[str, Any], records: Records
) -> None:
    """A dimension is one length a record, in all the fields that name it."""
    for name, ((first, axis), *others) in shared.items():
        for other, other_axis in others:
            one, two = (lengths(columns[f], a) for f, a in ((first, axis), (other, other_axis)))
            if (one == two).all():
                continue
            at = int((one != two).argmax())
            place, span = nodes.table.place(int(records[at])), nodes.section.field(other).span
            raise mistakes.lengths_of_record(span, place, name, first, int(one[at]), other, int(two[at]))


def lengths(value: Any, axis: int) -> NDArray[np.int64]:
    """The length of each record along one of its axes, of arrays or tensors."""
    if isinstance(value, list):
        return np.array([item.shape[axis] for item in value], np.int64)
    return np.full(len(value), value.shape[axis + 1])


def padded(value: Field, fill: int) -> Array:
    """Records as one array. Where all are empty they get one place of padding: no layer has to work on nothing."""
    if isinstance(value, list):
        longest = max((len(item) for item in value), default=0)
        found = np.full((len(value), longest, *value[0].shape[1:]), fill, value[0].dtype)
        for at, item in enumerate(value):
            found[at, : len(item)] = item
        value = found
    empty = value.ndim > 1 and not value.shape[1]
    return np.full((len(value), 1, *value.shape[2:]), fill, value.dtype) if empty else value
