"""What fitted transforms learn from the train split."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.ir.data import DataNode
from . import mistakes, streams, table_mistakes, token_streams, windows
from .graph import Graph, Records, SplitPart
from .nodes import no_number
from .tokenizing import of_file
from .transforms import learning
from .transforms.number import Blanks, NothingToLearn
from .values import Value, joined


def fit(graph: Graph, split: SplitPart, last: int | None = None) -> None:
    """Learns what fitted nodes need, on one split, in order; with `last` those up to this node. What is below windows of rows
    learns from the rows that these have."""
    rows = split
    if graph.series is not None:
        rows = SplitPart(split.split, graph.series.all_rows(split.records))
    for node in graph.section.nodes[: None if last is None else last + 1]:
        if node.op == "columns" and node.id not in graph.fitted:
            graph.fitted[node.id] = {"names": graph.column_names(node)}
        transform = transforms.of(node.op)
        if not transform.learns or node.id in graph.fitted:
            continue
        if transform.stands_for == "tokens" and node.args["path"] is not None:  # of no record
            graph.fitted[node.id] = {"tokenizer": of_file(node.op, graph.path_of(node.args["path"]), node.span)}
            continue
        if streams.is_made(node):
            texts = token_streams.pieces(graph, node, split.stream)
            graph.fitted[node.id] = _learned(graph, node, texts, np.arange(*split.stream))
            continue
        if node.type.kind == "stream":
            value = windows.stretch(graph, graph.nodes[node.inputs[0]], split)
            _check_numbers(graph, node, value, np.arange(*split.stream), holes=transform.fills)
            graph.fitted[node.id] = _learned(graph, node, value, np.arange(*split.stream))
            continue
        part = split if any(graph.cuts_rows(graph.nodes[i]) for i in graph.needed([node.id], training=False)) else rows
        value = graph.evaluate([node.inputs[0]], part, np.arange(len(part)), training=False)[node.inputs[0]]
        records = part.records
        if isinstance(value, dict):  # one vocabulary, one mean for all members
            records = np.tile(records, len(value))
            value = joined(list(value.values()))
        takes = transform.taken(node.args)
        if takes == "numbers":
            value = graph.as_numbers(node, value, records)
            _check_numbers(graph, node, value, records, holes=transform.fills)
        elif takes == "texts":
            value = graph.texts(value)
        graph.fitted[node.id] = _learned(graph, node, value, records)


def _learned(graph: Graph, node: DataNode, value: Value, records: Records) -> dict[str, Any]:
    try:
        return learning(node.op)(value, {**node.args, "rule": graph.rule(node)})
    except Blanks as twins:
        record = int(records[list(value).index(twins.name)])
        raise table_mistakes.blanks_differ(
            node.span, graph.table.place(record), graph.columns_of(node), twins.name
        ) from None
    except NothingToLearn:
        texts = transforms.of(node.op).taken(node.args) == "texts"
        raise mistakes.nothing_to_learn(node.span, node.op, graph.columns_of(node), of_texts=texts) from None


def _check_numbers(graph: Graph, node: DataNode, value: Value, records: Records, *, holes: bool) -> None:
    """Numbers to learn from must be numbers: one that is not would spoil every record. `holes` may be there."""
    if not isinstance(value, Tensor) or not value.is_floating_point() or not len(value):
        return
    good = (torch.isfinite(value) | value.isnan() if holes else torch.isfinite(value)).reshape(len(value), -1).all(1)
    if not bool(good.all()):
        record = int(records[int((~good).nonzero()[0])])
        raise no_number(graph, node, node.span, record, "", holes=holes)
