"""The data graph of a section, evaluated for batches of records.

Nodes that nothing random precedes are *fixed*: computed once for a whole split where it fits. The rest is computed a
chunk of batches at a time, on the device, with numbers that are pure functions of (seed, epoch, record, node).
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms import Transform
from ...compiler.ir.data import DataNode, DataSet
from ...compiler.messages.diagnostics import Failed
from .. import randomness
from . import cells, decode, mistakes, streams, text_columns
from .draw import Draw, Records
from .streams import Part
from .table import Cells, Images, Numbers, Ragged, Stream, Table, column_numbers, not_a_number
from .transforms import function
from .transforms.text import mlm_mask, vocabulary_size
from .values import Place, TextUse, Value, each, is_cells, moved, packed, taken


@dataclass
class Graph:
    """A section's nodes over one table. `fitted` is what fitted nodes learned, by node number. `workers` is how many
    threads prepare data (None: as many as fit the machine; 0: none)."""

    section: DataSet
    table: Table
    root: Path
    fitted: dict[int, dict[str, Any]] = field(default_factory=dict)
    workers: int | None = None

    def __post_init__(self) -> None:
        self.nodes: Mapping[int, DataNode] = {node.id: node for node in self.section.nodes}

    # ---- which nodes -------------------------------------------------------------------------------------------------------

    def real(self, identifier: int, training: bool) -> int:
        """The node that is used here in this mode: a `choose` is one of its inputs."""
        node = self.nodes[identifier]
        while node.op == "choose":
            node = self.nodes[node.inputs[0 if training else 1]]
        return node.id

    def needed(self, targets: list[int], training: bool) -> list[int]:
        """The nodes that these need, in order."""
        found: set[int] = set()
        stack = [self.real(target, training) for target in targets]
        while stack:
            identifier = stack.pop()
            if identifier not in found:
                found.add(identifier)
                stack += [self.real(i, training) for i in self.nodes[identifier].inputs]
        return sorted(found)

    def changing(self, order: list[int], training: bool) -> set[int]:
        """Nodes that differ from epoch to epoch, or are windows of a stream (cheaper to cut again than to keep)."""
        found: set[int] = set()
        for identifier in order:
            node = self.nodes[identifier]
            if (
                transforms.of(node.op).windows
                or (training and transforms.of(node.op).random)
                or (node.type.kind == "stream")
                or any(self.real(i, training) in found for i in node.inputs)
            ):
                found.add(identifier)
        return found

    def windows(self) -> list[DataNode]:
        return streams.cuts(self.section)

    # ---- evaluation ----------------------------------------------------------------------------------------------------------

    def evaluate(
        self,
        targets: list[int],
        part: Part,
        positions: Records,
        *,
        training: bool,
        draw: Draw | None = None,
        known: Mapping[int, Value] | None = None,
        device: torch.device | None = None,
    ) -> dict[int, Value]:
        """The values of `targets` for the records at these positions of a split. `known` values are not computed again."""
        values: dict[int, Value] = dict(known or {})
        known_ids = set(values)
        for identifier in self._missing(targets, training, known_ids):
            node = self.nodes[identifier]
            inputs = [values[self.real(i, training)] for i in node.inputs]
            values[identifier] = self._node(
                node, inputs, part, positions, training, draw, device or torch.device("cpu")
            )
        return {target: values[self.real(target, training)] for target in targets}

    def _missing(self, targets: list[int], training: bool, known: set[int]) -> list[int]:
        found: set[int] = set()
        stack = [self.real(target, training) for target in targets]
        while stack:
            identifier = stack.pop()
            if identifier not in found and identifier not in known:
                found.add(identifier)
                stack += [self.real(i, training) for i in self.nodes[identifier].inputs]
        return sorted(found)

    def _node(
        self,
        node: DataNode,
        inputs: list[Value],
        part: Part,
        positions: Records,
        training: bool,
        draw: Draw | None,
        device: torch.device,
    ) -> Value:
        if node.type.kind == "stream":  # nothing until it is cut
            return {}
        op = node.op
        records = part.records[positions]
        place: Place = lambda i: self.table.place(int(records[i]))
        match op:
            case "source":
                return self.read(node, records)
            case "columns":
                columns = [column_numbers(self.table, name, records, node.span) for name in self.column_names(node)]
                return torch.stack([torch.from_numpy(column) for column in columns], 1).to(torch.float32)
            case "tuple":
                names = ("first", "second", "third", "fourth", "fifth", "sixth")
                return dict(zip(names, inputs, strict=False))
            case "member":
                assert isinstance(inputs[0], dict)
                return inputs[0][node.args["name"]]
            case _:
                pass
        transform = transforms.of(op)
        if transform.windows:
            return streams.windows(self, node, part, positions, draw if training else None, device)
        value = inputs[0]
        if isinstance(value, dict) and not transform.joins:
            members = value
            u = self._uniform(node, draw) if training else None
            return {
                name: self._transform(node, member, training, u, place, records) for name, member in members.items()
            }
        u = self._uniform(node, draw, value) if training else None
        return self._transform(node, value, training, u, place, records)

    def _transform(
        self, node: DataNode, value: Value, training: bool, u: Tensor | None, place: Place, records: Records
    ) -> Value:
        transform, apply = transforms.of(node.op), function(node.op)
        if apply is None:
            return value
        learned = self.fitted.get(node.id, {})
        args = {**node.args, **learned}
        match transform.takes:
            case "image":
                return self._image(transform, value, args, u)
            case "texts" | "words":
                texts = self.texts(value) if transform.takes == "texts" else value
                return apply(texts, TextUse(node, learned, place, self._path, self.columns_of(node)))
            case "tokens":
                return self._mlm(node, value, u, records)
            case _ if node.type.kind == "words":
                return [words[args.get("start") : args.get("stop", args.get("n"))] for words in value]
            case _:
                return each(self.as_numbers(node, value, records), lambda x: apply(x, args))

    def _image(self, transform: type[Transform], value: Value, args: Mapping[str, Any], u: Tensor | None) -> Value:
        if u is None:
            none = torch.zeros(0)
            names = (transform.evaluation or ()) if transform.random else (transform.name,)
            for name in names:
                apply = function(name)
                assert apply is not None
                given = (args, none) if transforms.of(name).takes == "image" else (args,)
                value = each(value, lambda x, apply=apply, given=given: apply(x, *given))
            return value
        apply = function(transform.name)
        assert apply is not None
        if isinstance(value, Tensor):
            return apply(value, args, u)
        assert isinstance(value, list)
        return packed([apply(item[None], args, u[i : i + 1])[0] for i, item in enumerate(value)])

    def _mlm(self, node: DataNode, value: Value, keys: Tensor | None, records: Records) -> Value:
        items = list(value) if isinstance(value, Tensor) else value
        assert isinstance(items, list)
        if keys is None:  # the same mask at every evaluation
            keys = randomness.as_tensor(randomness.record_keys(randomness.key("mlm_mask", node.id), records))
        vocabulary = max(self._vocabulary(node) or _largest(items) + 1, node.args["mask"] + 1)
        found: list[Any] = [
            mlm_mask(item[None], node.args, randomness.uniform(keys[i : i + 1], 2 * len(item)), vocabulary)
            for i, item in enumerate(items)
        ]
        return {name: packed([part[name][0] for part in found]) for name in ("ids", "labels")}

    def _vocabulary(self, node: DataNode) -> int | None:
        """How many numbers the `vocab` below a node gives; None where another transform makes them."""
        while node.inputs:
            node = self.nodes[self.real(node.inputs[0], False)]
            if transforms.of(node.op).stands_for == "words":
                return vocabulary_size(node.args, self.fitted[node.id])
        return None

    def _uniform(self, node: DataNode, draw: Draw | None, value: Value | None = None) -> Tensor | None:
        """What a random transform draws: numbers, or keys where it depends on the record how many."""
        if draw is None:
            return None
        transform = transforms.of(node.op)
        if not transform.random:
            return None
        keys, count = draw.keys(node.id), transform.numbers_drawn(node.args)
        return randomness.uniform(keys, count) if count else keys

    # ---- sources -----------------------------------------------------------------------------------------------------------

    def read(self, node: DataNode, records: Records) -> Value:
        """A source field for these records."""
        column = self.table.column(node.args["field"], node.span)
        match column:
            case Numbers(array):
                return self._tensor(node, array[records], lambda at: int(records[at[0]]))
            case Cells():
                return column.select(records)
            case Ragged(arrays):
                return packed([self._array(node, arrays[i], i) for i in records.tolist()])
            case Images(paths, gray):
                return packed(decode.images([paths[i] for i in records.tolist()], gray, node.span, self.workers))
            case Stream():
                raise mistakes.no_windows(node.span)

    def _array(self, node: DataNode, array: NDArray[Any] | None, record: int) -> Tensor:
        if array is None:
            raise mistakes.missing_value(node.span, self.table.place(record), node.args["field"])
        return self._tensor(node, array, lambda _: record)

    def _tensor(self, node: DataNode, array: NDArray[Any], record: Callable[[Any], int]) -> Tensor:
        """An array as a tensor; `record` is that of an index in it."""
        if array.dtype == np.uint64 and array.size and int(array.max()) >= 2**63:
            at = tuple(np.argwhere(array >= 2**63)[0].tolist())
            place = self.table.place(record(at))
            raise mistakes.out_of_range(node.span, node.args["field"], place, str(int(array[at])), "i64")
        wider = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}
        return torch.from_numpy(np.ascontiguousarray(array.astype(wider.get(array.dtype.name, array.dtype))))

    def column_names(self, node: DataNode) -> list[str]:
        """The columns of a `columns` node: those that it learned, by name, in whatever order another table has them; until
        then those of the table."""
        if node.id in self.fitted:
            names = self.fitted[node.id]["names"]
            lacking = [name for name in names if name not in self.table.columns]
            if lacking:
                raise mistakes.columns_missing(node.span, self.table.name, lacking, names, list(self.table.order))
        else:
            for name in node.args["except"]:
                self.table.column(name, node.span)
            names = [name for name in self.table.order if name not in node.args["except"]]
        if not names:
            raise mistakes.no_columns(node.span, self.table.name, node.args["except"])
        return names

    def columns_of(self, node: DataNode) -> list[str]:
        """Names of the columns that a node is made from."""
        if node.op == "source":
            return [node.args["field"]]
        if node.op == "columns":
            return self.column_names(node)
        return [name for identifier in node.inputs for name in self.columns_of(self.nodes[identifier])]

    def as_numbers(self, node: DataNode, value: Value, records: Records) -> Value:
        """Cells as numbers (NaN is a missing one), where a transform of numbers reads them. Raises Failed for a cell that is
        neither."""
        if not is_cells(value):
            return value
        try:
            return torch.from_numpy(text_columns.numbers(value))
        except cells.NotANumber as wrong:
            raise self.bad_cell(node, value[wrong.position], int(records[wrong.position])) from None

    def bad_cell(self, node: DataNode, cell: str, record: int) -> Failed:
        """What to say of a cell that is not a number: it is one of the columns below `node`."""
        for name in self.columns_of(node):
            column = self.table.columns[name]
            if isinstance(column, Cells) and column[record] == cell:
                return not_a_number(self.table, name, record, node.span)
        return mistakes.not_a_number(node.span, self.table.place(record), node.name or node.op, cell, False)

    def texts(self, value: Value) -> Any:
        """Numbers as texts: a missing one is empty, as it is in a table of texts."""
        if isinstance(value, Tensor):
            return [_text(item) for item in value.tolist()]
        return value

    def _path(self, path: str) -> Path:
        return Path(os.path.normpath(self.root / path))


def _text(item: Any) -> str:
    if isinstance(item, bool):
        return "true" if item else "false"
    return "" if isinstance(item, float) and math.isnan(item) else str(item)


def _largest(items: list[Any]) -> int:
    return max((int(item.max()) for item in items if len(item)), default=0)


def batched(value: Value, node: DataNode, index: Tensor, device: torch.device) -> Tensor:
    """The records at these positions as one tensor; ragged ones are filled up by the node's `pad`."""
    found = taken(value, index)
    return padded(found, node, device)


def padded(found: Value, node: DataNode, device: torch.device) -> Tensor:
    """Records as one tensor. Where all are empty they get one place of padding: no layer has to work on nothing."""
    fill = node.args["v"] if transforms.of(node.op).fills_batch else 0
    if isinstance(found, list):
        found = moved(torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=fill), device)
    assert isinstance(found, Tensor)
    empty = found.dim() > 1 and not found.shape[1]
    return found.new_full((len(found), 1, *found.shape[2:]), fill) if empty else found
