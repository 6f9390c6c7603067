"""Sources: what `source = kind(..)` names, read into a `Table`.

tables csv_files arrow_columns   tables                      texts, images, shards   texts, image files, tar files
builtin, folders                 data sets that need no file; directories
streamed, pieces                 what is larger than memory  one_after_another       the files of several splits
split_files                      what a reader is given, and gives
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue import SOURCES, transforms
from ....compiler.catalogue import SPLITS as KINDS_OF_SPLIT
from ....compiler.ir.data import Condition, DataSet, Split
from ....compiler.text.read import is_pipe
from ..table import SourceFile, Table
from . import builtin, csv_files, images, one_after_another, shards, streamed, tables, texts
from .split_files import Part, Reader

SPLITS: tuple[Split, ...] = ("train", "val", "test")


def reader(name: str) -> Reader:
    """The function that reads a source: the one of its name. AttributeError when there is none."""
    home = next((module for module in (tables, texts, images, shards, builtin) if hasattr(module, name)), tables)
    return getattr(home, name)


def read(section: DataSet, root: Path) -> Table:
    """The records of a data section; paths are relative to `root`."""
    span = section.source.span
    args = section.source.args
    read_part = reader(section.source.name)
    args = {**args, "texts": _texts(section)}
    if SOURCES[section.source.name].class_folders:
        args = {**args, "skip": section.skip}
    names = _names(section)
    whole = not names or KINDS_OF_SPLIT[section.split.name].divides != "names"
    if SOURCES[section.source.name].pieces:
        path = args["path"]
        files = _files(root, path, {} if whole else names)
        if streamed.wanted(section.source.name, files):
            return streamed.table(section.source.name, args, files, read_part, span, _name(section))
    if whole:
        return _table(section, read_part(args, lambda path: _resolve(root, path), span), None)
    parts: dict[Split, Part] = {}
    source = SOURCES[section.source.name]
    named = source.names_splits or (source.finds_splits and not any("{split}" in path for path in source.paths(args)))
    for split, name in names.items():
        own = {**args, "split": name} if named else args
        parts[split] = read_part(own, lambda path, name=name: _resolve(root, path.replace("{split}", str(name))), span)
    return _joined(section, parts)


def _names(section: DataSet) -> dict[Split, Any]:
    """What the splits are called in the path."""
    given = section.split.args
    return {split: given[split] for split in SPLITS if isinstance(given.get(split), str)}


def check_beginnings(section: DataSet, root: Path) -> None:
    """Raises Failed for what the beginning of a CSV file shows, which takes no time; computing facts loads torch first."""
    source, args = section.source, section.source.args
    if SOURCES[source.name].pieces == "quoted lines":
        for path in _files(root, args["path"], _names(section)).values():
            if not is_pipe(path):
                csv_files.check_beginning(path, source.span, args)


def _files(root: Path, path: str, names: Mapping[Split, str]) -> dict[Split | None, Path]:
    """The file of each split, or the only one."""
    if not names:
        return {None: _resolve(root, path)}
    return {split: _resolve(root, path.replace("{split}", name)) for split, name in names.items()}


def _texts(section: DataSet) -> frozenset[str]:
    """Columns that are used as texts, so that a table need not be read again for them: names that are digits, say."""
    named = {section.split.args.get(key) for key in ("stratify", "group")}
    named |= {section.order.series, section.order.time} if section.order is not None else set()
    used = {
        i
        for node in section.nodes
        if transforms.of(node.op).taken(node.args) in ("texts", "words")
        for i in node.inputs
    }
    used |= set(_compared(section.where)) if section.where is not None else set()
    fields = {node.args["field"] for node in section.nodes if node.op == "source" and node.id in used}
    return frozenset(name for name in named | fields if name)


def _compared(condition: Condition) -> Iterator[int]:
    """Nodes that a condition compares with texts."""
    for item in condition.items:
        yield from _compared(item)
    sides = condition.left, condition.right
    if any(isinstance(side, str) for side in sides):
        yield from (side[1] for side in sides if isinstance(side, tuple))


def _resolve(root: Path, path: str) -> Path:
    given = Path(os.path.expanduser(path))
    return given if given.is_absolute() else Path(os.path.normpath(root / given))


def _table(section: DataSet, part: Part, parts: Mapping[Split, NDArray[np.int64]] | None) -> Table:
    columns, count, place, paths = part
    return Table(
        columns,
        count,
        place,
        _name(section),
        tuple(file_of(path) for path in paths),
        parts,
        tuple(columns),
    )


def _name(section: DataSet) -> str:
    source = section.source
    first = next((str(source.args[key]) for key in ("path", "name", "first") if key in source.args), "")
    return f'`{source.name}("{first}")`'


def file_of(path: Path) -> SourceFile:
    status = path.stat()
    return SourceFile(path, status.st_size, status.st_mtime_ns)


def _joined(section: DataSet, parts: Mapping[Split, Part]) -> Table:
    """Several parts one after another, with the records of each split."""
    splits = list(parts)
    starts = np.cumsum([0, *(parts[split][1] for split in splits)])
    ranges: dict[Split, NDArray[np.int64]] = {
        split: np.arange(starts[i], starts[i + 1], dtype=np.int64) for i, split in enumerate(splits)
    }

    def place(record: int) -> str:
        index = int(np.searchsorted(starts, record, "right")) - 1
        return parts[splits[index]][2](record - int(starts[index]))

    paths = [path for split in splits for path in parts[split][3]]
    columns = one_after_another.columns(parts, section.source.span)
    return _table(section, (columns, int(starts[-1]), place, paths), ranges)
