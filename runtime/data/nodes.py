"""The nodes of a data section over a table, as far as they do not compute: which column they are from, and what is wrong with a
cell. `graph.Graph` computes them with torch, `arrays.section.Evaluation` without."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms.text import Vocab
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from . import cells, decode, split_mistakes, table_mistakes, text_columns, tokenizing
from .cells import PLAIN, CellRule
from .series import Series
from .table import Cells, Images, Numbers, Ragged, Stream, Table, column_numbers, not_a_number
from .text_columns import Selected


@dataclass
class Nodes:
    """A section's nodes over one table. `fitted` is what fitted nodes learned, by node number. `workers` is how many
    threads prepare data (None: as many as fit the machine; 0: none). `series` are its rows, where windows are cut from them."""

    section: DataSet
    table: Table
    root: Path
    fitted: dict[int, dict[str, Any]] = field(default_factory=dict)
    workers: int | None = None
    series: Series | None = None
    #: Streams that were made of the source's, by node number.
    streams: dict[int, NDArray[Any]] = field(default_factory=dict[int, NDArray[Any]], kw_only=True)
    #: What was filled in from rows before, for every row, by node number.
    filled: dict[int, Any] = field(default_factory=dict[int, Any], kw_only=True)

    def __post_init__(self) -> None:
        self.nodes: Mapping[int, DataNode] = {node.id: node for node in self.section.nodes}

    def real(self, identifier: int, training: bool) -> int:
        """The node that is used here in this mode: a `choose` is one of its inputs."""
        node = self.nodes[identifier]
        while node.op == "choose":
            node = self.nodes[node.inputs[0 if training else 1]]
        return node.id

    def read_by(self, identifier: int) -> tuple[int, ...]:
        """The nodes whose values for a record one reads: a stream has none, it is read where it is cut, and other rows may be read."""
        node = self.nodes[identifier]
        transform = transforms.of(node.op)
        elsewhere = node.type.kind == "stream" or transform.windows or transform.reads_before
        return () if elsewhere else node.inputs

    def cuts_rows(self, node: DataNode) -> bool:
        """Whether a node cuts rows of the table into windows."""
        return transforms.of(node.op).windows and self.nodes[node.inputs[0]].type.kind != "stream"

    def from_before(self, node: DataNode, records: NDArray[np.int64], whole: Callable[[int], Any]) -> Any:
        """What a node makes of rows before these: NumPy arrays, or texts. `whole` gives the values of a node for all rows."""
        if node.id not in self.filled:
            self.filled[node.id] = self._filled(node, whole(node.inputs[0]))
        return _of_records(self.filled[node.id], records)

    def filled_in(self, node: DataNode, column: str, row: int) -> bool:
        """Whether a missing cell of a column got a value of a row before it on its way to a node."""
        while node.inputs and not transforms.of(node.op).reads_before:
            node = self.nodes[self.real(node.inputs[-1], False)]
        cells_of = self.table.columns[column]
        if not node.inputs or self.series is None or not isinstance(cells_of, Cells):
            return False
        codes, names = cells_of.coded
        missing = np.array([cells_of.rule.is_missing(name) for name in names], bool)[codes]
        return not missing[self.series.newest(missing)[row]]

    def _filled(self, node: DataNode, value: Any) -> Any:
        assert self.series is not None
        if isinstance(value, dict):
            return {name: self._filled(node, member) for name, member in value.items()}
        if isinstance(value, np.ndarray):
            if value.dtype.kind != "f":
                return value
            return np.take_along_axis(value, self.series.newest(np.isnan(value)), axis=0)
        codes, names = text_columns.distinct(value)
        rule = self.rule(node)
        missing = np.array([rule.is_missing(name) for name in names], bool)[codes]
        return _of_records(value, self.series.newest(missing))

    def rows_behind(self, node: DataNode, record: int) -> list[int]:
        """The rows of the table that a value of a record is from: itself, or those of its window."""
        while node.inputs and not self.cuts_rows(node):
            node = self.nodes[self.real(node.inputs[-1], False)]
        if not node.inputs or self.series is None:
            return [record]
        return self.series.rows(node, np.array([record]))[0].tolist()

    def column_names(self, node: DataNode) -> list[str]:
        """The columns of a `columns` node: those that it learned, by name, in whatever order another table has them; until
        then those of the table."""
        if node.id in self.fitted:
            names = self.fitted[node.id]["names"]
            lacking = [name for name in names if name not in self.table.columns]
            if lacking:
                raise table_mistakes.columns_missing(node.span, self.table.name, lacking, names, list(self.table.order))
        else:
            given, left_out = node.args.get("names", ()), node.args.get("except", ())
            for name in (*given, *left_out):
                self.table.column(name, node.span)
            names = list(given) or [name for name in self.table.order if name not in left_out]
        if not names:
            raise table_mistakes.no_columns(node.span, self.table.name, node.args["except"])
        return names

    def columns_of(self, node: DataNode) -> list[str]:
        """Names of the columns that a node is made from."""
        if node.op == "source":
            return [node.args["field"]]
        if node.op == "columns":
            return self.column_names(node)
        return [name for identifier in node.inputs for name in self.columns_of(self.nodes[identifier])]

    def place(self, node: DataNode, record: int, at: tuple[int, ...] = ()) -> str:
        """The place of a number that a node makes: its record, and its column where that is known. `at` is its index in the record."""
        names, place = self.columns_of(node), self.table.place(record)
        if len(names) > 1 and len(at) == 1 and at[0] < len(names):
            names = names[at[0] : at[0] + 1]
        column = self.table.columns.get(names[0]) if len(names) == 1 else None
        of_table = isinstance(column, Cells) or (isinstance(column, Numbers) and column.array.ndim == 1)
        return f"{place}, column `{names[0]}`" if of_table else place

    def rule(self, node: DataNode) -> CellRule:
        """How the texts are read that a node is made from."""
        columns = (self.table.columns.get(name) for name in self.columns_of(node))
        return next((column.rule for column in columns if isinstance(column, Cells)), PLAIN)

    def column(self, node: DataNode, records: NDArray[np.int64]) -> NDArray[Any] | list[Any] | Selected:
        """A source field for these records: an array, cells, or a list of decoded images or of arrays of different lengths."""
        column = self.table.column(node.args["field"], node.span)
        match column:
            case Numbers(array):
                return self._widened(node, array[records], lambda at: int(records[at[0]]))
            case Cells():
                return column.select(records)
            case Ragged(arrays):
                return [self._array(node, arrays[i], i) for i in records.tolist()]
            case Images(paths, gray):
                return decode.images([paths[i] for i in records.tolist()], gray, node.span, self.workers)
            case Stream():
                raise split_mistakes.no_windows(node.span)

    def _array(self, node: DataNode, array: NDArray[Any] | None, record: int) -> NDArray[Any]:
        if array is None:
            raise table_mistakes.missing_value(node.span, self.table.place(record), node.args["field"])
        return self._widened(node, array, lambda _: record)

    def _widened(self, node: DataNode, array: NDArray[Any], record: Callable[[Any], int]) -> NDArray[Any]:
        """An array in a dtype that torch has; `record` is that of an index in it."""
        if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
            at = tuple(np.argwhere(array >= 2**63)[0].tolist())
            place = self.table.place(record(at))
            raise table_mistakes.out_of_range(node.span, node.args["field"], place, str(int(array[at])), "i64")
        wider = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}
        return np.ascontiguousarray(array.astype(wider.get(array.dtype.name, array.dtype)))

    def numbers_of_columns(self, node: DataNode, records: NDArray[np.int64]) -> NDArray[np.float32]:
        """The columns of a `columns` node, next to each other."""
        columns = [column_numbers(self.table, name, records, node.span) for name in self.column_names(node)]
        with np.errstate(over="ignore"):  # the field refuses what is infinite in f32, and names the record
            return np.stack(columns, 1).astype(np.float32)

    def numbers(self, node: DataNode, value: list[str] | Selected, records: NDArray[np.int64]) -> NDArray[np.float64]:
        """Cells as numbers (NaN is a missing one). Raises Failed for a cell that is neither."""
        try:
            return text_columns.numbers(value)
        except cells.NotANumber as wrong:
            raise self.bad_cell(node, value[wrong.position], int(records[wrong.position])) from None

    def need_images(self, node: DataNode, value: Any, records: NDArray[np.int64]) -> None:
        """Raises Failed where a transform of images would get what it cannot take: what a column has is known from the data alone."""
        if isinstance(value, dict):
            for member in value.values():  # pyright: ignore[reportUnknownVariableType]
                self.need_images(node, member, records)
            return
        items: Any = value if isinstance(value, list) else [] if isinstance(value, Selected) else value[:1]
        shapes: list[tuple[int, ...]] = [() if isinstance(item, str) else tuple(item.shape) for item in items] or [()]
        for at, shape in enumerate(shapes if len(records) else ()):
            if lacking := transforms.of(node.op).lacks(shape, node.args):
                found = "single values" if not shape else f"values of shape {list(shape)}"
                place = self.table.place(int(records[at]))
                raise table_mistakes.not_suited(node.span, place, node.op, lacking, self.columns_of(node), found)

    def texts(self, value: Any) -> Any:
        """Numbers, as an array or a tensor, as texts: a missing one is empty, as it is in a table of texts."""
        if isinstance(value, (list, dict, Selected)):
            return value  # pyright: ignore[reportUnknownVariableType]
        return [as_text(item) for item in value.tolist()]

    def bad_cell(self, node: DataNode, cell: str, record: int) -> Failed:
        """What to say of a cell that is not a number: it is one of the columns below `node`."""
        for name in self.columns_of(node):
            column = self.table.columns[name]
            if isinstance(column, Cells) and column[record] == cell:
                return not_a_number(self.table, name, record, node.span)
        return table_mistakes.not_a_number(node.span, self.table.place(record), node.name or node.op, cell, False)

    def vocabulary_of(self, node: DataNode) -> int | None:
        """How many numbers the `vocab` or tokenizer below a node gives; None where another transform makes them."""
        while node.inputs:
            node = self.nodes[self.real(node.inputs[0], False)]
            if transforms.of(node.op).stands_for in ("words", "tokens"):
                return vocabulary_size(node, self.fitted[node.id])
        return None

    def path_of(self, path: str) -> Path:
        return Path(os.path.normpath(self.root / path))


def _of_records(value: Any, records: NDArray[np.int64]) -> Any:
    """The values of some records."""
    if isinstance(value, dict):
        return {name: _of_records(member, records) for name, member in value.items()}
    if isinstance(value, Selected):
        return Selected(value.column, value.records[records])
    return [value[i] for i in records.tolist()] if isinstance(value, list) else value[records]


def no_number(nodes: Nodes, node: DataNode, span: Span, record: int, name: str, *, holes: bool = False) -> Failed:
    """What to say of a record that gives no finite number: the column below `node` that is to blame, else the field."""
    behind = ((row, column) for row in nodes.rows_behind(node, record) for column in nodes.columns_of(node))
    for row, name_of_column in behind:
        at, column = nodes.table.place(row), nodes.table.columns[name_of_column]
        name = name or name_of_column
        if isinstance(column, Numbers) and column.array.ndim == 1 and not np.isfinite(column.array[row]):
            return table_mistakes.not_finite(span, name_of_column, at)
        if not isinstance(column, Cells):
            continue
        cell = column[row].strip()
        if column.rule.is_missing(cell):
            if not holes and not nodes.filled_in(node, name_of_column, row):
                return table_mistakes.empty_cell(span, at, name_of_column, cell)
            continue
        if column.rule.number_text(cell) is not None and math.isinf(np.float32(cells.number(cell, column.rule))):
            return table_mistakes.infinite(span, at, name_of_column, cell)
    return table_mistakes.not_finite(span, name, nodes.place(node, record))


def vocabulary_size(node: DataNode, fitted: Mapping[str, Any]) -> int:
    """One more than the largest number that a fitted `vocab` or tokenizer gives."""
    if transforms.of(node.op).stands_for == "words":
        return Vocab.first_word(node.args) + len(fitted["words"])
    ends = [node.args[name] for name in ("bos", "eos") if node.args.get(name) is not None]
    return max(tokenizing.of_node(node, fitted).size, *(end + 1 for end in ends), 0)


def as_text(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return "" if isinstance(item, float) and math.isnan(item) else str(item)
