"""Sources: what `source = kind(..)` names, read into a `Table`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue import SOURCES, transforms
from ....compiler.catalogue import SPLITS as KINDS_OF_SPLIT
from ....compiler.ir.data import Condition, DataSet, Split
from ....compiler.messages.source import Span
from ....compiler.text.read import is_pipe
from .. import cells, mistakes, table_mistakes, text_columns
from ..table import Cells, Column, Images, JoinedArrays, Numbers, Ragged, SourceFile, Stream, Table
from . import builtin, csv_files, images, shards, streamed, tables, texts
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
    span = section.source.span
    splits = list(parts)
    starts = np.cumsum([0, *(parts[split][1] for split in splits)])
    ranges: dict[Split, NDArray[np.int64]] = {
        split: np.arange(starts[i], starts[i + 1], dtype=np.int64) for i, split in enumerate(splits)
    }
    columns: dict[str, Column] = {}
    for name in parts[splits[0]][0]:
        found = [parts[split][0].get(name) for split in splits]
        if any(column is None for column in found):
            at = splits[[column is None for column in found].index(True)]
            raise table_mistakes.unknown_field(span, f"the {at} split", name, list(parts[at][0]))
        columns[name] = _concatenated([column for column in found if column is not None], name, span)

    def place(record: int) -> str:
        index = int(np.searchsorted(starts, record, "right")) - 1
        return parts[splits[index]][2](record - int(starts[index]))

    paths = [path for split in splits for path in parts[split][3]]
    return _table(section, (columns, int(starts[-1]), place, paths), ranges)


def _concatenated(found: list[Column], name: str, span: Span) -> Column:
    first = found[0]
    if isinstance(first, Numbers):
        arrays = [column for column in found if isinstance(column, Numbers)]
        names = [column.classes for column in arrays]
        if any(other != names[0] for other in names):
            merged = tuple(cells.in_order({label for classes in names if classes for label in classes}))
            lookup = {label: number for number, label in enumerate(merged)}
            recoded = [
                np.array([lookup[c.classes[i]] if 0 <= i < len(c.classes) else -1 for i in c.array], np.int64)
                for c in arrays
                if c.classes
            ]
            return Numbers(np.concatenate(recoded), merged, _empty(arrays, merged))
        shapes = {column.array.shape[1:] for column in arrays}
        if len(shapes) > 1:
            one, other, *_ = sorted(shapes)
            raise mistakes.field_shape(span, name, "the splits", str(one), str(other))
        return Numbers(np.concatenate([column.array for column in arrays]), names[0], _empty(arrays, names[0] or ()))
    if isinstance(first, Cells):
        return text_columns.joined([column for column in found if isinstance(column, Cells)])
    if isinstance(first, Ragged):
        return Ragged([array for column in found if isinstance(column, Ragged) for array in column.arrays])
    if isinstance(first, Images):
        return Images([path for column in found if isinstance(column, Images) for path in column.paths], first.gray)
    return _joined_streams([column for column in found if isinstance(column, Stream)])


def _empty(arrays: Sequence[Numbers], classes: Sequence[str]) -> tuple[str, ...]:
    """Names that have no record in any part."""
    return tuple(cells.in_order({name for column in arrays for name in column.empty} - set(classes)))


def _joined_streams(found: list[Stream]) -> Stream:
    if found[0].names is None:
        return Stream(JoinedArrays([stream.array[:] for stream in found]))
    known = {name: number for number, name in enumerate(found[0].names)}
    for stream in found[1:]:
        for name in stream.names or ():
            known.setdefault(name, len(known))
    recoded = [np.array([known[n] for n in stream.names or ()], np.int32)[stream.array[:]] for stream in found]
    return Stream(np.concatenate(recoded), tuple(known))
