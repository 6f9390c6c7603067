"""Input files for an exported model, read without torch: arrays by input name, and what each record is called."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ...compiler.dataclass import dataclass
from ...compiler.text.read import is_device, is_pipe
from ..data import array_files, cells
from ..data.mistakes import first_line
from ..failure import BadInput, no_file
from .columns import InputColumns
from .ports import Array, Port

FORMATS = ".npz, .npy, .csv and .json"
#: How to write a file that can be read, by its suffix.
_FORMS = {
    ".npz": "save arrays of numbers by input name: `numpy.savez(file, x=x)`",
    ".npy": "save an array of numbers: `numpy.save(file, x)`",
    ".json": 'write numbers by input name, in rows of equal lengths: `{"x": [[1, 2], [3, 4]]}`',
    ".csv": "save it as comma-separated text in UTF-8",
}


def read(
    ports: Sequence[Port], files: Sequence[Path], columns: Mapping[str, InputColumns] | None = None
) -> tuple[list[str], dict[str, Array]]:
    """Names of the records, and arrays by input name with the records of all files on the first axis.

    A pipe is read as `.csv`. `.npz` holds arrays by input name, `.json` lists by input name, `.npy` the array of the only input, `.csv` its
    numbers, a record a line (or a column an input). Where `columns` names what an input is from, these files may hold
    columns by their names instead, in any order and with others between them.
    """
    names: list[str] = []
    parts: list[Mapping[str, Array]] = []
    for file in files:
        part = _read(ports, file, columns or {})
        counts = {name: len(array) for name, array in part.items() if array.ndim}
        if len(set(counts.values())) > 1:
            listed = ", ".join(f"`{name}` {count}" for name, count in counts.items())
            raise BadInput(
                f"`{file}`: the inputs have different numbers of records: {listed}",
                helps=("give every array one row per record",),
            )
        parts.append(part)
        count = next(iter(counts.values()), 1)
        names += [file.name] if count == 1 else [f"{file.name}[{index}]" for index in range(count)]
    try:
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    except (KeyError, ValueError) as error:
        raise BadInput(f"the files cannot be combined: {error}", helps=("predict for each file separately",)) from None
    return names, joined


def _read(ports: Sequence[Port], file: Path, columns: Mapping[str, InputColumns]) -> dict[str, Array]:
    if not file.exists():
        raise no_file(file)
    if file.is_dir():
        raise BadInput(f"`{file}` is a directory", helps=("name the files in it",))
    if is_device(file):
        raise BadInput(f"`{file}` is a device, which may have no end", helps=("name a file, or a pipe",))
    suffix = ".csv" if is_pipe(file) else file.suffix.lower()
    try:
        if suffix in (".npz", ".npy"):
            arrays = array_files.read(file)
            if isinstance(arrays, dict):
                return _named(ports, arrays, file, columns)
            return {_only(ports, file).name: arrays}
        if suffix == ".json":
            found = json.loads(file.read_text("utf-8"))
            values = found if isinstance(found, dict) else {_only(ports, file).name: found}
            return _named(ports, {str(name): np.asarray(value) for name, value in values.items()}, file, columns)
        if suffix == ".csv":
            return _csv(ports, file, columns)
    except (array_files.NotArrays, OSError, ValueError, RecursionError, csv.Error) as error:
        raise BadInput(
            f"`{file}` cannot be read: {first_line(error)}",
            helps=(_FORMS.get(suffix, "save it again"),),
            code="E0603",
        ) from None
    raise BadInput(
        f"`{file}`: an exported model reads {FORMATS} files",
        helps=(
            f"convert it to one of {FORMATS}",
            "or predict with the run, which reads what the spec's `data` section reads: `dlc predict RUN FILE`",
        ),
    )


def _only(ports: Sequence[Port], file: Path) -> Port:
    if len(ports) != 1:
        listed = ", ".join(f"`{port.name}`" for port in ports)
        raise BadInput(
            f"`{file}` contains one array, but the model takes {listed}", helps=("use a .npz file with all of them",)
        )
    return ports[0]


def _named(
    ports: Sequence[Port], arrays: dict[str, Array], file: Path, columns: Mapping[str, InputColumns]
) -> dict[str, Array]:
    """The arrays that the model takes, under the name of the input or of the columns that it is from."""
    if len(ports) == 1 and list(arrays) == ["arr_0"]:  # `numpy.savez` without a name
        return {ports[0].name: arrays["arr_0"]}
    found: dict[str, Array] = {}
    for port in ports:
        names = columns[port.name].names if port.name in columns else ()
        if port.name in arrays:
            found[port.name] = arrays[port.name]
        elif names and all(name in arrays for name in names):
            found[port.name] = _together([arrays[name] for name in names], port, file)
        else:
            raise _lacking(port, names, list(arrays), file)
    return found


def _together(parts: Sequence[Array], port: Port, file: Path) -> Array:
    """Columns as an input: next to each other, or the only one as it is."""
    if len(parts) == 1 and parts[0].ndim == len(port.shape):
        return parts[0]
    if len({part.shape for part in parts}) > 1 or parts[0].ndim != 1 or len(port.shape) != 2:
        raise BadInput(
            f"`{file}`: the columns of `{port.name}` must each have one number per record",
            helps=(f"give them as one array `{port}`",),
        )
    return np.stack(parts, 1)


def _lacking(port: Port, names: Sequence[str], known: Sequence[str], file: Path) -> BadInput:
    """There is neither an array of the input's name nor all of its columns."""
    lacking = [name for name in names if name not in known]
    what = (
        f"column{'s' if len(lacking) > 1 else ''} {_listed(lacking)}"
        if 0 < len(lacking) < len(names)
        else f"`{port.name}`"
    )
    notes = (f"it has {_listed(known) or 'nothing'}",)
    if len(names) > 1:
        notes = (*notes, f"`{port.name}` was trained on the columns {_listed(names)}")
    help = f"add {what}" if names else f"name the {'column' if file.suffix == '.csv' else 'array'} after the input"
    return BadInput(f"`{file}` has no {what}", notes=notes, helps=(help,))


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names[:20]) + (", ..." if len(names) > 20 else "")


def _csv(ports: Sequence[Port], file: Path, columns: Mapping[str, InputColumns]) -> dict[str, Array]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream)
        rows = [(reader.line_num, row) for row in reader if row]
    if not rows:
        raise BadInput(f"`{file}` is empty", helps=("write a record a line into it, or name another file",))
    header = _header(ports, rows[0][1], columns)
    rows = rows[1:] if header is not None else rows
    if not rows:
        raise BadInput(f"`{file}` has a header and no records", helps=("add a record a line",))
    width = len(header if header is not None else rows[0][1])
    for line, row in rows:
        if len(row) != width:
            raise BadInput(
                f"{file}:{line}: expected {width} cells, found {len(row)}",
                helps=("give every line one cell per column; put text with commas in double quotes",),
            )
    if header is not None and len(set(header)) < width:
        twice = next(name for name in header if header.count(name) > 1)
        raise BadInput(f"{file}:1: two columns are called `{twice}`", helps=("rename one of them",))
    table = _Cells(file, rows, header)
    if header is not None and all(port.name in header or _names(port, columns) for port in ports):
        return {port.name: _by_name(table, port, columns) for port in ports}
    port = _only(ports, file)
    wanted = port.shape[-1] if len(port.shape) == 2 else None
    if isinstance(wanted, int) and wanted != width:
        raise BadInput(
            f"`{file}` has {width} columns, but the input is `{port}`",
            helps=(f"give it the {wanted} columns that the model was trained on, in their order",),
        )
    found = np.stack([table.column(at, port, columns) for at in range(width)], 1)
    return {port.name: found if len(port.shape) == 2 else found[:, 0]}


def _header(ports: Sequence[Port], first: Sequence[str], columns: Mapping[str, InputColumns]) -> list[str] | None:
    """The first line as names, unless it is a record: names may be numbers, but then they are those of the columns."""
    header = [cell.strip() for cell in first]
    known = {name for port in ports for name in _names(port, columns)}
    record = all(cells.is_number(cell) or cells.is_missing(cell) for cell in header)
    return None if record and not (known and known <= set(header)) else header


def _names(port: Port, columns: Mapping[str, InputColumns]) -> tuple[str, ...]:
    """The columns of a table that an input is from, one for each of its numbers; none where they are not known."""
    names = columns[port.name].names if port.name in columns else ()
    return names if len(names) == (1 if len(port.shape) == 1 else port.shape[-1]) else ()


def _by_name(table: _Cells, port: Port, columns: Mapping[str, InputColumns]) -> Array:
    header = table.header
    assert header is not None
    names = (port.name,) if port.name in header else _names(port, columns)
    if not set(names) <= set(header):
        raise _lacking(port, names, header, table.file)
    return _together([table.column(header.index(name), port, columns) for name in names], port, table.file)


@dataclass(frozen=True)
class _Cells:
    """A table; each row with the line that it ends on."""

    file: Path
    rows: Sequence[tuple[int, list[str]]]
    header: list[str] | None

    def column(self, at: int, port: Port, columns: Mapping[str, InputColumns]) -> Array:
        """A column for an input: i64 for one of whole numbers, else f64. Raises BadInput for a cell that is not a number; one
        may be missing where the graph fills it in."""
        texts = [row[at] for _, row in self.rows]
        if np.dtype(port.dtype).kind == "O":
            return np.array(texts, object)
        whole = np.dtype(port.dtype).kind in "iu"
        fills = port.name in columns and columns[port.name].fills
        try:
            found = cells.whole_numbers(texts) if whole else cells.numbers(texts)
        except cells.NotANumber as wrong:
            what = f"`{texts[wrong.position].strip()}` is not a number"
            raise self._bad(at, wrong.position, what, "write a number into the cell") from None
        if isinstance(found, list):
            limits = np.iinfo(port.dtype)
            fits = [isinstance(number, int) and limits.min <= number <= limits.max for number in found]
            if False in fits and found[fits.index(False)] is not None:
                position = fits.index(False)
                what = f"`{texts[position].strip()}` does not fit {np.dtype(port.dtype).name}"
                raise self._bad(at, position, what, f"write a whole number from {limits.min} to {limits.max}")
        lacking = [number is None or math.isnan(number) for number in found]
        if True in lacking and (whole or not fills):
            position = lacking.index(True)
            cell = texts[position].strip()
            what = f'"{cell}" stands for a missing number' if cell else "the cell is empty"
            raise self._bad(at, position, what, "fill it in, or leave the record out: the model fills in none")
        return np.array(found)

    def _bad(self, at: int, position: int, what: str, help: str) -> BadInput:
        name = self.header[at] if self.header is not None else str(at + 1)
        return BadInput(f"{self.file}:{self.rows[position][0]}, column `{name}`: {what}", helps=(help,))
