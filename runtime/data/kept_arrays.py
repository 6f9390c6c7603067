"""What is computed of all records of a table that is laid out in files, kept next to its columns and mapped: a process that starts
again reads it instead of the records.

    91ab../                     the folder of the table
      3.codes.c07e..npy         an array: the codes of column 3
      3.codes.c07e..json        what belongs to it: the names that the codes stand for
      D.splits.51d2..npy        the records of each split of the section D

Of one thing there is one array: that of an edited section takes the place of the one before.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.ir.data import DataSet
from ..writing import replacing, write_text
from .table import Table

FORM = 1  # to be raised where what is kept would be computed otherwise

#: An array, and what belongs to it as JSON.
Found: TypeAlias = "tuple[NDArray[Any], Any]"


def of(folder: Path | None, what: str, words: Any, make: Callable[[], Found]) -> Found:
    """What `make` gives, or gave before for these words; `folder` is that of a table that is laid out, None for another."""
    if folder is None:
        return make()
    key = hashlib.blake2b(json.dumps([FORM, words], default=str).encode(), digest_size=8).hexdigest()
    array, about = (folder / f"{what}.{key}{ending}" for ending in (".npy", ".json"))
    with suppress(OSError, ValueError, EOFError):
        return np.load(array, "r", allow_pickle=False).view(np.ndarray), json.loads(about.read_text("utf-8"))
    found = make()
    with suppress(OSError):  # a full disk: it is computed again at the next start
        for old in folder.glob(f"{what}.*.*"):
            old.unlink()
        write_text(about, json.dumps(found[1]))
        with replacing(array) as fresh, fresh.open("wb") as file:
            np.save(file, found[0], allow_pickle=False)
    return found


def of_section(section: DataSet, table: Table, what: str, words: Any, make: Callable[[], Found]) -> Found:
    """The same, of what a section makes of a table."""
    folder = None if table.laid_out is None else table.laid_out.folder
    return of(folder, f"{section.name}.{what}", (section.model_dump_json(), words), make)


def learned(fitted: Mapping[int, Any]) -> str:
    """A hash of what was learned from the records, as a word."""
    return hashlib.blake2b(json.dumps(fitted, sort_keys=True, default=str).encode(), digest_size=16).hexdigest()
