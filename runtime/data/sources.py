"""Sources: what `source = kind(..)` names, read into a `Table`."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from ...compiler.names import nearest
from ...compiler.recipe.ir import DataSet, Split
from ...compiler.source import Span
from . import mistakes
from .table import Cells, Column, Images, Numbers, SourceFile, Stream, Table

SPLITS: tuple[Split, ...] = ("train", "val", "test")
IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"))
TOKEN_TYPES = {"u8": "u1", "u16": "<u2", "u32": "<u4", "i32": "<i4", "i64": "<i8"}

#: Reads the files of one `{split}` (or the only ones): columns, count and the place of each record.
Part = tuple[dict[str, Column], int, Callable[[int], str], list[Path]]
Reader = Callable[[Mapping[str, Any], Callable[[str], Path], Span], Part]


def read(section: DataSet, root: Path) -> Table:
    """The records of a data section; paths are relative to `root`."""
    span = section.source.span
    args = section.source.args
    reader = READERS.get(section.source.name)
    if reader is None:
        raise mistakes.backend_missing(span, f"the source `{section.source.name}`")
    if section.source.name == "image_folder":
        args = {**args, "skip": section.skip}
    names: dict[Split, Any] = {
        split: section.split.args[split] for split in SPLITS if isinstance(section.split.args.get(split), str)
    }
    if not names or section.split.name not in ("folders", "files"):
        return _table(section, reader(args, lambda path: _resolve(root, path), span), None)
    parts: dict[Split, Part] = {}
    for split, name in names.items():
        parts[split] = reader(args, lambda path, name=name: _resolve(root, path.replace("{split}", str(name))), span)
    return _joined(section, parts)


def _resolve(root: Path, path: str) -> Path:
    given = Path(os.path.expanduser(path))
    return given if given.is_absolute() else Path(os.path.normpath(root / given))


def _table(section: DataSet, part: Part, parts: Mapping[Split, NDArray[np.int64]] | None) -> Table:
    columns, count, place, paths = part
    source = section.source
    first = next((str(source.args[key]) for key in ("path", "name", "first") if key in source.args), "")
    return Table(
        columns, count, place, f'`{source.name}("{first}")`', tuple(_stat(path) for path in paths), parts,
        digest_of(columns), tuple(columns),
    )  # fmt: skip


def _stat(path: Path) -> SourceFile:
    status = path.stat()
    return SourceFile(path, status.st_size, status.st_mtime_ns)


def digest_of(columns: Mapping[str, Column]) -> str:
    """A hash of what the source holds (of image files: their names and sizes)."""
    digest = hashlib.blake2b(digest_size=16)
    for name, column in columns.items():
        digest.update(name.encode() + b"\0")
        match column:
            case Numbers(array, names) | Stream(array, names):
                digest.update("\0".join(names or ()).encode())
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
            case Cells(values):
                digest.update("\0".join(values).encode("utf-8", "surrogatepass"))
            case Images(paths):
                digest.update("\0".join(f"{path.name}:{path.stat().st_size}" for path in paths).encode())
    return digest.hexdigest()


def _joined(section: DataSet, parts: Mapping[Split, Part]) -> Table:
    """Several parts one after another, with the records of each split."""
    span = section.source.span
    splits = list(parts)
    starts = np.cumsum([0, *(parts[split][1] for split in splits)])
    ranges: dict[Split, NDArray[np.int64]] = {
        split: np.arange(starts[i], starts[i + 1], dtype=np.int64) for i, split in enumerate(splits)
    }
    columns: dict[str, Column] = {}
    for name in parts[splits[0]][0]:
        found = [parts[split][0].get(name) for split in splits]
        if any(column is None for column in found):
            at = splits[[column is None for column in found].index(True)]
            raise mistakes.unknown_field(span, f"the {at} split", name, list(parts[at][0]))
        columns[name] = _concatenated([column for column in found if column is not None], name, span)

    def place(record: int) -> str:
        index = int(np.searchsorted(starts, record, "right")) - 1
        return parts[splits[index]][2](record - int(starts[index]))

    paths = [path for split in splits for path in parts[split][3]]
    return _table(section, (columns, int(starts[-1]), place, paths), ranges)


def _concatenated(found: list[Column], name: str, span: Span) -> Column:
    first = found[0]
    if isinstance(first, Numbers):
        arrays = [column for column in found if isinstance(column, Numbers)]
        names = [column.classes for column in arrays]
        if any(other != names[0] for other in names):
            merged = tuple(sorted({label for classes in names if classes for label in classes}))
            lookup = {label: number for number, label in enumerate(merged)}
            recoded = [np.array([lookup[c.classes[i]] for i in c.array], np.int64) for c in arrays if c.classes]
            return Numbers(np.concatenate(recoded), merged)
        shapes = {column.array.shape[1:] for column in arrays}
        if len(shapes) > 1:
            one, other, *_ = sorted(shapes)
            raise mistakes.field_shape(span, name, "the splits", str(one), str(other))
        return Numbers(np.concatenate([column.array for column in arrays]), names[0])
    if isinstance(first, Cells):
        return Cells([value for column in found if isinstance(column, Cells) for value in column.values])
    if isinstance(first, Images):
        return Images([path for column in found if isinstance(column, Images) for path in column.paths], first.gray)
    return _joined_streams([column for column in found if isinstance(column, Stream)])


def _joined_streams(found: list[Stream]) -> Stream:
    if found[0].names is None:
        return Stream(np.concatenate([stream.array for stream in found]))
    known = {name: number for number, name in enumerate(found[0].names)}
    for stream in found[1:]:
        for name in stream.names or ():
            known.setdefault(name, len(known))
    recoded = [np.array([known[n] for n in stream.names or ()], np.int32)[stream.array] for stream in found]
    return Stream(np.concatenate(recoded), tuple(known))


# ---- tables ------------------------------------------------------------------------------------------------------------


def _bytes(path: Path, span: Span) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        raise mistakes.missing_file(span, path, str(path.parent / near) if near else None) from None
    except IsADirectoryError:
        raise mistakes.unreadable(span, path, "it is a directory") from None
    except OSError as error:
        raise mistakes.unreadable(span, path, (error.strerror or str(error)).lower()) from None


def _text(path: Path, span: Span) -> str:
    data = _bytes(path, span)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise mistakes.not_utf8(span, path, data.count(b"\n", 0, error.start) + 1, data[error.start]) from None


def _csv(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    path = resolve(args["path"])
    reader = csv.reader(_text(path, span).splitlines(keepends=True), strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    header: list[str] | None = None
    try:
        start = 1
        for row in reader:
            line, start = start, reader.line_num + 1
            if not row:
                continue
            if header is None:
                header = [name.strip() for name in row]
                continue
            if len(row) != len(header):
                raise mistakes.csv_columns(span, path, line, len(row), len(header))
            rows.append(row)
            lines.append(line)
    except csv.Error as error:
        raise mistakes.csv_syntax(span, path, reader.line_num, str(error)) from None
    if header is None or not rows:
        raise mistakes.empty(span, path)
    for name in header:
        if header.count(name) > 1:
            raise mistakes.csv_duplicate(span, path, name)
    columns: dict[str, Column] = {
        name: Cells(values) for name, values in zip(header, map(list, zip(*rows, strict=True)), strict=True)
    }
    return columns, len(rows), lambda record: f"{path}:{lines[record]}", [path]


def _jsonl(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    path = resolve(args["path"])
    records: list[dict[str, Any]] = []
    lines: list[int] = []
    for line, text in enumerate(_text(path, span).splitlines(), 1):
        if not text.strip():
            continue
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            raise mistakes.csv_syntax(span, path, line, f"not JSON: {error.msg} at column {error.colno}") from None
        if not isinstance(value, dict):
            raise mistakes.csv_syntax(span, path, line, "a line is a JSON object")
        records.append(value)
        lines.append(line)
    if not records:
        raise mistakes.empty(span, path)
    names = list(dict.fromkeys(name for record in records for name in record))
    place: Callable[[int], str] = lambda record: f"{path}:{lines[record]}"
    return {name: _objects([r.get(name) for r in records]) for name in names}, len(records), place, [path]


def _objects(values: list[Any]) -> Column:
    """A column of JSON values: lists of numbers become an array, everything else cells."""
    if values and all(isinstance(value, list) for value in values):
        try:
            return Numbers(np.asarray(values, np.float32))
        except (ValueError, TypeError):
            pass
    return Cells(["" if value is None else value if isinstance(value, str) else json.dumps(value) for value in values])


def _parquet(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise mistakes.extra_missing(span, "the source `parquet`", "tables", "pyarrow") from None
    path = resolve(args["path"])
    if not path.is_file():
        _bytes(path, span)
    try:
        table = parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise mistakes.not_of_format(span, path, "a parquet file", str(error).splitlines()[0]) from None
    if table.num_rows == 0:
        raise mistakes.empty(span, path)
    columns = {name: _objects(table.column(name).to_pylist()) for name in table.column_names}
    return columns, table.num_rows, lambda record: f"{path} record {record}", [path]


def _hub(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    try:
        import datasets  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise mistakes.extra_missing(span, "the source `hub`", "hub", "datasets") from None
    name = args["name"]
    try:
        found: Any = datasets.load_dataset(name, split="train")
    except Exception as error:  # noqa: BLE001 - the library raises whatever its transports raise
        raise mistakes.unreadable(span, Path(name), str(error).splitlines()[0]) from None
    columns: dict[str, Column] = {column: _objects(list(found[column])) for column in found.column_names}
    return columns, len(found), lambda record: f"{name} record {record}", []


def _npz(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    path = resolve(args["path"])
    if not path.is_file():
        _bytes(path, span)
    columns: dict[str, Column] = {}
    with path.open("rb") as file:
        try:
            archive: Any = np.load(file, allow_pickle=False)
            arrays = {name: archive[name] for name in archive.files} if hasattr(archive, "files") else None
        except (ValueError, OSError, EOFError, KeyError, BadZipFile, NotImplementedError) as error:
            why = (str(error).splitlines() or ["damaged"])[0]
            raise mistakes.not_of_format(span, path, "an npz archive", why) from None
    if arrays is None:
        raise mistakes.not_of_format(span, path, "an npz archive", "it holds one array; use `numpy.savez`")
    for name, array in arrays.items():
        columns[name] = _array(array, path, name, span)
    if not columns:
        raise mistakes.empty(span, path, "arrays")
    first, *others = columns
    for name in others:
        if len(columns[name]) != len(columns[first]):
            raise mistakes.lengths_differ(span, path, first, len(columns[first]), name, len(columns[name]))
    if not len(columns[first]):
        raise mistakes.empty(span, path)
    return columns, len(columns[first]), lambda record: f"{path} record {record}", [path]


def _array(array: NDArray[Any], path: Path, name: str, span: Span) -> Column:
    if array.ndim == 0:
        raise mistakes.array_kind(span, path, name, "a single value")
    if array.dtype.kind in "US":
        return Cells([str(value) for value in array.astype(str).tolist()])
    if array.dtype.kind not in "biuf":
        raise mistakes.array_kind(span, path, name, f"`{array.dtype}`")
    return Numbers(array)


# ---- images ------------------------------------------------------------------------------------------------------------


def _image_files(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*")
        if path.suffix.lower() in IMAGE_SUFFIXES and not any(p.startswith(".") for p in path.relative_to(folder).parts)
    )  # fmt: skip


def _image_folder(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    root = resolve(args["path"])
    if not root.is_dir():
        raise mistakes.missing_folder(span, root)
    skip = set(args.get("skip", ()))
    folders = sorted(f for f in root.iterdir() if f.is_dir() and not f.name.startswith(".") and f.name not in skip)
    files = [(path, label) for label, folder in enumerate(folders) for path in _image_files(folder)]
    if not files:
        flat = any(path.suffix.lower() in IMAGE_SUFFIXES for path in root.iterdir())
        raise mistakes.empty(span, root, "images in directories, one a class" if flat else "images")
    paths = [path for path, _ in files]
    labels = Numbers(np.array([label for _, label in files], np.int64), tuple(folder.name for folder in folders))
    return {"image": Images(paths), "label": labels}, len(files), lambda record: str(paths[record]), paths


def _image_pairs(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    first, second = resolve(args["first"]), resolve(args["second"])
    for folder in (first, second):
        if not folder.is_dir():
            raise mistakes.missing_folder(span, folder)
    ones = {str(path.relative_to(first).with_suffix("")): path for path in _image_files(first)}
    others = {str(path.relative_to(second).with_suffix("")): path for path in _image_files(second)}
    others = {name if name in ones else name.removesuffix("_mask"): path for name, path in others.items()}
    for name in ones.keys() ^ others.keys():
        has, lacks = (first, second) if name in ones else (second, first)
        raise mistakes.files_differ(span, has, lacks, f"`{name}` is only in the first")
    if not ones:
        raise mistakes.empty(span, first, "images")
    pairs = [(ones[name], others[name]) for name in sorted(ones)]
    columns: dict[str, Column] = {"first": Images([a for a, _ in pairs]), "second": Images([b for _, b in pairs], True)}
    paths = [path for pair in pairs for path in pair]
    return columns, len(pairs), lambda record: str(pairs[record][0]), paths


def _idx(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    base = resolve(args["path"])
    prefix = f"{base.name}-" if not base.is_dir() else ""
    folder = base if base.is_dir() else base.parent
    images, labels = (_idx_file(folder, f"{prefix}{what}", span) for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    if len(images[1]) != len(labels[1]):
        raise mistakes.lengths_differ(span, folder, "images", len(images[1]), "labels", len(labels[1]))
    classes = tuple(str(number) for number in range(int(labels[1].max()) + 1))
    columns: dict[str, Column] = {
        "image": Numbers(images[1][:, None]), "label": Numbers(labels[1].astype(np.int64), classes)
    }  # fmt: skip
    return columns, len(labels[1]), lambda record: f"{images[0]} record {record}", [images[0], labels[0]]


def _idx_file(folder: Path, ending: str, span: Span) -> tuple[Path, NDArray[np.uint8]]:
    found = sorted(path for path in folder.glob("*") if path.name.removesuffix(".gz").endswith(ending))
    if not found:
        raise mistakes.missing_file(span, folder / ending)
    path = found[0]
    data = _bytes(path, span)
    try:
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        axes = data[3]
        shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
        return path, np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, IndexError, struct.error, ValueError) as error:
        raise mistakes.not_of_format(span, path, "an idx file", str(error)) from None


# ---- text --------------------------------------------------------------------------------------------------------------


def encode(text: list[str] | str) -> Stream:
    """A text as numbers of its distinct characters (or lines), in their sorted order."""
    names = tuple(sorted(set(text)))
    lookup = {name: number for number, name in enumerate(names)}
    return Stream(np.array([lookup[item] for item in text], np.int32), names)


def _text_stream(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    path = resolve(args["path"])
    text = _text(path, span)
    if not text:
        raise mistakes.empty(span, path, "text")
    stream = encode(text if args["unit"] == "char" else text.splitlines())
    return {"tokens": stream}, len(stream), lambda token: f"{path} at {args['unit']} {token}", [path]


def _token_file(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    path = resolve(args["path"])
    if not path.is_file():
        _bytes(path, span)
    dtype = np.dtype(TOKEN_TYPES[args["dtype"]])
    size = path.stat().st_size
    if not size:
        raise mistakes.empty(span, path, "tokens")
    if size % dtype.itemsize:
        raise mistakes.not_of_format(
            span, path, f"a file of `{args['dtype']}` tokens", f"{size} bytes are not a multiple of {dtype.itemsize}"
        )
    stream = Stream(np.memmap(path, dtype, "r"))
    return {"tokens": stream}, len(stream), lambda token: f"{path} at token {token}", [path]


def _lines(path: Path, span: Span) -> list[str]:
    lines = _text(path, span).splitlines()
    if not lines:
        raise mistakes.empty(span, path, "lines")
    return lines


def _text_lines(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    path = resolve(args["path"])
    lines = _lines(path, span)
    return {"text": Cells(lines)}, len(lines), lambda record: f"{path}:{record + 1}", [path]


def _parallel_text(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    first, second = resolve(args["first"]), resolve(args["second"])
    ones, others = _lines(first, span), _lines(second, span)
    if len(ones) != len(others):
        raise mistakes.files_differ(span, first, second, f"{len(ones)} lines against {len(others)}")
    columns: dict[str, Column] = {"first": Cells(ones), "second": Cells(others)}
    return columns, len(ones), lambda record: f"{first}:{record + 1}", [first, second]


# ---- built-in ----------------------------------------------------------------------------------------------------------


def _builtin(args: Mapping[str, Any], resolve: Callable[[str], Path], span: Span) -> Part:
    name = args["name"]
    columns = _python_docs() if name == "python_docs" else _sklearn(name)
    return columns, len(next(iter(columns.values()))), lambda record: f"{name} record {record}", []


def _sklearn(name: str) -> dict[str, Column]:
    from sklearn import datasets

    bunch: Any = getattr(datasets, f"load_{name}")()
    if name == "digits":
        labels = Numbers(bunch.target.astype(np.int64), tuple(map(str, range(10))))
        return {"image": Numbers(bunch.images.astype(np.float32)[:, None]), "label": labels}
    x = Numbers(bunch.data.astype(np.float32))
    if name == "diabetes":
        return {"x": x, "y": Numbers(bunch.target.astype(np.float32))}
    return {"x": x, "label": Numbers(bunch.target.astype(np.int64), tuple(map(str, bunch.target_names)))}


def _topics() -> Iterator[str]:
    from pydoc_data.topics import topics

    for name in sorted(topics):
        yield topics[name]


def _python_docs() -> dict[str, Column]:
    return {"tokens": encode("\n".join(_topics()))}


READERS: dict[str, Reader] = {
    "builtin": _builtin,
    "csv": _csv,
    "hub": _hub,
    "idx": _idx,
    "image_folder": _image_folder,
    "image_pairs": _image_pairs,
    "jsonl": _jsonl,
    "npz": _npz,
    "parallel_text": _parallel_text,
    "parquet": _parquet,
    "text": _text_stream,
    "text_lines": _text_lines,
    "token_file": _token_file,
}
