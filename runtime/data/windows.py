"""The windows of a stream, as tensors. Transforms of a stream work on each value alone, so they are done on the windows, when
these are cut."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataNode
from .. import randomness
from . import streams
from .draw import ChunkDraw, Records
from .nodes import Nodes
from .streams import SplitPart
from .transforms import function
from .values import Value


def windows(
    graph: Nodes, node: DataNode, part: SplitPart, positions: Records, draw: ChunkDraw | None, device: torch.device
) -> Tensor:
    """The windows at these positions, [positions, n]: i64 of tokens, f32 of numbers. With `draw` those of
    `random_window` begin anywhere."""
    if transforms.of(node.op).random and draw is not None:
        begin, end = part.stream
        u = randomness.record_keys(randomness.key(draw.base, "node", node.id), draw.records)
        starts = (u % np.uint64(end - begin - node.args["n"] + 1)).astype(np.int64) + begin
    else:
        starts = streams.in_order(part, node, positions)
    x = torch.from_numpy(streams.cut(graph, node, starts)).to(device)
    return _transformed(graph, x, streams.below(graph, node)[1:])


def of_rows(node: DataNode, values: Value, index: Tensor) -> Value:
    """The windows whose rows are these, [windows, n + horizon] into the values of all rows; with a horizon as `past` and `next`."""
    if isinstance(values, dict):
        return {name: of_rows(node, member, index) for name, member in values.items()}
    assert isinstance(values, Tensor)
    n = node.args["n"]
    if node.args["horizon"] is None:
        return values[index]
    return {"past": values[index[:, :n]], "next": values[index[:, n:]]}


def stretch(graph: Nodes, node: DataNode, part: SplitPart) -> Tensor:
    """All values of a part as they come out of a stream's node: [values]."""
    source, *nodes = [*streams.below(graph, node), node]
    values = torch.from_numpy(np.ascontiguousarray(streams.values_of(graph, source)[slice(*part.stream)]))
    return _transformed(graph, values, nodes)


def _transformed(graph: Nodes, x: Tensor, nodes: list[DataNode]) -> Tensor:
    for node in nodes:
        apply = function(node.op)
        assert apply is not None
        x = apply(x, {**node.args, **graph.fitted.get(node.id, {})})
    return x
