"""Directories of image files, and the files of MNIST."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....compiler.messages.source import Span
from .. import mistakes, table_mistakes
from ..table import Cells, Column, Images, Numbers
from . import csv_files, folders
from .split_files import Part, Resolve, read_bytes

IMAGE_SUFFIXES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"))


def images_below(folder: Path) -> list[Path]:
    return folders.below(folder, IMAGE_SUFFIXES)


def image_folder(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    paths, labels = folders.of_classes(args, resolve, span, IMAGE_SUFFIXES, "images")
    return {"image": Images(paths), "label": labels}, len(paths), lambda record: str(paths[record]), [*paths]


def image_table(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    path, name = resolve(args["path"]), args["file"]
    columns, count, place, paths = csv_files.read(path, span, args)
    column = columns.get(name)
    if not isinstance(column, Cells):
        raise table_mistakes.unknown_field(span, f"`{path}`", name, list(columns))
    files: list[Path] = []
    for record, cell in enumerate(column):
        if column.rule.is_missing(cell.strip()):
            raise table_mistakes.missing_value(span, place(record), name)
        file = path.parent / cell.strip()
        if not file.is_file():
            raise mistakes.no_image_file(span, place(record), name, file)
        files.append(file)
    return {**columns, name: Images(files)}, count, place, [*paths, *files]


def image_pairs(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    first, second = resolve(args["first"]), resolve(args["second"])
    for folder in (first, second):
        if not folder.is_dir():
            raise mistakes.missing(span, folder, what="directory")
    ones = {str(path.relative_to(first).with_suffix("")): path for path in images_below(first)}
    others = {str(path.relative_to(second).with_suffix("")): path for path in images_below(second)}
    others = {name if name in ones else name.removesuffix("_mask"): path for name, path in others.items()}
    for name in ones.keys() ^ others.keys():
        has, lacks = (first, second) if name in ones else (second, first)
        why, help = (
            f"`{name}` is only in the first",
            f"add the file of this name to `{lacks}`, or remove the one there is",
        )
        raise mistakes.files_differ(span, has, lacks, why, help)
    if not ones:
        raise mistakes.empty(span, first, "images")
    pairs = [(ones[name], others[name]) for name in sorted(ones)]
    columns: dict[str, Column] = {"first": Images([a for a, _ in pairs]), "second": Images([b for _, b in pairs], True)}
    paths = [path for pair in pairs for path in pair]
    return columns, len(pairs), lambda record: str(pairs[record][0]), paths


def idx(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    base = resolve(args["path"])
    prefix = f"{args['split']}-" if "split" in args else f"{base.name}-" if not base.is_dir() else ""
    folder = base if base.is_dir() else base.parent
    images, labels = (_idx_file(folder, f"{prefix}{what}", span) for what in ("images-idx3-ubyte", "labels-idx1-ubyte"))
    if len(images[1]) != len(labels[1]):
        raise table_mistakes.lengths_differ(span, folder, "images", len(images[1]), "labels", len(labels[1]))
    classes = tuple(str(number) for number in range(int(labels[1].max()) + 1))
    columns: dict[str, Column] = {
        "image": Numbers(images[1][:, None]), "label": Numbers(labels[1].astype(np.int64), classes)
    }  # fmt: skip
    return columns, len(labels[1]), lambda record: f"{images[0]} record {record}", [images[0], labels[0]]


def _idx_file(folder: Path, ending: str, span: Span) -> tuple[Path, NDArray[np.uint8]]:
    found = {path.name.removesuffix(".gz"): path for path in sorted(folder.glob("*"))}
    if ending not in found:  # `train-images-idx3-ubyte`, of which the folder has one
        found = {name: path for name, path in found.items() if name.endswith(f"-{ending}")}
        if len(found) > 1:
            raise mistakes.several_files(span, folder, f"-{ending}", list(found))
    if not found:
        raise mistakes.missing(span, folder / ending)
    path = found.get(ending) or next(iter(found.values()))
    data = read_bytes(path, span)
    try:
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        axes = data[3]
        shape = struct.unpack(f">{axes}I", data[4 : 4 + 4 * axes])
        return path, np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)
    except (OSError, EOFError, IndexError, struct.error, ValueError, zlib.error) as error:
        raise mistakes.not_of_format(span, path, "an idx file", str(error)) from None
