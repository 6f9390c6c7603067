"""What a reader gives: the columns of the files of one `{split}` (or the only ones); and reading a whole file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from ....compiler.messages.names import nearest
from ....compiler.messages.source import Span
from ....compiler.text.read import is_device
from .. import mistakes, table_mistakes
from ..table import Column

#: Columns, number of records, the place of each record, and the files that were read.
Part: TypeAlias = "tuple[dict[str, Column], int, Callable[[int], str], list[Path]]"
Resolve: TypeAlias = Callable[[str], Path]  # a path as written to one that can be opened
Reader: TypeAlias = "Callable[[Mapping[str, Any], Resolve, Span], Part]"

#: Columns of a table: each is a field, which costs as much as hundreds of numbers of an array. Measurements of genes have 54,675.
MOST_COLUMNS = 1 << 16


def within_limit(span: Span, path: Path, columns: int) -> None:
    """Raises Failed where a table has more columns than are read."""
    if columns > MOST_COLUMNS:
        raise table_mistakes.too_many_columns(span, path, columns, MOST_COLUMNS)


def read_bytes(path: Path, span: Span) -> bytes:
    if is_device(path):
        raise mistakes.a_device(span, path)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        raise mistakes.missing(span, path, str(path.parent / near) if near else None) from None
    except IsADirectoryError:
        raise mistakes.a_directory(span, path) from None
    except OSError as error:
        raise mistakes.unreadable(span, path, (error.strerror or str(error)).lower()) from None


def read_text(path: Path, span: Span) -> str:
    return text_of(read_bytes(path, span), path, span)


def text_of(data: bytes, path: Path, span: Span) -> str:
    """The content of a file as a text."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise mistakes.not_utf8(span, path, data.count(b"\n", 0, error.start) + 1, data[error.start]) from None


def lines_of(text: str) -> list[str]:
    """The lines of a file, without their ends. `str.splitlines` would also cut at form feeds and the line separators of
    Unicode, which occur inside sentences: parallel files would lose their correspondence."""
    lines = text.replace("\r\n", "\n").split("\n")
    return lines if lines[-1] else lines[:-1]
