"""Rows of a table as time series, and the windows that are cut from them. Works without torch.

    order     rows: series after series, each in the order of time     3 0 1 | 5 2 4
    stretch   what windows may not leave: a series, or what lies between its gaps
    anchor    the record of a window: the row that its past ends with

A value that is read without a window (a store's name) is that of the anchor, so a record of such a section is a row as in any other
table, and only what is cut looks at the rows around it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue import transforms
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataNode, DataSet, Order, Split
from ...compiler.messages.source import Span
from . import cells, series_mistakes, table_mistakes
from .table import Cells, Numbers, Table

Records = NDArray[np.int64]

YEAR_FIRST = re.compile(r"^(\d{4})[-/.](\d\d?)[-/.](\d\d?)(?!\d)")  # 2024/1/31: its order is not in doubt
DIGITS = re.compile(r"^\d{6}(\d\d)?$")  # 20240131, 202401
GAP = 1.5  # times the usual step of a series: the 31 days of a month are none, a month left out is one


@dataclass(frozen=True)
class Reach:
    """How far a window reaches: `before` rows that end with its anchor, and `after` that follow it. `whole`: all of them may be
    targets."""

    before: int
    after: int
    stride: int
    whole: bool


@dataclass(frozen=True)
class Series:
    """The rows of a table in order. `place` is that of each row in `order`; `first` and `stop` are the places where the stretch
    begins and ends that a place belongs to, `end` where its series ends. `reach` is the extent of each node that cuts."""

    order: Records
    place: Records
    first: Records
    stop: Records
    end: Records
    reach: Mapping[int, Reach]

    def rows(self, node: DataNode, anchors: Records) -> Records:
        """The rows of these windows: [windows, n + horizon]."""
        extent = self.reach[node.id]
        return self.order[self.place[anchors][:, None] + np.arange(1 - extent.before, extent.after + 1)]

    def newest(self, missing: NDArray[np.bool_]) -> Records:
        """For each row the newest of its series up to it that is not `missing`, [rows, ..]; the first where there is none."""
        places = np.arange(len(self.order)).reshape(-1, *[1] * (missing.ndim - 1))
        edges = np.append(True, self.end[1:] != self.end[:-1])[: len(self.end)].reshape(places.shape)
        known = np.maximum.accumulate(np.where(edges | ~missing[self.order], places, 0), axis=0)
        found = np.empty_like(known)
        found[self.order] = self.order[known]
        return found

    def all_rows(self, anchors: Records) -> Records:
        """Every row that some window has, once."""
        before, after = self.longest
        found = self.place[anchors][:, None] + np.arange(1 - before, after + 1)
        return np.unique(self.order[found])

    @property
    def longest(self) -> tuple[int, int]:
        return max(e.before for e in self.reach.values()), max(e.after for e in self.reach.values())

    @property
    def stride(self) -> int:
        return next(iter(self.reach.values())).stride

    def anchors(self, kept: NDArray[np.bool_] | None = None, *, last: bool = False) -> Records:
        """The rows at which windows end their past, one every stride of each stretch: all, or those that are `kept`, or the `last`
        one of each series, in its last stretch."""
        before, after = self.longest
        places = np.arange(len(self.order))
        fits = (places - self.first >= before - 1) & (self.stop - places > after)
        if kept is not None:
            fits &= kept[self.order]
        found = places[fits]
        if not len(found):
            return self.order[found]
        stretch = self.first[found]
        if last:
            newest = np.append(stretch[1:] != stretch[:-1], True) & (self.stop[found] == self.end[found])
            return self.order[found[newest]]
        begins = np.flatnonzero(np.append(True, stretch[1:] != stretch[:-1]))
        lowest = np.repeat(found[begins], np.diff(np.append(begins, len(found))))
        return self.order[found[(found - lowest) % self.stride == 0]]

    def without(self, anchors: Records) -> tuple[int, int] | None:
        """A series that has none of these anchors: its last row, and how many rows its last stretch has."""
        having = np.zeros(len(self.order) + 1, bool)
        having[self.end[self.place[anchors]]] = True
        last = np.flatnonzero(self.end == np.arange(1, len(self.order) + 1))
        for place in last[~having[last + 1]][:1].tolist():
            return int(self.order[place]), int(self.stop[place] - self.first[place])
        return None


def cuts(section: DataSet) -> list[DataNode]:
    """The nodes that cut rows of a table into windows."""
    return [node for node in section.nodes if over_rows(section, node)]


def over_rows(section: DataSet, node: DataNode) -> bool:
    return transforms.of(node.op).windows and section.node(node.inputs[0]).type.kind != "stream"


def extent_of(node: DataNode) -> Reach:
    horizon = node.args["horizon"]
    return Reach(node.args["n"], horizon or 0, node.args["stride"], whole=horizon is None)


# ---- order -------------------------------------------------------------------------------------------------------------------


def read(section: DataSet, table: Table, reach: Mapping[int, Reach]) -> Series:
    """The series of a table. Raises Failed for rows that are in no order, or whose steps are not alike."""
    order = section.order or Order(span=section.span)
    codes = _codes(section, table, order)
    times = None if order.time is None else times_of(table, order.time, order.span)
    rows = np.lexsort((codes,) if times is None else (times, codes)).astype(np.int64)
    edges = np.append(True, codes[rows][1:] != codes[rows][:-1])[: len(rows)]
    gaps = edges if times is None else edges | _gaps(table, order, rows, edges, times)
    first, stop = _stretches(gaps)
    place = np.empty_like(rows)
    place[rows] = np.arange(len(rows))
    return Series(rows, place, first, stop, _stretches(edges)[1], reach)


def _stretches(edges: NDArray[np.bool_]) -> tuple[Records, Records]:
    """Where the stretch begins and ends that each place belongs to."""
    begins = np.flatnonzero(edges)
    lengths = np.diff(np.append(begins, len(edges)))
    return np.repeat(begins, lengths), np.repeat(begins + lengths, lengths)


def _codes(section: DataSet, table: Table, order: Order) -> Records:
    """A number for the series of each row. Files are series of their own unless times order their rows."""
    codes = np.zeros(table.count, np.int64)
    if table.parts is not None and order.time is None:
        for number, records in enumerate(table.parts.values()):
            codes[records] = number
    if order.series is None:
        return codes
    found = keys_of(table, order.series, order.span)
    return codes * (int(found.max(initial=0)) + 1) + found


def keys_of(table: Table, name: str, span: Span) -> Records:
    """Which series each row belongs to, as numbers. A row without a name belongs to none: Failed."""
    column = table.column(name, span)
    if isinstance(column, Cells):
        codes, names = column.coded
        lacking = np.array([column.rule.is_missing(text) for text in names], bool)[codes]
    elif isinstance(column, Numbers) and column.array.ndim == 1:
        codes = np.unique(column.array, return_inverse=True)[1]
        lacking = np.isnan(column.array) if column.array.dtype.kind == "f" else np.zeros(len(codes), bool)
    else:
        raise table_mistakes.not_numbers(span, table.name, name)
    if lacking.any():
        raise table_mistakes.missing_value(span, table.place(int(lacking.argmax())), name)
    return codes.astype(np.int64)


def times_of(table: Table, name: str, span: Span) -> NDArray[np.float64] | NDArray[np.int64]:
    """A column of times: numbers, or dates in microseconds, with or without signs between their parts. Raises Failed for a cell that
    is neither, or missing."""
    column = table.column(name, span)
    if isinstance(column, Numbers) and column.array.ndim == 1:
        times = column.array.astype(np.float64)
    elif isinstance(column, Cells):
        try:
            times = column.numbers(np.arange(table.count))
        except cells.NotANumber:
            return _dates(table, name, column, span)
    else:
        raise table_mistakes.not_numbers(span, table.name, name)
    if np.isnan(times).any():
        raise table_mistakes.missing_value(span, table.place(int(np.isnan(times).argmax())), name)
    dates = dates_of(times)
    return times if dates is None else dates


def dates_of(numbers: NDArray[np.float64]) -> NDArray[np.int64] | None:
    """Of numbers that are all dates, 20240131 or 202401, the microseconds since 1970: the 1st of February is a day after the 31st of
    January, not 70. None for other numbers."""
    distinct, places = np.unique(numbers, return_inverse=True)
    texts = [f"{number:.0f}" for number in distinct.tolist()] if (distinct == np.floor(distinct)).all() else []
    if not texts or len({len(text) for text in texts}) > 1:
        return None
    if not all(DIGITS.match(text) and "1800" <= text[:4] < "2200" for text in texts):
        return None
    try:
        found = microseconds(["-".join(filter(None, (text[:4], text[4:6], text[6:]))) for text in texts])
    except ValueError:
        return None
    return found[places.reshape(-1)]


def _dates(table: Table, name: str, column: Cells, span: Span) -> NDArray[np.int64]:
    texts = [text.strip() for text in column]
    try:
        return microseconds(texts)
    except ValueError:
        pass
    for record, text in enumerate(texts):
        if column.rule.is_missing(text):
            raise table_mistakes.missing_value(span, table.place(record), name)
        try:
            microseconds([text])
        except ValueError:
            raise series_mistakes.not_a_time(span, table.place(record), name, text) from None
    raise AssertionError("one of the dates is not a date")


def microseconds(texts: Sequence[str]) -> NDArray[np.int64]:
    """Of dates with the year first, since 1970. Raises ValueError."""
    try:
        return _parsed(texts)
    except ValueError:
        return _parsed([YEAR_FIRST.sub(_iso, text) for text in texts])


def _iso(found: re.Match[str]) -> str:
    return f"{found[1]}-{found[2]:>02}-{found[3]:>02}"


def _parsed(texts: Sequence[str]) -> NDArray[np.int64]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # times with a zone, which are read as UTC
        found = np.array(texts, "datetime64[us]")
    if np.isnat(found).any():
        raise ValueError("not a time")
    return found.astype(np.int64)


def _gaps(
    table: Table, order: Order, rows: Records, edges: NDArray[np.bool_], times: NDArray[Any]
) -> NDArray[np.bool_]:
    """Before which places of `rows` there is a gap, where these end windows. Raises Failed for two rows of a series at one time, and
    for a gap that is refused."""
    assert order.time is not None
    steps = np.diff(times[rows], prepend=times[rows][:1]).astype(np.float64)
    twice = ~edges & (steps <= 0)
    if twice.any():
        at = int(twice.argmax())
        one, other = (table.place(int(rows[i])) for i in (at, at - 1))
        shown = shown_of(table, order.time, int(rows[at]))
        raise series_mistakes.same_time(order.span, one, other, order.time, shown, order.series)
    found = np.zeros(len(rows), bool)
    if order.gaps == "join":
        return found
    begins = np.flatnonzero(edges)
    for begin, end in zip(begins, [*begins[1:], len(rows)], strict=True):
        own = steps[begin + 1 : end]
        if len(own) > 1:
            found[begin + 1 : end] = own > GAP * np.median(own)
    if order.gaps == "refuse" and found.any():
        at, count = int(found.argmax()), int(found.sum())
        between = [shown_of(table, order.time, int(rows[i])) for i in (at - 1, at)]
        raise series_mistakes.gap(order.span, table.place(int(rows[at])), order.time, between, count)
    return found


def shown_of(table: Table, name: str, record: int) -> str:
    """A cell of a table as a person reads it."""
    column = table.columns[name]
    if isinstance(column, Cells):
        return column[record].strip()
    return f"{column.array[record]}" if isinstance(column, Numbers) else ""


# ---- splits ------------------------------------------------------------------------------------------------------------------


def divide(section: DataSet, table: Table, fractions: Mapping[Split, float], shares: Any) -> dict[Split, Records]:
    """Rows in order by fractions: of all rows, cut where the time changes, or of each series where there are no times."""
    order = section.order or Order(span=section.span)
    if order.time is not None:
        times = times_of(table, order.time, order.span)
        rows = np.argsort(times, kind="stable").astype(np.int64)
        ends = np.cumsum(shares(len(rows), fractions))
        distinct = times[rows]
        ends[:-1] = [np.searchsorted(distinct, distinct[min(end, len(rows) - 1)]) for end in ends[:-1]]
        return {split: rows[begin:end] for split, begin, end in zip(fractions, [0, *ends[:-1]], ends, strict=True)}
    codes = _codes(section, table, order)
    found: dict[Split, list[Records]] = {split: [] for split in fractions}
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        ends = np.cumsum(shares(len(rows), fractions))
        for split, begin, end in zip(fractions, [0, *ends[:-1]], ends, strict=True):
            found[split].append(rows[begin:end])
    return {split: np.concatenate(parts) for split, parts in found.items()}


def windows(section: DataSet, table: Table, series: Series, divided: Mapping[Split, Records]) -> dict[Split, Records]:
    """The anchors of each split. A window of the train split has no row of another one; any other window forecasts rows of its own
    split only, and its past may reach back into those before."""
    home = np.full(table.count, -1)
    for number, records in enumerate(divided.values()):
        home[records] = number
    along = home[series.order]
    found: dict[Split, Records] = {}
    for number, split in enumerate(divided):
        own = along == number
        counts = np.append(0, np.cumsum(own))
        kept = np.zeros(table.count, bool)
        places = np.arange(len(along))
        fits = np.ones(len(along), bool)
        there = np.append(0, np.cumsum(along >= 0))  # rows that `drop` leaves out are in no split
        for extent in series.reach.values():
            before = extent.before if split == "train" or extent.whole else 0
            low = np.clip(places - before + 1, 0, len(along))
            high = np.clip(places + extent.after + 1, 0, len(along))
            fits &= counts[high] - counts[low] == high - low
            low = np.clip(places - extent.before + 1, 0, len(along))
            fits &= there[high] - there[low] == high - low
        kept[series.order] = fits
        found[split] = series.anchors(kept)
        if not len(found[split]):
            longest = int((series.stop - series.first).max(initial=0))
            before, after = series.longest
            node = next(node for node in section.nodes if node.id in series.reach)
            raise series_mistakes.no_window(node.span, split, len(divided[split]), longest, before, after)
    return found


# ---- what predictions need ------------------------------------------------------------------------------------------------


def read_by(section: DataSet, targets: Sequence[int]) -> dict[int, Reach]:
    """The extent of the windows that these nodes are made from: rows behind the anchor are needed only where a node reads `next`."""
    found: dict[int, Reach] = {}
    for identifier in targets:
        node = section.node(identifier)
        if over_rows(section, node):
            extent = found.setdefault(node.id, replace(extent_of(node), after=0))
            assert extent is not None
        if node.op == "member" and node.args["name"] == "next" and over_rows(section, section.node(node.inputs[0])):
            found[node.inputs[0]] = extent_of(section.node(node.inputs[0]))
    return found
