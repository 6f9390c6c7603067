"""Where records come from."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from ..ir.data import ClassNames, ItemType
from .arguments import Names, Path
from .builtin import BUILTIN
from .entry import Entry

COLUMN = ItemType(kind="column")
CELL = ItemType(kind="column", shape=())
ARRAY = ItemType(kind="tensor")
TEXT = ItemType(kind="text")
STREAM = ItemType(kind="stream", dtype="i64", shape=(None,))
LABEL = ItemType(kind="tensor", dtype="i64", shape=(), classes=ClassNames())


def image(channels: int) -> ItemType:
    return ItemType(kind="tensor", dtype="u8", shape=(channels, None, None))


def _is_encoding(name: str) -> bool:
    """Whether Python has a text encoding of this name."""
    try:
        "".encode(name)
    except (LookupError, ValueError):
        return False
    return True


class DataSource(Entry):
    """Base: `fields` are what `source.name` may read (None: any name, known from the data)."""

    #: Each record is an image file or an image.
    images: ClassVar[bool] = False
    #: A class is a directory, so that `skip` of the section may leave some out.
    class_folders: ClassVar[bool] = False
    #: Knows the names of its splits: those that `files(..)` gives are not files.
    names_splits: ClassVar[bool] = False
    #: Finds the files of a split in its directory, without `{split}` in the path.
    finds_splits: ClassVar[bool] = False
    #: A text file holds a record in each line.
    lines: ClassVar[bool] = False
    #: A text file is one record.
    whole_files: ClassVar[bool] = False
    #: Its stream holds numbers of names that the train part has: characters of a text.
    learns: ClassVar[bool] = False
    #: Ends of names of files that hold such records, so that `dlc predict` reads them: `.csv`.
    suffixes: ClassVar[tuple[str, ...]] = ()
    #: Where such a file may be cut so that its pieces can be read one after another: behind a line, one in which no quote is open,
    #: or between rows; or whether it is a directory, read a few files at a time, or shards, of
    #: which an index is read; "" for one that is read whole.
    pieces: ClassVar[Literal["", "lines", "quoted lines", "rows", "files", "shards"]] = ""
    #: About how many bytes of memory one of such a file takes.
    expands: ClassVar[int] = 1

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return None

    @classmethod
    def any_field(cls, name: str, args: dict[str, Any]) -> ItemType:
        """The type of a field whose names are known only from the data."""
        return COLUMN

    @classmethod
    def unsupported(cls, name: str) -> str | None:
        """Why no source of this kind has a field of this name; None where there is nothing to report."""
        if cls.images and name.lower() in ("box", "boxes", "bbox", "bboxes", "keypoints"):
            return "boxes and points in images are out of scope; `image_pairs` reads masks, a class for each pixel"
        return None

    @classmethod
    def paths(cls, args: dict[str, Any]) -> tuple[str, ...]:
        """The paths it reads, as written."""
        return tuple(args[name] for name, kind, _ in cls.arguments if kind == "Path")

    @classmethod
    def group(cls, args: dict[str, Any]) -> str:
        """The field whose equal values belong in one split; "" where records are independent."""
        return ""


class _CsvFile(DataSource):
    """Base: how a CSV file is written."""

    path: Path
    separator: str | None = None
    decimal: Literal[".", ","] | None = None
    thousands: str = ""
    quote: str = '"'
    encoding: str | None = None
    missing: Names | None = None

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        for name in ("separator", "quote"):
            if args[name] is not None and (len(args[name]) != 1 or args[name] in "\r\n" or not args[name].isascii()):
                return f"`{name}` must be one ASCII character"
        if args["thousands"] and (len(args["thousands"]) != 1 or args["thousands"].isalnum()):
            return "`thousands` must be one character that is not a letter or digit"
        if args["thousands"] == (args["decimal"] or "."):
            return "`thousands` and `decimal` are the same"
        if args["encoding"] is not None and not _is_encoding(args["encoding"]):
            return f'unknown encoding "{args["encoding"]}"'
        return None

    @classmethod
    def any_field(cls, name: str, args: dict[str, Any]) -> ItemType:
        return CELL


class Csv(_CsvFile):
    """A table of cells separated by commas, with a header; one field per column. Another `separator` (`;`, tab, `|`), a
    decimal comma next to it, a byte-order mark and UTF-16 are found and reported (W0416), or given. `missing` are the texts that
    stand for a missing value, of numbers and of names; by default empty cells and NA, N/A, NaN, null and none in any case."""

    suffixes = (".csv",)
    pieces = "quoted lines"
    example = 'source = csv("rows.csv", separator = ";", decimal = ",", missing = ["?", "NA"])'


class ImageTable(_CsvFile):
    """A CSV file, read as by `csv`, one column of which has the names of image files, relative to the folder of the table; its other
    columns are fields as they are: `source.label -> category`, or `source.tags -> multi_hot` for several labels an image. Boxes
    are out of scope."""

    file: str = "file"

    extra = "images"
    images = True
    suffixes = (".csv",)
    example = 'source = image_table("labels.csv", file = "name")'

    @classmethod
    def any_field(cls, name: str, args: dict[str, Any]) -> ItemType:
        return image(3) if name == args["file"] else CELL


class Parquet(DataSource):
    """A parquet file; one field per column: numbers, texts, or lists of numbers. `missing` as in `csv`."""

    path: Path
    missing: Names | None = None

    suffixes = (".parquet",)
    pieces = "rows"
    expands = 4
    example = 'source = parquet("rows.parquet")'


class Feather(DataSource):
    """A feather file, the format of Arrow in memory; one field per column: numbers, texts, or lists of numbers.
    `missing` as in `csv`."""

    path: Path
    missing: Names | None = None

    suffixes = (".feather", ".arrow")
    pieces = "rows"
    example = 'source = feather("rows.feather")'


class Jsonl(DataSource):
    """One JSON object per line, one field per key: numbers, texts, or lists of numbers. `missing` as in `csv`."""

    path: Path
    missing: Names | None = None

    suffixes = (".jsonl",)
    pieces = "lines"
    expands = 8
    example = 'source = jsonl("rows.jsonl")'


class Hub(DataSource):
    """A data set from the Hugging Face hub, or a directory with its files; one field per column. `files(train = "train",
    test = "test")` names its splits; any other split divides its train split. `missing` as in `csv`."""

    name_: str
    missing: Names | None = None

    names_splits = True
    extra = "hub"
    example = 'source = hub("fancyzhx/ag_news")'


class Npz(DataSource):
    """Arrays with a common first axis; one field per array. NaN is a missing number."""

    path: Path

    suffixes = (".npz",)
    example = 'source = npz("rows.npz")'

    @classmethod
    def any_field(cls, name: str, args: dict[str, Any]) -> ItemType:
        return ARRAY


class ImageFolder(DataSource):
    """One directory per class, with image files in each. Hidden directories are ignored. A file that lies in the directories of two
    classes is a record of each: labels from a table, and several for an image, are read by `image_table`. Boxes are out of scope."""

    path: Path

    extra = "images"
    class_folders = True
    images = True
    example = 'source = image_folder("images/{split}")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"image": image(3), "label": LABEL}


class TarShards(DataSource):
    """Records in tar files that are not compressed, as WebDataset writes them: neighbouring members whose names are equal up to the
    first dot are a record. `image` is its image (`0001.jpg`), `cls` and `txt` the texts of `0001.cls` and `0001.txt`, `key` its name;
    each key of the object in `0001.json` is a field. `train-{000..009}.tar` names ten files, read as one. Only headers and texts are
    read in advance, once: an index of them is kept in the folder of tables that do not fit in memory."""

    path: Path
    missing: Names | None = None

    extra = "images"
    images = True
    suffixes = (".tar",)
    pieces = "shards"
    example = 'source = tar_shards("shards/{split}-{000..009}.tar")'

    @classmethod
    def any_field(cls, name: str, args: dict[str, Any]) -> ItemType:
        return image(3) if name == "image" else CELL


class ImagePairs(DataSource):
    """Two directories of images with the same names: colour images and their masks."""

    first: Path
    second: Path

    extra = "images"
    images = True
    example = 'source = image_pairs("photos", "masks")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"first": image(3), "second": ItemType(kind="tensor", dtype="u8", shape=(None, None))}


class Idx(DataSource):
    """Files in MNIST's format: `<name>-images-idx3-ubyte` and `<name>-labels-idx1-ubyte` in a directory."""

    path: Path

    finds_splits = True
    images = True
    example = 'source = idx("mnist")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"image": image(1), "label": LABEL}


class Text(DataSource):
    """A text as a stream of ids, one for each distinct character or line of its train part. Of a directory, the texts of all `.txt`,
    `.text` and `.md` files in it and below, in the order of their paths; each ends its last line."""

    path: Path
    unit: Literal["char", "line"] = "char"

    learns = True
    example = 'source = text("input.txt")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"tokens": STREAM}


class TokenFile(DataSource):
    """A binary file of token ids."""

    path: Path
    dtype: Literal["u8", "u16", "u32", "i32", "i64"]

    example = 'source = token_file("{split}.bin", "u16")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"tokens": STREAM}


class TextLines(DataSource):
    """One record per line."""

    path: Path

    lines = True
    pieces = "lines"
    expands = 3
    example = 'source = text_lines("sentences.txt")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"text": TEXT}


class TextFolder(DataSource):
    """One directory per class, with text files (`.txt`, `.text`, `.md`) in each: a record is the text of a file. Hidden
    directories are ignored."""

    path: Path

    class_folders = True
    whole_files = True
    pieces = "files"
    expands = 3
    example = 'source = text_folder("notes/{split}")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"text": TEXT, "label": LABEL}


class ParallelText(DataSource):
    """Two files whose lines correspond."""

    first: Path
    second: Path

    example = 'source = parallel_text("text.en", "text.de")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        return {"first": TEXT, "second": TEXT}


class Builtin(DataSource):
    """A data set that needs no download, by its name; `dlc explain digits` describes one."""

    name_: str

    example = 'source = builtin("digits")'

    @classmethod
    def fields(cls, args: dict[str, Any]) -> dict[str, ItemType] | None:
        found = BUILTIN.get(args["name"])
        return None if found is None else dict(found.fields)

    @classmethod
    def group(cls, args: dict[str, Any]) -> str:
        return BUILTIN[args["name"]].group

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if args["name"] in BUILTIN:
            return None
        return f'unknown built-in data set "{args["name"]}"; known: {" ".join(BUILTIN)}'
