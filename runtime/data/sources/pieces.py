"""Large files in pieces, for what does not fit in memory. A piece is read as the whole file would be."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TextIO, TypeAlias, cast

from ....compiler.catalogue import SOURCES
from ....compiler.dataclass import dataclass
from ....compiler.messages.diagnostics import Failed
from ....compiler.messages.source import Span
from .. import mistakes
from ..cells import PLAIN, CellRule
from ..table import Table
from . import arrow_columns

#: Reads a file of a kind whole; it may have been written in UTF-8 in place of another encoding.
Read: TypeAlias = Callable[[str, Path, bool], Table]

LARGE = 64 << 20  # bytes of a text file above which it is cut
ROWS = 1 << 16  # of a columnar file at a time


@dataclass(frozen=True)
class FileReading:
    """How a file is read: where the source is written, what its cells mean, and how a CSV file is written."""

    span: Span
    rule: CellRule = PLAIN
    encoding: str | None = None
    quote: str = '"'
    size: int | None = None  # of a piece, and of a file above which it is cut; None: LARGE


def of(kind: str, file: Path, read: Read, how: FileReading) -> Iterator[Table]:
    """The tables of a file, one after another; `read` reads a file whole."""
    cut, large = SOURCES[kind].pieces, file.stat().st_size > (LARGE if how.size is None else how.size)
    if cut == "rows" and large:
        yield from _rows(kind, file, how.span, how.rule)
    elif cut in ("lines", "quoted lines") and large:
        try:
            yield from _lines(kind, file, read, how, quoted=cut == "quoted lines")
        except UnicodeError:  # read whole, it gives the line
            yield read(kind, file, False)
    else:
        yield read(kind, file, False)


def _lines(kind: str, file: Path, read: Read, how: FileReading, *, quoted: bool) -> Iterator[Table]:
    """Pieces of a text file as files of their own, with its header; places and messages are those of the file."""
    encoding = how.encoding if kind == "csv" else None
    quote = how.quote.encode() if quoted else b""
    with _opened(file, encoding) as (stream, recoded), TemporaryDirectory() as folder:
        header = record_of(stream, quote) if quoted else b""
        before = header.count(b"\n")
        piece = Path(folder) / file.name
        while content := piece_of(stream, quote, LARGE if how.size is None else how.size):
            if not content.strip():  # only empty lines are left
                break
            piece.write_bytes(header + content)
            moved = _Moved(str(piece), str(file), before - header.count(b"\n"))
            try:
                table = read(kind, piece, recoded)
            except Failed as failure:
                found = failure.diagnostic
                raise Failed(replace(found, message=moved(found.message))) from None
            yield replace(table, place=moved.place(table.place), name=f"`{file}`")
            before += content.count(b"\n")


@contextmanager
def _opened(file: Path, encoding: str | None) -> Iterator[tuple[BinaryIO, bool]]:
    """A file as UTF-8, and whether it is written otherwise: UTF-16 begins with a mark, other encodings are given."""
    with file.open("rb") as stream:
        if encoding is None and stream.read(2) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            encoding = "utf-16"
        if encoding is None or codecs.lookup(encoding).name in ("utf-8", "ascii"):
            stream.seek(0)
            yield stream, False
            return
    with file.open(encoding=encoding, newline="\n") as text:
        yield cast(BinaryIO, _Recoded(text)), True


class _Recoded:
    """A text as the bytes of UTF-8."""

    def __init__(self, text: TextIO) -> None:
        self.text = text

    def read(self, count: int) -> bytes:
        return self.text.read(count).encode()

    def readline(self) -> bytes:
        return self.text.readline().encode()


class _Moved:
    """A text that names a line of a piece, as one that names the line of the file."""

    def __init__(self, piece: str, file: str, lines: int) -> None:
        self.pattern, self.file, self.lines = re.compile(re.escape(piece) + r"(?::(\d+))?"), file, lines

    def __call__(self, text: str) -> str:
        return self.pattern.sub(lambda at: self.file + (f":{int(at[1]) + self.lines}" if at[1] else ""), text)

    def place(self, of_piece: Callable[[int], str]) -> Callable[[int], str]:
        return lambda record: self(of_piece(record))


def record_of(stream: BinaryIO, quote: bytes) -> bytes:
    """The first record of a file with quotes: lines up to one after which no quote is open. Empty lines before it are left out."""
    found = b""
    while line := stream.readline():
        found += line
        if found.count(quote) % 2 == 0 and found.strip():
            break
    return found


def piece_of(stream: BinaryIO, quote: bytes, size: int) -> bytes:
    """About `size` bytes, up to the end of a record: a line, after which no quote is open where there are some."""
    found = stream.read(size)
    parts, quotes = [found], found.count(quote) if quote else 0
    while line := stream.readline():
        parts.append(line)
        quotes += line.count(quote) if quote else 0
        if quotes % 2 == 0:
            break
    return b"".join(parts)


def _rows(kind: str, file: Path, span: Span, rule: CellRule) -> Iterator[Table]:
    """Rows of a parquet or feather file, which is mapped and not read whole."""
    before = 0
    try:
        for batch in _batches(kind, file):
            batch.validate(full=True)  # offsets of a damaged file point anywhere
            columns = {name: arrow_columns.column(name, batch.column(name), rule=rule) for name in batch.column_names}
            place = lambda record, before=before: f"{file} record {before + record}"
            if batch.num_rows:
                yield Table(columns, batch.num_rows, place, f"`{file}`", order=tuple(columns))
            before += batch.num_rows
    except (ImportError, OSError, ValueError) as error:
        raise mistakes.not_of_format(span, file, f"a {kind} file", mistakes.first_line(error)) from None


def _batches(kind: str, file: Path) -> Iterator[Any]:
    import pyarrow

    if kind == "parquet":
        from pyarrow import parquet

        with parquet.ParquetFile(file, memory_map=True) as opened:
            for batch in opened.iter_batches(ROWS):
                yield pyarrow.Table.from_batches([batch])
        return
    from pyarrow import feather

    table = feather.read_table(file, memory_map=True)
    for start in range(0, table.num_rows, ROWS):
        yield table.slice(start, ROWS)
