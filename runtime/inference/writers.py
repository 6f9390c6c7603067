"""Predictions as text or as a file: CSV, JSON, JSON lines, parquet. Rows come a batch at a time and are not kept."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from ..writing import json_text, replacing, writing

Row: TypeAlias = Mapping[str, Any]
Batches: TypeAlias = Iterable[Sequence[Row]]


def lines(form: str, batches: Batches) -> Iterator[str]:
    """The text of a format, some lines at a time."""
    made: dict[str, Callable[[Batches], Iterator[str]]] = {"json": _json, "jsonl": _json_lines, "csv": _csv}
    return made.get(form, _csv)(batches)


def write(path: Path, form: str, batches: Batches) -> int:
    """Writes a file, which is there whole or not at all; how many rows it has. Raises NotWritten."""
    counted = _Counted(batches)
    with writing(path), replacing(path) as fresh:
        if form == "parquet":
            _parquet(fresh, counted)
        else:
            with fresh.open("x", encoding="utf-8", newline="") as file:
                for text in lines(form, counted):
                    file.write(text + "\n")
    return counted.count


class _Counted:
    def __init__(self, batches: Batches) -> None:
        self.batches, self.count = batches, 0

    def __iter__(self) -> Iterator[Sequence[Row]]:
        for rows in self.batches:
            self.count += len(rows)
            yield rows


# ---- formats -----------------------------------------------------------------------------------------------------------------


def _json(batches: Batches) -> Iterator[str]:
    """One list of records."""
    waiting = ""
    for rows in batches:
        for row in rows:
            yield from [waiting + ","] if waiting else ["["]
            waiting = "\n".join("  " + line for line in json_text(row).splitlines())
    yield from [waiting, "]"] if waiting else ["[]"]


def _json_lines(batches: Batches) -> Iterator[str]:
    for rows in batches:
        for row in rows:
            yield json_text(row, None)


def _csv(batches: Batches) -> Iterator[str]:
    """Comma-separated, with the names of the first batch; lists are JSON."""
    names: list[str] = []
    for rows in batches:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not names and rows:
            names = list(rows[0])
            writer.writerow(names)
        for row in rows:
            writer.writerow([_cell(row.get(name)) for name in names])
        if text.tell():
            yield text.getvalue()[:-1]


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def _parquet(path: Path, batches: Batches) -> None:
    """Written a batch at a time; the types are those of the first batch."""
    import pyarrow
    from pyarrow import parquet

    writer: Any = None
    try:
        for rows in batches:
            table = pyarrow.Table.from_pylist([dict(row) for row in rows], schema=writer.schema if writer else None)
            writer = writer or parquet.ParquetWriter(path, table.schema)
            writer.write_table(table)
    finally:
        if writer is not None:
            writer.close()
