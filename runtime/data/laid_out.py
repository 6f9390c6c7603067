"""Columns of a table that does not fit in memory, laid out in files: written once, a piece at a time, then mapped.

    numbers   [records, ..], as they are              `Numbers`
    cells     a column of a CSV file that has numbers alone, as f64         `Cells` that are numbers already
    texts     bytes in UTF-8 one after another, and where each begins       `Cells`
    ragged    arrays one after another, and where each begins               `Ragged`
    images    the bytes of files, likewise                                  `Images`
    members   where files begin in tar files, [records, 3]                  `Images` of `TarMembers`

A record is found by its number, so that splits, orders and batches are what they are in memory. Works without torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass, field
from . import kept_arrays
from .cells import CellRule
from .parsing import Parsed
from .table import Cells, Column, Encoded, Images, Numbers, Ragged, TarMembers
from .text_columns import EXACT, as_written, written

BYTES = ("texts", "images")  # forms whose values are bytes
SLICE = 1 << 18  # texts that are looked at together


class Another(Exception):
    """A later piece has a column of another form: it is written again in one that holds both."""

    def __init__(self, name: str, form: str) -> None:
        super().__init__(name)
        self.name, self.form = name, form


@dataclass
class ColumnLayout:
    """How a column is laid out; `shape` is that of a record, `rule` how its cells are read. Ragged numbers may lack records.
    `classes` and `empty` are those of numbers of classes, `files` the tar files of members."""

    form: str
    dtype: str = "<f8"
    shape: tuple[int, ...] = ()
    rule: dict[str, Any] = field(default_factory=dict[str, Any])
    size: int = 0
    classes: tuple[str, ...] | None = None
    empty: tuple[str, ...] = ()
    files: list[str] = field(default_factory=list[str])


class ColumnWriter:
    """A column that is written."""

    def __init__(self, folder: Path, number: int, name: str, layout: ColumnLayout) -> None:
        self.name, self.layout, self.count = name, layout, 0
        base = folder / str(number)
        self.values = base.with_suffix(".values").open("xb")
        self.starts = base.with_suffix(".starts").open("xb") if layout.form in ("texts", "ragged", "images") else None
        if self.starts is not None:
            self._begin([0])

    def close(self) -> None:
        self.values.close()
        if self.starts is not None:
            self.starts.close()

    def absent(self, count: int) -> None:
        """Records without this column."""
        if not count:
            return
        match self.layout.form:
            case "cells":
                self.values.write(np.full(count, np.nan).tobytes())
            case "texts" | "images":
                self._begin([self.layout.size] * count)
            case "ragged":
                self._begin([~self.layout.size] * count)
            case _:
                raise Another(self.name, "ragged")
        self.count += count

    def add(self, column: Column) -> None:
        """The records of a piece. Raises Another."""
        match self.layout.form, column:
            case "texts", Cells() | Numbers():
                self._texts(column if isinstance(column, Cells) else Cells(written(column.array)))
            case "cells", Cells() if is_numbers(column):
                self.values.write(column.numbers(np.arange(len(column))).tobytes())
            case "numbers", Numbers(array) if self._like(array):
                self.values.write(np.ascontiguousarray(array).tobytes())
            case "ragged", Ragged() | Numbers():
                self._ragged(column.arrays if isinstance(column, Ragged) else column.array)
            case "ragged", Cells() if not any(column.values):
                self.absent(len(column))
                return
            case "members", Images(TarMembers() as members):
                self.values.write((members.places + np.array([len(self.layout.files), 0, 0])).tobytes())
                self.layout.files += [str(file) for file in members.files]
            case "images", Images(paths):
                self._bytes([path.content if isinstance(path, Encoded) else path.read_bytes() for path in paths])
            case _:
                raise Another(self.name, "ragged" if self._lists(column) else "texts")
        self.count += len(column)

    def _like(self, array: NDArray[Any]) -> bool:
        return array.dtype.str == self.layout.dtype and array.shape[1:] == self.layout.shape

    def _lists(self, column: Column) -> bool:
        return isinstance(column, Ragged) or (isinstance(column, Numbers) and column.array.ndim > 1)

    def _begin(self, places: Sequence[int] | NDArray[np.int64]) -> None:
        assert self.starts is not None
        self.starts.write(np.asarray(places, np.int64).tobytes())

    def _texts(self, column: Cells) -> None:
        import pyarrow

        for chunk in column.arrays():
            array = chunk.cast(pyarrow.large_string())
            _, starts, values = array.buffers()
            if not len(array):
                continue
            ends = np.frombuffer(starts, np.int64)[array.offset : array.offset + len(array) + 1]
            self.values.write(memoryview(values)[int(ends[0]) : int(ends[-1])] if values is not None else b"")
            self._begin(ends[1:] - ends[0] + self.layout.size)
            self.layout.size += int(ends[-1] - ends[0])

    def _bytes(self, contents: Sequence[bytes]) -> None:
        for content in contents:
            self.values.write(content)
            self.layout.size += len(content)
            self._begin([self.layout.size])

    def _ragged(self, rows: Any) -> None:
        """What ends before its record begins is a record that lacks: the sign of its end is turned."""
        for row in rows:
            if row is None:
                self._begin([~self.layout.size])
                continue
            found = np.asarray(row)
            if found.ndim > 1:
                raise Another(self.name, "texts")
            if found.size and found.dtype.str != self.layout.dtype and self.layout.dtype != "<f8":
                raise Another(self.name, "ragged f64")
            self.values.write(found.astype(self.layout.dtype).tobytes())
            self.layout.size += len(found)
            self._begin([self.layout.size])


def is_numbers(column: Cells) -> bool:
    """Whether all cells were read as numbers, each of which is exact."""
    parsed = column.__dict__.get("_parsed")
    return parsed is not None and parsed.wrong is None and not (np.abs(parsed.numbers) >= EXACT).any()


def layout_of(column: Column, form: str | None) -> ColumnLayout:
    """How the first piece of a column is laid out; `form` where a later one demands another."""
    rule = asdict(column.rule) if isinstance(column, Cells) else {}
    if rule.get("missing") is not None:
        rule["missing"] = sorted(rule["missing"])
    match form, column:
        case "ragged f64", _:
            return ColumnLayout("ragged")
        case "ragged", Ragged(arrays):
            kinds = (row.dtype.str for row in arrays if row is not None and row.size)
            return ColumnLayout("ragged", next(kinds, "<f8"))
        case "ragged", Numbers(array):
            return ColumnLayout("ragged", array.dtype.str)
        case (None, Ragged()):
            return layout_of(column, "ragged")
        case (None, Numbers(array, classes, empty)):
            return ColumnLayout("numbers", array.dtype.str, array.shape[1:], classes=classes, empty=empty)
        case (None, Images(TarMembers())):
            return ColumnLayout("members", "<i8", (3,))
        case (None, Images()):
            return ColumnLayout("images")
        case (None, Cells()) if is_numbers(column):
            return ColumnLayout("cells", rule=rule)
        case _:
            return ColumnLayout(form or "texts", rule=rule)


def write(folder: Path, pieces: Iterator[tuple[Mapping[str, Column], int]], forms: Mapping[str, str]) -> dict[str, Any]:
    """Writes all columns of some pieces, each with its number of records; what `opened` needs to read them. Raises Another."""
    writers: dict[str, ColumnWriter] = {}
    total = 0
    try:
        for columns, count in pieces:
            for name, column in columns.items():
                if name not in writers:
                    layout = layout_of(column, forms.get(name))
                    writers[name] = ColumnWriter(folder, len(writers), name, layout)
                    writers[name].absent(total)
                try:
                    writers[name].add(column)
                except Another as other:
                    raise Another(name, other.form or "texts") from None
            total += count
            for writer in writers.values():
                writer.absent(total - writer.count)
    finally:
        for writer in writers.values():
            writer.close()
    return {"count": total, "columns": {name: asdict(writer.layout) for name, writer in writers.items()}}


# ---- mapped ------------------------------------------------------------------------------------------------------------------


def opened(folder: Path, about: Mapping[str, Any]) -> dict[str, Column]:
    """The columns of a folder, mapped: what is not read takes no memory, and what was read can be dropped."""
    count = about["count"]
    return {
        name: _column(folder / str(number), name, ColumnLayout(**given), count)
        for number, (name, given) in enumerate(about["columns"].items())
    }


def whole(folder: Path, about: Mapping[str, Any]) -> bool:
    """Whether the files of a folder are there, as long as they were."""
    sizes: dict[Path, int] = {}
    for number, given in enumerate(about["columns"].values()):
        layout, base = ColumnLayout(**given), folder / str(number)
        fixed = layout.form in ("numbers", "cells", "members")
        count = about["count"] * math.prod(layout.shape) if fixed else layout.size
        sizes[base.with_suffix(".values")] = count * (1 if layout.form in BYTES else np.dtype(layout.dtype).itemsize)
        if not fixed:
            sizes[base.with_suffix(".starts")] = 8 * (about["count"] + 1)
    return all(path.is_file() and path.stat().st_size == size for path, size in sizes.items())


def _column(base: Path, name: str, layout: ColumnLayout, count: int) -> Column:
    shape = (count, *layout.shape)
    values = base.with_suffix(".values")
    match layout.form:
        case "numbers":
            classes = None if layout.classes is None else tuple(layout.classes)
            return Numbers(_mapped(values, layout.dtype, shape), classes, tuple(layout.empty))
        case "members":
            return Images(TarMembers([Path(file) for file in layout.files], _mapped(values, layout.dtype, shape)))
        case "cells":
            return _NumberCells(base, _mapped(values, layout.dtype, shape), _rule(layout))
        case _:
            starts = _mapped(base.with_suffix(".starts"), "<i8", (count + 1,))
    match layout.form:
        case "texts":
            return _TextCells(base, _mapped(values, "u1", (layout.size,)), starts, _rule(layout))
        case "ragged":
            flat = _mapped(values, layout.dtype, (layout.size,))
            return Ragged(_Rows(starts, lambda begin, end: flat[begin:end]))
        case _:
            content = _mapped(values, "u1", (layout.size,))
            made: Callable[[int, int], Any] = lambda begin, end: Encoded(f"`{name}`", content[begin:end].tobytes())
            return Images(_Rows(starts, made))


def _mapped(path: Path, dtype: str, shape: tuple[int, ...]) -> NDArray[Any]:
    if not all(shape):
        return np.zeros(shape, dtype)
    return np.memmap(path, np.dtype(dtype), "r", shape=shape).view(np.ndarray)


def _rule(layout: ColumnLayout) -> CellRule:
    missing = layout.rule.get("missing")
    return CellRule(**{**layout.rule, "missing": None if missing is None else frozenset(missing)})


class _Kept(Cells):
    """Cells of which codes and numbers are kept."""

    base: Path

    def _kept(self, what: str, make: Callable[[], kept_arrays.Found]) -> kept_arrays.Found:
        return kept_arrays.of(self.base.parent, f"{self.base.name}.{what}", (), make)

    def _as_codes(self) -> tuple[NDArray[np.int32], list[str]]:
        return self._kept("codes", super()._as_codes)

    def _as_numbers(self) -> Parsed:
        def read() -> kept_arrays.Found:
            found = super(_Kept, self)._as_numbers()
            wrong = () if found.wrong is None else found.wrong
            return np.concatenate([found.numbers, wrong]), None

        found, _ = self._kept("numbers", read)
        numbers, wrong = found[: len(self)], found[len(self) :]
        return Parsed(numbers, wrong != 0 if len(wrong) else None)

    def _as_whole(self) -> NDArray[np.int64] | None:
        def read() -> kept_arrays.Found:
            found = super(_Kept, self)._as_whole()
            return np.zeros(0, np.int64) if found is None else found, None

        found, _ = self._kept("whole", read)
        return found if len(found) else None


class _TextCells(_Kept):
    """Cells whose texts lie one after another."""

    def __init__(self, base: Path, values: NDArray[Any], starts: NDArray[Any], rule: CellRule) -> None:
        import pyarrow

        buffers = [None, pyarrow.py_buffer(starts), pyarrow.py_buffer(values)]
        whole = pyarrow.Array.from_buffers(pyarrow.large_string(), len(starts) - 1, buffers)
        slices = [whole.slice(at, SLICE) for at in range(0, len(whole), SLICE)]
        super().__init__(pyarrow.chunked_array(slices, pyarrow.large_string()), rule)
        self.base = base
        self.__dict__["_whole"] = whole  # of chunks that lie one after another there is no copy to make


class _NumberCells(_Kept):
    """Cells of which only the numbers are kept; as texts they are written as Python writes these."""

    def __init__(self, base: Path, numbers: NDArray[np.float64], rule: CellRule) -> None:
        super().__init__(None, rule, parsed=Parsed(numbers, None))
        self.base = base

    def texts(self, records: NDArray[np.int64]) -> list[str]:
        found = self.numbers(records).tolist()
        return [as_written(number).replace(".", self.rule.decimal) for number in found]

    def __iter__(self) -> Iterator[str]:
        for start in range(0, len(self), SLICE):
            yield from self.texts(np.arange(start, min(start + SLICE, len(self))))

    def arrays(self) -> Sequence[Any]:
        import pyarrow

        starts = range(0, len(self), SLICE)
        return [pyarrow.array(self[start : start + SLICE], pyarrow.large_string()) for start in starts]


class _Rows(Sequence[Any]):
    """Records that lie one after another; one that ends before zero is missing."""

    def __init__(self, ends: NDArray[np.int64], made: Callable[[int, int], Any]) -> None:
        self.ends, self.made = ends, made

    def __len__(self) -> int:
        return len(self.ends) - 1

    @overload
    def __getitem__(self, index: int) -> Any: ...
    @overload
    def __getitem__(self, index: slice) -> list[Any]: ...
    def __getitem__(self, index: int | slice) -> Any:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        begin, end = int(self.ends[index]), int(self.ends[index + 1])
        return None if end < 0 else self.made(begin if begin >= 0 else ~begin, end)
