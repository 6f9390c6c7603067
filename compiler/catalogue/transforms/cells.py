"""Transforms of the cells of a table that are neither numbers nor one of a few names: dates, and names of which there are many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...ir.data import ClassNames, ItemType
from ...sizes.types import is_float
from ..arguments import Count
from .base import Transform, Undo, Unsuited, need_cells

#: How many steps the circle of a part has, and the number at which it begins.
CIRCLES: dict[str, tuple[float, int]] = {
    "month": (12, 1), "day": (31, 1), "weekday": (7, 0), "yearday": (365.25, 1), "hour": (24, 0), "minute": (60, 0),
}  # fmt: skip


class Date(Transform):
    """A date or time as a number: the `days` since 1970-01-01, with the time as a fraction, or its `year`, `month` (1 to 12), `day`,
    `weekday` (0 is Monday), `yearday`, `hour` or `minute`, as written, whatever the time zone. `format` is one of `strptime`; without
    it cells are written as in ISO 8601, `2024-05-31` or `2024-05-31 18:30`. Dates and times of parquet and feather files need none.
    `cyclic = true` gives the sine and cosine of a part, so that December is next to January. It is outside of an exported graph."""

    format: str | None = None
    part: Literal["days", "year", "month", "day", "weekday", "yearday", "hour", "minute"] = "days"
    cyclic: bool = False

    in_graph = False
    takes = "texts"
    example_source = 'csv("rows.csv")'
    example = 'x: f32[2] = source.day -> date("%d.%m.%Y", "month", cyclic = true)'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        need_cells(item, "dates")
        if args["cyclic"]:
            return ItemType(kind="tensor", dtype="f32", shape=(2,))
        return ItemType(kind="tensor", shape=())

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if args["cyclic"] and args["part"] not in CIRCLES:
            return f"`{args['part']}` does not come round: `cyclic` is for {', '.join(f'`{part}`' for part in CIRCLES)}"
        if args["format"] is not None and "%" not in args["format"]:
            return 'the format has no `%`: write it as in `date("%Y-%m-%d")`'
        return None


class ForwardFill(Transform):
    """Replaces a missing cell with the one before it in its series, in the order of time: never with a later one. Of several columns each
    is filled by itself. A cell before which a series has no other stays missing, until `impute` fills it in. It belongs before
    `window`, and prediction fills from the rows that it is given. It is outside of an exported graph."""

    in_graph = False
    takes = "anything"
    fills = True
    reads_before = True
    example_source = 'csv("rows.csv")'
    example = "let past = source.price -> forward_fill -> standardize -> window(24)\nx: f32[24] = past"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        number = item.kind == "tensor" and (item.dtype is None or is_float(item.dtype))
        if item.kind not in ("column", "text") and not number:
            raise Unsuited("cells of a table that may be missing")
        return item

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Hash(Transform):
    """One of `buckets` numbers for a name, always the same: for names of which there are too many to be classes, or of which
    prediction brings new ones. Names may share a number. A missing cell is not a name. It is outside of an exported graph."""

    buckets: Count

    in_graph = False
    takes = "texts"
    stands_for = "buckets"
    example_source = 'csv("rows.csv")'
    example = "x: i64 = source.city -> hash(1000)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        need_cells(item, "names")
        return ItemType(kind="tensor", dtype="i64", shape=(), classes=ClassNames(count=args["buckets"]))
