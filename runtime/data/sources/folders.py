"""A directory per class, with the files of its records in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....compiler.messages.source import Span
from .. import cells, mistakes
from ..table import Numbers
from .split_files import Resolve

#: The files of a kind in a directory and those below it, in order.
Below = Callable[[Path], list[Path]]


def below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """The files with these endings in a directory and those below it, in the order of their names; hidden ones are left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in suffixes and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )


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
