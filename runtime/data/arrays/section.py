"""The nodes of a data section for some records, as evaluation computes them.

A value is an array `[n, ...]` when all records have one shape, else a list: of arrays, of strings, or of lists of strings. Texts
that come from a column as they are stay a part of it (`Selected`). A record with members is a dict of values.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue import transforms
from ....compiler.dataclass import dataclass, field
from ....compiler.ir.data import DataNode
from ....compiler.sizes.types import shape_text
from ... import randomness
from .. import series_mistakes, streams, table_mistakes
from ..nodes import Nodes
from ..streams import SplitPart
from ..text_columns import Selected, is_cells
from . import function, steps
from .number import NotBelow
from .shapes import each, largest, packed
from .text import mlm_mask
from .text_use import TextUse

Array: TypeAlias = "NDArray[Any]"
Records: TypeAlias = "NDArray[np.int64]"
Value: TypeAlias = "Array | list[Any] | Selected | dict[str, Any]"

MEMBERS = ("first", "second", "third", "fourth", "fifth", "sixth")


@dataclass
class EvaluationNodes(Nodes):
    """A section's nodes over a table. `part` is what of a stream is read."""

    part: SplitPart = field(default_factory=lambda: SplitPart("test", np.zeros(0, np.int64)))

    def values(
        self, target: int, positions: Records, skip: Collection[int] = (), known: dict[int, Value] | None = None
    ) -> Value:
        """The values of a node for the records at these positions of the part. Nodes in `skip` hand on what they get. `known` are
        values of the same records with the same `skip`, which are not computed again; new ones are added."""
        found: dict[int, Value] = known if known is not None else {}

        def of(identifier: int) -> Value:
            identifier = self.real(identifier, False)
            if identifier not in found:
                node = self.nodes[identifier]
                if node.op == "tuple":
                    found[identifier] = {
                        name: of(each) for name, each in zip(MEMBERS, node.inputs, strict=False) if self._is_there(each)
                    }
                    return found[identifier]
                inputs = [of(each) for each in self.read_by(identifier)]
                found[identifier] = (
                    inputs[0] if identifier in skip and inputs else self._node(node, inputs, positions, skip)
                )
            return found[identifier]

        return of(target)

    def _node(self, node: DataNode, inputs: Sequence[Value], positions: Records, skip: Collection[int]) -> Value:
        records = self.part.records[positions]
        match node.op:
            case "source":
                return {} if node.type.kind == "stream" else self._source(node, records)
            case "columns":
                return self.numbers_of_columns(node, records)
            case "member":
                return self._member(node, inputs[0])
            case _:
                pass
        if node.type.kind == "stream":
            return {}
        transform = transforms.of(node.op)
        if transform.reads_before:
            return self.from_before(node, records, self._whole)
        if self.cuts_rows(node):
            return self._of_rows(node, records, skip)
        if transform.windows:
            return self._windows(node, positions, skip)
        value = inputs[0]
        if transform.joins:
            self._need_all(node)
        if isinstance(value, dict) and not transform.joins:
            return {name: self._transformed(node, member, records) for name, member in value.items()}
        return self._transformed(node, value, records)

    def _whole(self, identifier: int) -> Value:
        """The values of a node for all rows of the table."""
        rows = np.arange(self.table.count, dtype=np.int64)
        return replace(self, part=SplitPart(self.part.split, rows)).values(identifier, rows)

    def _is_there(self, identifier: int) -> bool:
        """Whether the table has what a member of a record is made from: its target may be missing."""
        return all(name in self.table.columns for name in self.columns_of(self.nodes[identifier]))

    def _need_all(self, node: DataNode) -> None:
        for name in self.columns_of(node):
            self.table.column(name, node.span)

    def _member(self, node: DataNode, value: Value) -> Value:
        assert isinstance(value, dict)
        if node.args["name"] not in value:
            self._need_all(node)
        return value[node.args["name"]]

    def _source(self, node: DataNode, records: Records) -> Value:
        found = self.column(node, records)
        return packed(found) if isinstance(found, list) and found and isinstance(found[0], np.ndarray) else found

    def _windows(self, node: DataNode, positions: Records, skip: Collection[int]) -> Value:
        x = streams.cut(self, node, streams.in_order(self.part, node, positions))
        for step in streams.below(self, node)[1:]:
            apply = function(step.op)
            assert apply is not None
            x = x if step.id in skip else apply(x, {**step.args, **self.fitted.get(step.id, {})})
        return x

    def _of_rows(self, node: DataNode, anchors: Records, skip: Collection[int]) -> Value:
        """Windows of rows, with a horizon as `past` and `next`; every row is computed once."""
        assert self.series is not None
        index = self.series.rows(node, anchors)
        rows, at = np.unique(index, return_inverse=True)
        below = self.nodes[self.real(node.inputs[0], False)]
        value = replace(self, part=SplitPart(self.part.split, rows)).values(below.id, np.arange(len(rows)), skip)
        return self._cut(node, below, value, rows, at.reshape(index.shape))

    def _cut(self, node: DataNode, below: DataNode, value: Value, rows: Records, at: Records) -> Value:
        if isinstance(value, dict):
            return {name: self._cut(node, below, member, rows, at) for name, member in value.items()}
        value = self.as_numbers(below, value, rows)
        if not isinstance(value, np.ndarray):
            shapes = [np.shape(item) for item in value]
            other = next(i for i, shape in enumerate(shapes) if shape != shapes[0])
            place, found, first = self.table.place(int(rows[other])), *map(shape_text, (shapes[other], shapes[0]))
            raise series_mistakes.rows_differ(node.span, place, found, first)
        n = node.args["n"]
        if node.args["horizon"] is None:
            return value[at]
        return {"past": value[at[:, :n]], "next": value[at[:, n:]]}

    def _transformed(self, node: DataNode, value: Any, records: Records) -> Value:
        transform = transforms.of(node.op)
        args = {**node.args, **self.fitted.get(node.id, {})}
        takes = transform.taken(node.args)
        match takes:
            case "texts" | "words":
                return self._of_texts(node, value, records, takes == "texts")
            case "tokens":
                return self._masked(node, value, records)
            case _ if node.type.kind == "words":
                return [words[args.get("start") : args.get("stop", args.get("n"))] for words in value]
            case _:
                if transform.takes == "image":
                    self.need_images(node, value, records)
                value = self.as_numbers(node, value, records)
                for name in steps(node.op):
                    apply = function(name)
                    if apply is not None:
                        value = self._applied(node, apply, value, args, records)
                return value

    def _applied(
        self, node: DataNode, apply: Callable[..., Array], value: Any, args: Mapping[str, Any], records: Records
    ) -> Value:
        try:
            return each(value, lambda x: apply(x, args), packed)
        except NotBelow as wrong:
            place = self.place(node, int(records[wrong.at]))
            raise table_mistakes.not_below(node.span, place, wrong.number, wrong.n) from None

    def _of_texts(self, node: DataNode, value: Any, records: Records, numbers_too: bool) -> Value:
        apply = function(node.op)
        assert apply is not None
        place = lambda i: self.table.place(int(records[i]))
        use = TextUse(node, self.fitted.get(node.id, {}), place, self.path_of, self.columns_of(node), self.rule(node))
        return apply(self.texts(value) if numbers_too else value, use)

    def _masked(self, node: DataNode, value: Any, records: Records) -> Value:
        keys = randomness.record_keys(randomness.key("mlm_mask", node.id), records)
        vocabulary = max(self.vocabulary_of(node) or largest(value) + 1, node.args["mask"] + 1)
        found = [
            mlm_mask(x[None], node.args, randomness.uniform_array(keys[i : i + 1], 2 * len(x)), vocabulary)
            for i, x in enumerate(value)
        ]
        return {name: packed([part[name][0] for part in found]) for name in ("ids", "labels")}

    def as_numbers(self, node: DataNode, value: Any, records: Records) -> Value:
        """Cells as numbers, where a transform of numbers reads them; what is not cells as it is."""
        return self.numbers(node, value, records) if is_cells(value) else value
