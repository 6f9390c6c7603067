"""Streams: a sequence that is not a record yet, and which windows are cut from it. Works without torch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue import transforms
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataNode, DataSet, Split
from . import split_mistakes
from .nodes import Nodes
from .table import JoinedArrays, Stream, Table, column_numbers


def cuts(section: DataSet) -> list[DataNode]:
    """The nodes that cut a stream into windows."""
    return [
        node
        for node in section.nodes
        if transforms.of(node.op).windows and section.node(node.inputs[0]).type.kind == "stream"
    ]


@dataclass
class SplitPart:
    """Which records a split has, and for a stream where its values begin and end."""

    split: Split
    records: NDArray[np.int64]
    stream: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.records)


def part(split: Split, begin: int, end: int, nodes: list[DataNode]) -> SplitPart:
    """The windows of a stretch of a stream, which begins at `begin` and ends before `end`."""
    counts: list[int] = []
    for node in nodes:
        n, length = node.args["n"], end - begin
        if length < n:
            raise split_mistakes.stream_too_short(node.span, split, length, n)
        if "stride" in node.args:
            counts.append((length - n) // node.args["stride"] + 1)
        else:
            counts.append(-(-length // n) if split == "train" else length // n)
    return SplitPart(split, np.arange(min(counts), dtype=np.int64), (begin, end))


def below(graph: Nodes, node: DataNode) -> list[DataNode]:
    """What leads to a node of a stream, first the source or what makes a stream of it, without the node."""
    found: list[DataNode] = []
    while node.inputs and not is_made(node):
        node = graph.nodes[graph.real(node.inputs[0], False)]
        found.append(node)
    return found[::-1]


def is_made(node: DataNode) -> bool:
    """Whether a node makes a stream of its own length (`token_streams`)."""
    return node.type.kind == "stream" and transforms.of(node.op).makes_stream


def values_of(graph: Nodes, source: DataNode) -> NDArray[Any] | JoinedArrays:
    if source.id in graph.streams:
        return graph.streams[source.id]
    column = graph.table.column(source.args["field"], source.span)
    assert isinstance(column, Stream)
    return column.array


def in_order(part: SplitPart, node: DataNode, positions: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where windows begin that go through a stream in order: the last one of an epoch of training, which rounds their number up,
    overlaps with that before it."""
    begin, end = part.stream
    return np.minimum(begin + positions * node.args.get("stride", node.args["n"]), end - node.args["n"])


def cut(nodes: Nodes, node: DataNode, starts: NDArray[np.int64]) -> NDArray[Any]:
    """The windows that begin there, as the source has them: [windows, n], i64 of tokens, f32 of numbers."""
    found = values_of(nodes, below(nodes, node)[0])[starts[:, None] + np.arange(node.args["n"])]
    return found.astype(np.float32 if found.dtype.kind == "f" else np.int64)


# ---- vocabulary of texts -----------------------------------------------------------------------------------------------


def with_vocabulary(section: DataSet, table: Table, train: tuple[int, int], fitted: dict[int, dict[str, Any]]) -> Table:
    """The table with the streams of texts numbered by the distinct characters (or lines) of the train part, in their
    sorted order; all others have the number behind the last. The names are kept in `fitted`, by the source's node."""
    columns = dict(table.columns)
    for node in section.nodes:
        column = columns.get(node.args["field"]) if node.op == "source" else None
        if not isinstance(column, Stream) or column.names is None:
            continue
        if node.id not in fitted:
            present = np.unique(column.array[slice(*train)]).tolist()
            fitted[node.id] = {"names": [column.names[i] for i in present]}
        columns[node.args["field"]] = renumbered(column, fitted[node.id]["names"])
    return replace(table, columns=columns)


def renumbered(stream: Stream, names: list[str]) -> Stream:
    """A stream numbered by these names; what is none of them has the number behind the last."""
    number = {name: i for i, name in enumerate(names)}
    lookup = np.array([number.get(name, len(names)) for name in stream.names or ()], np.int32)
    return Stream(lookup[stream.array[:]], tuple(names))


# ---- streams of other tables -------------------------------------------------------------------------------------------


def as_streams(nodes: Iterable[DataNode], table: Table) -> Table:
    """A table that was given for prediction, its columns made streams where these nodes read streams."""
    columns = dict(table.columns)
    for node in nodes:
        if node.op != "source" or node.type.kind != "stream" or isinstance(columns.get(node.args["field"]), Stream):
            continue
        name = node.args["field"]
        values = column_numbers(table, name, np.arange(table.count), node.span)
        columns[name] = Stream(values.astype(np.float32 if node.type.dtype == "f32" else np.int64))
    return replace(table, columns=columns)


def reach(section: DataSet, identifier: int) -> list[int]:
    """How many values of its window a field reads, from the window's beginning: a field that leaves out the last value
    needs one less than there are. Empty for a field that is from no window."""
    node = section.node(identifier)
    picks: list[DataNode] = []
    while node.inputs and not transforms.of(node.op).windows:
        picks.append(node)
        node = section.node(node.inputs[-1])
    if not transforms.of(node.op).windows:
        return []
    read = np.arange(node.args["n"])
    for pick in reversed(picks):
        if pick.op == "slice":
            read = read[pick.args["start"] : pick.args["stop"]]
        elif pick.op == "index":
            read = read[[pick.args["at"]]]
    return [int(read.max()) + 1] if len(read) else []
