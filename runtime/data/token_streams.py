"""Streams that are made of others, or of records, when data is opened: tokens of a text, and tokens of records one after another.

    source.tokens -> bpe(train = 1000) -> random_window(65)              the characters of each split, tokenized
    source.text -> bpe(train = 1000, eos = 2) -> concat -> window(..)    the records of each split, in their order

Works without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.ir.data import DataNode, DataSet, Split
from . import mistakes, split_mistakes, streams, tokenizing
from .nodes import Nodes
from .streams import SplitPart
from .table import Cells, Stream, Table, encode
from .tokenizing import Unusable

PIECE = 1024  # records that are computed at a time

#: The values of a node for the records at some positions of a part, one a record.
Values = Callable[[int, SplitPart, "NDArray[np.int64]"], Iterable[Any]]


def base(nodes: Nodes) -> DataNode | None:
    """The node whose stream the windows of a section are cut from, where that is not the source. Raises Failed for windows of
    several streams, one of which is not."""
    found = {streams.below(nodes, cut)[0].id: cut for cut in streams.cuts(nodes.section)}
    made = [identifier for identifier in found if nodes.nodes[identifier].op != "source"]
    if made and len(found) > 1:
        raise split_mistakes.streams_differ(next(reversed(found.values())).span)
    return nodes.nodes[made[0]] if made else None


def tokenized(section: DataSet, source: DataNode) -> bool:
    """Whether a source gives a stream whose characters go into a tokenizer."""
    return source.type.kind == "stream" and any(
        source.id in node.inputs and streams.is_made(node) for node in section.nodes
    )


def with_texts(section: DataSet, table: Table) -> Table:
    """The table with texts that go into a tokenizer of a stream as streams of characters, one text behind a line end after another."""
    columns = dict(table.columns)
    for node in section.nodes:
        column = columns.get(node.args["field"]) if node.op == "source" and node.type.kind == "stream" else None
        if isinstance(column, Cells) and tokenized(section, node):
            columns[node.args["field"]] = encode("\n".join(column))
    count = max((len(column) for column in columns.values() if isinstance(column, Stream)), default=table.count)
    return replace(table, columns=columns, count=count)


def make(
    nodes: Nodes, node: DataNode, parts: Mapping[Split, SplitPart], values: Values
) -> dict[Split, tuple[int, int]]:
    """Makes the stream of a node, that of each split after another; where each begins and ends."""
    found: list[NDArray[np.int32]] = []
    bounds: dict[Split, tuple[int, int]] = {}
    at = 0
    for split, part in parts.items():
        tokens = _of_records(nodes, node, part, values) if _of_text(nodes, node) is None else _tokens(nodes, node, part)
        found.append(tokens)
        bounds[split] = at, at + len(tokens)
        at += len(tokens)
    nodes.streams[node.id] = np.concatenate(found)
    return bounds


def _of_text(nodes: Nodes, node: DataNode) -> DataNode | None:
    """The source of the text that a node tokenizes; None for a node that reads records."""
    below = nodes.nodes[nodes.real(node.inputs[0], False)]
    return below if below.type.kind == "stream" else None


def _of_records(nodes: Nodes, node: DataNode, part: SplitPart, values: Values) -> NDArray[np.int32]:
    found: list[NDArray[np.int32]] = []
    for start in range(0, len(part), PIECE):
        positions = np.arange(start, min(start + PIECE, len(part)))
        found += [np.asarray(item, np.int32) for item in values(node.inputs[0], part, positions)]
    return np.concatenate(found) if found else np.zeros(0, np.int32)


def _tokens(nodes: Nodes, node: DataNode, part: SplitPart) -> NDArray[np.int32]:
    made = tokenizing.of_node(node, nodes.fitted[node.id])
    try:
        found = [tokens.astype(np.int32) for tokens in made.encode(pieces(nodes, node, part.stream))]
    except Unusable as why:
        raise mistakes.tokenizer_unusable(node.span, node.op, str(why)) from None
    before, after = ([] if node.args.get(name) is None else [node.args[name]] for name in ("bos", "eos"))
    return np.concatenate([np.array(before, np.int32), *found, np.array(after, np.int32)])


def pieces(nodes: Nodes, node: DataNode, bounds: tuple[int, int]) -> list[str]:
    """The text that a node tokenizes between two places of its stream: cut where its tokenizer is learned from such pieces."""
    text = _text(nodes, node, bounds)
    return tokenizing.pieces(text) if node.args.get("path") is None else [text]


def _text(nodes: Nodes, node: DataNode, bounds: tuple[int, int]) -> str:
    source = _of_text(nodes, node)
    assert source is not None
    column = nodes.table.columns.get(source.args["field"]) if source.op == "source" else None
    if not isinstance(column, Stream) or column.names is None:
        raise mistakes.not_a_text(node.span, node.op, nodes.table.name)
    numbers = column.array[slice(*bounds)]
    if nodes.section.source.args.get("unit") == "line":
        return "".join(f"{column.names[number]}\n" for number in numbers.tolist())
    codes = np.array([ord(name) for name in column.names], np.uint32)
    return codes[numbers].astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
