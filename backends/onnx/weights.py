"""Where the numbers of a graph come from: arrays in memory, or byte ranges of a safetensors file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

from ...compiler.dataclass import dataclass
from ..safetensors_file import contents

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
class StoredTensor:
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
Weight: TypeAlias = "np.ndarray[Any, Any] | StoredTensor"
#: Values by parameter path.
Weights: TypeAlias = Mapping[str, Weight]


def stored(file: Path) -> dict[str, StoredTensor]:
    """The table of contents of a safetensors file; raises ValueError when it is none, or ONNX lacks a type of it."""
    table: dict[str, StoredTensor] = {}
    for name, place in contents(file).items():
        if place.dtype not in _DTYPES:
            raise ValueError(f"{file}: ONNX has no type for {name}, which is {place.dtype}")
        table[name] = StoredTensor(file, place.offset, place.length, _DTYPES[place.dtype], place.shape)
    return table
