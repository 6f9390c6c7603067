"""Batches of at most so many tokens: which records of a data set go together.

    batch = 25k tokens      records of 20 to 24 tokens are a bucket; 25,000 // 24 = 1,041 of them are a batch

How many records each batch holds follows from the lengths alone, so every epoch has the same number of batches. Which records
they are is drawn for each epoch (runtime/data/batching.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ..dataclass import dataclass
from ..ir.data import DataField, DataSet
from ..ir.train import Train
from ..sizes.dims import Dim

#: A length and how many records have it, the shortest first.
Lengths: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class TokenPlan:
    """`buckets` is the bucket of each length; `sizes` are the records of each batch, from the bucket of the shortest on."""

    buckets: tuple[int, ...]
    sizes: tuple[int, ...]


def token_axes(field: DataField) -> list[int]:
    """The axes of a record of the field that count tokens: those of varying length, and the first axis of ids."""
    declared = field.type.shape[1:]
    varying = [axis for axis, size in enumerate(declared) if isinstance(size, Dim)]
    return varying or [0] * (bool(declared) and field.type.dtype.startswith("i"))


def has_tokens(section: DataSet) -> bool:
    """Whether a field of the section is a sequence."""
    return any(token_axes(field) for field in section.fields)


def counts_tokens(train: Train) -> bool:
    """Whether a batch of the section is in tokens."""
    return any(phase.batch.unit == "tokens" for phase in train.phases)


def plan(lengths: Lengths, tokens: int) -> TokenPlan:
    """Batches in which records times the longest length is at most `tokens`; a record that is longer is alone in its batch."""
    found: list[int] = []
    rows: list[tuple[int, int]] = []  # of each bucket: the longest length, and its records
    for number, (length, count) in enumerate(lengths):
        if number and _bound(length) == _bound(lengths[number - 1][0]):
            rows[-1] = (length, rows[-1][1] + count)
        else:
            rows.append((length, count))
        found.append(len(rows) - 1)
    return TokenPlan(tuple(found), tuple(_sizes(rows, tokens)))


def _sizes(rows: Lengths, tokens: int) -> Iterator[int]:
    size = 0  # of the batch that is being filled
    for longest, count in rows:
        most = max(1, tokens // longest)
        if size >= most:
            yield size
            size = 0
        size += count
        while size >= most:
            yield most
            size -= most
    if size:
        yield size


def _bound(length: int) -> int:
    """The length of a bucket: every length up to 15, then eight steps an octave, so at most an eighth is padding."""
    step = 1 << max(0, length.bit_length() - 4)
    return -(-length // step) * step
