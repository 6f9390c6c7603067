"""A data section opened: its splits, and batches of its fields.

What is fixed is computed once and stays on the device when it fits in a quarter of the free memory; otherwise batches are
made ahead by threads. Data order is a function of (seed, epoch), augmentation of (seed, epoch, record), so a run can go
on at any step without stored state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...compiler.dataclass import dataclass, field
from ...compiler.ir.data import Condition, DataNode, DataSet, Split
from ...compiler.ir.train import Batch as BatchSize
from .. import randomness
from . import (
    batching,
    conditions,
    declared,
    dropping,
    fitting,
    kept_arrays,
    memory,
    series,
    sources,
    split_mistakes,
    streams,
    token_streams,
    vocabulary,
)
from .arrays import declared as shapes
from .batching import BatchPlan
from .draw import ChunkDraw, Records
from .dropping import Dropped
from .graph import Graph, padded
from .series import Series
from .streams import SplitPart
from .table import Stream, Table
from .values import Value, joined, moved, size_of, taken

Batch: TypeAlias = dict[str, Tensor]

CHUNK_BYTES = 32 << 20
SHARE_OF_MEMORY = 0.25
AHEAD = 2  # threads that make chunks ahead, where they are not resident; decoding has its own
PIECE = 1024  # records evaluated at a time while a split is made resident, or as many as have
PIECE_BYTES = 4 << 20
FIRST = 64  # records by which it is judged first whether a split fits: 1024 photographs may take seconds to decode


@dataclass
class Data:
    """A section with its records, divided; fitted transforms have learned from the train split."""

    section: DataSet
    table: Table
    graph: Graph
    parts: dict[Split, SplitPart]
    dropped: Dropped = field(default_factory=Dropped)
    _lengths: dict[tuple[Split, bool], Records] = field(init=False, default_factory=dict[tuple[Split, bool], Records])

    _bytes: dict[str, Sequence[int] | None] = field(init=False, default_factory=dict[str, "Sequence[int] | None"])

    def lengths(self, split: Split, *, training: bool) -> Records:
        """The tokens of each record of a split (see `batching.lengths`), computed once."""
        if (split, training) not in self._lengths:
            part, what = self.part(split), f"lengths.{split}.{'training' if training else 'evaluation'}"
            make = lambda: (batching.lengths(self.graph, self.section.fields, part, training=training), None)
            self._lengths[split, training] = self.kept(what, make)[0]
        return self._lengths[split, training]

    def kept(self, what: str, make: Callable[[], kept_arrays.Found]) -> kept_arrays.Found:
        """An array that is computed of all records with what was learned, from the folder of a table that is laid out in files."""
        if self.table.laid_out is None:
            return make()
        return kept_arrays.of_section(self.section, self.table, what, kept_arrays.learned(self.graph.fitted), make)

    def token_bytes(self, field: str) -> Sequence[int] | None:
        """The bytes in UTF-8 that each token of a field stands for; None where it does not give its text back. Computed once."""
        if field not in self._bytes:
            known = {each.name for each in self.section.fields}
            texts = vocabulary.of_field(self.section, field, self.graph.fitted) if field in known else None
            self._bytes[field] = texts.byte_lengths() if texts is not None else None
        return self._bytes[field]

    def part(self, split: Split) -> SplitPart:
        if split not in self.parts:
            raise split_mistakes.split_missing(self.section.split.span, split, list(self.parts))
        return self.parts[split]


def open_data(
    section: DataSet, root: Path, fitted: dict[int, dict[str, Any]] | None = None, workers: int | None = None
) -> Data:
    """Reads and divides the records. Fits on the train split, unless `fitted` holds what was learned before. `workers`
    is how many threads prepare data (see `Graph`)."""
    table = sources.read(section, root)
    known = dict(fitted or {})
    cuts = streams.cuts(section)
    if any(isinstance(column, Stream) for column in table.columns.values()) and not cuts:
        raise split_mistakes.no_windows(section.source.span)
    divided, dropped = dropping.divided(section, table)
    home: Split = "train" if "train" in divided else next(iter(divided))
    bounds: dict[Split, tuple[int, int]] = {
        split: (int(records[0]), int(records[-1]) + 1) for split, records in divided.items()
    }
    graph = Graph(section, table, root, known, workers)
    base = token_streams.base(graph)
    parts: dict[Split, SplitPart]
    if cuts and base is None:
        parts = {split: streams.part(split, *ends, cuts) for split, ends in bounds.items()}
        table = graph.table = streams.with_vocabulary(section, table, bounds[home], known)
    else:
        graph.series = _series(section, table)
        if graph.series is not None:
            divided = series.windows(section, table, graph.series, divided)
            graph.used = np.unique(np.concatenate([graph.series.all_rows(anchors) for anchors in divided.values()]))
        parts = {split: SplitPart(split, records, bounds[split]) for split, records in divided.items()}
    data = Data(section, table, graph, parts, dropped)
    early, late = conditions.before_fitting(graph, section.where) if section.where is not None else (None, None)
    _keep(data, early, "early")
    if base is not None:
        fitting.fit(graph, parts[home], base.id)
        _cut(data, base, cuts)
    fitting.fit(graph, parts[home])
    _keep(data, late, "late")
    return data


def _cut(data: Data, base: DataNode, cuts: list[DataNode]) -> None:
    """Makes the stream that the windows are cut from, and these the records of each split."""

    def values(node: int, part: SplitPart, positions: Records) -> Iterable[Any]:
        return cast("Iterable[Any]", graph.evaluate([node], part, positions, training=False)[node])

    graph = data.graph
    bounds = token_streams.make(graph, base, data.parts, values)
    data.parts.update({split: streams.part(split, *ends, cuts) for split, ends in bounds.items()})
    graph.table = replace(data.table, place=lambda record: f"{data.table.name} at window {record}")


def _series(section: DataSet, table: Table) -> Series | None:
    """The rows of the table as series, where windows are cut from them."""
    cuts = series.cuts(section)
    return series.read(section, table, {node.id: series.extent_of(node) for node in cuts}) if cuts else None


def _keep(data: Data, condition: Condition | None, which: Literal["early", "late"]) -> None:
    """Leaves in each split the records for which a `where` holds. An early one reads nothing learned."""
    for split, part in data.parts.items() if condition is not None else ():
        assert condition is not None
        make = lambda part=part: (np.flatnonzero(conditions.holds(data.graph, condition, part)), None)
        words = kept_arrays.learned(data.graph.fitted) if which == "late" else ""
        held, _ = kept_arrays.of_section(data.section, data.table, f"where.{which}.{split}", words, make)
        if not len(held):
            raise split_mistakes.nothing_left(condition.span, split)
        data.parts[split] = replace(part, records=part.records[held])


def free_memory(device: torch.device) -> int:
    """Bytes that could be taken on the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return memory.free()


class Feed:
    """Batches of one split in one mode."""

    def __init__(
        self,
        data: Data,
        split: Split,
        *,
        training: bool,
        device: torch.device,
        only: frozenset[str] | None = None,
        share: float = SHARE_OF_MEMORY,
    ) -> None:
        self.data, self.training, self.device = data, training, device
        self.part = data.part(split)
        self.graph = data.graph
        self.fields = [f for f in data.section.fields if only is None or f.name in only]
        self.targets = {f.name: self.graph.real(f.node, training) for f in self.fields}
        order = self.graph.needed(list(self.targets.values()), training)
        self.changing = self.graph.changing(order, training)
        frontier = {
            real
            for identifier in order
            if identifier in self.changing
            for real in (self.graph.real(i, training) for i in self.graph.read_by(identifier))
            if real not in self.changing
        }
        self.fixed_fields = [f for f in self.fields if self.targets[f.name] not in self.changing]
        self.frontier = sorted(node for node in frontier if self.graph.nodes[node].type.kind != "stream")
        self.shared = shapes.shared_lengths(self.fields)
        self.resident: dict[int, Value] = {}
        self.columns: dict[str, Value] = {}
        self.ahead = self._make_resident(share) is False
        self._chunk: int | None = None

    def __len__(self) -> int:
        return len(self.part)

    # ---- resident ----------------------------------------------------------------------------------------------------------

    def _make_resident(self, share: float) -> bool:
        """Computes what is fixed for all records; False when that would take too much memory."""
        if not self.fixed_fields and not self.frontier:
            return True
        count, budget = len(self.part), int(free_memory(self.device) * share)
        pieces: list[tuple[dict[str, Value], dict[int, Value]]] = []
        used, done, size = 0, 0, FIRST
        while done < count:
            positions = np.arange(done, min(done + size, count))
            piece = self._fixed(positions, self.frontier)
            pieces.append(piece)
            used += sum(size_of(value) for group in piece for value in group.values())
            done += len(positions)
            if used * count > budget * done:
                return False
            size = max(PIECE, PIECE_BYTES * done // max(1, used))
        self.columns = {f.name: moved(joined([p[0][f.name] for p in pieces]), self.device) for f in self.fixed_fields}
        self.resident = {node: moved(joined([p[1][node] for p in pieces]), self.device) for node in self.frontier}
        return True

    def _fixed(self, positions: Records, nodes: list[int]) -> tuple[dict[str, Value], dict[int, Value]]:
        """The fixed fields of these records, and the values of nodes."""
        wanted = [*(self.targets[f.name] for f in self.fixed_fields), *nodes]
        values = self.graph.evaluate(wanted, self.part, positions, training=self.training)
        columns = {
            f.name: declared.as_field(self.graph, f, values[self.targets[f.name]], self.part, positions)
            for f in self.fixed_fields
        }
        return columns, {node: values[node] for node in nodes}

    # ---- chunks ------------------------------------------------------------------------------------------------------------

    def chunk(self, positions: Records, base: int | None, turns: Records | None = None) -> dict[str, Value]:
        """All fields for these records. `base` is the key of what is random (None: nothing is); `turns`, how often each record was
        drawn before in the epoch, make it another draw each time."""
        if self.ahead:
            columns, known = self._fixed(positions, [])
        else:
            index = torch.from_numpy(positions).to(self.device)
            columns = {name: taken(value, index) for name, value in self.columns.items()}
            known = {node: taken(value, index) for node, value in self.resident.items()}
        rest = [f for f in self.fields if f.name not in columns]
        if rest:
            records = self.part.records[positions]
            drawn = records if turns is None else records + turns * (int(self.part.records.max()) + 1)
            device = torch.device("cpu") if self.ahead else self.device  # `_batch` moves what is made ahead
            draw = None if base is None else ChunkDraw(base, drawn, device)
            values = self.graph.evaluate(
                [self.targets[f.name] for f in rest],
                self.part,
                positions,
                training=self.training,
                draw=draw,
                known=known,
                device=device,
            )
            look = self.ahead or self.graph.series is not None  # any window may have a row that lacks its number
            for f in rest:
                value = values[self.targets[f.name]]
                columns[f.name] = declared.as_field(self.graph, f, value, self.part, positions, look=look)
        if self.shared:
            shapes.check_lengths(self.graph, self.shared, columns, self.part.records[positions])
        return columns

    def _batch(self, columns: dict[str, Value], start: int, stop: int) -> Batch:
        batch: Batch = {}
        for name, target in self.targets.items():
            value = columns[name]
            assert not isinstance(value, dict)
            batch[name] = self._padded(value[start:stop], target)
        if self.ahead:
            for name, value in batch.items():
                batch[name] = value.to(self.device, non_blocking=True)
        return batch

    def _padded(self, items: Value, target: int) -> Tensor:
        return padded(items, self.graph.nodes[target], self.device)

    def chunk_batches(self, size: float) -> int:
        """How many batches of about this size one evaluation of the graph covers."""
        if self.ahead:
            return 1
        if self._chunk is None:
            probe = self.chunk(np.arange(min(2, len(self.part))), 0 if self.training else None)
            bytes_each = max(1, sum(size_of(value) for value in probe.values()) // min(2, len(self.part)))
            self._chunk = CHUNK_BYTES // bytes_each
        return max(1, int(self._chunk / size))

    # ---- training ------------------------------------------------------------------------------------------------------------

    def epoch(
        self,
        seed: int,
        epoch: int,
        batch: int | BatchSize,
        *,
        start: int = 0,
        weights: NDArray[np.float64] | None = None,
    ) -> Iterator[list[Batch]]:
        """The batches of an epoch from step `start` on, each as its micro-batches. The rest below a batch of samples is left out;
        batches of tokens hold every record. With `weights`, one a record, samples are drawn in proportion to them."""
        size = BatchSize(amount=batch) if isinstance(batch, int) else batch
        words = (seed, "order", epoch)
        if size.unit == "tokens":
            plan = batching.of_tokens(self._lengths, size.amount, *words)
        elif weights is not None:
            order, turns = batching.drawn(weights, *words)
            plan = batching.of_samples(order, size.amount, rest=False, turns=turns)
        else:
            order = randomness.order(randomness.key(*words), len(self.part))
            plan = batching.of_samples(order, size.amount, rest=False)
        base = randomness.key(seed, "augment", epoch)
        for number, low, columns in self._batches(plan, start, base):
            cuts = self._micro(plan.records(number), size)
            yield [self._batch(columns, low + one, low + other) for one, other in pairwise(cuts)]

    def _micro(self, records: Records, size: BatchSize) -> list[int]:
        """Where a batch is cut into micro-batches, from 0 to its number of records."""
        count, micro = len(records), size.micro
        if micro is None:
            return [0, count]
        if size.unit == "samples":
            return [*range(0, count, micro), count]
        each = max(1, micro // int(self._lengths[records].max()))
        parts = -(-count // each)
        return [count * part // parts for part in range(parts + 1)]

    @property
    def _lengths(self) -> Records:
        return self.data.lengths(self.part.split, training=self.training)

    def _batches(self, plan: BatchPlan, start: int, base: int | None) -> Iterator[tuple[int, int, dict[str, Value]]]:
        """The batches of a plan from `start` on: each one's number, and fields among which it begins at a record."""
        if start >= len(plan):
            return
        per_chunk = self.chunk_batches(plan.bounds[-1] / len(plan))
        cuts = range(start // per_chunk, -(-len(plan) // per_chunk))

        def make(chunk: int) -> dict[str, Value]:
            first, last = chunk * per_chunk, (chunk + 1) * per_chunk
            return self.chunk(plan.records(first, last), base, plan.drawn_before(first, last))

        for chunk, columns in zip(cuts, self._ahead(make, cuts), strict=True):
            first = chunk * per_chunk
            for number in range(max(first, start), min(first + per_chunk, len(plan))):
                yield number, int(plan.bounds[number] - plan.bounds[first]), columns

    def _ahead(self, make: Callable[[int], dict[str, Value]], numbers: range) -> Iterator[dict[str, Value]]:
        """The chunks in order, made ahead by threads where they are not on the device already."""
        workers = AHEAD if self.graph.workers is None else min(AHEAD, self.graph.workers)
        if not self.ahead or not workers:
            yield from map(make, numbers)
            return
        with ThreadPoolExecutor(workers) as pool:
            waiting: list[Future[dict[str, Value]]] = []
            for number in numbers:
                waiting.append(pool.submit(make, number))
                if len(waiting) > 3:
                    yield waiting.pop(0).result()
            for future in waiting:
                yield future.result()

    # ---- evaluation ----------------------------------------------------------------------------------------------------------

    def batches(self, batch: int | BatchSize, limit: int | None = None) -> Iterator[Batch]:
        """Every record once: in order, the last batch of samples may be smaller; batches of tokens in an order of their own."""
        for _, found in self.numbered(batch, limit):
            yield found

    def numbered(self, batch: int | BatchSize, limit: int | None = None) -> Iterator[tuple[Records, Batch]]:
        """The same, with the positions of its records in the split."""
        size = BatchSize(amount=batch) if isinstance(batch, int) else batch
        if size.unit == "tokens":
            plan = batching.of_tokens(self._lengths, size.amount, "evaluation")
        else:
            plan = batching.of_samples(np.arange(len(self.part)), size.amount, rest=True)
        for number, low, columns in islice(self._batches(plan, 0, None), limit):
            records = plan.records(number)
            yield records, self._batch(columns, low, low + len(records))
