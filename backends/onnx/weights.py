"""Where the numbers of a graph come from: arrays in memory, or byte ranges of a safetensors file."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

_DTYPES = {
    "F16": ir.DataType.FLOAT16,
    "BF16": ir.DataType.BFLOAT16,
    "F32": ir.DataType.FLOAT,
    "F64": ir.DataType.DOUBLE,
    "I8": ir.DataType.INT8,
    "I16": ir.DataType.INT16,
    "I32": ir.DataType.INT32,
    "I64": ir.DataType.INT64,
    "U8": ir.DataType.UINT8,
    "BOOL": ir.DataType.BOOL,
}


@dataclass(frozen=True)
class Stored:
    """A tensor that lies in a safetensors file: `length` bytes at `offset`."""

    file: Path
    offset: int
    length: int
    dtype: ir.DataType
    shape: tuple[int, ...]

    def array(self) -> np.ndarray[Any, Any]:
        """The values, memory-mapped."""
        flat = np.memmap(self.file, np.uint8, "r", self.offset, (self.length,))
        return flat.view(self.dtype.numpy()).reshape(self.shape)


#: A parameter's value: an array, or where it lies.
Weight: TypeAlias = "np.ndarray[Any, Any] | Stored"
#: Values by parameter path.
Weights: TypeAlias = Mapping[str, Weight]


def stored(file: Path) -> dict[str, Stored]:
    """The table of contents of a safetensors file; raises ValueError when it is none."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        prefix = stream.read(8)
        length = int.from_bytes(prefix, "little")
        if len(prefix) < 8 or not 2 <= length <= min(size - 8, 100_000_000):
            raise ValueError(f"{file} is not a safetensors file, or it is cut short")
        try:
            header = json.loads(stream.read(length))
        except ValueError as error:
            raise ValueError(f"{file} is not a safetensors file: {error}") from None
    table: dict[str, Stored] = {}
    match header:
        case {**found}:
            entries: dict[str, Any] = found
        case _:
            raise ValueError(f"{file} is not a safetensors file: its header is no table")
    for name, entry in entries.items():
        if name != "__metadata__":
            table[name] = _entry(file, name, entry, 8 + length, size)
    return table


def _entry(file: Path, name: str, entry: Any, start: int, size: int) -> Stored:
    """One tensor of the header, checked."""
    match entry:
        case {"dtype": str(dtype), "shape": [*shape], "data_offsets": [int(first), int(last)]} if dtype in _DTYPES:
            pass
        case _:
            raise ValueError(f"{file}: the header's entry for {name} cannot be read")
    if not all(isinstance(axis, int) and axis >= 0 for axis in shape):
        raise ValueError(f"{file}: {name} has no possible shape")
    if not 0 <= first <= last:
        raise ValueError(f"{file}: {name} has no possible place")
    if start + last > size:
        raise ValueError(f"{file} is cut short: {name} ends beyond the end of the file")
    if last - first != math.prod(shape) * _DTYPES[dtype].itemsize:
        raise ValueError(f"{file}: {name} has another size than its shape says")
    return Stored(file, start + first, last - first, _DTYPES[dtype], tuple(shape))


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
