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

from ...compiler.diagnostics import Failed
from ...compiler.dims import Dim
from ...compiler.recipe.ir import Condition, DataField, DataNode, DataSet, Split
from ...compiler.recipe.transforms import TRANSFORMS, Transform
from ...compiler.source import Span
from ...compiler.types import shape_text
from .. import keyed
from . import decode, images, mistakes
from .table import MISSING_CELLS, Cells, Images, Numbers, Stream, Table, numbers_of
from .values import (
    DTYPES,
    ELEMENTWISE,
    FIT,
    TEXT,
    Place,
    Value,
    bpe,
    category,
    each,
    impute,
    mlm_mask,
    moved,
    packed,
    standardize,
    taken,
    vocab,
    vocabulary_size,
    wordpiece,
)  # fmt: skip

Records = NDArray[np.int64]
Bad = Callable[[int], Failed]  # what is wrong with a record of a batch
WINDOWS = ("random_window", "window")


@dataclass
class Part:
    """Which records a split has, and for a stream where its tokens begin and end."""

    split: Split
    records: Records
    stream: tuple[int, int] = (0, 0)

    def __len__(self) -> int:
        return len(self.records)


@dataclass
class Draw:
    """What random transforms of a chunk depend on: a key a record, or None outside training."""

    base: int
    records: Records
    device: torch.device

    def keys(self, node: int) -> Tensor:
        found = keyed.record_keys(keyed.key(self.base, "node", node), self.records)
        return keyed.as_tensor(found).to(self.device)


@dataclass
class Graph:
    """A section's nodes over one table. `fitted` is what fitted nodes learned, by node number."""

    section: DataSet
    table: Table
    root: Path
    fitted: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.nodes: Mapping[int, DataNode] = {node.id: node for node in self.section.nodes}

    # ---- which nodes -------------------------------------------------------------------------------------------------------

    def real(self, identifier: int, training: bool) -> int:
        """The node that stands here in this mode: a `choose` is one of its inputs."""
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
                node.op in WINDOWS
                or (training and is_random(node.op))
                or (node.type.kind == "stream")
                or any(self.real(i, training) in found for i in node.inputs)
            ):
                found.add(identifier)
        return found

    def windows(self) -> list[DataNode]:
        return [node for node in self.section.nodes if node.op in WINDOWS]

    # ---- evaluation ----------------------------------------------------------------------------------------------------------

    def evaluate(
        self, targets: list[int], part: Part, positions: Records, *, training: bool, draw: Draw | None = None,
        known: Mapping[int, Value] | None = None, device: torch.device | None = None,
    ) -> dict[int, Value]:  # fmt: skip
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
        self, node: DataNode, inputs: list[Value], part: Part, positions: Records, training: bool, draw: Draw | None,
        device: torch.device,
    ) -> Value:  # fmt: skip
        op = node.op
        records = part.records[positions]
        place: Place = lambda i: self.table.place(int(records[i]))
        match op:
            case "source":
                return {} if node.type.kind == "stream" else self.read(node, records)
            case "columns":
                names = [name for name in self.table.order if name not in node.args["except"]]
                for name in node.args["except"]:
                    self.table.column(name, node.span)
                columns = [self._numbers(node, name, records) for name in names]
                return torch.stack([torch.from_numpy(column) for column in columns], 1).to(torch.float32)
            case "tuple":
                names = ("first", "second", "third", "fourth", "fifth", "sixth")
                return dict(zip(names, inputs, strict=False))
            case "member":
                assert isinstance(inputs[0], dict)
                return inputs[0][node.args["name"]]
            case "random_window" | "window":
                return self._window(node, part, positions, training, draw, device)
            case "wordpiece":
                return wordpiece(self._texts(inputs[0]), node, self._path(node.args["path"]))
            case _:
                pass
        value = inputs[0]
        if isinstance(value, dict):
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
        op, args = node.op, node.args
        if op in ELEMENTWISE:
            return each(self._as_numbers(node, value, records), lambda x: ELEMENTWISE[op](x, args))
        if op in TEXT:
            return TEXT[op](self._texts(value), args)
        if op in images.PLAIN:
            none = torch.zeros(0)
            return each(value, lambda x: images.PLAIN[op](x, args, none))
        if op in images.DRAWS:
            apply, _ = images.DRAWS[op]
            if u is None:
                return each(value, lambda x: images.in_evaluation(op, x, args))
            if isinstance(value, Tensor):
                return apply(value, args, u)
            assert isinstance(value, list)
            return packed([apply(item[None], args, u[i : i + 1])[0] for i, item in enumerate(value)])
        if op == "noise":
            return each(value, images.as_float) if u is None else self._noise(value, args, u)
        if op in FIT:
            return self._fitted(node, value, place, records)
        if op == "bpe":
            return bpe(self._texts(value), node, self._path(args["path"]))
        if op == "mlm_mask":
            return self._mlm(node, value, u, records)
        if op == "pad":
            return value
        raise mistakes.backend_missing(node.span, f"the transform `{op}`")

    def _fitted(self, node: DataNode, value: Value, place: Place, records: Records) -> Value:
        fitted = self.fitted[node.id]
        if node.op == "category":
            return category(self._texts(value), node, fitted, place)
        if node.op == "vocab":
            assert isinstance(value, list)
            return vocab(value, node.args, fitted)
        function = standardize if node.op == "standardize" else impute
        return each(self._as_numbers(node, value, records), lambda x: function(x, fitted))

    def _noise(self, value: Value, args: Mapping[str, Any], keys: Tensor) -> Value:
        def noisy(x: Tensor, own: Tensor) -> Tensor:
            x = images.as_float(x)
            count = x[0].numel()
            return x + args["std"] * keyed.normal(own, count).reshape(x.shape)

        if isinstance(value, Tensor):
            return noisy(value, keys)
        assert isinstance(value, list)
        return packed([noisy(item[None], keys[i : i + 1])[0] for i, item in enumerate(value)])

    def _mlm(self, node: DataNode, value: Value, keys: Tensor | None, records: Records) -> Value:
        items = list(value) if isinstance(value, Tensor) else value
        assert isinstance(items, list)
        if keys is None:  # the same mask at every evaluation
            keys = keyed.as_tensor(keyed.record_keys(keyed.key("mlm_mask", node.id), records))
        vocabulary = max(self._vocabulary(node) or _largest(items) + 1, node.args["mask"] + 1)
        found: list[Any] = [
            mlm_mask(item[None], node.args, keyed.uniform(keys[i : i + 1], 2 * len(item)), vocabulary)
            for i, item in enumerate(items)
        ]
        return {name: packed([part[name][0] for part in found]) for name in ("ids", "labels")}

    def _vocabulary(self, node: DataNode) -> int | None:
        """How many numbers the `vocab` below a node gives; None where another transform makes them."""
        while node.inputs:
            node = self.nodes[self.real(node.inputs[0], False)]
            if node.op == "vocab":
                return vocabulary_size(node.args, self.fitted[node.id])
        return None

    def _uniform(self, node: DataNode, draw: Draw | None, value: Value | None = None) -> Tensor | None:
        """What a random transform draws: numbers, or keys where it depends on the record how many."""
        if draw is None:
            return None
        if node.op in images.DRAWS:
            return keyed.uniform(draw.keys(node.id), images.DRAWS[node.op][1](node.args))
        return draw.keys(node.id) if is_random(node.op) else None

    # ---- sources -----------------------------------------------------------------------------------------------------------

    def read(self, node: DataNode, records: Records) -> Value:
        """A source field for these records."""
        column = self.table.column(node.args["field"], node.span)
        match column:
            case Numbers(array):
                return _tensor(array[records])
            case Cells(values):
                return [values[i] for i in records.tolist()]
            case Images(paths, gray):
                return packed(decode.images([paths[i] for i in records.tolist()], gray, node.span))
            case Stream():
                raise mistakes.no_windows(node.span)

    def _numbers(self, node: DataNode, name: str, records: Records) -> NDArray[Any]:
        column = self.table.column(name, node.span)
        if isinstance(column, Cells):
            return numbers_of(column, records, name, self.table, node.span)
        if isinstance(column, Numbers) and column.array.ndim == 1:
            return column.array[records].astype(np.float64)
        raise mistakes.array_kind(node.span, self.table.files[0].path, name, "more than one number a record")

    def _as_numbers(self, node: DataNode, value: Value, records: Records) -> Value:
        """A column of cells as numbers, where a transform of numbers reads it."""
        if not isinstance(value, list) or (value and isinstance(value[0], Tensor)):
            return value
        source = next((self.nodes[i] for i in node.inputs if self.nodes[i].op == "source"), None)
        if source is None:
            return value
        return torch.from_numpy(self._numbers(source, source.args["field"], records))

    def _texts(self, value: Value) -> Any:
        if isinstance(value, Tensor):
            return [str(item) for item in value.tolist()]
        return value

    def _path(self, path: str) -> Path:
        return Path(os.path.normpath(self.root / path))

    def _window(
        self, node: DataNode, part: Part, positions: Records, training: bool, draw: Draw | None, device: torch.device
    ) -> Value:
        n = node.args["n"]
        begin, end = part.stream
        if training and node.op == "random_window" and draw is not None:
            room = end - begin - n + 1
            u = keyed.record_keys(keyed.key(draw.base, "node", node.id), draw.records)
            starts = (u % np.uint64(room)).astype(np.int64) + begin
        else:
            starts = begin + positions * (node.args["stride"] if node.op == "window" else n)
        stream = self.stream(node)
        return torch.from_numpy(stream[starts[:, None] + np.arange(n)].astype(np.int64)).to(device)

    def stream(self, node: DataNode) -> NDArray[Any]:
        """The token numbers that a window cuts."""
        source = self.nodes[node.inputs[0]]
        column = self.table.column(source.args["field"], source.span)
        assert isinstance(column, Stream)
        return column.array

    # ---- fitting -----------------------------------------------------------------------------------------------------------

    def fit(self, part: Part) -> None:
        """Learns what fitted nodes need, on one split, in order."""
        for node in self.section.nodes:
            if node.op not in FIT or node.id in self.fitted:
                continue
            value = self.evaluate([node.inputs[0]], part, np.arange(len(part)), training=False)[node.inputs[0]]
            if node.op in ("standardize", "impute"):
                value = self._as_numbers(node, value, part.records)
                self._check_numbers(node, value, part.records, holes=node.op == "impute")
            elif node.op == "category":
                value = self._texts(value)
            self.fitted[node.id] = FIT[node.op](value, node.args)

    def _check_numbers(self, node: DataNode, value: Value, records: Records, *, holes: bool) -> None:
        """Numbers to learn from must be numbers: one that is not would spoil every record. `holes` may be there."""
        if not isinstance(value, Tensor) or not value.is_floating_point() or not len(value):
            return
        good = (
            (torch.isfinite(value) | value.isnan() if holes else torch.isfinite(value)).reshape(len(value), -1).all(1)
        )
        if not bool(good.all()):
            record = int(records[int((~good).nonzero()[0])])
            raise self._no_number(node, node.span, record, "", holes=holes)

    def _no_number(self, node: DataNode, span: Span, record: int, name: str, *, holes: bool = False) -> Failed:
        """What to say of a record that gives no finite number: the column below `node` that is to blame, else the field."""
        place = self.table.place(record)
        for column in self._columns_below(node):
            cells = self.table.columns[column]
            name = name or column
            if not isinstance(cells, Cells):
                continue
            cell = cells.values[record].strip().lower()
            if cell in MISSING_CELLS and not holes:
                return mistakes.empty_cell(span, place, column)
            if "inf" in cell or (cell.lstrip("+-")[:1].isdecimal() and math.isinf(float(np.float32(cell)))):
                return mistakes.infinite(span, place, column, cells.values[record].strip())
        return mistakes.not_finite(span, name, place)

    def _columns_below(self, node: DataNode) -> list[str]:
        """Names of the columns that a node is made from."""
        if node.op == "source":
            return [node.args["field"]]
        if node.op == "columns":
            return [name for name in self.table.order if name not in node.args["except"]]
        return [name for identifier in node.inputs for name in self._columns_below(self.nodes[identifier])]

    # ---- fields ------------------------------------------------------------------------------------------------------------

    def as_field(self, field: DataField, value: Value, part: Part, positions: Records, *, look: bool = True) -> Value:
        """A value in the declared dtype, its shape checked record by record. Without `look` the numbers are not read."""
        records = part.records[positions]
        place: Place = lambda i: self.table.place(int(records[i]))
        node = self.nodes[self.real(field.node, False)]
        if isinstance(value, list) and value and isinstance(value[0], str):
            source = self.nodes[node.id]
            numbers = self._numbers(source, source.args["field"], records)
            value = torch.from_numpy(numbers)
        assert not isinstance(value, dict)
        self._check_shapes(field, value, place)
        dtype = DTYPES[field.type.dtype]
        if isinstance(value, Tensor) and not look:
            return value.to(dtype)
        if isinstance(value, Tensor):
            wrong: Bad = lambda i: self._no_number(node, field.span, int(records[i]), field.name)
            return _narrowed(field, value, dtype, place, wrong)
        return [item.to(dtype) for item in value]

    def _check_shapes(self, field: DataField, value: Value, place: Place) -> None:
        declared = field.type.shape[1:]
        items: Any = [value[0]] if isinstance(value, Tensor) and len(value) else value
        for number, item in enumerate(items):
            shape = tuple(item.shape)
            right = len(shape) == len(declared) and all(
                have == want for have, want in zip(shape, declared, strict=True) if isinstance(want, int)
            )
            if not right:
                found, wanted = shape_text(shape), shape_text(declared)
                raise mistakes.field_shape(field.span, field.name, place(number), found, wanted)
            for have, want in zip(shape, declared, strict=True):
                limit = self.section.lengths.get(str(want)) if isinstance(want, Dim) else None
                if limit is not None and have > limit:
                    raise mistakes.too_long(field.span, field.name, place(number), have, str(want), limit)

    # ---- conditions ----------------------------------------------------------------------------------------------------------

    def holds(self, condition: Condition, part: Part) -> NDArray[np.bool_]:
        """For which records of a part a `where` holds."""
        positions = np.arange(len(part))
        if condition.op in ("and", "or"):
            found = [self.holds(item, part) for item in condition.items]
            return np.logical_and.reduce(found) if condition.op == "and" else np.logical_or.reduce(found)
        if condition.op == "not":
            return ~self.holds(condition.items[0], part)
        left, right = (self._side(side, part, positions) for side in (condition.left, condition.right))
        if any(isinstance(side, np.ndarray) and side.dtype.kind in "US" for side in (left, right)):
            left, right = _comparable(left, right)
        compare: dict[str, Callable[[Any, Any], Any]] = {
            "==": np.equal, "!=": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
        }  # fmt: skip
        return np.broadcast_to(compare[condition.op](left, right), positions.shape).copy()

    def _side(self, side: Any, part: Part, positions: Records) -> Any:
        if isinstance(side, tuple):
            value = self.evaluate([side[1]], part, positions, training=False)[side[1]]
            if isinstance(value, Tensor):
                return value.numpy()
            assert isinstance(value, list)
            return np.asarray(value)
        if isinstance(side, Dim):
            for item in self.section.fields:
                for axis, size in enumerate(item.type.shape[1:]):
                    if size == side:
                        value: Any = self.evaluate([item.node], part, positions, training=False)[item.node]
                        return np.array([entry.shape[axis] for entry in value])
        return side


def _comparable(left: Any, right: Any) -> tuple[Any, Any]:
    """Texts beside numbers are read as numbers where they all are."""

    def read(side: Any) -> Any:
        try:
            return np.asarray(side, dtype=np.float64)
        except ValueError:
            return None

    a, b = read(left), read(right)
    return (np.asarray(left, str), np.asarray(right, str)) if a is None or b is None else (a, b)


def _largest(items: list[Any]) -> int:
    return max((int(item.max()) for item in items if len(item)), default=0)


def _tensor(array: NDArray[Any]) -> Tensor:
    wider = {"uint16": np.int32, "uint32": np.int64, "uint64": np.int64}
    return torch.from_numpy(np.ascontiguousarray(array.astype(wider.get(array.dtype.name, array.dtype))))


def _narrowed(field: DataField, value: Tensor, dtype: torch.dtype, place: Place, wrong: Bad) -> Tensor:
    if value.is_floating_point():
        finite = torch.isfinite(value).reshape(len(value), -1).all(1)
        if not bool(finite.all()):
            raise wrong(int((~finite).nonzero()[0]))
        if not dtype.is_floating_point:
            whole = (value == value.round()).reshape(len(value), -1).all(1)
            if not bool(whole.all()):
                at = int((~whole).nonzero()[0])
                bad = value[at].reshape(-1)
                raise mistakes.not_whole(field.span, field.name, place(at), float(bad[bad != bad.round()][0]))
    return value.to(dtype)


def is_random(op: str) -> bool:
    if op not in TRANSFORMS:
        return False
    entry = TRANSFORMS[op]
    return issubclass(entry, Transform) and entry.random


def batched(value: Value, node: DataNode, index: Tensor, device: torch.device) -> Tensor:
    """The records at these positions as one tensor; ragged ones are filled up by the node's `pad`."""
    found = taken(value, index)
    return padded(found, node, device)


def padded(found: Value, node: DataNode, device: torch.device) -> Tensor:
    if isinstance(found, Tensor):
        return found
    assert isinstance(found, list)
    fill = node.args["v"] if node.op == "pad" else 0
    out = torch.nn.utils.rnn.pad_sequence(found, batch_first=True, padding_value=fill)
    moved_ = moved(out, device)
    assert isinstance(moved_, Tensor)
    return moved_
