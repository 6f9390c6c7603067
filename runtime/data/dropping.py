"""`drop`: records with a missing cell are left out before the others are divided, as if the file did not have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue import SPLITS, transforms
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import DataSet, Split
from . import kept_arrays, split_mistakes, splits
from .nodes import Nodes
from .table import Cells, Column, Numbers, Ragged, Table

Records = NDArray[np.int64]


@dataclass(frozen=True)
class Dropped:
    """How many records were left out, and by column how many of them lack its cell."""

    records: int = 0
    columns: dict[str, int] = field(default_factory=dict[str, int])


def divided(section: DataSet, table: Table) -> tuple[dict[Split, Records], Dropped]:
    """The records of each split, without those that are dropped."""
    if table.laid_out is None or not (section.drop or SPLITS[section.split.name].divides == "fractions"):
        return _divided(section, table)

    def make() -> kept_arrays.Found:
        found, dropped = _divided(section, table)
        sizes = {split: len(records) for split, records in found.items()}
        return np.concatenate(list(found.values())), [sizes, dropped.records, dropped.columns]

    records, (sizes, count, columns) = kept_arrays.of_section(section, table, "splits", (), make)
    ends = np.cumsum(list(sizes.values()))
    return dict(zip(sizes, np.split(records, ends[:-1]), strict=True)), Dropped(count, columns)


def _divided(section: DataSet, table: Table) -> tuple[dict[Split, Records], Dropped]:
    if not section.drop:
        return splits.divide(section, table), Dropped()
    lacking = np.zeros(table.count, bool)
    counts: dict[str, int] = {}
    for name in _columns(section, table):
        holes = missing(table.column(name, section.span))
        lacking |= holes
        if holes.any():
            counts[name] = int(holes.sum())
    kept = np.flatnonzero(~lacking)
    if not len(kept):
        raise split_mistakes.all_dropped(section.span, counts, table.count)
    if len(kept) == table.count:
        return splits.divide(section, table), Dropped()
    found = splits.divide(section, _without(section, table, lacking, kept))
    return {split: kept[records] for split, records in found.items()}, Dropped(table.count - len(kept), counts)


def missing(column: Column) -> NDArray[np.bool_]:
    """Which records have no value in a column."""
    match column:
        case Cells():
            return column.missing()
        case Numbers(array, classes):
            if classes is not None:
                return (array < 0) | (array >= len(classes))  # data sets of the hub write -1
            holes = np.isnan(array) if array.dtype.kind == "f" else _none(len(array))
            return np.asarray(holes.reshape(len(array), -1).any(1), bool)
        case Ragged(arrays):
            return np.array([each is None for each in arrays], bool)
        case _:
            return _none(len(column))


def _none(count: int) -> NDArray[np.bool_]:
    return np.zeros(count, bool)


def _columns(section: DataSet, table: Table) -> Iterable[str]:
    """The columns that must be there: those named, or all that fields read where no transform fills in what is missing."""
    if not isinstance(section.drop, str):
        return section.drop
    nodes = Nodes(section, table, Path())
    names: dict[str, None] = {}
    waiting = [field.node for field in section.fields]
    while waiting:
        node = nodes.nodes[waiting.pop(0)]
        if transforms.of(node.op).fills:
            continue
        if node.op in ("source", "columns"):
            names.update(dict.fromkeys(nodes.columns_of(node)))
        waiting += node.inputs
    return names


def _without(section: DataSet, table: Table, lacking: NDArray[np.bool_], kept: Records) -> Table:
    """A table of the records that are kept, with the columns by which they are divided."""
    named = {section.split.args.get(key) for key in ("stratify", "group", "by")}
    columns = {name: _taken(table.column(name, section.split.span), kept) for name in named if name}
    position = np.cumsum(~lacking) - 1
    parts = {split: position[records[~lacking[records]]] for split, records in (table.parts or {}).items()}
    place = lambda record: table.place(int(kept[record]))
    return replace(table, columns=columns, count=len(kept), parts=parts or None, place=place)


def _taken(column: Column, kept: Records) -> Column:
    if isinstance(column, Cells):
        return column.part(kept)
    return replace(column, array=column.array[kept]) if isinstance(column, Numbers) else column
