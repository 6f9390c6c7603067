"""How records are drawn for training, where they are not all used once an epoch."""

from __future__ import annotations

from typing import ClassVar, Literal

from .arguments import Field
from .entry import Entry


class Sampling(Entry):
    """Base: an epoch draws as many records as the train split has, with replacement."""

    #: What the field holds, one number a record: class numbers, or weights.
    reads: ClassVar[Literal["classes", "weights"]]


class Balanced(Sampling):
    """Every class equally often, whatever its number of records; within a class each record is equally likely. A record with a
    negative class number, which is none, is never drawn."""

    field: Field

    reads = "classes"
    example = "sampling = balanced(label)"


class Weighted(Sampling):
    """Each record in proportion to its number in a field, which is at least 0: twice the number, twice as often."""

    field: Field

    reads = "weights"
    example = "sampling = weighted(y)"
