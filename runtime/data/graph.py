"""The data graph of a section, evaluated for batches of records.

Nodes that nothing random precedes are *fixed*: computed once for a whole split where it fits. The rest is computed a
chunk of batches at a time, on the device, with numbers that are pure functions of (seed, epoch, record, node).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import DataNode
from ...compiler.sizes.types import shape_text
from .. import randomness
from . import decode, image_chains, series_mistakes, streams, table_mistakes, windows
from .arrays.number import NotBelow
from .arrays.shapes import each, largest
from .arrays.text_use import Place, TextUse
from .draw import ChunkDraw, Records
from .image_chains import ChainStep, ImageChain, Link, between
from .kept_tokens import KeptTokens
from .nodes import Nodes
from .streams import SplitPart
from .table import Images
from .text_columns import Selected, is_cells
from .transforms import function
from .transforms.text import mlm_mask
from .values import Value, arrays_of, as_value, joined, moved, packed

PIECE = 4096  # rows of a series that are computed at a time


@dataclass
class Graph(Nodes):
    """A section's nodes, computed with torch. `used` are the rows that windows have, where there are some."""

    used: Records = field(default_factory=lambda: np.zeros(0, np.int64))
    _rows: dict[tuple[int, torch.device], Value] = field(init=False, default_factory=dict[Any, Any])

    def __post_init__(self) -> None:
        super().__post_init__()
        self._lock, self._threads = Lock(), 0
        self._pool: ThreadPoolExecutor | None = None
        self._memory = image_chains.BatchMemory()
        self.tokens = KeptTokens(self.table.count)

    # ---- which nodes -------------------------------------------------------------------------------------------------------

    def needed(self, targets: list[int], training: bool) -> list[int]:
        """The nodes that these need, in order."""
        found: set[int] = set()
        stack = [self.real(target, training) for target in targets]
        while stack:
            identifier = stack.pop()
            if identifier not in found:
                found.add(identifier)
                stack += [self.real(i, training) for i in self.read_by(identifier)]
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
                or any(self.real(i, training) in found for i in self.read_by(identifier))
            ):
                found.add(identifier)
                if transforms.of(node.op).branches:
                    inputs = {i: [self.real(each, training) for each in self.nodes[i].inputs] for i in order}
                    found.update(
                        i for end in inputs[identifier][1:] for i in between(inputs, inputs[identifier][0], end)
                    )
        return found

    def windows(self) -> list[DataNode]:
        return streams.cuts(self.section)

    # ---- evaluation ----------------------------------------------------------------------------------------------------------

    def evaluate(
        self,
        targets: list[int],
        part: SplitPart,
        positions: Records,
        *,
        training: bool,
        draw: ChunkDraw | None = None,
        known: Mapping[int, Value] | None = None,
        device: torch.device | None = None,
    ) -> dict[int, Value]:
        """The values of `targets` for the records at these positions of a split. `known` values are not computed again."""
        values: dict[int, Value] = dict(known or {})
        order = self._missing(targets, training, set(values))
        for identifier in filter(self._tokenizes, order):
            kept = self.tokens.of(identifier, part.records[positions])
            if kept is not None:
                values[identifier] = kept
        order = self._missing(targets, training, set(values))
        wanted = {self.real(target, training) for target in targets}
        plan = image_chains.plan(self, order, wanted, training, self._decodes)
        for identifier in order:
            if identifier in plan.inside:
                continue
            node = self.nodes[identifier]
            if identifier in plan.chains:
                records = part.records[positions]
                values[identifier] = self._images(plan.chains[identifier], values, records, training, draw)
                continue
            inputs = [values[self.real(i, training)] for i in self.read_by(identifier)]
            values[identifier] = self._node(
                node, inputs, part, positions, training, draw, device or torch.device("cpu")
            )
            if self._tokenizes(identifier):
                self.tokens.keep(identifier, part.records[positions], values[identifier])
        return {target: values[self.real(target, training)] for target in targets}

    def _tokenizes(self, identifier: int) -> bool:
        node = self.nodes[identifier]
        return transforms.of(node.op).stands_for == "tokens" and node.type.kind != "stream"

    def _decodes(self, identifier: int) -> bool:
        """Whether a node is a source whose images can be decoded one by one on their way through a chain."""
        node = self.nodes[identifier]
        column = self.table.columns.get(node.args["field"]) if node.op == "source" else None
        return isinstance(column, Images) and not column.gray

    def _images(
        self, chain: ImageChain, values: Mapping[int, Value], records: Records, training: bool, draw: ChunkDraw | None
    ) -> Value:
        steps = [self._step(link, training, draw) for link in chain.links]
        if chain.start not in values:
            return image_chains.run(
                steps, self._decoder(self.nodes[chain.start], records), len(records), self.pool(), self._memory
            )
        value = self.as_numbers(self.nodes[chain.start], values[chain.start], records)
        for link in chain.links[:1]:
            self.need_images(link.node, values[chain.start], records)
        if isinstance(value, dict):  # the members of a record share what is drawn
            return {name: self._through(steps, member, len(records)) for name, member in value.items()}
        return self._through(steps, value, len(records))

    def _through(self, steps: Sequence[ChainStep], value: Value, count: int) -> Value:
        if isinstance(value, Tensor) and value.device.type != "cpu":
            return image_chains.chain(steps, value, np.arange(count))
        return image_chains.run(steps, value, count, self.pool(), self._memory)

    def _step(self, link: Link, training: bool, draw: ChunkDraw | None) -> ChainStep:
        u = self._uniform(link.node, draw) if training else None
        drawn = u.numpy() if u is not None and u.device.type == "cpu" else u
        branches = tuple(tuple(self._step(inner, training, draw) for inner in branch) for branch in link.branches)
        return ChainStep(link.node.op, {**link.node.args, **self.fitted.get(link.node.id, {})}, drawn, branches)

    def _decoder(self, node: DataNode, records: Records) -> image_chains.Decode:
        column = self.table.columns[node.args["field"]]
        assert isinstance(column, Images)
        decode.load_formats(node.span)
        return lambda at: decode.picture(column.paths[int(records[at])], node.span)

    def pool(self) -> ThreadPoolExecutor | None:
        """The threads that prepare images; None where the calling thread does."""
        count = decode.threads(self.workers)
        with self._lock:
            if count != self._threads:
                if self._pool is not None:
                    self._pool.shutdown(wait=False)
                self._pool = ThreadPoolExecutor(count, "images") if count > 1 else None
                self._threads = count
            return self._pool

    def _missing(self, targets: list[int], training: bool, known: set[int]) -> list[int]:
        found: set[int] = set()
        stack = [self.real(target, training) for target in targets]
        while stack:
            identifier = stack.pop()
            if identifier not in found and identifier not in known:
                found.add(identifier)
                stack += [self.real(i, training) for i in self.read_by(identifier)]
        return sorted(found)

    def _node(
        self,
        node: DataNode,
        inputs: list[Value],
        part: SplitPart,
        positions: Records,
        training: bool,
        draw: ChunkDraw | None,
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
                return torch.from_numpy(self.numbers_of_columns(node, records))
            case "tuple":
                names = ("first", "second", "third", "fourth", "fifth", "sixth")
                return dict(zip(names, inputs, strict=False))
            case "member":
                assert isinstance(inputs[0], dict)
                return inputs[0][node.args["name"]]
            case _:
                pass
        transform = transforms.of(op)
        if transform.reads_before:
            return as_value(self.from_before(node, records, self._whole))
        if self.cuts_rows(node):
            assert self.series is not None
            values = self.rows(node.inputs[0], self.used, training=training, device=device)
            index = torch.from_numpy(self.series.rows(node, records)).to(device)
            return windows.of_rows(node, values, index)
        if transform.windows:
            return windows.windows(self, node, part, positions, draw if training else None, device)
        value = inputs[0]
        if isinstance(value, dict) and not transform.joins:
            members = value
            u = self._uniform(node, draw) if training else None
            return {
                name: self._transform(node, member, training, u, place, records) for name, member in members.items()
            }
        u = self._uniform(node, draw, value) if training else None
        return self._transform(node, value, training, u, place, records)

    def _whole(self, identifier: int) -> Any:
        """The values of a node for all rows of the table, as NumPy arrays or texts."""
        rows = np.arange(self.table.count, dtype=np.int64)
        return arrays_of(self.evaluate([identifier], SplitPart("train", rows), rows, training=False)[identifier])

    def _transform(
        self, node: DataNode, value: Value, training: bool, u: Tensor | None, place: Place, records: Records
    ) -> Value:
        transform, apply = transforms.of(node.op), function(node.op)
        if apply is None:
            return value
        learned = self.fitted.get(node.id, {})
        args = {**node.args, **learned}
        match transform.taken(node.args):
            case "texts" | "words":
                texts = self.texts(value) if transform.takes != "words" else value
                return apply(texts, TextUse(node, learned, place, self.path_of, self.columns_of(node), self.rule(node)))
            case "tokens":
                return self._mlm(node, value, u, records)
            case _ if node.type.kind == "words":
                return [words[args.get("start") : args.get("stop", args.get("n"))] for words in value]
            case _:
                try:
                    return each(self.as_numbers(node, value, records), lambda x: apply(x, args), packed)
                except NotBelow as wrong:
                    raise table_mistakes.not_below(
                        node.span, self.place(node, int(records[wrong.at])), wrong.number, wrong.n
                    ) from None

    def _mlm(self, node: DataNode, value: Value, keys: Tensor | None, records: Records) -> Value:
        items = list(value) if isinstance(value, Tensor) else value
        assert isinstance(items, list)
        if keys is None:  # the same mask at every evaluation
            keys = randomness.as_tensor(randomness.record_keys(randomness.key("mlm_mask", node.id), records))
        vocabulary = max(self.vocabulary_of(node) or largest(items) + 1, node.args["mask"] + 1)
        found: list[Any] = [
            mlm_mask(item[None], node.args, randomness.uniform(keys[i : i + 1], 2 * len(item)), vocabulary)
            for i, item in enumerate(items)
        ]
        return {name: packed([part[name][0] for part in found]) for name in ("ids", "labels")}

    def _uniform(self, node: DataNode, draw: ChunkDraw | None, value: Value | None = None) -> Tensor | None:
        """What a random transform draws: numbers, or keys where it depends on the record how many."""
        if draw is None:
            return None
        transform = transforms.of(node.op)
        if not transform.random:
            return None
        keys, count = draw.keys(node.id), transform.numbers_drawn(node.args)
        return randomness.uniform(keys, count) if count else keys

    # ---- rows of a series --------------------------------------------------------------------------------------------------

    def rows(self, identifier: int, rows: Records, *, training: bool, device: torch.device) -> Value:
        """The values of a node for all rows of the table, computed once; of rows that are not among these they mean nothing."""
        real = self.real(identifier, training)
        key = real, device
        if key not in self._rows:
            part, found = SplitPart("train", rows), list[Value]()
            for start in range(0, len(rows), PIECE):
                positions = np.arange(start, min(start + PIECE, len(rows)))
                found.append(self.evaluate([real], part, positions, training=training)[real])
            self._rows[key] = self._spread(self.nodes[real], joined(found), rows, device)
        return self._rows[key]

    def _spread(self, node: DataNode, value: Value, rows: Records, device: torch.device) -> Value:
        """Values of some rows at the places of these among all."""
        if isinstance(value, dict):
            return {name: self._spread(node, member, rows, device) for name, member in value.items()}
        value = self.as_numbers(node, value, rows)
        if not isinstance(value, Tensor):
            items: list[Any] = list(value)
            shapes = [tuple(item.shape) for item in items]
            other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            place, found, first = self.table.place(int(rows[other])), *map(shape_text, (shapes[other], shapes[0]))
            raise series_mistakes.rows_differ(node.span, place, found, first)
        whole = value.new_zeros((self.table.count, *value.shape[1:]))
        whole[torch.from_numpy(rows)] = value
        return whole.to(device)

    # ---- sources -----------------------------------------------------------------------------------------------------------

    def read(self, node: DataNode, records: Records) -> Value:
        """A source field for these records."""
        found = self.column(node, records)
        if isinstance(found, Selected):
            return found
        if isinstance(found, list):
            arrays = bool(found) and isinstance(found[0], np.ndarray)
            return packed([torch.from_numpy(item) for item in found]) if arrays else found
        return torch.from_numpy(found)

    def as_numbers(self, node: DataNode, value: Value, records: Records) -> Value:
        """Cells as numbers, where a transform of numbers reads them; what is not cells as it is."""
        return torch.from_numpy(self.numbers(node, value, records)) if is_cells(value) else value


def padded(found: Value, node: DataNode, device: torch.device) -> Tensor:
    """Records as one tensor. Where all are empty they get one place of padding: no layer has to work on nothing."""
    fill = node.args["v"] if transforms.of(node.op).fills_batch else 0
    if isinstance(found, list):
        found = moved(torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=fill), device)
    assert isinstance(found, Tensor)
    empty = found.dim() > 1 and not found.shape[1]
    return found.new_full((len(found), 1, *found.shape[2:]), fill) if empty else found
