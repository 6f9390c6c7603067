"""A directory per class, with the files of its records in it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....compiler.messages.source import Span
from ...failure import BadInput
from .. import cells, mistakes
from ..table import Numbers
from .split_files import Resolve

#: The files of a kind in a directory and those below it, in order.
Below = Callable[[Path], list[Path]]


def below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with these endings in a directory and those below it, in the order of their names; hidden ones are left out.
    Raises BadInput for what would be read without end: a pipe, a device."""
    return sorted(_found(folder, suffixes))


def _found(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _found(folder / entry.name, suffixes)
            elif (path := folder / entry.name).suffix.lower() in suffixes and not entry.is_dir():
                if not entry.is_file() and path.exists():
                    raise BadInput(f"`{path}` is a pipe or a device", helps=("remove it from the directory",))
                yield path


def of_classes(
    args: Mapping[str, Any], resolve: Resolve, span: Span, suffixes: Collection[str], what: str
) -> tuple[Sequence[Path], Numbers]:
    """The files of all classes, and the class of each. `what` the files are, for messages."""
    root = resolve(args["path"])
    if not root.is_dir():
        raise mistakes.missing(span, root, what="directory")
    skip = set(args.get("skip", ()))
    folders = {f.name: f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".") and f.name not in skip}
    files = {name: below(folders[name], suffixes) for name in cells.in_order(folders)}
    classes = tuple(name for name in files if files[name])
    found = [(path, label) for label, name in enumerate(classes) for path in files[name]]
    if not found:
        flat = any(path.suffix.lower() in suffixes for path in root.iterdir())
        raise mistakes.empty(span, root, f"directories of {what}, one per class" if flat else what)
    empty = tuple(name for name in files if not files[name])
    return [path for path, _ in found], Numbers(np.array([label for _, label in found], np.int64), classes, empty)
