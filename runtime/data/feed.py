"""A data section opened: its splits, and batches of its fields.

What is fixed is computed once and stays on the device when it fits in a quarter of the free memory; otherwise batches are
made ahead by threads. Data order is a function of (seed, epoch), augmentation of (seed, epoch, record), so a run can go
on at any step without stored state.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ...compiler.ir.data import Condition, DataSet, Split
from .. import randomness
from . import conditions, declared, fitting, mistakes, sources, splits, streams
from .draw import Draw, Records
from .graph import Graph, padded
from .streams import Part
from .table import Stream, Table
from .values import Value, joined, moved, size_of, taken

Batch: TypeAlias = dict[str, Tensor]

CHUNK_BYTES = 32 << 20
SHARE_OF_MEMORY = 0.25
AHEAD = 2  # threads that make chunks ahead, where they are not resident; decoding has its own
PIECE = 1024  # records evaluated at a time while a split is made resident, or as many as have
PIECE_BYTES = 4 << 20


@dataclass
class Data:
    """A section with its records, divided; fitted transforms have learned from the train split."""

    section: DataSet
    table: Table
    graph: Graph
    parts: dict[Split, Part]

    def part(self, split: Split) -> Part:
        if split not in self.parts:
            raise mistakes.split_missing(self.section.split.span, split, list(self.parts))
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
        raise mistakes.no_windows(section.source.span)
    divided = splits.divide(section, table)
    home: Split = "train" if "train" in divided else next(iter(divided))
    parts: dict[Split, Part]
    if cuts:
        bounds: dict[Split, tuple[int, int]] = {
            split: (int(records[0]), int(records[-1]) + 1) for split, records in divided.items()
        }
        parts = {split: streams.part(split, *ends, cuts) for split, ends in bounds.items()}
        table = streams.with_vocabulary(section, table, bounds[home], known)
    else:
        parts = {split: Part(split, records) for split, records in divided.items()}
    graph = Graph(section, table, root, known, workers)
    data = Data(section, table, graph, parts)
    early, late = conditions.before_fitting(graph, section.where) if section.where is not None else (None, None)
    _keep(data, early)
    fitting.fit(graph, parts[home])
    _keep(data, late)
    return data


def _keep(data: Data, condition: Condition | None) -> None:
    """Leaves in each split the records for which a `where` holds."""
    for split, part in data.parts.items() if condition is not None else ():
        assert condition is not None
        kept = part.records[conditions.holds(data.graph, condition, part)]
        if not len(kept):
            raise mistakes.nothing_left(condition.span, split)
        data.parts[split] = replace(part, records=kept)


def free_memory(device: torch.device) -> int:
    """Bytes that could be taken on the device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (ValueError, OSError, AttributeError):
        return 4 << 30


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
        self.fields = [field for field in data.section.fields if only is None or field.name in only]
        self.targets = {field.name: self.graph.real(field.node, training) for field in self.fields}
        order = self.graph.needed(list(self.targets.values()), training)
        self.changing = self.graph.changing(order, training)
        frontier = {
            real
            for identifier in order
            if identifier in self.changing
            for real in (self.graph.real(i, training) for i in self.graph.nodes[identifier].inputs)
            if real not in self.changing
        }
        self.fixed_fields = [f for f in self.fields if self.targets[f.name] not in self.changing]
        self.frontier = sorted(node for node in frontier if self.graph.nodes[node].type.kind != "stream")
        self.shared = declared.shared_lengths(self.fields)
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
        used, done, size = 0, 0, PIECE
        while done < count:
            positions = np.arange(done, min(done + size, count))
            piece = self._fixed(positions)
            pieces.append(piece)
            used += sum(size_of(value) for group in piece for value in group.values())
            done += len(positions)
            if used * count > budget * done:
                return False
            size = max(PIECE, PIECE_BYTES * done // max(1, used))
        self.columns = {f.name: moved(joined([p[0][f.name] for p in pieces]), self.device) for f in self.fixed_fields}
        self.resident = {node: moved(joined([p[1][node] for p in pieces]), self.device) for node in self.frontier}
        return True

    def _fixed(self, positions: Records) -> tuple[dict[str, Value], dict[int, Value]]:
        wanted = [*(self.targets[f.name] for f in self.fixed_fields), *self.frontier]
        values = self.graph.evaluate(wanted, self.part, positions, training=self.training)
        columns = {
            f.name: declared.as_field(self.graph, f, values[self.targets[f.name]], self.part, positions)
            for f in self.fixed_fields
        }
        return columns, {node: values[node] for node in self.frontier}

    # ---- chunks ------------------------------------------------------------------------------------------------------------

    def chunk(self, positions: Records, base: int | None) -> dict[str, Value]:
        """All fields for these records. `base` is the key of what is random (None: nothing is)."""
        if self.ahead:
            columns, known = self._fixed(positions)
        else:
            index = torch.from_numpy(positions).to(self.device)
            columns = {name: taken(value, index) for name, value in self.columns.items()}
            known = {node: taken(value, index) for node, value in self.resident.items()}
        rest = [f for f in self.fields if f.name not in columns]
        if rest:
            draw = None if base is None else Draw(base, self.part.records[positions], self.device)
            values = self.graph.evaluate(
                [self.targets[f.name] for f in rest],
                self.part,
                positions,
                training=self.training,
                draw=draw,
                known=known,
                device=self.device,
            )
            for f in rest:
                value = values[self.targets[f.name]]
                columns[f.name] = declared.as_field(self.graph, f, value, self.part, positions, look=self.ahead)
        if self.shared:
            declared.check_lengths(self.graph, self.shared, columns, self.part.records[positions])
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

    def chunk_batches(self, size: int) -> int:
        """How many batches one evaluation of the graph covers."""
        if self.ahead:
            return 1
        if self._chunk is None:
            probe = self.chunk(np.arange(min(2, len(self.part))), 0 if self.training else None)
            bytes_each = max(1, sum(size_of(value) for value in probe.values()) // min(2, len(self.part)))
            self._chunk = CHUNK_BYTES // bytes_each
        return max(1, self._chunk // size)

    # ---- training ------------------------------------------------------------------------------------------------------------

    def epoch(
        self, seed: int, epoch: int, batch: int, *, start: int = 0, micro: int | None = None
    ) -> Iterator[list[Batch]]:
        """The batches of an epoch from step `start` on, each as its micro-batches. The rest below a batch is left out."""
        order = randomness.permutation(randomness.key(seed, "order", epoch), len(self.part))
        size = min(batch, len(order))
        steps = max(1, len(order) // batch)
        base = randomness.key(seed, "augment", epoch)
        per_chunk = self.chunk_batches(size)
        first = start // per_chunk
        cuts = range(first, -(-steps // per_chunk))

        def make(number: int) -> dict[str, Value]:
            return self.chunk(order[number * per_chunk * size : min((number + 1) * per_chunk, steps) * size], base)

        for number, columns in zip(cuts, self._ahead(make, cuts), strict=True):
            begin = start - number * per_chunk if number == first else 0
            for step in range(begin, min(per_chunk, steps - number * per_chunk)):
                low, high = step * size, (step + 1) * size
                if micro is None or micro >= size:
                    yield [self._batch(columns, low, high)]
                else:
                    yield [self._batch(columns, at, min(at + micro, high)) for at in range(low, high, micro)]

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

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        """Every record once, in order; the last batch may be smaller."""
        count = len(self.part)
        per_chunk = self.chunk_batches(size) * size
        done = 0
        cuts = range(-(-count // per_chunk))

        def make(number: int) -> dict[str, Value]:
            return self.chunk(np.arange(number * per_chunk, min((number + 1) * per_chunk, count)), None)

        for number, columns in zip(cuts, self._ahead(make, cuts), strict=True):
            length = min((number + 1) * per_chunk, count) - number * per_chunk
            for low in range(0, length, size):
                if limit is not None and done >= limit:
                    return
                done += 1
                yield self._batch(columns, low, min(low + size, length))
