"""The table of contents of a safetensors file, checked entry by entry: no claim of a header is trusted.

Format: eight bytes with the header's length, the header as JSON, then the tensors' bytes one behind the other.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: Bytes an element.
SIZES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2, "U32": 4, "I32": 4,
    "F32": 4, "U64": 8, "I64": 8, "F64": 8, "C64": 8,
}  # fmt: skip
LONGEST_HEADER = 100_000_000  # the limit of the safetensors library
METADATA = "__metadata__"


@dataclass(frozen=True)
class Extent:
    """Where a tensor lies: `length` bytes at `offset` of the file."""

    offset: int
    length: int
    dtype: str
    shape: tuple[int, ...]


def contents(file: Path) -> dict[str, Extent]:
    """Tensors by name. Raises ValueError when the file is none, is cut short, or its header is not true; OSError."""
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
        case _:
            raise ValueError(f"{file} is not a safetensors file: its header is not a table")
    return {name: _place(file, name, entry, 8 + length, size) for name, entry in entries.items() if name != METADATA}


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
        raise ValueError(f"{file} is truncated: {name} ends beyond the end of the file")
    if last - first != math.prod(shape) * SIZES[dtype]:
        raise ValueError(f"{file}: the size of {name} does not match its shape")
    return Extent(start + first, last - first, dtype, tuple(shape))
