"""Arrays and lists without a table around them: what a program has in memory, `.npy` and `.json` files, numbers without a header."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from ..data import array_files, cells
from ..data.arrays.batches import InputPipeline
from ..data.cells import PLAIN, CellRule
from ..data.mistakes import first_line
from ..data.sources import arrow_columns
from ..data.table import Cells, Column, Numbers
from ..failure import BadInput

#: Endings of files that no source reads.
SUFFIXES = (".npy", ".json")


def columns_of(given: Mapping[str, Any], rule: CellRule = PLAIN) -> dict[str, Column]:
    """Arrays or lists by source field, the records on their first axis; `rule` is how their cells are read."""
    columns = {str(name): _column(str(name), value, rule) for name, value in given.items()}
    if not columns:
        raise BadInput("nothing to predict", helps=("give arrays by source field",))
    lengths = {key: len(column) for key, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"`{key}` {length}" for key, length in lengths.items())
        raise BadInput(
            f"the inputs have different numbers of records: {shown}", helps=("give every array one row per record",)
        )
    if not next(iter(lengths.values())):
        raise BadInput("the given arrays have no records", helps=("give at least one record",))
    return columns


def _column(name: str, value: Any, rule: CellRule) -> Column:
    if isinstance(value, list) and any(isinstance(item, list | tuple | np.ndarray) for item in value):
        return arrow_columns.lists([item.tolist() if isinstance(item, np.ndarray) else item for item in value])
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise BadInput(
            f"`{name}` is not an array: {first_line(error)}", helps=("give numbers in rows of equal lengths",)
        ) from None
    if not array.ndim:
        raise BadInput(
            f"`{name}` is a single value", helps=("give a list or an array with a record on the first axis",)
        )
    if array.dtype.kind in "biuf":
        return Numbers(arrow_columns.marked_array(array, rule))
    if array.dtype.kind == "M":
        return arrow_columns.times(array, rule)
    values = value if isinstance(value, list) else array.tolist()
    dates = bool(values) and all(isinstance(item, date | None) for item in values)
    return Cells([_text(item) for item in values], replace(rule, dates=True) if dates else rule)


def _text(value: Any) -> str:
    """A cell of a list: missing numbers are None or NaN."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if isinstance(value, float) and math.isnan(value) else arrow_columns.text(value)


def read(pipeline: InputPipeline, file: Path) -> dict[str, Column]:
    """Columns of a `.npy` or `.json` file. Raises BadInput."""
    try:
        found = array_files.read(file) if file.suffix.lower() == ".npy" else json.loads(file.read_text("utf-8"))
    except (array_files.NotArrays, OSError, ValueError, RecursionError) as error:
        raise BadInput(
            f"`{file}` cannot be read: {first_line(error)}",
            helps=("write the file again, or name another one",),
            code="E0603",
        ) from None
    rule = cells.rule_of(pipeline.section.source.args)
    return columns_of(found if isinstance(found, dict) else _alone(pipeline, found, file), rule)


def _alone(pipeline: InputPipeline, found: Any, file: Path) -> dict[str, Any]:
    """A single array, as the only column that the model reads, or as all of them next to each other."""
    names = list(dict.fromkeys(name for each in pipeline.fields for name in pipeline.columns(each)))
    if len(names) == 1:
        return {names[0]: found}
    array = np.asarray(found)
    if len(pipeline.fields) == 1 and array.ndim == 2 and array.shape[1] == len(names):
        return dict(zip(names, array.T, strict=True))
    listed = ", ".join(f"`{name}`" for name in names[:20])
    raise BadInput(
        f"`{file}` contains one array, but the model reads {listed}", helps=("use a .npz file with all of them",)
    )


def shapes_in(file: Path) -> dict[str, tuple[int, ...] | None] | None:
    """The arrays or columns of a file by name, those of a table without a shape, with "" where its first line may be a record; None
    where they have no names."""
    suffix = file.suffix.lower()
    try:
        if suffix == ".npz":
            found: Any = array_files.read(file)
            return shapes_of(found) if isinstance(found, dict) else None
        if suffix == ".json":
            found = json.loads(file.read_text("utf-8"))
            return shapes_of(found) if isinstance(found, dict) else None
        if suffix == ".csv":
            with file.open(encoding="utf-8-sig", newline="") as stream:
                first = [cell.strip() for cell in next((row for row in csv.reader(stream) if row), [])]
            numbers = all(cells.is_number(cell) or cells.is_missing(cell) for cell in first)
            return dict.fromkeys([*first, *([""] if numbers else [])])
    except (array_files.NotArrays, OSError, ValueError, RecursionError, csv.Error):
        pass  # reading it reports what is wrong
    return None


def shapes_of(given: Mapping[str, Any]) -> dict[str, tuple[int, ...] | None]:
    """The shapes of arrays or lists by name; None for lists of different lengths."""
    found: dict[str, tuple[int, ...] | None] = {}
    for name, value in given.items():
        try:
            found[str(name)] = np.shape(value)
        except ValueError:
            found[str(name)] = None
    return found
