"""CSV files. pyarrow reads them: columns of texts, many rows at once.

Whether it reads a file as Python's `csv` does is decided here, from the quotes. Where it might not, or where it fails, the exact
reader takes over, record by record. That one also knows the line of each record, and what is wrong with a file.
"""

from __future__ import annotations

import codecs
import csv as csv_format
import hashlib
import os
import re
import sys
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from io import BufferedReader, BytesIO, StringIO
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from numpy.typing import NDArray

from ....compiler.messages.source import Span
from ....compiler.text.read import is_pipe
from .. import mistakes, parsing, table_mistakes
from ..cells import is_number, rule_of
from ..table import Column
from ..text_columns import Cells
from .split_files import Part, read_bytes, text_of, within_limit

CELLS = 1 << 17  # that the exact reader turns into columns at once
LONGEST_CELL = 1 << 30  # characters; Python's own limit of 131,072 is less than a document may have
BLOCK = 1 << 20  # bytes that pyarrow reads at a time, a thread each; a row must fit. Or so many for each column:
BYTES_OF_COLUMN = 2000
WIDE = 1000  # columns
SPARE = 1.05  # times the rows that a file seems to have, by those that were read
SAMPLE = 200  # rows that show which columns are numbers
DIGITS = 15  # every number of so many is exact in f64
PIECE = 1 << 20  # bytes that are searched at a time
BOM = b"\xef\xbb\xbf"
LINE_FEED, RETURN = b"\n\r"
SEPARATORS = (",", ";", "\t", "|")
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+").fullmatch
BEGINNING = 1 << 20  # characters that are looked at to find the separator


def read(path: Path, span: Span, args: Mapping[str, Any]) -> Part:
    """The columns of a file, as cells. `args` are those of the source; `texts` among them names columns that are read as texts,
    whatever they look like."""
    file = CsvFile(path, span, args)
    columns = file.columns()
    if columns is not None:
        count = len(next(iter(columns.values())))
        return dict(columns), count, lambda record: f"{path}:{file.lines[record]}", [path]
    exact, lines = file.exact_columns()
    cells: dict[str, Column] = {name: Cells(cells, file.rule) for name, cells in exact.items()}
    return cells, len(lines), lambda i: f"{path}:{lines[i]}", [path]


def check_beginning(path: Path, span: Span, args: Mapping[str, Any]) -> None:
    """Raises Failed for a file that cannot be read, or that has too many columns."""
    CsvFile(path, span, args)


class Marks(NamedTuple):
    """Where some bytes occur in a file, which each is, and its neighbours; a file is between two line ends."""

    at: NDArray[np.int64]
    sign: NDArray[np.uint8]
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]


class CsvFile:
    """A file that pyarrow reads, and that is read again where a message shows the text of a number."""

    def __init__(self, path: Path, span: Span, args: Mapping[str, Any]) -> None:
        self.path, self.span, self.args = path, span, args
        self.rule, self.quote = rule_of(args), args.get("quote") or '"'
        self.found: tuple[tuple[str, str], ...] = ()
        self.content = read_bytes(path, span) if is_pipe(path) else None  # a pipe can be read only once
        self.state = _state(path, span)
        self._decode(args.get("encoding"))
        self.names: list[str] = []
        self.head_lines = 0
        self.lines_in_quotes = False
        self.separator, self.has_head = args.get("separator") or ",", False
        with suppress(UnicodeDecodeError), self._text() as file:  # the exact reader reports its line
            if not args.get("separator"):
                self.separator = self._separator(file)
                file.seek(0)
            self.has_head = self._read_head(file)

    # ---- how it is written -------------------------------------------------------------------------------------------------

    def _decode(self, encoding: str | None) -> None:
        """Holds the content as UTF-8 where the file is written otherwise."""
        if encoding is None:
            with self._bytes() as file:
                if file.read(2) not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
                    return
            encoding = "utf-16"
            self._note(f"`{self.path}` is read as UTF-16", 'encoding = "utf-16"')
        if codecs.lookup(encoding).name in ("utf-8", "ascii"):
            return
        with self._bytes() as file:
            written = file.read()
        try:
            self.content = written.decode(encoding).encode()
        except UnicodeError as error:
            line = written.count(b"\n", 0, getattr(error, "start", 0)) + 1
            raise mistakes.not_in_encoding(self.span, self.path, line, encoding) from None

    def _separator(self, file: TextIO) -> str:
        """The first of the usual ones that gives every record as many cells as the header has, and more than one."""
        beginning = file.read(BEGINNING)
        lines = list(islice(StringIO(beginning, newline=""), SAMPLE))
        cut = len(lines) == SAMPLE or len(beginning) == BEGINNING
        for separator in SEPARATORS:
            try:
                rows = [row for row in csv_format.reader(lines, delimiter=separator, quotechar=self.quote) if row]
            except csv_format.Error:
                continue
            widths = {len(row) for row in (rows[:-1] if cut else rows)}
            if len(widths) == 1 and widths != {1}:
                if separator != ",":
                    shown = "tabs" if separator == "\t" else f"`{separator}`"
                    given = "\\t" if separator == "\t" else separator
                    self._note(f"`{self.path}` has {shown} between its cells", f'separator = "{given}"')
                return separator
        return ","

    def _find_decimal(self, rows: list[list[str]]) -> None:
        """Decimal commas, where the first records have some and no decimal point. Between commas they would need quotes."""
        if self.args.get("decimal") or self.separator == "," or self.rule.thousands:
            return
        cells = [cell.strip() for row in rows for cell in row]
        if any(map(DECIMAL_COMMA, cells)) and not any("." in cell and is_number(cell) for cell in cells):
            self.rule = replace(self.rule, decimal=",")
            self._note(f"`{self.path}` has numbers with decimal commas", 'decimal = ","')

    def _note(self, what: str, given: str) -> None:
        self.found = (*self.found, (what, given))

    # ---- columns -----------------------------------------------------------------------------------------------------------

    def columns(self) -> dict[str, Cells] | None:
        """The columns by name; None where the exact reader has to read, or to say what is wrong."""
        import pyarrow

        if not self.has_head or self._wide() or not self._quoted_well():
            return None
        try:
            found = self._typed()
        except pyarrow.ArrowInvalid:
            return None
        return found if found and len(next(iter(found.values()))) else None

    def _wide(self) -> bool:
        """Whether there are many columns of a few cells, each of which costs pyarrow as much as hundreds of cells."""
        return len(self.names) > WIDE and self.state[0] < len(self.names) * BYTES_OF_COLUMN

    def _typed(self) -> dict[str, Cells]:
        """What looks like a column of numbers is read as one, until a cell turns out to be none."""
        import pyarrow

        numbers = self.number_columns - frozenset(self.args.get("texts", ()))
        try:
            return self._cells(numbers)
        except (pyarrow.ArrowInvalid, parsing.Doubtful):
            return self._cells(frozenset())

    def _cells(self, numbers: Collection[str]) -> dict[str, Cells]:
        """A batch of rows at a time: all columns of pyarrow and the arrays made from them would take twice the memory."""
        import pyarrow

        arrays = {at: np.empty(0) for at, name in enumerate(self.names) if name in numbers}
        texts: dict[int, list[Any]] = {at: [] for at in range(len(self.names)) if at not in arrays}
        room = stop = 0
        with self._arrow_file() as content:
            size = content.size()
            for count, batch in enumerate(self._reading("open_csv", content, numbers), 1):
                start, stop = stop, stop + batch.num_rows
                if stop > room:
                    room = int(SPARE * stop * max(1, size / (count * self._block)))
                    arrays = {at: _longer(array[:start], room) for at, array in arrays.items()}
                for at, array in arrays.items():
                    parsing.of_arrow(batch.column(at), array[start:stop])
                for at, chunks in texts.items():
                    chunks.append(batch.column(at))
        return {
            name: Cells(None, self.rule, self, at, parsing.Parsed(arrays[at][:stop], None))
            if at in arrays
            else Cells(pyarrow.chunked_array(texts[at], pyarrow.string()), self.rule, self, at)
            for at, name in enumerate(self.names)
        }

    def column(self, number: int) -> Any:
        """The texts of a column, read again."""
        if _state(self.path, self.span) != self.state:
            raise mistakes.unreadable(self.span, self.path, "it has changed since it was read")
        with self._arrow_file() as content:
            return self._reading("read_csv", content, only=number).column(0)

    def digest(self) -> bytes:
        with self._bytes() as file:
            return hashlib.file_digest(file, "blake2b").digest()

    def _read_head(self, file: TextIO) -> bool:
        """Finds the names of the columns, and the lines up to the first record; False where this cannot be done."""
        try:
            reader = self._reader(file)
            self.names = [name.strip() for name in next(row for row in reader if row)]
            self.head_lines = reader.line_num
            within_limit(self.span, self.path, len(self.names))
            rows = list(islice(reader, min(SAMPLE, CELLS // len(self.names))))
            self._find_decimal(rows)
            self.number_columns = self._numbers_among(rows)
        except (csv_format.Error, StopIteration):
            return False
        return len(set(self.names)) == len(self.names)

    def _reader(self, file: TextIO) -> Any:
        csv_format.field_size_limit(LONGEST_CELL)
        return csv_format.reader(file, strict=True, delimiter=self.separator, quotechar=self.quote)

    def _numbers_among(self, rows: Iterable[list[str]]) -> frozenset[str]:
        """Names of columns in which these rows have numbers alone, none of which needs its digits to be exact."""
        if self.rule.thousands:  # of which pyarrow knows nothing
            return frozenset()
        columns = zip(self.names, zip(*rows, strict=False), strict=False)
        return frozenset(name for name, column in columns if all(map(self._is_number, column)) and any(column))

    def _is_number(self, cell: str) -> bool:
        return len(cell) <= DIGITS and (self.rule.is_missing(cell) or self.rule.number_text(cell) is not None)

    def _arrow_file(self) -> Any:
        import pyarrow

        return pyarrow.OSFile(str(self.path)) if self.content is None else pyarrow.BufferReader(self.content)

    @property
    def _block(self) -> int:
        return max(BLOCK, BYTES_OF_COLUMN * len(self.names))

    def _reading(self, function: str, content: Any, numbers: Collection[str] = (), only: int | None = None) -> Any:
        """What a function of `pyarrow.csv` gives: a table, or a reader of batches."""
        import pyarrow
        from pyarrow import csv

        types = {
            str(number): pyarrow.float64() if name in numbers else pyarrow.string()
            for number, name in enumerate(self.names)
        }
        return getattr(csv, function)(
            content,
            csv.ReadOptions(
                column_names=list(types),
                skip_rows=self.head_lines,
                block_size=self._block,
            ),
            csv.ParseOptions(delimiter=self.separator, quote_char=self.quote, newlines_in_values=self.lines_in_quotes),
            csv.ConvertOptions(
                column_types=types,
                null_values=self.rule.marks,
                decimal_point=self.rule.decimal,
                include_columns=None if only is None else [str(only)],
            ),
        )

    # ---- quotes and lines --------------------------------------------------------------------------------------------------

    def _quoted_well(self) -> bool:
        """Whether quotes are what Python's strict reader takes: a cell that has some begins and ends with one, and inside
        they are doubled. pyarrow takes others, with a meaning of its own."""
        quotes = self._marks(ord(self.quote))
        if len(quotes.at) % 2:
            return False
        if not len(quotes.at):
            return True
        ends = [ord(self.separator), LINE_FEED, RETURN]
        doubled = quotes.at[1:-1:2] + 1 == quotes.at[2::2]
        begins = np.isin(quotes.before[::2], ends)
        begins[1:] |= doubled
        stops = np.isin(quotes.after[1::2], ends)
        stops[:-1] |= doubled
        lines = self._marks(LINE_FEED, RETURN, until=int(quotes.at[-1]))
        self.lines_in_quotes = bool((np.searchsorted(quotes.at, lines.at) % 2).any())
        return bool(begins.all() and stops.all())

    @cached_property
    def lines(self) -> Sequence[int] | NDArray[np.int64]:
        """The line on which each record begins."""
        if self.lines_in_quotes:
            return self.exact_columns()[1]
        marks = self._marks(LINE_FEED, RETURN)
        first = (marks.sign == RETURN) & (marks.after == LINE_FEED)  # of "\r\n", which ends one line
        before = marks.before.copy()
        before[1:][first[:-1]] = marks.before[:-1][first[:-1]]
        filled = ~np.isin(before[~first], (LINE_FEED, RETURN))
        numbers = np.flatnonzero(filled) + 1
        return numbers[numbers > self.head_lines]

    def _marks(self, *signs: int, until: int | None = None) -> Marks:
        """Where the file has these signs (up to a place); a line ends where it does."""
        nothing = np.zeros(0, np.uint8)
        found = [Marks(np.zeros(0, np.int64), nothing, nothing, nothing)]
        start, before = 0, LINE_FEED
        for piece, after in self._pieces():
            whole = np.frombuffer(piece, np.uint8)
            part = piece if until is None else piece[: until + 1 - start]
            if any(bytes([sign]) in part for sign in signs):
                cut = whole[: len(part)]
                at = np.flatnonzero(np.logical_or.reduce([cut == sign for sign in signs]))
                left = np.where(at > 0, whole[at - 1], before).astype(np.uint8)
                right = np.where(at + 1 < len(whole), whole[np.minimum(at + 1, len(whole) - 1)], after).astype(np.uint8)
                found.append(Marks(at + start, whole[at], left, right))
            start, before = start + len(piece), piece[-1]
            if until is not None and start > until:
                break
        if LINE_FEED in signs:
            found.append(
                Marks(np.array([start]), *(np.array([sign], np.uint8) for sign in (LINE_FEED, before, LINE_FEED)))
            )
        columns: list[Any] = [np.concatenate(parts) for parts in zip(*found, strict=True)]
        return Marks(*columns)

    def _pieces(self) -> Iterator[tuple[bytes, int]]:
        """The file in pieces, without a byte-order mark, and the byte that follows on each."""
        with self._bytes() as file:
            if file.read(len(BOM)) != BOM:
                file.seek(0)
            for piece, following in pairwise(chain(iter(lambda: file.read(PIECE), b""), [b"\n"])):
                yield piece, following[0]

    def _bytes(self) -> BufferedReader | BytesIO:
        return self.path.open("rb") if self.content is None else BytesIO(self.content)

    # ---- the exact reader --------------------------------------------------------------------------------------------------

    def exact_columns(self) -> tuple[dict[str, list[str]], Sequence[int]]:
        """Cells by column, and the line that each record begins on. Raises Failed where the file has a mistake."""
        try:
            with self._text() as file:
                return _columns(self._reader(file), self.path, self.span)
        except (OSError, UnicodeDecodeError):  # reports what is wrong; a pipe cannot be read again
            text_of(read_bytes(self.path, self.span) if self.content is None else self.content, self.path, self.span)
            raise

    def _text(self) -> TextIO:
        if self.content is None:
            return self.path.open(encoding="utf-8-sig", newline="")
        return StringIO(self.content.decode("utf-8-sig"), newline="")


def _state(path: Path, span: Span) -> tuple[int, int]:
    """What changes where a file does."""
    if not is_pipe(path) and (path.is_dir() or not os.access(path, os.R_OK)):
        read_bytes(path, span)  # reports what is wrong
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def _longer(array: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """An array with room for more; of what is not written yet, no memory is taken."""
    found = np.empty(length)
    found[: len(array)] = array
    return found


def _columns(reader: Any, path: Path, span: Span) -> tuple[dict[str, list[str]], array[int]]:
    """Rows are turned into columns some thousands at a time: a list for each of a million rows would take several times the
    memory, and the collector's time."""
    header: list[str] = []
    columns: list[list[str]] = []
    rows: list[list[str]] = []
    lines = array("q")
    start = 1
    try:
        for row in reader:
            line, start = start, reader.line_num + 1
            if not row:
                continue
            if not header:
                header = [name.strip() for name in row]
                columns = [[] for _ in header]
                continue
            if len(row) != len(header):
                raise table_mistakes.csv_columns(span, path, line, len(row), len(header))
            rows.append(row)
            lines.append(line)
            if len(rows) * len(header) >= CELLS:
                _gather(rows, columns)
                rows.clear()
    except csv_format.Error as error:
        raise table_mistakes.bad_line(span, path, reader.line_num, str(error)) from None
    _gather(rows, columns)
    if not lines:
        raise mistakes.empty(span, path)
    twice = next((name for name, count in Counter(header).items() if count > 1), None)
    if twice is not None:
        raise table_mistakes.csv_duplicate(span, path, twice)
    return dict(zip(header, columns, strict=True)), lines


def _gather(rows: list[list[str]], columns: list[list[str]]) -> None:
    """Appends rows to columns; a text of many cells is kept once."""
    for column, cells in zip(columns, zip(*rows, strict=True), strict=False):
        distinct = set(cells)
        if 4 * len(distinct) > len(cells):
            column.extend(cells)
        else:
            kept = {cell: sys.intern(cell) for cell in distinct}
            column.extend([kept[cell] for cell in cells])
