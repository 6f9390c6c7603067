"""Texts and token numbers: streams, and a record a line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ....compiler.messages.source import Span
from .. import mistakes
from ..table import Cells, Column, Numbers, Stream, encode
from . import folders
from .split_files import Part, Resolve, lines_of, read_bytes, read_text

TEXT_SUFFIXES = (".txt", ".text", ".md")
TOKEN_TYPES = {"u8": "u1", "u16": "<u2", "u32": "<u4", "i32": "<i4", "i64": "<i8"}


def text(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    path = resolve(args["path"])
    files = texts_below(path) if path.is_dir() else [path]
    content = "".join(_ended(read_text(file, span)) for file in files) if path.is_dir() else read_text(path, span)
    if not content:
        raise mistakes.empty(span, path, f"text files ({', '.join(TEXT_SUFFIXES)})" if path.is_dir() else "text")
    stream = encode(content if args["unit"] == "char" else lines_of(content))
    return {"tokens": stream}, len(stream), lambda token: f"{path} at {args['unit']} {token}", files


def texts_below(folder: Path) -> list[Path]:
    return folders.below(folder, TEXT_SUFFIXES)


def _ended(content: str) -> str:
    """Files that follow each other do not share a line."""
    return content if content.endswith("\n") or not content else f"{content}\n"


def text_folder(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    files, labels = files_of_classes(args, resolve, span)
    return {**contents(files, span), "label": labels}, len(files), lambda record: str(files[record]), [*files]


def files_of_classes(args: Mapping[str, Any], resolve: Resolve, span: Span) -> tuple[Sequence[Path], Numbers]:
    return folders.of_classes(args, resolve, span, TEXT_SUFFIXES, "text files")


def contents(files: Sequence[Path], span: Span) -> dict[str, Column]:
    """The columns of a `text_folder` without the classes."""
    return {"text": Cells([read_text(file, span) for file in files])}


def token_file(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    path = resolve(args["path"])
    if not path.is_file():
        read_bytes(path, span)
    dtype = np.dtype(TOKEN_TYPES[args["dtype"]])
    size = path.stat().st_size
    if not size:
        raise mistakes.empty(span, path, "tokens")
    if size % dtype.itemsize:
        raise mistakes.half_a_token(span, path, size, args["dtype"], dtype.itemsize)
    stream = Stream(np.memmap(path, dtype, "r"))
    return {"tokens": stream}, len(stream), lambda token: f"{path} at token {token}", [path]


def _lines(path: Path, span: Span) -> list[str]:
    lines = lines_of(read_text(path, span))
    if not lines:
        raise mistakes.empty(span, path, "lines")
    return lines


def text_lines(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    path = resolve(args["path"])
    lines = _lines(path, span)
    return {"text": Cells(lines)}, len(lines), lambda record: f"{path}:{record + 1}", [path]


def parallel_text(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    first, second = resolve(args["first"]), resolve(args["second"])
    ones, others = _lines(first, span), _lines(second, span)
    if len(ones) != len(others):
        why = f"{len(ones)} and {len(others)} lines"
        raise mistakes.files_differ(span, first, second, why, "give both a line for each record, in the same order")
    columns: dict[str, Column] = {"first": Cells(ones), "second": Cells(others)}
    return columns, len(ones), lambda record: f"{first}:{record + 1}", [first, second]
