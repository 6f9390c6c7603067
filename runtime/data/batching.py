"""Which records a batch has: the order of an epoch and where it is cut, a pure function of the key of the epoch.

batch = 3              order 5 0 6 2 1 4 7          batches 5 0 6 | 2 1 4, the rest is left out
batch = 12 tokens      lengths 2 2 3 3 3 6 9        batches 6 | 2 0 4 1 | 5 3: shortest first, then in any order
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue import token_batches
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataField
from .. import randomness
from . import declared
from .arrays import declared as shapes
from .draw import Records
from .graph import Graph
from .streams import SplitPart

PIECE = 1024  # records that are computed at a time


@dataclass(frozen=True)
class BatchPlan:
    """Batch `i` of an epoch has the records at `order[bounds[i] : bounds[i + 1]]`, which are positions in the split."""

    order: Records | randomness.Permutation
    bounds: Records
    turns: Records | None = None  # how often each was drawn before in the epoch; None: never

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def records(self, first: int, last: int | None = None) -> Records:
        """The records of a batch, or of all batches from `first` until before `last`."""
        return self.order[self._places(first, last)]

    def drawn_before(self, first: int, last: int | None = None) -> Records | None:
        """How often each of these records was drawn before in the epoch; None where each is drawn once."""
        return None if self.turns is None else self.turns[self._places(first, last)]

    def _places(self, first: int, last: int | None) -> slice:
        last = first + 1 if last is None else min(last, len(self))
        return slice(self.bounds[first], self.bounds[last])


def of_samples(
    order: Records | randomness.Permutation, size: int, *, rest: bool, turns: Records | None = None
) -> BatchPlan:
    """Batches of `size` records; with `rest` the last one may be smaller, else it is left out unless it is the only one."""
    count = len(order)
    size = min(size, count)
    stop = count + size if rest else count + 1
    bounds = np.minimum(np.arange(0, stop, size) if size else np.zeros(1, np.int64), count)
    return BatchPlan(order, bounds.astype(np.int64), turns)


def drawn(weights: NDArray[np.float64], *words: int | str) -> tuple[Records, Records]:
    """As many records as there are, each draw in proportion to the weights, in an order that the words decide; and how often each was
    drawn before."""
    keys = randomness.record_keys(randomness.key(*words), np.arange(len(weights), dtype=np.int64))
    ends = np.cumsum(weights)
    shares = (keys >> np.uint64(11)).astype(np.float64) * 2.0**-53  # from 0 to below 1
    last = int(np.flatnonzero(weights)[-1])  # rounding may carry a share to the end of all
    order = np.minimum(np.searchsorted(ends, shares * ends[-1], side="right"), last).astype(np.int64)
    by_record = np.argsort(order, kind="stable")
    places = np.arange(len(order))
    firsts = np.flatnonzero(np.diff(order[by_record], prepend=-1))
    turns = np.empty_like(order)
    turns[by_record] = places - np.repeat(firsts, np.diff(firsts, append=len(order)))
    return order, turns


def of_tokens(lengths: Records, tokens: int, *words: int | str) -> BatchPlan:
    """Batches of at most `tokens`, padding included, in an order that the words decide. Each has records of about one length,
    and their number is the same for all words."""
    distinct, which, counts = np.unique(lengths, return_inverse=True, return_counts=True)
    plan = token_batches.plan(list(zip(distinct.tolist(), counts.tolist(), strict=True)), tokens)
    shuffled = randomness.permutation(randomness.key(*words), len(lengths))
    buckets = np.array(plan.buckets, np.int64)[which.reshape(-1)]
    sorted_ = shuffled[np.argsort(buckets[shuffled], kind="stable")]
    sizes = np.array(plan.sizes, np.int64)
    ends = np.cumsum(sizes)
    turn = randomness.permutation(randomness.key(*words, "batches"), len(sizes))
    parts = [sorted_[ends[i] - sizes[i] : ends[i]] for i in turn]
    return BatchPlan(np.concatenate(parts), np.concatenate([[0], np.cumsum(sizes[turn])]))


def lengths(graph: Graph, fields: Iterable[DataField], part: SplitPart, *, training: bool) -> Records:
    """The tokens of each record of a split: the longest of its sequences, at least 1. Fields of varying length are computed."""
    found = np.ones(len(part), np.int64)
    varying: list[DataField] = []
    for field in fields:
        sizes = [field.type.shape[1 + axis] for axis in token_batches.token_axes(field)]
        fixed = [size for size in sizes if isinstance(size, int)]
        if len(fixed) < len(sizes):
            varying.append(field)
        np.maximum(found, max(fixed, default=1), out=found)
    nodes = [graph.real(field.node, training) for field in varying]
    for start in range(0, len(part) if varying else 0, PIECE):
        positions = np.arange(start, min(start + PIECE, len(part)))
        values = graph.evaluate(nodes, part, positions, training=training)
        for field, node in zip(varying, nodes, strict=True):
            value = declared.as_field(graph, field, values[node], part, positions, look=False)
            for axis in token_batches.token_axes(field):
                found[positions] = np.maximum(found[positions], shapes.lengths(value, axis))
    return found
