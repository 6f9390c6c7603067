"""Streams: a sequence that is not a record yet, and the windows that are cut from it.

Transforms of a stream work on each value alone, so they are done on the windows, when these are cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataNode, DataSet, Split
from .. import randomness
from . import mistakes
from .draw import Draw, Records
from .table import Stream, Table, column_numbers
from .transforms import function


class Nodes(Protocol):
    """What a stream asks of the graph it lies in (`graph.Graph`)."""

    table: Table
    fitted: dict[int, dict[str, Any]]
    nodes: Mapping[int, DataNode]

    def real(self, identifier: int, training: bool) -> int: ...


def cuts(section: DataSet) -> list[DataNode]:
    """The nodes that cut a stream into windows."""
    return [node for node in section.nodes if transforms.of(node.op).windows]


@dataclass
class Part:
    """Which records a split has, and for a stream where its values begin and end."""

    split: Split
    records: Records
    stream: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.records)


def part(split: Split, begin: int, end: int, nodes: list[DataNode]) -> Part:
    """The windows of a stretch of a stream, which begins at `begin` and ends before `end`."""
    counts: list[int] = []
    for node in nodes:
        n, length = node.args["n"], end - begin
        if length < n:
            raise mistakes.stream_too_short(node.span, split, length, n)
        if "stride" in node.args:
            counts.append((length - n) // node.args["stride"] + 1)
        else:
            counts.append(-(-length // n) if split == "train" else length // n)
    return Part(split, np.arange(min(counts), dtype=np.int64), (begin, end))


def windows(
    graph: Nodes, node: DataNode, part: Part, positions: Records, draw: Draw | None, device: torch.device
) -> Tensor:
    """The windows at these positions, [positions, n]: i64 of tokens, f32 of numbers. With `draw` those of
    `random_window` begin anywhere."""
    n = node.args["n"]
    begin, end = part.stream
    if transforms.of(node.op).random and draw is not None:
        u = randomness.record_keys(randomness.key(draw.base, "node", node.id), draw.records)
        starts = (u % np.uint64(end - begin - n + 1)).astype(np.int64) + begin
    else:  # an epoch of training rounds its windows up: read in order, the last one overlaps with that before it
        starts = begin + positions * node.args.get("stride", n)
        starts = np.minimum(starts, end - n)
    source, *nodes = below(graph, node)
    cut = _stream(graph, source)[starts[:, None] + np.arange(n)]
    x = torch.from_numpy(cut.astype(np.float32 if cut.dtype.kind == "f" else np.int64)).to(device)
    return _transformed(graph, x, nodes)


def stretch(graph: Nodes, node: DataNode, part: Part) -> Tensor:
    """All values of a part as they come out of a stream's node: [values]."""
    source, *nodes = [*below(graph, node), node]
    values = torch.from_numpy(np.ascontiguousarray(_stream(graph, source)[slice(*part.stream)]))
    return _transformed(graph, values, nodes)


def below(graph: Nodes, node: DataNode) -> list[DataNode]:
    """What leads to a node of a stream, first the source, without the node."""
    found: list[DataNode] = []
    while node.inputs:
        node = graph.nodes[graph.real(node.inputs[0], False)]
        found.append(node)
    return found[::-1]


def _stream(graph: Nodes, source: DataNode) -> NDArray[Any]:
    column = graph.table.column(source.args["field"], source.span)
    assert isinstance(column, Stream)
    return column.array


def _transformed(graph: Nodes, x: Tensor, nodes: list[DataNode]) -> Tensor:
    for node in nodes:
        apply = function(node.op)
        assert apply is not None
        x = apply(x, {**node.args, **graph.fitted.get(node.id, {})})
    return x


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
    return Stream(lookup[stream.array], tuple(names))


# ---- streams of other tables -------------------------------------------------------------------------------------------


def as_streams(section: DataSet, table: Table) -> Table:
    """A table that was given for prediction, its columns made streams where the section has streams."""
    columns = dict(table.columns)
    for node in section.nodes:
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
