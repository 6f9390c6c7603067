"""Splits: which records are for training, validation and test. A pure function of the records and the split's seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue import SPLITS as KINDS_OF_SPLIT
from ...compiler.ir.data import DataSet, Split
from ...compiler.messages.source import Span
from .. import randomness
from . import cells, series, split_mistakes, table_mistakes
from .sources import SPLITS
from .table import Cells, Column, Numbers, Table

Records = NDArray[np.int64]


def divide(section: DataSet, table: Table) -> dict[Split, Records]:
    """The record numbers of each split that the section has (for a stream: positions, ascending)."""
    args, span = section.split.args, section.split.span
    if KINDS_OF_SPLIT[section.split.name].in_order and series.cuts(section):
        found = series.divide(section, table, _fractions(args), shares)
    else:
        found = divider(section.split.name)(table, args, span)
    for split, records in found.items():
        if not len(records):
            raise split_mistakes.split_empty(span, split, table.count)
    return found


def divider(name: str) -> Callable[[Table, Mapping[str, Any], Span], dict[Split, Records]]:
    """What divides records: the function of this file with the name of the entry. KeyError when there is none."""
    return globals()[f"divide_{name}"]


def divide_all(table: Table, args: Mapping[str, Any], span: Span) -> dict[Split, Records]:
    return {args["split"]: np.arange(table.count, dtype=np.int64)}


def divide_folders(table: Table, args: Mapping[str, Any], span: Span) -> dict[Split, Records]:
    return _named(table, args)


def divide_files(table: Table, args: Mapping[str, Any], span: Span) -> dict[Split, Records]:
    return _named(table, args)


def _fractions(args: Mapping[str, Any]) -> dict[Split, float]:
    return {split: args[split] for split in SPLITS if isinstance(args.get(split), (int, float)) and args[split]}


def shares(count: int, fractions: Mapping[Any, float]) -> list[int]:
    """Whole numbers that sum to `count`, each within one of its fraction: the largest remainders are rounded up."""
    exact = [count * fraction for fraction in fractions.values()]
    whole = [int(value + 1e-9) for value in exact]
    order = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in order[: count - sum(whole)]:
        whole[i] += 1
    return whole


def _kinds(table: Table, name: str, span: Span) -> tuple[NDArray[Any], Records]:
    """The distinct values of a column in order, and which of them each record has."""
    column = table.column(name, span)
    if isinstance(column, Cells):
        codes, names = column.coded
        kinds, rank = np.unique(np.array(names, str), return_inverse=True)
        return kinds, rank[codes]
    return np.unique(_numbers(table, column, name, span), return_inverse=True)


def _numbers(table: Table, column: Column, name: str, span: Span) -> NDArray[Any]:
    """A column of one number a record."""
    if not isinstance(column, Numbers) or column.array.ndim != 1:
        raise table_mistakes.not_numbers(span, table.name, name)
    return column.array


def _sortable(table: Table, name: str, span: Span) -> NDArray[Any]:
    """A column to sort by: numbers where all are, else texts, as dates are (ISO 8601). A missing one has no place."""
    column = table.column(name, span)
    if isinstance(column, Cells):
        try:
            values = column.numbers(np.arange(table.count))
        except cells.NotANumber:
            values = np.array(list(column), str)
    else:
        values = _numbers(table, column, name, span)
    lacking = np.flatnonzero(values == "" if values.dtype.kind == "U" else np.isnan(values.astype(np.float64)))
    if len(lacking):
        raise table_mistakes.missing_value(span, table.place(int(lacking[0])), name)
    return values


def divide_random(table: Table, args: Mapping[str, Any], span: Span) -> dict[Split, Records]:
    fractions = _fractions(args)
    base = randomness.key(args["seed"], "split")
    if args.get("group") is not None:
        _, group = _kinds(table, args["group"], span)
        order = randomness.permutation(base, int(group.max()) + 1)
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        if args.get("stratify") is None:
            return _by_groups(rank[group], fractions)
        _, kinds = _kinds(table, args["stratify"], span)
        return _by_groups_of_kinds(rank[group], kinds, fractions)
    order = randomness.permutation(base, table.count)
    if args.get("stratify") is None:
        return _cut([order], fractions)
    names, kinds = _kinds(table, args["stratify"], span)
    sizes = np.bincount(kinds)
    if (least := int(sizes.argmin())) >= 0 and sizes[least] < len(fractions):
        raise split_mistakes.class_too_small(span, str(names[least]), int(sizes[least]))
    return _cut([order[kinds[order] == kind] for kind in range(len(names))], fractions)


def _cut(strata: list[Records], fractions: Mapping[Split, float]) -> dict[Split, Records]:
    """Each stratum cut by the fractions. What rounding leaves over goes to whichever split is furthest behind."""
    parts: dict[Split, list[Records]] = {split: [] for split in fractions}
    totals = dict.fromkeys(fractions, 0)
    seen = 0
    for stratum in strata:
        seen += len(stratum)
        exact = {split: len(stratum) * share for split, share in fractions.items()}
        take = {split: int(value + 1e-9) for split, value in exact.items()}
        while sum(take.values()) < len(stratum):
            behind = max(fractions, key=lambda split: fractions[split] * seen - totals[split] - take[split])
            take[behind] += 1
        start = 0
        for split in fractions:
            parts[split].append(stratum[start : start + take[split]])
            totals[split] += take[split]
            start += take[split]
    return {split: np.sort(np.concatenate(pieces)) for split, pieces in parts.items()}


def _by_groups(group: Records, fractions: Mapping[Split, float]) -> dict[Split, Records]:
    """Whole groups, in their order, until each split has its share of the records."""
    sizes = np.bincount(group)
    middle = np.cumsum(sizes) - sizes / 2
    bounds = np.cumsum(list(fractions.values())) * len(group)
    home = np.searchsorted(bounds, middle)
    return {split: np.flatnonzero(home[group] == i).astype(np.int64) for i, split in enumerate(fractions)}


def _by_groups_of_kinds(group: Records, kinds: Records, fractions: Mapping[Split, float]) -> dict[Split, Records]:
    """Whole groups, each split with its share of the groups of every kind. A group is of the kind that most of its
    records have."""
    counts = np.zeros((int(group.max()) + 1, int(kinds.max()) + 1), np.int64)
    np.add.at(counts, (group, kinds), 1)
    of_record = counts.argmax(1)[group]
    found: dict[Split, list[Records]] = {split: [] for split in fractions}
    for kind in np.unique(of_record):
        records = np.flatnonzero(of_record == kind)
        _, own = np.unique(group[records], return_inverse=True)
        for split, positions in _by_groups(own, fractions).items():
            found[split].append(records[positions])
    return {split: np.sort(np.concatenate(parts)).astype(np.int64) for split, parts in found.items()}


def divide_contiguous(table: Table, args: Mapping[str, Any], span: Span) -> dict[Split, Records]:
    fractions = _fractions(args)
    order = np.arange(table.count, dtype=np.int64)
    if args.get("by") is not None:
        order = np.argsort(_sortable(table, args["by"], span), kind="stable").astype(np.int64)
    ends = np.cumsum(shares(table.count, fractions))
    return {
        split: order[end - size : end] for split, end, size in zip(fractions, ends, np.diff([0, *ends]), strict=True)
    }


def _named(table: Table, args: Mapping[str, Any]) -> dict[Split, Records]:
    """Splits that are files, and those that take a fraction of train."""
    found = dict(table.parts) if table.parts is not None else {"train": np.arange(table.count, dtype=np.int64)}
    fractions = _fractions(args)
    if fractions:
        train = found["train"]
        order = train[randomness.permutation(randomness.key(args.get("seed", 0), "split"), len(train))]
        sizes = shares(len(train), {**fractions, "rest": 1 - sum(fractions.values())})
        start = 0
        for split, size in zip(fractions, sizes, strict=False):
            found[split] = np.sort(order[start : start + size])
            start += size
        found["train"] = np.sort(order[start:])
    return {split: found[split] for split in SPLITS if split in found}
