"""The source of a section on the page: the first rows as they are read, and what each column holds."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..data.table import Column as Values
from ..data.table import Images, Numbers, Ragged, Stream, Table
from ..data.text_columns import Cells
from ..drafting.columns import Column, describe
from . import drawings, html

ROWS = 8
COLUMNS = 60
ROW = 16  # cells of one record
KINDS = {
    "numbers": "numbers",
    "names": "names",
    "date": "dates",
    "text": "texts",
    "record": "different in nearly every record",
    "constant": "always the same",
    "empty": "no values",
    "other": "not one value a record",
}


def shown(table: Table) -> Iterator[str]:
    """The parts of the page for a table; streams have no rows."""
    names = [name for name, column in table.columns.items() if not isinstance(column, Stream)][:COLUMNS]
    if names and any(isinstance(table.columns[name], (Cells, Numbers)) for name in names):
        rows = ([_cell(table.columns[name], i) for name in names] for i in range(min(ROWS, table.count)))
        yield html.table(names, rows)
        yield html.cards(_card(name, table.columns[name]) for name in names)
    if len(table.columns) > COLUMNS:
        yield html.paragraph(f"and {len(table.columns) - COLUMNS} columns more")


def row(table: Table, record: int) -> str:
    """The cells of one record, a line each."""
    names = [name for name, column in table.columns.items() if isinstance(column, (Cells, Numbers))][:ROW]
    cells = [(name, _cell(table.columns[name], record)) for name in names]
    lines = "".join(
        f"<tr><td>{html.escaped(name)}</td>"
        + ('<td class="none">missing</td>' if cell is None else f"<td>{html.escaped(cell)}</td>")
        + "</tr>"
        for name, cell in cells
    )
    return f'<table class="row">{lines}</table>' if lines else ""


def _cell(column: Values, record: int) -> str | None:
    """A cell as it is in the file; None where it is missing."""
    match column:
        case Cells():
            return None if column.is_missing(record) else column[record]
        case Numbers(array, classes, _):
            value = array[record]
            if array.ndim > 1:
                return f"{array.dtype} {list(array.shape[1:])}"
            if classes is not None and 0 <= int(value) < len(classes):
                return classes[int(value)]
            return None if array.dtype.kind == "f" and np.isnan(value) else f"{value:.8g}"
        case Images(paths):
            return str(paths[record])
        case Ragged(arrays):
            values = arrays[record]
            return None if values is None else f"{len(values)} values"
        case _:
            return ""


def _card(name: str, column: Values) -> tuple[str, str, str]:
    found = describe(name, column)
    lacking = (
        f", {found.missing:,} missing ({100 * found.missing / max(1, found.records):.1f} %)" if found.missing else ""
    )
    line = ("images" if isinstance(column, Images) else KINDS[found.kind]) + lacking
    if found.kind in ("numbers", "constant") and not found.names:
        return name, line, _histogram(column)
    if found.kind == "names":
        return name, f"{len(found.names):,} {line}", drawings.bars(found.names)
    return name, line, _histogram(column) if _is_numeric(found) else ""


def _is_numeric(found: Column) -> bool:
    return found.kind in ("numbers", "record", "constant") and found.high > found.low


def _histogram(column: Values) -> str:
    every = np.arange(len(column))
    if isinstance(column, Cells):
        return drawings.histogram(column.numbers(every))
    return drawings.histogram(column.array) if isinstance(column, Numbers) and column.array.ndim == 1 else ""
