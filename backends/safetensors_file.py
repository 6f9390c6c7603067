"""Safetensors files: the table of contents, checked entry by entry (no claim of a header is trusted), and writing.

Format: eight bytes with the header's length, the header as JSON, then the tensors' bytes one behind the other.
Equal tensors make equal bytes: the library's own writer puts the metadata in a random order.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ..compiler.dataclass import dataclass

#: Bytes an element.
SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4,
    "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
#: What numpy and PyTorch call these types.
CODES = {
    "bool": "BOOL", "uint8": "U8", "int8": "I8", "float8_e4m3fn": "F8_E4M3", "float8_e5m2": "F8_E5M2", "uint16": "U16",
    "int16": "I16", "float16": "F16", "bfloat16": "BF16", "uint32": "U32", "int32": "I32", "float32": "F32",
    "uint64": "U64", "int64": "I64", "float64": "F64", "complex64": "C64",
}  # fmt: skip
LONGEST_HEADER = 100_000_000  # the limit of the safetensors library
METADATA = "__metadata__"
#: What a model whose weights are in such a file holds about it in its metadata: its name and its `fingerprint`.
LINKED_FILE, LINKED_HASH = "dlc.weights.file", "dlc.weights.fingerprint"


@dataclass(frozen=True)
class Extent:
    """Where a tensor lies: `length` bytes at `offset` of the file."""

    offset: int
    length: int
    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Content:
    """A tensor to write: its type (as numpy or PyTorch calls it), its shape, and its bytes, asked for once."""

    dtype: str
    shape: tuple[int, ...]
    data: Callable[[], bytes | memoryview]


def write(file: Path, tensors: Mapping[str, Content], metadata: Mapping[str, str]) -> None:
    """Writes a new file and flushes it to the disk. Widest types first, as the library does, so that every tensor is aligned;
    among these by name. Raises OSError."""
    codes = {name: CODES[tensor.dtype] for name, tensor in tensors.items()}
    names = sorted(tensors, key=lambda name: (-SIZES[codes[name]], codes[name], name))
    header: dict[str, Any] = {METADATA: dict(sorted(metadata.items()))}
    end = 0
    for name in names:
        start, end = end, end + math.prod(tensors[name].shape) * SIZES[codes[name]]
        header[name] = {"dtype": codes[name], "shape": list(tensors[name].shape), "data_offsets": [start, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with file.open("xb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name in names:
            stream.write(tensors[name].data())
        assert stream.tell() == 8 + len(text) + end
        stream.flush()
        os.fsync(stream.fileno())


def metadata(file: Path) -> dict[str, str]:
    """The metadata in the header. Raises ValueError and OSError as `contents` does."""
    header, _, _ = _header(file)
    match header.get(METADATA):
        case {**found} if all(isinstance(word, str) for pair in found.items() for word in pair):
            return {str(name): str(value) for name, value in found.items()}
        case None:
            return {}
        case _:
            raise ValueError(f"{file}: its metadata are not texts by name")


def contents(file: Path) -> dict[str, Extent]:
    """Tensors by name. Raises ValueError when the file is none, is cut short, or its header is not true; OSError."""
    header, start, size = _header(file)
    return {name: _place(file, name, entry, start, size) for name, entry in header.items() if name != METADATA}


def _header(file: Path) -> tuple[dict[str, Any], int, int]:
    """The header, where the tensors begin, and where the file ends."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or not 2 <= length <= min(size - 8, LONGEST_HEADER):
            raise ValueError(f"{file} is not a safetensors file, or it is truncated")
        try:
            header = json.loads(stream.read(length), object_pairs_hook=_once)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{file} is not a safetensors file: {error}") from None
    match header:
        case {**found}:
            entries: dict[str, Any] = found
            return entries, 8 + length, size
        case _:
            raise ValueError(f"{file} is not a safetensors file: its header is not a table")


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for name, value in pairs:
        if name in made:
            raise ValueError(f"{name} is given twice")
        made[name] = value
    return made


def _place(file: Path, name: str, entry: Any, start: int, size: int) -> Extent:
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(first), int(last)]} if dtype in SIZES:
            pass
        case _:
            raise ValueError(f"{file}: the header's entry for {name} cannot be read")
    if not all(type(axis) is int and 0 <= axis < 2**63 for axis in shape):
        raise ValueError(f"{file}: {name} has an invalid shape")
    if not 0 <= first <= last:
        raise ValueError(f"{file}: {name} has invalid offsets")
    if start + last > size:
        raise ValueError(f"{file}: it is cut short: `{name}` ends at byte {start + last:,}, the file at {size:,}")
    if last - first != math.prod(shape) * SIZES[dtype]:
        raise ValueError(f"{file}: the size of {name} does not match its shape")
    return Extent(start + first, last - first, dtype, tuple(shape))


def fingerprint(file: Path) -> str:
    """A hash of a weights file's size, its first 64 KiB (the table of contents) and 64 pages spread over the rest.

    Finds a file that was replaced or retrained without reading gigabytes; a single changed value may escape it.
    """
    size, page = file.stat().st_size, 4096
    digest = hashlib.blake2b(str(size).encode(), digest_size=16)
    with file.open("rb", buffering=0) as stream:
        digest.update(stream.read(1 << 16))
        for index in range(64):
            stream.seek(size * index // 64)
            digest.update(stream.read(page))
    return digest.hexdigest()
