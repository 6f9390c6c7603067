"""Columns of several files, one after another, where each split has files of its own.

Files may hold a column in different kinds: whole numbers in one, fractions in the other, or texts. It is then of the kind that holds
both without changing a value: fractions, texts from which the numbers are read exactly, lists of any length. Other kinds, lists and
texts say, are a mistake.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ....compiler.ir.data import Split
from ....compiler.messages.source import Span
from .. import cells, table_mistakes, text_columns
from ..table import Cells, Column, Images, JoinedArrays, Numbers, Ragged, Stream
from . import arrow_columns
from .split_files import Part


def columns(parts: Mapping[Split, Part], span: Span) -> dict[str, Column]:
    """The columns of the first part, continued in the others. Raises Failed."""
    found: dict[str, Column] = {}
    files = text_columns.JoinedFiles()
    for name in next(iter(parts.values()))[0]:
        for split, part in parts.items():
            if name not in part[0]:
                raise table_mistakes.unknown_field(span, f"the {split} split", name, list(part[0]))
        each = [part[0][name] for part in parts.values()]
        column = _column(each, files)
        if column is None:
            kinds = [_kind(column) for column in each]
            other = next(i for i, kind in enumerate(kinds) if kind != kinds[0])
            places = [part[2] for part in parts.values()]
            raise table_mistakes.kinds_differ(span, name, places[0](0), kinds[0], places[other](0), kinds[other])
        found[name] = column
    return found


def _column(found: Sequence[Column], files: text_columns.JoinedFiles) -> Column | None:
    """None where no kind holds all of them."""
    arrays = [column for column in found if isinstance(column, Numbers)]
    if len(arrays) == len(found) and len({column.classes is None for column in arrays}) == 1:
        joined = _numbers(arrays)
        if joined is not None:
            return joined
    if all(map(_is_flat, found)):
        texts = [column if isinstance(column, Cells) else Cells(text_columns.written(column.array)) for column in found]  # type: ignore[union-attr]
        return text_columns.joined(texts, files)
    if all(map(_is_lists, found)):
        return Ragged(arrow_columns.alike([row for column in found for row in _rows(column)]))
    images = [column for column in found if isinstance(column, Images)]
    if len(images) == len(found):
        return Images([path for column in images for path in column.paths], images[0].gray)
    streams = [column for column in found if isinstance(column, Stream)]
    return _streams(streams) if len(streams) == len(found) else None


def _is_flat(column: Column) -> bool:
    """Whether it has one text or number a record."""
    return isinstance(column, Cells) or (isinstance(column, Numbers) and column.array.ndim == 1 and not column.classes)


def _is_lists(column: Column) -> bool:
    if isinstance(column, Cells):
        return not any(column)  # all are missing
    return isinstance(column, Ragged) or (isinstance(column, Numbers) and column.array.ndim == 2)


def _rows(column: Column) -> Sequence[NDArray[np.generic] | None]:
    match column:
        case Numbers(array):
            return list(array)
        case Ragged(arrays):
            return arrays
        case _:
            return [None] * len(column)


def _kind(column: Column) -> str:
    if isinstance(column, Images):
        return "images"
    if isinstance(column, Numbers) and column.array.ndim > 2:
        return f"arrays of shape {list(column.array.shape[1:])}"
    if isinstance(column, Numbers) and column.array.ndim == 1:
        return "class numbers" if column.classes else "numbers"
    return "texts" if isinstance(column, Cells) else "tokens" if isinstance(column, Stream) else "lists"


def _numbers(arrays: Sequence[Numbers]) -> Numbers | None:
    """None where shapes differ, or whole numbers would be changed next to fractions."""
    names = [column.classes for column in arrays]
    if any(other != names[0] for other in names):
        merged = tuple(cells.in_order({label for classes in names if classes for label in classes}))
        lookup = {label: number for number, label in enumerate(merged)}
        recoded = [
            np.array([lookup[c.classes[i]] if 0 <= i < len(c.classes) else -1 for i in c.array], np.int64)
            for c in arrays
            if c.classes
        ]
        return Numbers(np.concatenate(recoded), merged, _empty(arrays, merged))
    if len({column.array.shape[1:] for column in arrays}) > 1:
        return None
    whole = np.concatenate([column.array for column in arrays])
    if whole.dtype.kind == "f" and any(_changes(column.array) for column in arrays):
        return None
    return Numbers(whole, names[0], _empty(arrays, names[0] or ()))


def _changes(array: NDArray[np.generic]) -> bool:
    """Whether there are whole numbers that are none in f64."""
    return array.dtype.kind in "iu" and bool((np.abs(array.astype(np.float64)) >= text_columns.EXACT).any())


def _empty(arrays: Sequence[Numbers], classes: Sequence[str]) -> tuple[str, ...]:
    """Names that have no record in any part."""
    return tuple(cells.in_order({name for column in arrays for name in column.empty} - set(classes)))


def _streams(found: Sequence[Stream]) -> Stream:
    if found[0].names is None:
        return Stream(JoinedArrays([stream.array[:] for stream in found]))
    known = {name: number for number, name in enumerate(found[0].names)}
    for stream in found[1:]:
        for name in stream.names or ():
            known.setdefault(name, len(known))
    recoded = [np.array([known[n] for n in stream.names or ()], np.int32)[stream.array[:]] for stream in found]
    return Stream(np.concatenate(recoded), tuple(known))
