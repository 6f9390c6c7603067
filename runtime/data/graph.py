"""The data graph of a section, evaluated for batches of records.

Nodes that nothing random precedes are *fixed*: computed once for a whole split where it fits. The rest is computed a
chunk of batches at a time, on the device, with numbers that are pure functions of (seed, epoch, record, node).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms import Transform
from ...compiler.ir.data import DataNode
from .. import randomness
from . import mistakes, streams, windows
from .arrays.number import NotBelow
from .arrays.shapes import each, largest
from .arrays.text_use import Place, TextUse
from .draw import Draw, Records
from .nodes import Nodes
from .streams import Part
from .text_columns import Selected, is_cells
from .transforms import function
from .transforms.text import mlm_mask
from .values import Value, moved, packed


@dataclass
class Graph(Nodes):
    """A section's nodes, computed with torch."""

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
            inputs = [values[self.real(i, training)] for i in self.read_by(identifier)]
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
                stack += [self.real(i, training) for i in self.read_by(identifier)]
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

    def _transform(
        self, node: DataNode, value: Value, training: bool, u: Tensor | None, place: Place, records: Records
    ) -> Value:
        transform, apply = transforms.of(node.op), function(node.op)
        if apply is None:
            return value
        learned = self.fitted.get(node.id, {})
        args = {**node.args, **learned}
        match transform.taken(node.args):
            case "image":
                return self._image(transform, value, args, u)
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
                    raise mistakes.not_below(
                        node.span, self.place(node, int(records[wrong.at])), wrong.number, wrong.n
                    ) from None

    def _image(self, transform: type[Transform], value: Value, args: Mapping[str, Any], u: Tensor | None) -> Value:
        if u is None:
            none = torch.zeros(0)
            names = (transform.evaluation or ()) if transform.random else (transform.name,)
            for name in names:
                apply = function(name)
                assert apply is not None
                given = (args, none) if transforms.of(name).takes == "image" else (args,)
                value = each(value, lambda x, apply=apply, given=given: apply(x, *given), packed)
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
        vocabulary = max(self.vocabulary_of(node) or largest(items) + 1, node.args["mask"] + 1)
        found: list[Any] = [
            mlm_mask(item[None], node.args, randomness.uniform(keys[i : i + 1], 2 * len(item)), vocabulary)
            for i, item in enumerate(items)
        ]
        return {name: packed([part[name][0] for part in found]) for name in ("ids", "labels")}

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
