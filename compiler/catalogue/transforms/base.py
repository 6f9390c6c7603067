"""What a transform of data is: a rule on the record's type, and the facts that other rooms ask for.

Where the graph of a data section is read (`runtime/data`, `runtime/exporting/preprocessing.py`), nothing keeps lists of
transforms: whether an exported graph can hold one, what it is in evaluation and what it does to a vocabulary is defined here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, TypeAlias

from ...ir.data import ItemType
from ...sizes.dims import Size
from ..entry import Entry

#: A step back from what a transform gives: x * scale + shift (numbers, or nested lists that broadcast over a record), or a
#: function of NumPy.
Undo: TypeAlias = "tuple[str, Any, Any] | tuple[str]"


class Unsuited(Exception):
    """The transform does not apply to this item; `needs` names what it applies to."""

    def __init__(self, needs: str) -> None:
        super().__init__(needs)
        self.needs = needs


class Transform(Entry):
    """Base. Each defines whether an exported graph can contain it (`in_graph`)."""

    #: The exported graph can hold what it does in evaluation: it has a builder in `runtime/exporting/preprocessing.py`.
    in_graph: ClassVar[bool]
    #: What it is applied to; those of one kind have functions of one signature in `runtime/data`.
    takes: ClassVar[Literal["image", "numbers", "texts", "words", "tokens", "sequence", "stream", "anything"]]
    #: Of what takes images: also masks `[height, width]`, or only where there are colours.
    masks: ClassVar[bool] = True
    #: What it learns from the train split, by name; () for nothing.
    learns: ClassVar[tuple[str, ...]] = ()
    #: What each of these is: numbers, texts, or one text.
    learned: ClassVar[Literal["numbers", "texts", "text"]] = "numbers"
    #: Draws, so only in training does it make sense.
    random: ClassVar[bool] = False
    #: Of a random one: the transforms that take its place outside training, with its arguments; () for nothing at all, None
    #: where it has a meaning of its own there (`random_window` goes through the stream in order).
    evaluation: ClassVar[tuple[str, ...] | None] = None
    #: How many uniform numbers a random one draws for a record; 0 where that depends on the record's size.
    drawn: ClassVar[int] = 0
    #: Chains of transforms are among its arguments: one of them, or none, is applied to a record.
    branches: ClassVar[bool] = False
    #: Applies to each member of a record with one draw.
    members: ClassVar[bool] = True
    #: Reads the members of a record together.
    joins: ClassVar[bool] = False
    #: Takes numbers that are missing.
    fills: ClassVar[bool] = False
    #: The result is f32, and u8 is read as value / 255.
    to_float: ClassVar[bool] = False
    #: The dtype of the numbers that it takes, where only the data determines which.
    reads: ClassVar[str] = "f32"
    #: Reads rows of a series before that of the record.
    reads_before: ClassVar[bool] = False
    #: Gives some values of a record, each as it was.
    picks: ClassVar[bool] = False
    #: Cuts a stream into windows.
    windows: ClassVar[bool] = False
    #: A stream that it gives has a length of its own: it is made for each split by itself, when the data is opened.
    makes_stream: ClassVar[bool] = False
    #: What joins the pieces into which it cuts a text to a text again; None where it cuts none.
    separator: ClassVar[str | None] = None
    #: What `StringNormalizer` of ONNX does to letters of ASCII as it does.
    case: ClassVar[Literal["", "LOWER"]] = ""
    #: Makes the records of a batch equally long, and so must come last.
    fills_batch: ClassVar[bool] = False
    #: What the numbers that it gives stand for, by what it learns: names of "classes", "words", or "tokens" of a tokenizer;
    #: "buckets" of names by their number alone; "labels", one for each number of a vector.
    stands_for: ClassVar[Literal["", "classes", "words", "tokens", "buckets", "labels"]] = ""
    #: Numbers that stand for words still stand for the same words after it.
    keeps_words: ClassVar[bool] = False
    #: The source of the spec in which its example is checked.
    example_source: ClassVar[str] = 'npz("rows.npz")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        """The type after the transform; raises Unsuited."""
        raise NotImplementedError(cls.name)

    @classmethod
    def lacks(cls, shape: Sequence[int], args: Mapping[str, Any]) -> str:
        """What a record of this shape is not and has to be; "" where it fits. For what is known from the data alone."""
        fits = cls.takes != "image" or (2 if cls.masks else 3) <= len(shape) <= 3
        return "" if fits else "an image"

    @classmethod
    def taken(cls, args: Mapping[str, Any]) -> str:
        """`takes`, where it depends on the arguments."""
        return cls.takes

    @classmethod
    def learned_as(cls, args: Mapping[str, Any]) -> str:
        """`learned`, where it depends on the arguments."""
        return cls.learned

    @classmethod
    def numbers_drawn(cls, args: Mapping[str, Any]) -> int:
        """`drawn`, where it depends on the arguments."""
        return cls.drawn

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        """How predicted numbers after the transform become numbers before it: `dlc predict` answers in the units of the data.

        `item` is what the transform gave. () where units do not change (places, sizes, holes filled); None where there is no
        way back.
        """
        return None


class Notation(Transform):
    """Base of what is written with a sign (`part[:-1]`, `source.x`) or comes into the graph by itself."""

    in_graph = False
    takes = "anything"

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


def as_tensor(item: ItemType, what: str = "numbers") -> ItemType:
    """The item as a tensor; raises Unsuited, naming `what`."""
    if item.kind == "column":
        return ItemType(kind="tensor", shape=item.shape)
    if item.kind != "tensor":
        raise Unsuited(what)
    return item


def need_cells(item: ItemType, what: str) -> None:
    """Raises Unsuited, naming `what`, for anything but cells of a table."""
    if item.kind not in ("column", "text"):
        raise Unsuited(f"{what}: a column of a table")


def as_image(item: ItemType, *, masks: bool) -> ItemType:
    """The item as an image `[channels, height, width]` (with `masks` also `[height, width]`); raises Unsuited."""
    item = as_tensor(item, "an image")
    if item.shape is not None and len(item.shape) not in ((2, 3) if masks else (3,)):
        raise Unsuited("an image [channels, height, width]")
    return item


def as_float(item: ItemType) -> ItemType:
    return item.model_copy(update={"dtype": "f32", "classes": None})


def with_shape(item: ItemType, shape: tuple[Size | None, ...] | None) -> ItemType:
    return item.model_copy(update={"shape": shape})
