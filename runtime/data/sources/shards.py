"""Tar files of records: an index of what each member is and where it begins, built in one pass over the headers and kept in the cache,
then any record is read where it lies.

    train-000.tar   0001.jpg 0001.cls 0002.jpg 0002.cls ..        key  image             cls
                                                                  0001 (0, 512, 31744)   3
                                                                  0002 (0, 33792, ..)    1
"""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ....compiler.dataclass import dataclass
from ....compiler.messages.source import Span
from .. import mistakes, shard_mistakes
from ..cells import rule_of
from ..table import Column, Images, TarMembers
from . import tables
from .images import IMAGE_SUFFIXES
from .split_files import Part, Resolve, read_bytes

RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
TEXTS = ("cls", "txt")  # members whose content is a field of this name; `json` has fields of its own


def listed(path: Path, span: Span) -> list[Path]:
    """The files of `train-{000..009}.tar`, in order; each is there."""
    found = RANGE.search(path.name)
    if found is None:
        numbers: Sequence[str] = [""]
    else:
        first, last = int(found[1]), int(found[2])
        if last < first:
            raise shard_mistakes.backwards(span, path.name)
        numbers = [f"{number:0{len(found[1])}}" for number in range(first, min(last, first + 10**6) + 1)]
    files: list[Path] = []
    for number in numbers:
        file = path if found is None else path.with_name(path.name[: found.start()] + number + path.name[found.end() :])
        if not file.is_file():
            read_bytes(file, span)
            raise mistakes.missing(span, file)
        files.append(file)
    return files


def tar_shards(args: Mapping[str, Any], resolve: Resolve, span: Span) -> Part:
    """The records of one shard."""
    path = resolve(args["path"])
    rows: list[dict[str, Any]] = []
    places: list[tuple[int, int, int]] = []
    for key, members in _records(path, span):
        row, image = _read(path, key, members, span)
        if (image is None) != (not places) and rows:
            lacking = key if image is None else rows[0]["key"]
            raise shard_mistakes.no_image(span, f"{path}: {lacking}")
        rows.append(row)
        places += [] if image is None else [(0, *image)]
    if not rows:
        raise mistakes.empty(span, path, "records")
    names = dict.fromkeys(name for row in rows for name in row)
    tables.within_limit(span, path, len(names))
    columns: dict[str, Column] = {
        name: tables.objects([row.get(name) for row in rows], rule_of(args)) for name in names
    }
    if places:
        columns["image"] = Images(TarMembers([path], np.array(places, np.int64)))
    return columns, len(rows), lambda record: f"{path}: {rows[record]['key']}", [path]


@dataclass(frozen=True)
class _Member:
    """A file in a tar file; `content` where it is a text that is a field."""

    name: str
    begin: int
    size: int
    content: bytes | None


def _records(path: Path, span: Span) -> Iterator[tuple[str, dict[str, _Member]]]:
    """The name of each record, and its members by their ends: neighbours whose names are equal up to the first dot."""
    name, members = "", dict[str, _Member]()
    for member in _members(path, span):
        key, end = _name(member.name)
        if not end:
            continue
        if key != name and members:
            yield name, members
            members = {}
        if end in members:
            raise shard_mistakes.twice(span, f"{path}: {member.name}")
        name, members[end] = key, member
    if members:
        yield name, members


def _name(member: str) -> tuple[str, str]:
    """The name of a record and the end of a member: `a/0001.jpg` is `jpg` of `a/0001`. No end: hidden, or of no kind."""
    at = PurePosixPath(member)
    stem, _, end = at.name.partition(".")
    return (str(at.with_name(stem)), end.lower()) if stem and end else ("", "")


def _members(path: Path, span: Span) -> Iterator[_Member]:
    """The files in a tar file: headers and texts are read."""
    size = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as opened:
            for member in opened:
                if member.isdir():
                    continue
                _check(path, member, size, span)
                file = opened.extractfile(member) if _name(member.name)[1] in (*TEXTS, "json") else None
                content = None if file is None else file.read()
                yield _Member(member.name, member.offset_data, member.size, content)
                opened.members.clear()  # pyright: ignore[reportAttributeAccessIssue] - a list of all of them would grow
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise mistakes.not_of_format(span, path, "a tar file", mistakes.first_line(error)) from None


def _check(path: Path, member: tarfile.TarInfo, size: int, span: Span) -> None:
    at, name = f"{path}: {member.name}", PurePosixPath(member.name)
    if not member.isreg() or member.issparse():
        kind = "a link" if member.issym() or member.islnk() else "a sparse file" if member.issparse() else "a device"
        raise shard_mistakes.not_a_file(span, at, kind)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise shard_mistakes.outside(span, at)
    if member.offset_data + member.size > size:
        raise mistakes.not_of_format(span, path, "a tar file", f"it ends within `{member.name}`")


def _read(
    path: Path, key: str, members: Mapping[str, _Member], span: Span
) -> tuple[dict[str, Any], tuple[int, int] | None]:
    """The fields of a record that are not its image, and where this begins and how long it is."""
    row: dict[str, Any] = {}
    image: tuple[int, int] | None = None
    for end, member in members.items():
        if f".{end}" in IMAGE_SUFFIXES:
            if image is not None:
                raise shard_mistakes.two_images(span, f"{path}: {key}")
            image = member.begin, member.size
        elif member.content is not None:
            text = _text(f"{path}: {member.name}", member.content, span)
            row |= _object(f"{path}: {member.name}", text, span) if end == "json" else {end: text.strip()}
    return {**row, "key": key}, image


def _text(at: str, content: bytes, span: Span) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise shard_mistakes.not_a_text(span, at) from None


def _object(at: str, text: str, span: Span) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise shard_mistakes.not_json(span, at, mistakes.first_line(error)) from None
    if not isinstance(found, dict):
        raise shard_mistakes.not_json(span, at, "it must be an object")
    return {name: value for name, value in found.items() if name not in ("image", "key", *TEXTS)}
