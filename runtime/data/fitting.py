"""What fitted transforms learn from the train split."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataNode
from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from . import mistakes, streams
from .graph import Graph, Part, Records
from .table import MISSING_CELLS, Cells
from .transforms import learning
from .values import Value, joined


def fit(graph: Graph, part: Part) -> None:
    """Learns what fitted nodes need, on one split, in order."""
    for node in graph.section.nodes:
        transform = transforms.of(node.op)
        if not transform.fitted or node.id in graph.fitted:
            continue
        if node.type.kind == "stream":
            value = streams.stretch(graph, graph.nodes[node.inputs[0]], part)
            _check_numbers(graph, node, value, np.arange(*part.stream), holes=transform.fills)
            graph.fitted[node.id] = learning(node.op)(value, node.args)
            continue
        value = graph.evaluate([node.inputs[0]], part, np.arange(len(part)), training=False)[node.inputs[0]]
        if isinstance(value, dict):  # one vocabulary, one mean for all members
            value = joined(list(value.values()))
        if transform.takes == "numbers":
            value = graph.as_numbers(node, value, part.records)
            _check_numbers(graph, node, value, part.records, holes=transform.fills)
        elif transform.takes == "texts":
            value = graph.texts(value)
        graph.fitted[node.id] = learning(node.op)(value, node.args)


def _check_numbers(graph: Graph, node: DataNode, value: Value, records: Records, *, holes: bool) -> None:
    """Numbers to learn from must be numbers: one that is not would spoil every record. `holes` may be there."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or not len(value):
        return
    good = (torch.isfinite(value) | value.isnan() if holes else torch.isfinite(value)).reshape(len(value), -1).all(1)
    if not bool(good.all()):
        record = int(records[int((~good).nonzero()[0])])
        raise no_number(graph, node, node.span, record, "", holes=holes)


def no_number(graph: Graph, node: DataNode, span: Span, record: int, name: str, *, holes: bool = False) -> Failed:
    """What to say of a record that gives no finite number: the column below `node` that is to blame, else the field."""
    place = graph.table.place(record)
    for column in _columns_below(graph, node):
        cells = graph.table.columns[column]
        name = name or column
        if not isinstance(cells, Cells):
            continue
        cell = cells.values[record].strip().lower()
        if cell in MISSING_CELLS and not holes:
            return mistakes.empty_cell(span, place, column)
        if "inf" in cell or (cell.lstrip("+-")[:1].isdecimal() and math.isinf(float(np.float32(cell)))):
            return mistakes.infinite(span, place, column, cells.values[record].strip())
    return mistakes.not_finite(span, name, place)


def _columns_below(graph: Graph, node: DataNode) -> list[str]:
    """Names of the columns that a node is made from."""
    if node.op == "source":
        return [node.args["field"]]
    if node.op == "columns":
        return [name for name in graph.table.order if name not in node.args["except"]]
    return [name for identifier in node.inputs for name in _columns_below(graph, graph.nodes[identifier])]
