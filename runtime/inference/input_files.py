"""Input files for an exported model, read without torch: arrays by input name, and what each record is called."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..data import array_files
from ..data.mistakes import first_line
from ..failure import BadInput
from .ports import Array, Port

FORMATS = ".npz, .npy, .csv and .json"


def read(ports: Sequence[Port], files: Sequence[Path]) -> tuple[list[str], dict[str, Array]]:
    """Names of the records, and arrays by input name with the records of all files on the first axis.

    `.npz` holds arrays by input name, `.json` lists by input name, `.npy` the array of the only input, `.csv` its
    numbers, a record a line (or a column an input).
    """
    names: list[str] = []
    parts: list[Mapping[str, Array]] = []
    for file in files:
        part = _read(ports, file)
        counts = {name: len(array) for name, array in part.items() if array.ndim}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"`{name}` {count}" for name, count in counts.items())
            raise BadInput(f"`{file}`: the inputs have different numbers of records: {listed}")
        parts.append(part)
        count = next(iter(counts.values()), 1)
        names += [file.name] if count == 1 else [f"{file.name}[{index}]" for index in range(count)]
    try:
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (KeyError, ValueError) as error:
        raise BadInput(f"the files cannot be combined: {error}", helps=("predict for each file separately",)) from None
    return names, joined


def _read(ports: Sequence[Port], file: Path) -> dict[str, Array]:
    if not file.is_file():
        raise BadInput(f"there is no file `{file}`")
    suffix = file.suffix.lower()
    try:
        if suffix in (".npz", ".npy"):
            arrays = array_files.read(file)
            return _named(ports, arrays, file) if isinstance(arrays, dict) else {_only(ports, file): arrays}
        if suffix == ".json":
            found = json.loads(file.read_text("utf-8"))
            values = found if isinstance(found, dict) else {_only(ports, file): found}
            return _named(ports, {str(name): np.asarray(value) for name, value in values.items()}, file)
        if suffix == ".csv":
            return _csv(ports, file)
    except (array_files.NotArrays, OSError, ValueError, RecursionError, csv.Error) as error:
        raise BadInput(f"`{file}` cannot be read: {first_line(error)}") from None
    raise BadInput(
        f"`{file}`: an exported model reads {FORMATS} files",
        helps=("use `dlc predict RUN`, which reads what the spec's data section reads",),
    )


def _only(ports: Sequence[Port], file: Path) -> str:
    if len(ports) != 1:
        listed = ", ".join(f"`{port.name}`" for port in ports)
        raise BadInput(
            f"`{file}` contains one array, but the model takes {listed}", helps=("use a .npz file with all of them",)
        )
    return ports[0].name


def _named(ports: Sequence[Port], arrays: dict[str, Array], file: Path) -> dict[str, Array]:
    """The arrays that the model takes; a single one of another name is the only input's."""
    wanted = [port.name for port in ports]
    if len(wanted) == 1 and len(arrays) == 1 and wanted[0] not in arrays:
        return {wanted[0]: next(iter(arrays.values()))}
    for name in wanted:
        if name not in arrays:
            listed = ", ".join(f"`{other}`" for other in arrays) or "nothing"
            raise BadInput(f"`{file}` has no `{name}`", notes=(f"it contains {listed}",))
    return {name: arrays[name] for name in wanted}


def _csv(ports: Sequence[Port], file: Path) -> dict[str, Array]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.reader(stream) if row]
    if not rows:
        raise BadInput(f"`{file}` is empty")
    header = None if all(map(_is_number, rows[0])) else rows.pop(0)
    table = np.empty((len(rows), len(header or rows[0])), dtype=np.float64)
    for line, row in enumerate(rows, 2 if header else 1):
        if len(row) != table.shape[1]:
            raise BadInput(f"{file}:{line}: expected {table.shape[1]} cells, found {len(row)}")
        for column, text in enumerate(row):
            if not _is_number(text):
                name = header[column] if header else str(column + 1)
                raise BadInput(f"{file}:{line}: column `{name}`: `{text}` is not a number")
            table[line - (2 if header else 1), column] = float(text)
    if header and {port.name for port in ports} <= set(header):
        return {port.name: table[:, header.index(port.name)] for port in ports}
    name = _only(ports, file)
    width = ports[0].shape[-1] if len(ports[0].shape) == 2 else None
    if isinstance(width, int) and width != table.shape[1]:
        raise BadInput(f"`{file}` has {table.shape[1]} columns, but the input is `{ports[0]}`")
    return {name: table if len(ports[0].shape) == 2 else table[:, 0]}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
