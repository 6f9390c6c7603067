"""Where records come from, and how they are split."""

from __future__ import annotations

from typing import Any

from ..ir.data import Classes, ItemType
from .builtin import BUILTIN
from .entry import (
    Column,
    Entry,
    MaybeFraction,
    NameOrFraction,
    Natural,
    Path,
    SplitName,
    Table,
    Text,
    TokenType,
    Unit,
)

COLUMN = ItemType(kind="column")
CELL = ItemType(kind="column", shape=())
ARRAY = ItemType(kind="tensor")
TEXT = ItemType(kind="text")
STREAM = ItemType(kind="stream", dtype="i64", shape=(None,))
LABEL = ItemType(kind="tensor", dtype="i64", shape=(), classes=Classes())


def image(channels: int) -> ItemType:
    return ItemType(kind="tensor", dtype="u8", shape=(channels, None, None))


class Source(Entry):
    """Base: `fields` are what `source.name` may read (None: any name, known from the data)."""

    #: A stream is cut into windows and split contiguously.
    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return None

    @classmethod
    def any_field(cls) -> ItemType:
        """The type of a field whose names are known only from the data."""
        return COLUMN

    @classmethod
    def paths(cls, args: dict[str, Any]) -> tuple[str, ...]:
        """The paths it reads, as written."""
        return tuple(args[name] for name, kind, _ in cls.arguments if kind == "Path")


class Csv(Source):
    """A comma-separated file with a header; a field a column."""

    path: Path

    @classmethod
    def any_field(cls) -> ItemType:
        return CELL


class Parquet(Source):
    """A parquet file; a field a column: numbers, texts, or lists of numbers."""

    extra = "tables"
    path: Path


class Jsonl(Source):
    """One JSON object a line; a field a key: numbers, texts, or lists of numbers."""

    path: Path


class Hub(Source):
    """A data set of the Hugging Face hub, or of a directory with its files; a field a column. `files(train = "train",
    test = "test")` names its splits, any other division is of its train split."""

    extra = "hub"
    name_: Text


class Npz(Source):
    """Arrays with a common first axis; a field an array."""

    path: Path

    @classmethod
    def any_field(cls) -> ItemType:
        return ARRAY


class ImageFolder(Source):
    """One directory a class, image files in each. Hidden directories are ignored."""

    extra = "images"
    path: Path

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"image": image(3), "label": LABEL}


class ImagePairs(Source):
    """Two directories of images with equal names: colour images and their masks."""

    extra = "images"
    first: Path
    second: Path

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"first": image(3), "second": ItemType(kind="tensor", dtype="u8", shape=(None, None))}


class Idx(Source):
    """The files of MNIST: `<name>-images-idx3-ubyte` and `<name>-labels-idx1-ubyte` in a directory."""

    path: Path

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"image": image(1), "label": LABEL}


class TextStream(Source):
    """A text as a stream of ids: one per distinct character or line of its train part."""

    name = "text"
    path: Path
    unit: Unit = "char"

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"tokens": STREAM}


class TokenFile(Source):
    """A binary file of token numbers."""

    path: Path
    dtype: TokenType

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"tokens": STREAM}


class TextLines(Source):
    """A record a line."""

    path: Path

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"text": TEXT}


class ParallelText(Source):
    """Two files whose lines correspond."""

    first: Path
    second: Path

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"first": TEXT, "second": TEXT}


class Builtin(Source):
    """A data set that needs no download, by its name; `dlc explain digits` says what is known of one."""

    name_: Text

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        found = BUILTIN.get(args["name"])
        return None if found is None else dict(found.fields)

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if args["name"] in BUILTIN:
            return None
        return f'unknown built-in data set "{args["name"]}"; known: {" ".join(BUILTIN)}'


SOURCES = Table(
    "a data source",
    Csv,
    Parquet,
    Jsonl,
    Hub,
    Npz,
    ImageFolder,
    ImagePairs,
    Idx,
    TextStream,
    TokenFile,
    TextLines,
    ParallelText,
    Builtin,
)


# ---- splits ----------------------------------------------------------------------------------------------------------


class Random(Entry):
    """Records at random by fractions; `stratify` keeps the classes' shares, `group` keeps what is equal together (with
    both, a group is of the class that most of its records have)."""

    train: MaybeFraction = None
    val: MaybeFraction = None
    test: MaybeFraction = None
    stratify: Column = None
    group: Column = None
    seed: Natural = 0


class Contiguous(Entry):
    """Fractions in order, for streams, or by a time column."""

    train: MaybeFraction = None
    val: MaybeFraction = None
    test: MaybeFraction = None
    by: Column = None


class Folders(Entry):
    """`{split}` in the path stands for a directory: its name per split, or a fraction taken from train."""

    train: NameOrFraction = None
    val: NameOrFraction = None
    test: NameOrFraction = None
    seed: Natural = 0


class Files(Entry):
    """`{split}` in the path (or the name of an idx pair, or of a split of the hub) per split, or a fraction taken from
    train."""

    train: NameOrFraction = None
    val: NameOrFraction = None
    test: NameOrFraction = None
    seed: Natural = 0


class All(Entry):
    """Everything is one split."""

    split: SplitName


SPLITS = Table("a split", Random, Contiguous, Folders, Files, All)
