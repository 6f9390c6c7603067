"""Large files in pieces: what does not fit in memory is predicted all the same. A piece is read as the whole file would be."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, TypeAlias

from ...compiler.catalogue import SOURCES
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from ..data import mistakes
from ..data.cells import PLAIN, Rule
from ..data.sources import arrow_columns
from ..data.table import Table

Read: TypeAlias = Callable[[str, Path, Span], Table]

LARGE = 64 << 20  # bytes of a text file above which it is cut
ROWS = 1 << 16  # of a columnar file at a time


def of(kind: str, file: Path, span: Span, read: Read, rule: Rule = PLAIN) -> Iterator[Table]:
    """The tables of a file, one after another; `read` reads a file whole, `rule` is how it reads cells."""
    cut = SOURCES[kind].pieces
    if cut == "rows" and file.stat().st_size > LARGE:
        yield from _rows(kind, file, span, rule)
    elif cut in ("lines", "quoted lines") and file.stat().st_size > LARGE:
        yield from _lines(kind, file, span, read, quoted=cut == "quoted lines")
    else:
        yield read(kind, file, span)


def _lines(kind: str, file: Path, span: Span, read: Read, *, quoted: bool) -> Iterator[Table]:
    """Pieces of a text file as files of their own, with its header; places and messages are those of the file."""
    with file.open("rb") as stream, TemporaryDirectory() as folder:
        header = _record(stream) if quoted else b""
        before = header.count(b"\n")
        piece = Path(folder) / file.name
        while content := _piece(stream, quoted):
            if not content.strip():  # only empty lines are left
                break
            piece.write_bytes(header + content)
            moved = _Moved(str(piece), str(file), before - header.count(b"\n"))
            try:
                table = read(kind, piece, span)
            except Failed as failure:
                found = failure.diagnostic
                raise Failed(replace(found, message=moved(found.message))) from None
            yield replace(table, place=moved.place(table.place), name=f"`{file}`")
            before += content.count(b"\n")


class _Moved:
    """A text that names a line of a piece, as one that names the line of the file."""

    def __init__(self, piece: str, file: str, lines: int) -> None:
        self.pattern, self.file, self.lines = re.compile(re.escape(piece) + r"(?::(\d+))?"), file, lines

    def __call__(self, text: str) -> str:
        return self.pattern.sub(lambda at: self.file + (f":{int(at[1]) + self.lines}" if at[1] else ""), text)

    def place(self, of_piece: Callable[[int], str]) -> Callable[[int], str]:
        return lambda record: self(of_piece(record))


def _record(stream: BinaryIO) -> bytes:
    """The first record of a file with quotes: lines up to one after which no quote is open. Empty lines before it are left out."""
    found = b""
    while line := stream.readline():
        found += line
        if found.count(b'"') % 2 == 0 and found.strip():
            break
    return found


def _piece(stream: BinaryIO, quoted: bool) -> bytes:
    """About LARGE bytes, up to the end of a record."""
    found = stream.read(LARGE)
    parts, quotes = [found], found.count(b'"')
    while line := stream.readline():
        parts.append(line)
        quotes += line.count(b'"')
        if not quoted or quotes % 2 == 0:
            break
    return b"".join(parts)


def _rows(kind: str, file: Path, span: Span, rule: Rule) -> Iterator[Table]:
    """Rows of a parquet or feather file, which is mapped and not read whole."""
    before = 0
    try:
        for batch in _batches(kind, file):
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
