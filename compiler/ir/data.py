"""`data` sections: a small graph a record, and the batch fields that point at its nodes.

`DataSet.nodes` are in an order in which each reads only earlier ones. A node that several fields read is computed once
(so a random window is drawn once for tokens and targets).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from ..messages.source import Span
from ..sizes.dims import Size
from ..sizes.types import TensorType
from .arguments import Argument, EntryUse
from .record import Record, field

Split: TypeAlias = Literal["train", "val", "test"]


class ClassNames(Record):
    """What is known of a class field: the count, and the names in the order of their numbers. None: known only from
    the data."""

    count: int | None = None
    names: tuple[str, ...] | None = None


class ItemType(Record):
    """What one record holds at a node, as far as it is known without looking at the data.

    `tensor`: dtype and shape (None: unknown; a None axis is one too). `column`: a cell of a table, a number or a text
    (or, where the shape is unknown, an array), known only from the data. `stream`: a sequence of i64 or f32 that is not a record yet
    (`random_window` cuts it). `text`: a string. `words`: a list of strings. `turns`: a chat, laid out by a template. `record`: named
    members.
    """

    kind: Literal["tensor", "column", "stream", "text", "words", "turns", "record"]
    dtype: str | None = None
    shape: tuple[Size | None, ...] | None = None
    classes: ClassNames | None = None
    members: dict[str, ItemType] = field(default_factory=dict)


class DataNode(Record):
    """One value of a record. `op` is a transform of the table, or one of

    - `source` (args: field): a field of the source;
    - `columns` (args: names, or except): these columns of a table, or all but these, as f32[n]; the latter in the order of the
      file that the run trained on;
    - `tuple`: a record of the inputs, members `first`, `second`, ...;
    - `member` (args: name): a member of a record;
    - `slice` (args: start, stop; None is open): along the first axis;
    - `index` (args: at): one element of the first axis, which is dropped;
    - `to_float`: u8 as value / 255, f32;
    - `choose`: inputs[0] in training, inputs[1] in evaluation; the other is not computed.

    A transform of a record applies to each member, with one random draw for all.
    """

    id: int
    op: str
    args: dict[str, Argument] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    type: ItemType
    name: str = ""
    span: Span


class DataField(Record):
    """A batch field: `type` has the batch axis `B` first, and what follows is the declared type of a record."""

    name: str
    type: TensorType
    node: int
    classes: ClassNames | None = None
    span: Span


class Condition(Record):
    """`where`: `op` is `and`, `or`, `not` over `items`, or a comparison sign over `left` and `right`: a dimension of the
    fields (`{"dim": name}` as a `Dim`), `("node", id)`, or a constant."""

    op: str
    items: tuple[Condition, ...] = ()
    left: Argument = None
    right: Argument = None
    span: Span


Gaps: TypeAlias = Literal["refuse", "cut", "join"]


class Order(Record):
    """What the rows of a table are as series: `series` and `time` are columns (None: one series, the order of the file), `gaps` is
    what a step means that is longer than the usual ones."""

    series: str | None = None
    time: str | None = None
    gaps: Gaps = "refuse"
    span: Span


class DataSet(Record):
    """A `data` section.

    `split` is one of
    - `random` (train, val, test: fractions; stratify, group: source fields or None; seed),
    - `contiguous` (train, val, test; by: source field or None),
    - `folders`, `files` (train, val, test: a name, a fraction taken from train, or None; seed),
    - `all` (split).

    `drop` are columns without which a record is left out, or "missing": all that fields read and no transform fills in.
    `lengths` are the ragged dimensions with their largest value (None: unbounded), each one length per record.
    Paths are as written, relative to the spec. `order` is there where windows are cut from rows of a table.
    """

    name: str
    source: EntryUse
    split: EntryUse
    skip: tuple[str, ...] = ()
    where: Condition | None = None
    drop: Literal["missing"] | tuple[str, ...] = ()
    order: Order | None = None
    nodes: tuple[DataNode, ...]
    fields: tuple[DataField, ...]
    lengths: dict[str, int | None] = field(default_factory=dict)
    span: Span

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that records can be in."""
        named = [name for name in ("train", "val", "test") if self.split.args.get(name)]
        return (*named, *([self.split.args["split"]] if "split" in self.split.args else ()))

    def node(self, identifier: int) -> DataNode:
        return next(node for node in self.nodes if node.id == identifier)

    def field(self, name: str) -> DataField:
        return next(field for field in self.fields if field.name == name)


class FieldFacts(Record):
    """What is known of a field from the data: dtype and shape of one record (an axis that varies is None), its classes, for
    a fitted or fixed vocabulary the largest id + 1, and of whole numbers that are read as they are the least and the largest. Where
    a recipe balances its classes, `counts` is how often the train split has each number from 0 on."""

    dtype: str
    shape: tuple[int | None, ...]
    classes: tuple[str, ...] | None = None
    vocabulary: int | None = None
    range: tuple[int, int] | None = None
    counts: tuple[int, ...] = ()


class DataFacts(Record):
    """What was found by looking at the data of one section: records a split (windows of a stream; the train split's are
    those of one epoch), fields by name, and folders that have no images and are therefore not classes. Where a recipe counts
    tokens, `lengths` are those of the records of the train split, the shortest first, and how many records have each. What was
    `found` of how a file is written: in words, and as the source can state it. `dropped` are the records that `drop` left out, and
    `lacking` gives by column how many of them lack its cell. `laid_out` is the folder that columns are streamed from which would
    not fit in memory."""

    records: dict[str, int]
    lengths: tuple[tuple[int, int], ...] = ()
    fields: dict[str, FieldFacts] = field(default_factory=dict)
    empty: tuple[str, ...] = ()
    found: tuple[tuple[str, str], ...] = ()
    dropped: int = 0
    lacking: dict[str, int] = field(default_factory=dict)
    laid_out: str = ""
