"""Sources that do not fit in memory: read once in pieces, their columns laid out in a folder of the cache, and mapped.

    $XDG_CACHE_HOME/dlc/tables/      or ~/.cache/dlc/tables/
      5f0c../                        the paths and how they are read
        91ab../                      what the files were then: sizes, times, first and last bytes
          about.json  0.values  0.starts  1.values ..

A folder is there whole or not at all. Where a file has changed there is another folder, and the old one is removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue import SOURCES
from ....compiler.ir.data import Split
from ....compiler.messages.source import Span
from ....compiler.text.read import is_pipe
from ...writing import write_text, writing
from .. import laid_out, memory, mistakes, shard_mistakes
from ..cells import in_order, rule_of
from ..table import Cells, Column, Images, LaidOut, Numbers, SourceFile, Table, TarMembers
from . import pieces, shards, texts
from .split_files import Reader

SHARE = 0.25  # of the free memory that columns may take before they are laid out in files
PIECE = 8 << 20  # bytes of a text file that are read at once
ENDS = 1 << 16  # bytes at either end of a file by which it is known
OTHERWISE = "set XDG_CACHE_HOME to a folder with more room"

#: The files of each split, or those of the only part.
Files = Mapping[Split | None, Path]


def wanted(kind: str, files: Files) -> bool:
    """Whether the columns of these files would take too much memory; an index of shards is always kept."""
    if SOURCES[kind].pieces == "shards":
        return True
    folder = SOURCES[kind].pieces == "files"
    if any(is_pipe(path) or not (path.is_dir() if folder else path.is_file()) for path in files.values()):
        return False
    listed = texts.texts_below if folder else lambda path: [path]
    size = sum(path.stat().st_size for each in files.values() for path in listed(each))
    return size * SOURCES[kind].expands > SHARE * memory.free()


def table(kind: str, args: Mapping[str, Any], files: Files, read: Reader, span: Span, name: str) -> Table:
    """The table of these files, from the cache or made there."""
    match SOURCES[kind].pieces:
        case "files":
            how: PathReading = _Folders(args, files, span)
        case "shards":
            how = _Shards(args, files, read, span)
        case _:
            how = _Files(kind, args, read, span)
    marks = [(str(path.resolve()), [_mark(each) for each in how.listed(path)]) for path in files.values()]
    given = {key: sorted(value) if isinstance(value, frozenset) else value for key, value in args.items()}
    known = _key(kind, given, [mark[0] for mark in marks])
    folder = cache() / known / _key(marks)
    about = _about(folder)
    if about is None:
        with writing(folder, f"run the command again, or {OTHERWISE}"):
            about = _make(folder, files, how, span)
    columns = laid_out.opened(folder, about)
    starts = np.cumsum([0, *about["parts"]])
    parts: dict[Split, NDArray[np.int64]] = {
        split: np.arange(starts[i], starts[i + 1], dtype=np.int64) for i, split in enumerate(files) if split is not None
    }
    return Table(
        columns,
        about["count"],
        lambda record: how.place(record, files, columns),
        name,
        tuple(SourceFile(path, path.stat().st_size, path.stat().st_mtime_ns) for path in _all(files, how)),
        parts or None,
        tuple(columns),
        LaidOut(folder, about["digest"], tuple((what, how) for what, how in about["found"])),
    )


def cache() -> Path:
    """The folder of all such tables."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "dlc" / "tables"


def _key(*words: Any) -> str:
    return hashlib.blake2b(json.dumps(words, default=str).encode(), digest_size=12).hexdigest()


def _all(files: Files, how: PathReading) -> Iterator[Path]:
    return (each for path in files.values() for each in how.listed(path))


def _mark(path: Path) -> tuple[str, int, int, str]:
    """What changes where a file does."""
    status = path.stat()
    with path.open("rb") as file:
        first = file.read(ENDS)
        file.seek(max(0, status.st_size - ENDS))
        ends = hashlib.blake2b(first + file.read(), digest_size=12).hexdigest()
    return str(path.resolve()), status.st_size, status.st_mtime_ns, ends


def _about(folder: Path) -> dict[str, Any] | None:
    """What a folder holds; None where it is not there, or not whole: someone has removed files of it."""
    try:
        about = json.loads((folder / "about.json").read_text("utf-8"))
        if laid_out.whole(folder, about):
            return about
    except (OSError, ValueError, KeyError, TypeError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return None


class PathReading:
    """PathReading what a path names is read in pieces."""

    #: What was found of how files are written.
    found: list[tuple[str, str]]

    def listed(self, path: Path) -> Sequence[Path]:
        """The files that are read, in the order of their records."""
        raise NotImplementedError

    def tables(self, path: Path) -> Iterator[Table]:
        raise NotImplementedError

    def place(self, record: int, files: Files, columns: Mapping[str, Column]) -> str:
        """The place of a record in its file, for a message."""
        raise NotImplementedError

    def digest(self, files: Files) -> str:
        """A hash of what the source holds."""
        digest = hashlib.blake2b(digest_size=16)
        for path in _all(files, self):
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "blake2b").digest())
        return digest.hexdigest()


class _Folders(PathReading):
    """Directories of texts, one per class: a few files at a time. The classes of all splits are numbered together."""

    def __init__(self, args: Mapping[str, Any], files: Files, span: Span) -> None:
        self.span, self.found = span, []
        self.parts = {path: texts.files_of_classes({**args, "path": str(path)}, Path, span) for path in files.values()}
        numbers = [labels for _, labels in self.parts.values()]
        self.classes = tuple(in_order({name for labels in numbers for name in labels.classes or ()}))
        self.empty = tuple(in_order({name for labels in numbers for name in labels.empty} - set(self.classes)))

    def listed(self, path: Path) -> Sequence[Path]:
        return self.parts[path][0]

    def tables(self, path: Path) -> Iterator[Table]:
        files, labels = self.parts[path]
        number = np.array([self.classes.index(name) for name in labels.classes or ()], np.int64)
        ends = np.cumsum([file.stat().st_size for file in files]) // PIECE
        cuts = [0, *(np.flatnonzero(np.diff(ends)) + 1).tolist(), len(files)]
        for begin, end in pairwise(cuts):
            label = Numbers(number[labels.array[begin:end]], self.classes, self.empty)
            columns = {**texts.contents(files[begin:end], self.span), "label": label}
            yield Table(columns, end - begin, lambda record, begin=begin: str(files[begin + record]), f"`{path}`")

    def place(self, record: int, files: Files, columns: Mapping[str, Column]) -> str:
        return str(list(_all(files, self))[record])


class _Shards(PathReading):
    """Tar files, of which headers and short texts are read."""

    def __init__(self, args: Mapping[str, Any], files: Files, read: Reader, span: Span) -> None:
        self.args, self.read, self.span, self.found = args, read, span, []
        self.parts = {path: shards.listed(path, span) for path in files.values()}

    def listed(self, path: Path) -> Sequence[Path]:
        return self.parts[path]

    def tables(self, path: Path) -> Iterator[Table]:
        first, images = None, False
        for shard in self.parts[path]:
            columns, count, place, _ = self.read({**self.args, "path": str(shard)}, Path, self.span)
            if first is None:
                first, images = shard, "image" in columns
            elif ("image" in columns) != images:
                raise shard_mistakes.no_image(self.span, str(shard if images else first))
            yield Table(columns, count, place, f"`{shard}`")

    def place(self, record: int, files: Files, columns: Mapping[str, Column]) -> str:
        image, key = columns.get("image"), columns["key"]
        assert isinstance(key, Cells)
        if isinstance(image, Images) and isinstance(image.paths, TarMembers):
            return f"{image.paths.files[int(image.paths.places[record, 0])]}: {key[record]}"
        return f"record {key[record]}"

    def digest(self, files: Files) -> str:
        """Of names and what a file is known by: images are not read."""
        return _key([(path.name, *_mark(path)[1::2]) for path in _all(files, self)])


class _Files(PathReading):
    """Files that are cut. What was found of the first piece holds for the others."""

    def __init__(self, kind: str, args: Mapping[str, Any], read: Reader, span: Span) -> None:
        self.kind, self.args, self.reader, self.span = kind, args, read, span
        self.found = []

    def listed(self, path: Path) -> Sequence[Path]:
        return [path]

    def tables(self, path: Path) -> Iterator[Table]:
        fixed: dict[str, Any] = {}

        def read(kind: str, piece: Path, recoded: bool) -> Table:
            given = {**self.args, **fixed, "path": str(piece), **({"encoding": "utf-8"} if recoded else {})}
            columns, count, place, _ = self.reader(given, Path, self.span)
            cells = [column for column in columns.values() if isinstance(column, Cells) and column.origin is not None]
            if cells and not fixed:
                origin: Any = cells[0].origin
                fixed.update(separator=origin.separator, decimal=cells[0].rule.decimal)
                notes = [(what.replace(str(piece), str(path)), given) for what, given in origin.found]
                self.found += [note for note in notes if note not in self.found]
            return Table(columns, count, place, f"`{path}`", order=tuple(columns))

        encoding, quote = self.args.get("encoding"), self.args.get("quote") or '"'
        how = pieces.FileReading(self.span, rule_of(self.args), encoding, quote, PIECE)
        yield from pieces.of(self.kind, path, read, how)

    def place(self, record: int, files: Files, columns: Mapping[str, Column]) -> str:
        """The pieces up to it are read again."""
        first = 0
        for file in files.values():
            for each in self.tables(file):
                if record < first + each.count:
                    return each.place(record - first)
                first += each.count
        return f"record {record}"


def _make(folder: Path, files: Files, how: PathReading, span: Span) -> dict[str, Any]:
    """Lays the columns out in a new folder, which then takes its name."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clean(folder.parent)
    fresh = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    forms: dict[str, str] = {}
    try:
        while True:
            shutil.rmtree(fresh, ignore_errors=True)
            fresh.mkdir()
            parts = [0] * len(files)
            try:
                about = laid_out.write(fresh, _pieces(files, how, parts), forms)
                break
            except laid_out.Another as other:
                forms[other.name] = "texts" if forms.get(other.name) == other.form else other.form
        if not all(parts):
            raise mistakes.empty(span, list(files.values())[parts.index(0)])
        about |= {"parts": parts, "digest": how.digest(files), "found": how.found}
        write_text(fresh / "about.json", json.dumps(about))
        with suppress(OSError):  # another process may have made it meanwhile
            fresh.rename(folder)
        for other in folder.parent.iterdir():
            if other != folder and not other.name.startswith("."):
                shutil.rmtree(other, ignore_errors=True)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return about


def _pieces(files: Files, how: PathReading, parts: list[int]) -> Iterator[tuple[Mapping[str, Column], int]]:
    for at, file in enumerate(files.values()):
        for each in how.tables(file):
            parts[at] += each.count
            yield each.columns, each.count


def _clean(folder: Path) -> None:
    """Removes what processes left that have ended."""
    for left in folder.glob(".*.new"):
        process = left.name.split(".")[-2]
        if process.isdigit() and not Path(f"/proc/{process}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
