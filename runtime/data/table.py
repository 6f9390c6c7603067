"""What a source yields: columns of equal length, and where each record came from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias, overload

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import Split
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from . import cells, table_mistakes
from .text_columns import Cells

MOST_OPEN = 256  # tar files at once
HEADER = 512  # bytes in front of a file in a tar file; its name is in the first 100


@dataclass(frozen=True)
class Numbers:
    """An array whose first axis counts records. `classes` are the names of class numbers, `empty` names that stand for no
    class since no record has them."""

    array: NDArray[Any]
    classes: tuple[str, ...] | None = None
    empty: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.array)


@dataclass(frozen=True)
class Ragged:
    """Arrays, one a record, whose first axes differ in length; None is a missing one."""

    arrays: Sequence[NDArray[Any] | None]

    def __len__(self) -> int:
        return len(self.arrays)


@dataclass(frozen=True)
class Encoded:
    """The content of an image file that is part of another file; `name` is what messages call it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


class Descriptor:
    """An open file, closed when nobody has it any more."""

    def __init__(self, path: Path) -> None:
        self.number = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "number"):
            os.close(self.number)


class TarMembers(Sequence[Encoded]):
    """Files in tar files, read where they lie when they are needed. `places` [n, 3]: the number of the tar file, where the content
    begins, and its length."""

    def __init__(self, files: Sequence[Path], places: NDArray[np.int64]) -> None:
        self.files, self.places = files, places
        self._opened: dict[int, Descriptor] = {}

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Encoded: ...
    @overload
    def __getitem__(self, index: slice) -> list[Encoded]: ...
    def __getitem__(self, index: int | slice) -> Encoded | list[Encoded]:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        number, begin, size = self.places[index].tolist()
        try:  # not mapped: a file that is cut under a run would end the process
            content = os.pread(self._file(number).number, HEADER + size, begin - HEADER)
        except OSError:  # it was removed since; an image without bytes is a message
            return Encoded(str(self.files[number]), b"")
        name = content[:100].rstrip(b"\0").decode("utf-8", "replace")
        return Encoded(f"{self.files[number]}: {name}", content[HEADER:])

    def _file(self, number: int) -> Descriptor:
        """A file, opened once; of many the oldest is dropped, and closed when no thread reads it any more."""
        if number not in self._opened:
            while len(self._opened) >= MOST_OPEN:
                self._opened.pop(next(iter(self._opened)), None)
            self._opened[number] = Descriptor(self.files[number])
        return self._opened[number]


@dataclass(frozen=True)
class Images:
    """Image files, decoded when they are needed. `gray`: one channel, as [height, width]."""

    paths: Sequence[Path | Encoded]
    gray: bool = False

    def __len__(self) -> int:
        return len(self.paths)


class JoinedArrays:
    """Arrays of numbers one after another, of which parts are read: files that are mapped stay where they are."""

    def __init__(self, arrays: Sequence[NDArray[Any]]) -> None:
        self.arrays = arrays
        self.dtype = np.result_type(*arrays)
        self.starts = np.cumsum([0, *map(len, arrays)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def shape(self) -> tuple[int]:
        return (len(self),)

    def __getitem__(self, at: slice | NDArray[np.int64]) -> NDArray[Any]:
        if isinstance(at, slice):
            begin, end, _ = at.indices(len(self))
            rows = zip(self.arrays, self.starts.tolist(), strict=False)
            return np.concatenate([array[max(begin - start, 0) : max(end - start, 0)] for array, start in rows])
        found, which = np.empty(at.shape, self.dtype), np.searchsorted(self.starts, at, "right") - 1
        for number in np.unique(which).tolist():
            here = which == number
            found[here] = self.arrays[number][at[here] - self.starts[number]]
        return found

    def max(self) -> Any:
        return max(array.max() for array in self.arrays)


@dataclass(frozen=True)
class Stream:
    """Token numbers in order. `names` are the texts of the numbers, where they are known."""

    array: NDArray[Any] | JoinedArrays
    names: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.array)


def encode(text: list[str] | str) -> Stream:
    """A text as numbers of its distinct characters (or lines), in their sorted order."""
    if isinstance(text, str):
        return _encode_characters(text)
    names = tuple(sorted(set(text)))
    lookup = {name: number for number, name in enumerate(names)}
    return Stream(np.array([lookup[item] for item in text], np.int32), names)


def _encode_characters(text: str) -> Stream:
    """By code points in numpy: a character of a Python string at a time takes five times as long."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    present = np.zeros(0x110000, bool)
    present[codes] = True
    number = np.cumsum(present, dtype=np.int32) - 1
    return Stream(number[codes], tuple(map(chr, np.flatnonzero(present).tolist())))


Column: TypeAlias = Numbers | Cells | Ragged | Images | Stream


@dataclass(frozen=True)
class SourceFile:
    """A file that was read, as the run records it."""

    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class LaidOut:
    """The folder where the columns of a source lie that does not fit in memory, a hash of the source, and what was found of it."""

    folder: Path
    digest: str
    found: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Table:
    """All records of a source. `place(i)` gives the place of record i: `housing.csv:17`.

    `parts` gives the records of each split where the files decide it (`{split}` in the path), else None. `laid_out`: its columns
    are mapped files.
    """

    columns: Mapping[str, Column]
    count: int
    place: Callable[[int], str]
    name: str
    files: tuple[SourceFile, ...] = ()
    parts: Mapping[Split, NDArray[np.int64]] | None = None
    order: tuple[str, ...] = field(default=())  # column names in the file's order
    laid_out: LaidOut | None = None

    @property
    def found(self) -> tuple[tuple[str, str], ...]:
        """How files are written, where the source does not say so: in words, and as the source can state it."""
        if self.laid_out is not None:
            return self.laid_out.found
        origins = [column.origin for column in self.columns.values() if isinstance(column, Cells) and column.origin]
        return tuple(dict.fromkeys(item for origin in origins for item in origin.found))

    @cached_property
    def digest(self) -> str:
        """A hash of what the source holds."""
        return digest_of(self.columns) if self.laid_out is None else self.laid_out.digest

    def column(self, name: str, span: Span) -> Column:
        if name not in self.columns:
            raise table_mistakes.unknown_field(span, self.name, name, list(self.columns))
        return self.columns[name]


def digest_of(columns: Mapping[str, Column]) -> str:
    """A hash of what columns hold (of image files: their names and sizes; of a file of texts: its bytes)."""
    digest = hashlib.blake2b(digest_size=16)
    for origin in {id(c.origin): c.origin for c in columns.values() if isinstance(c, Cells) and c.origin}.values():
        digest.update(origin.digest())
    for name, column in columns.items():
        digest.update(name.encode() + b"\0")
        match column:
            case Numbers(array, names, _) | Stream(array, names):
                digest.update("\0".join(names or ()).encode())
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                for part in array.arrays if isinstance(array, JoinedArrays) else (array,):
                    digest.update(np.ascontiguousarray(part).data)
            case Cells(values) if column.origin is None:
                digest.update("\0".join(values).encode("utf-8", "surrogatepass"))
            case Cells():
                pass
            case Ragged(arrays):
                for array in arrays:
                    if array is None:
                        digest.update(b"missing")
                        continue
                    digest.update(f"{array.dtype.str}{array.shape}".encode())
                    digest.update(np.ascontiguousarray(array).data)
            case Images(paths):
                for path in paths:
                    digest.update(path.content if isinstance(path, Encoded) else _file_mark(path))
    return digest.hexdigest()


def _file_mark(path: Path) -> bytes:
    return f"{path.name}:{path.stat().st_size}\0".encode()


def column_numbers(table: Table, name: str, records: NDArray[np.int64], span: Span) -> NDArray[np.float64]:
    """One number a record from a column of a table; a missing cell is NaN."""
    column = table.column(name, span)
    if isinstance(column, Cells):
        try:
            return column.numbers(records)
        except cells.NotANumber as wrong:
            raise not_a_number(table, name, int(records[wrong.position]), span) from None
    if isinstance(column, Numbers) and column.array.ndim == 1:
        return column.array[records].astype(np.float64)
    raise table_mistakes.not_numbers(span, table.name, name)


def not_a_number(table: Table, name: str, record: int, span: Span) -> Failed:
    """What to say of a cell that is neither a number nor missing."""
    column = table.columns[name]
    assert isinstance(column, Cells)
    sample = column[:100]
    text_column = sum(column.rule.number_text(cell) is not None for cell in sample) * 2 < len(sample)
    return table_mistakes.not_a_number(span, table.place(record), name, column[record].strip(), text_column)
