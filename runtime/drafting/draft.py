"""`dlc new --from`: which kind of data a path is, and the draft for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...compiler.catalogue import SOURCES
from ...compiler.messages.diagnostics import Failed
from ..data.sources.images import images_below
from ..data.sources.texts import texts_below
from ..failure import BadInput, no_file
from . import chats, images, series, tables, text_folders, texts
from .drafted import Draft

TABLES = (".tsv", ".tab", ".data")  # written as CSV, with another separator


def draft(path: Path, place: str, target: str | None = None, time: str | None = None) -> Draft:
    """A first spec for the data at `path`, which the spec calls `place`. `target` is the column of a table that is predicted; with
    `time`, a column, its rows are time series. Raises BadInput."""
    if not path.exists():
        raise no_file(path, "file or directory")
    with _readable(path):
        if path.is_dir():
            of_texts = not images_below(path) and bool(texts_below(path))
            for column in (target, time):
                _no_column(path, column, "a directory of texts" if of_texts else "a directory of images")
            if not of_texts:
                return images.draft(path, place)
            by_class = any(entry.is_dir() and texts_below(entry) for entry in path.iterdir())
            return text_folders.draft(path, place) if by_class else texts.draft(path, place)
        source = source_of(path)
        if time is not None:
            return series.draft(path, place, source or "csv", target, time)
        if source is None and target is None:
            return texts.draft(path, place)
        if source == "jsonl" and target is None:
            table, columns = tables.read_values(path, place, source)
            talks = chats.found_in(columns)
            if talks:
                return chats.draft(path, place, columns, talks, table.sample)
        return tables.draft(path, place, source or "csv", target)


def source_of(path: Path) -> str | None:
    """The source that reads a table of this name; None for any other file."""
    suffix = path.suffix.lower()
    if suffix in TABLES:
        return "csv"
    return next((name for name, entry in SOURCES.items() if suffix in entry.suffixes), None)


def _no_column(path: Path, name: str | None, what: str) -> None:
    if name is not None:
        raise BadInput(
            f"`{path}` is {what}: it has no column `{name}`",
            helps=("leave out `--target` and `--time`: the classes are its folders",),
        )


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What a reader finds wrong with a file, without a spec whose line could be shown."""
    try:
        yield
    except Failed as failure:
        found = failure.diagnostic
        raise BadInput(
            found.message, helps=(found.helps[0], *found.helps[1:]), notes=found.notes, code=found.code
        ) from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise BadInput(f"`{path}` cannot be read: {why}", helps=("allow this user to read it",)) from None
