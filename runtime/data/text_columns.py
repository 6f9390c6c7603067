"""A column of texts, read as numbers or as names when a transform asks for it, and then at most once.

    source.age -> standardize       all cells as f64, once: what is fitted and what is fed are parts of one array
    source.city -> category         each distinct text once, and a number for every cell
    source.text -> words            texts, of the records at hand

Cells of a table are kept as pyarrow holds them, which takes a tenth of the memory of Python's strings. Works without torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Protocol, TypeGuard, overload

import numpy as np
from numpy.typing import NDArray

from . import cells, parsing
from .cells import PLAIN, CellRule

Records = NDArray[np.int64]

EXACT = float(2**53)  # below it every whole number is an f64


class Origin(Protocol):
    """A file that texts can be read from again."""

    @property
    def found(self) -> tuple[tuple[str, str], ...]: ...

    def digest(self) -> bytes: ...

    def column(self, number: int) -> Any: ...


class Cells(Sequence[str]):
    """A column of a table: strings as they are in the file ("" is a missing one).

    `values` are Python's strings, or a `pyarrow.ChunkedArray` without nulls, of strings or of numbers of a dictionary of them. Where the column is `number` of a file
    that can be read again, its texts are dropped once they are numbers, or not given where it was read as `parsed` numbers.
    """

    __match_args__ = ("values",)

    def __init__(
        self,
        values: Any,
        rule: CellRule = PLAIN,
        origin: Origin | None = None,
        number: int = 0,
        parsed: parsing.Parsed | None = None,
    ) -> None:
        self.rule, self.origin, self.number = rule, origin, number
        self._given = values
        if parsed is not None:
            self._parsed = parsed
        self._count = len(values if parsed is None else parsed.numbers)

    # ---- texts -------------------------------------------------------------------------------------------------------------

    @property
    def values(self) -> Sequence[str]:
        return self

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return self.texts(np.arange(self._count)[index])
        return self.texts(np.array([index]))[0]

    def __iter__(self) -> Iterator[str]:
        if isinstance(self._given, Sequence):
            yield from self._given
            return
        if self._numbered:
            codes, names = self.coded
            yield from map(names.__getitem__, codes)
            return
        for chunk in self.arrays():
            yield from chunk.to_pylist()

    def texts(self, records: Records) -> list[str]:
        """The cells of some records."""
        import pyarrow

        if isinstance(self._given, Sequence):
            return [self._given[record] for record in records.tolist()]
        if self._numbered:
            codes, names = self.coded
            return [names[code] for code in codes[records].tolist()]
        return self._whole.take(pyarrow.array(records)).to_pylist()

    def select(self, records: Records) -> Selected:
        return Selected(self, records)

    @property
    def _numbered(self) -> bool:
        """Whether the file has numbers of a dictionary of texts."""
        return (
            self._given is not None
            and hasattr(self._given, "unify_dictionaries")
            and hasattr(self._given.type, "index_type")
        )

    def part(self, records: Records) -> Cells:
        """A column of some of the cells, whose texts are numbered already."""
        import pyarrow

        codes, names = self.coded
        try:
            array = pyarrow.DictionaryArray.from_arrays(codes[records], pyarrow.array(names, pyarrow.large_string()))
        except UnicodeEncodeError:
            return Cells(self.texts(records), self.rule)
        return Cells(pyarrow.chunked_array([array]), self.rule)

    def arrays(self) -> Sequence[Any]:
        """The texts as pyarrow arrays. A text with half a surrogate, which JSON may hold, is in none."""
        import pyarrow

        if isinstance(self._given, Sequence):
            return [pyarrow.array(self._given, pyarrow.large_string())]
        if self._given is None:
            assert self.origin is not None
            self._given = self.origin.column(self.number)
        return [chunk.dictionary_decode() for chunk in self._given.chunks] if self._numbered else self._given.chunks

    @cached_property
    def _whole(self) -> Any:
        """One array of all texts: to take some from many chunks copies all of them each time."""
        import pyarrow

        chunks = self.arrays()
        if len(chunks) == 1:
            return chunks[0]
        return pyarrow.concat_arrays([chunk.cast(pyarrow.large_string()) for chunk in chunks])

    # ---- numbers -----------------------------------------------------------------------------------------------------------

    @cached_property
    def _parsed(self) -> parsing.Parsed:
        return self._as_numbers()

    def _as_numbers(self) -> parsing.Parsed:
        try:
            found = parsing.parsed(self.arrays(), self.rule)
        except UnicodeEncodeError:
            found = _parsed_alone(list(self._given or ()), self.rule)
        if found.wrong is None and self.origin is not None:
            self._given = None
            self.__dict__.pop("_whole", None)
        return found

    def numbers(self, records: Records) -> NDArray[np.float64]:
        """One number a record; NaN for a missing one. Raises NotANumber with the position among `records`."""
        found = self._parsed
        if found.wrong is not None:
            wrong = np.flatnonzero(found.wrong[records])
            if len(wrong):
                raise cells.NotANumber(int(wrong[0]))
        return found.numbers[records]

    def whole_numbers(self, records: Records) -> NDArray[np.int64] | list[int | float | None]:
        """One whole number a record as i64, exactly; else each as `cells.exact` reads it. Raises NotANumber."""
        found = self.numbers(records)
        if (np.abs(found) < EXACT).all() and (found == np.rint(found)).all():
            return found.astype(np.int64)
        if self._exact is not None:
            return self._exact[records]
        exact = cells.whole_numbers(self.texts(records), self.rule)
        if isinstance(exact, list) and all(isinstance(n, int) and -(2**63) <= n < 2**63 for n in exact):
            return np.array(exact, np.int64)
        return exact

    @cached_property
    def _exact(self) -> NDArray[np.int64] | None:
        return self._as_whole()

    def _as_whole(self) -> NDArray[np.int64] | None:
        """All cells as i64, where all are whole numbers in plain digits; pyarrow reads `0x10` too."""
        import pyarrow

        if not self.rule.plain or self.rule.missing is not None:
            return None
        try:
            chunks, compute = self.arrays(), parsing.kernels()
            if any(compute.any(compute.match_substring(chunk, "x", ignore_case=True)).as_py() for chunk in chunks):
                return None
            return np.concatenate([compute.cast(chunk, pyarrow.int64()).to_numpy() for chunk in chunks])
        except (pyarrow.ArrowInvalid, UnicodeEncodeError):
            return None

    # ---- names -------------------------------------------------------------------------------------------------------------

    @cached_property
    def coded(self) -> tuple[NDArray[np.int32], list[str]]:
        """The distinct texts, and the number of each cell's."""
        return self._as_codes()

    def _as_codes(self) -> tuple[NDArray[np.int32], list[str]]:
        import pyarrow

        numbered = self._numbered
        if numbered:
            found = self._given.unify_dictionaries().combine_chunks()  # pyright: ignore[reportOptionalMemberAccess]
        else:
            try:
                chunks = self.arrays()
            except UnicodeEncodeError:
                codes, names = distinct(list(self))
                return codes.astype(np.int32), names
            found = pyarrow.chunked_array(chunks).dictionary_encode().combine_chunks()
        found = found.combine_chunks() if isinstance(found, pyarrow.ChunkedArray) else found
        codes, names = found.indices.to_numpy().astype(np.int32), found.dictionary.to_pylist()
        return _present(codes, names) if numbered else (codes, names)

    def is_missing(self, record: int) -> bool:
        return self.rule.is_missing(self[record])

    def missing(self) -> NDArray[np.bool_]:
        """Which cells stand for a missing value. Those of a column that was read as numbers are not read again."""
        if self.__dict__.get("_parsed") is not None and self._parsed.wrong is None:
            return np.isnan(self._parsed.numbers)
        codes, names = self.coded
        return np.array([self.rule.is_missing(name) for name in names], bool)[codes]


class Selected(Sequence[str]):
    """The cells of some records of a column."""

    def __init__(self, column: Cells, records: Records) -> None:
        self.column, self.records = column, records

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Selected: ...
    def __getitem__(self, index: int | slice) -> str | Selected:
        if isinstance(index, slice):
            return Selected(self.column, self.records[index])
        return self.column[int(self.records[index])]

    def __iter__(self) -> Iterator[str]:
        return iter(self.texts())

    def texts(self) -> list[str]:
        return self.column.texts(self.records)

    def numbers(self) -> NDArray[np.float64]:
        """As f64; NaN for a missing one. Raises NotANumber."""
        return self.column.numbers(self.records)

    def whole_numbers(self) -> NDArray[np.int64] | list[int | float | None]:
        return self.column.whole_numbers(self.records)

    def distinct(self) -> tuple[NDArray[np.int64], list[str]]:
        """The distinct texts of these records in the order of the column's, and the number of each record's."""
        codes, names = self.column.coded
        present, found = np.unique(codes[self.records], return_inverse=True)
        return found, [names[code] for code in present.tolist()]


def is_cells(value: Any) -> TypeGuard[list[str] | Selected]:
    """Whether these are cells of a table, as they are in the file."""
    return isinstance(value, Selected) or (isinstance(value, list) and len(value) > 0 and isinstance(value[0], str))


def distinct(texts: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The distinct texts, and the number of each."""
    if isinstance(texts, Selected):
        return texts.distinct()
    numbers: dict[str, int] = {}
    codes = [numbers.setdefault(text, len(numbers)) for text in texts]
    return np.array(codes, np.int64), list(numbers)


def numbers(texts: Sequence[str]) -> NDArray[np.float64]:
    """Cells as f64; NaN for a missing one. Raises NotANumber."""
    return texts.numbers() if isinstance(texts, Selected) else cells.numbers(texts)


def whole_numbers(texts: Sequence[str]) -> NDArray[np.int64] | list[int | float | None]:
    """Cells as i64 where all are whole numbers; else each as `cells.exact` reads it. Raises NotANumber."""
    return texts.whole_numbers() if isinstance(texts, Selected) else cells.whole_numbers(texts)


class JoinedFiles:
    """Files that texts can be read from again, one after another. `columns`: for each column, each file and its number there."""

    def __init__(self) -> None:
        self.columns: list[list[tuple[Origin, int]]] = []

    @property
    def origins(self) -> list[Origin]:
        return list({id(origin): origin for column in self.columns for origin, _ in column}.values())

    @property
    def found(self) -> tuple[tuple[str, str], ...]:
        return tuple(item for origin in self.origins for item in origin.found)

    def digest(self) -> bytes:
        return b"".join(origin.digest() for origin in self.origins)

    def column(self, number: int) -> Any:
        return _chained([origin.column(there).chunks for origin, there in self.columns[number]])


def joined(columns: Sequence[Cells], files: JoinedFiles) -> Cells:
    """Columns one after another. Numbers that were read as such are not read again."""
    rule = replace(columns[0].rule, dates=all(column.rule.dates for column in columns))
    if rule.plain:  # a file with decimal commas shows how those are written in which none was found
        rule = next((replace(c.rule, dates=rule.dates) for c in columns if not c.rule.plain), rule)
    origins = [(column.origin, column.number) for column in columns if column.origin is not None]
    origin = files if len(origins) == len(columns) else None
    if origin is not None:
        files.columns.append(origins)
    number = len(files.columns) - 1
    read = [column.__dict__.get("_parsed") for column in columns]
    if origin is not None and all(each is not None and each.wrong is None for each in read):
        numbers = np.concatenate([each.numbers for each in read if each is not None])
        return Cells(None, rule, origin, number, parsing.Parsed(numbers, None))
    try:
        return Cells(_chained([column.arrays() for column in columns]), rule, origin, number)
    except UnicodeEncodeError:
        return Cells([text for column in columns for text in column], rule)


def _chained(parts: Sequence[Sequence[Any]]) -> Any:
    """Arrays of texts of pyarrow as one column."""
    import pyarrow

    chunks = [chunk for part in parts for chunk in part]
    if len({chunk.type for chunk in chunks}) != 1:
        chunks = [chunk.cast(pyarrow.large_string()) for chunk in chunks]
    return pyarrow.chunked_array(chunks, chunks[0].type if chunks else pyarrow.large_string())


def written(array: NDArray[Any]) -> list[str]:
    """Numbers as texts from which they are read exactly; lists of them as JSON, "" for a missing one."""
    if array.ndim > 1:
        return [json.dumps(row) for row in array.tolist()]
    if array.dtype.kind == "f":
        return [as_written(number) for number in array.astype(np.float64).tolist()]
    return [str(value).lower() for value in array.tolist()]  # a boolean as other formats write it


def as_written(number: float) -> str:
    """A number as a text from which it is read exactly; "" for NaN."""
    if math.isnan(number):
        return ""
    return str(int(number)) if number.is_integer() else repr(number)


def _present(codes: NDArray[np.int32], names: list[str]) -> tuple[NDArray[np.int32], list[str]]:
    """Without the names of a dictionary that no cell has."""
    there = np.bincount(codes, minlength=len(names)) > 0
    if there.all():
        return codes, names
    numbers = (np.cumsum(there) - 1).astype(np.int32)
    return numbers[codes], [name for name, used in zip(names, there.tolist(), strict=True) if used]


def _parsed_alone(texts: Sequence[str], rule: CellRule) -> parsing.Parsed:
    """Cell by cell, of texts that pyarrow cannot hold."""
    numbers, wrong = np.full(len(texts), np.nan), np.zeros(len(texts), bool)
    for position, text in enumerate(texts):
        try:
            numbers[position] = cells.number(text, rule)
        except cells.NotANumber:
            wrong[position] = True
    return parsing.Parsed(numbers, wrong if wrong.any() else None)
