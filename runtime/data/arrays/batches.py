"""Raw records as the inputs of a model, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue import transforms
from ....compiler.dataclass import dataclass, field
from ....compiler.ir.data import DataSet
from ...failure import BadInput
from .. import series, streams, token_streams
from ..series import Series
from ..streams import SplitPart
from ..table import Column, Stream, Table
from .declared import DTYPES, as_field, check_lengths, padded, shared_lengths
from .section import EvaluationNodes, Value

Array: TypeAlias = "NDArray[Any]"


@dataclass(frozen=True)
class Called:
    """What records are called: their places, and by name the columns that a person knows them by, `about` them."""

    places: list[str]
    about: Mapping[str, list[str]] = field(default_factory=dict[str, "list[str]"])


@dataclass(frozen=True)
class InputPipeline:
    """What leads from raw records to the inputs of a model: nodes of a data section, and what they learned. `fields` are the batch
    fields by input, `inside` the nodes that the graph of a file holds, `root` is where files lie that the section names."""

    section: DataSet
    fitted: dict[int, dict[str, Any]]
    fields: Mapping[str, str]
    inside: Mapping[str, frozenset[int]] = field(default_factory=dict)
    root: Path = Path()

    def nodes(self) -> set[int]:
        """The nodes that the inputs are made from."""
        return {
            identifier
            for name in self.fields.values()
            for identifier in below(self.section, self.section.field(name).node)
        }

    def columns(self, name: str) -> list[str]:
        """Names of the columns of a table that an input is from."""
        found: dict[str, None] = {}
        for identifier in sorted(below(self.section, self.section.field(self.fields[name]).node)):
            node = self.section.node(identifier)
            if node.op == "source":
                found[node.args["field"]] = None
            elif node.op == "columns":
                found.update(dict.fromkeys(self.fitted.get(identifier, {}).get("names", ())))
        return list(found)

    def batches(
        self, table: Table, size: int, dtypes: Mapping[str, Any] | None = None
    ) -> Iterator[tuple[Called, dict[str, Array]]]:
        """What each record is called, and arrays by input, `size` records at a time. `dtypes` are those of the inputs (default: as
        the fields declare them); of one of strings the names of classes are handed on, checked."""
        nodes = self._over(table)
        table, part = nodes.table, nodes.part
        for start in range(0, len(part), size):
            positions = np.arange(start, min(start + size, len(part)))
            known: dict[Collection[int], dict[int, Value]] = {}
            with np.errstate(all="ignore"):  # a field refuses what is not finite, and names the record
                columns = self._inputs(nodes, positions, known, dtypes or {})
            whole = {self.fields[name]: column for name, column in columns.items() if not self.inside.get(name)}
            shared = shared_lengths([self.section.field(name) for name in whole])
            check_lengths(nodes, shared, whole, part.records[positions])
            with np.errstate(all="ignore"):  # what fills up may be no number of the column's type
                arrays = {
                    name: padded(column, self._fill(nodes, self.fields[name])) for name, column in columns.items()
                }
            yield self._called(table, part.records[positions]), arrays

    def _inputs(
        self,
        nodes: EvaluationNodes,
        positions: NDArray[np.int64],
        known: dict[Collection[int], dict[int, Value]],
        dtypes: Mapping[str, Any],
    ) -> dict[str, Any]:
        return {name: self._input(nodes, name, positions, known, dtypes.get(name)) for name in self.fields}

    def _input(
        self,
        nodes: EvaluationNodes,
        name: str,
        positions: NDArray[np.int64],
        known: dict[Collection[int], dict[int, Value]],
        dtype: Any,
    ) -> Any:
        found, inside = self.section.field(self.fields[name]), self.inside.get(name, frozenset())
        value = nodes.values(found.node, positions, inside, known.setdefault(inside, {}))
        if dtype is not None and np.dtype(dtype).kind in "OU":
            nodes.values(found.node, positions, known=known.setdefault(frozenset(), {}))  # refuses what is not a class
            return np.array(list(nodes.texts(value)), object)
        holes = any(transforms.of(nodes.nodes[identifier].op).fills for identifier in inside)
        wanted = DTYPES[found.type.dtype] if dtype is None else dtype
        records = nodes.part.records[positions]
        return as_field(nodes, found, value, records, wanted, raw=bool(inside), holes=holes)

    def _fill(self, nodes: EvaluationNodes, name: str) -> int:
        node = nodes.nodes[nodes.real(self.section.field(name).node, False)]
        return node.args["v"] if transforms.of(node.op).fills_batch else 0

    def _series(self, table: Table) -> Series | None:
        """The rows of a table as series, where the inputs are windows of them or read rows before."""
        nodes = sorted(self.nodes())
        reach = series.read_by(self.section, nodes)
        ordered = bool(reach) or any(transforms.of(self.section.node(i).op).reads_before for i in nodes)
        return series.read(self.section, table, reach) if ordered else None

    def _newest(self, table: Table, found: Series) -> SplitPart:
        """The last window of each series; of windows without a horizon all."""
        forecasts = any(self.section.node(identifier).args["horizon"] is not None for identifier in found.reach)
        anchors = found.anchors(last=forecasts)
        before, after = found.longest
        lacking = found.without(anchors) if forecasts or not len(anchors) else None
        if lacking is not None:
            record, rows = lacking
            order = self.section.order
            name = order.series if order is not None else None
            whose = "the series" if name is None else f"the series `{name}` = {series.shown_of(table, name, record)}"
            more = "" if not after else f", {after} of them for what is known in advance"
            raise BadInput(
                f"{table.place(record)}: {whose} ends with {rows} rows, the model reads {before + after}{more}",
                helps=(f"give at least {before + after} rows of it in {table.name}, or leave it out",),
            )
        return SplitPart("test", np.sort(anchors))

    def _called(self, table: Table, records: NDArray[np.int64]) -> Called:
        """What records are called: by their place, and where they end the past of windows by series and time."""
        order = self.section.order
        names = [] if order is None else [name for name in (order.series, order.time) if name is not None]
        about = {name: [series.shown_of(table, name, int(i)) for i in records] for name in names}
        return Called([table.place(int(i)) for i in records], about)

    def _over(self, table: Table) -> EvaluationNodes:
        """The section over what is read of a table: all its records, or the windows that its stream has. Values of a window that no
        input reads, its target, need not be there: the stream is filled up in their place."""
        section, found = self.section, self._series(table)
        if found is not None and found.reach:
            return EvaluationNodes(
                section, table, self.root, self.fitted, series=found, part=self._newest(table, found)
            )
        read_by = [section.node(identifier) for identifier in sorted(self.nodes())]
        windows = [node for node in read_by if transforms.of(node.op).windows]
        if windows:
            table = streams.as_streams(read_by, token_streams.with_texts(section, table))
        every = SplitPart("test", np.arange(table.count, dtype=np.int64), (0, table.count))
        nodes = EvaluationNodes(section, table, self.root, self.fitted, series=found, part=every)
        if not windows:
            return nodes
        base, name = token_streams.base(nodes), table.name
        if base is not None:
            _, count = token_streams.make(nodes, base, {"test": every}, lambda node, _, at: nodes.values(node, at))[
                "test"
            ]
            table = nodes.table = replace(table, count=count, place=lambda record: f"{name} window {record}")
        n = max(node.args["n"] for node in windows)
        read = max(
            (stop for name in self.fields.values() for stop in streams.reach(section, section.field(name).node)),
            default=n,
        )
        if table.count < read:
            raise BadInput(
                f"the input is too short: it has {table.count} values, the model reads {read}",
                helps=(f"give at least {read} values in {table.name}",),
            )
        spare = n - read
        columns = {name: _longer_column(column, spare) for name, column in table.columns.items()}
        nodes.table = replace(table, columns=columns)
        nodes.streams = {identifier: _longer(array, spare) for identifier, array in nodes.streams.items()}
        nodes.part = streams.part("test", 0, table.count + spare, windows)
        return nodes


def _longer_column(column: Column, count: int) -> Column:
    return replace(column, array=_longer(column.array[:], count)) if isinstance(column, Stream) else column


def _longer(array: Array, count: int) -> Array:
    return np.concatenate([array, array[-1:].repeat(count)]) if count else array


def in_evaluation(section: DataSet, identifier: int) -> int:
    """The node that is used in evaluation: a `choose` is its second input."""
    node = section.node(identifier)
    while node.op == "choose":
        node = section.node(node.inputs[1])
    return node.id


def below(section: DataSet, identifier: int) -> set[int]:
    """A node and all that it is made from in evaluation."""
    found: set[int] = set()
    waiting = [identifier]
    while waiting:
        at = in_evaluation(section, waiting.pop())
        if at not in found:
            found.add(at)
            waiting += section.node(at).inputs
    return found
