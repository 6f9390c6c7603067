"""Inputs and outputs of an ONNX file, as a session describes them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass

Array: TypeAlias = "NDArray[Any]"


@dataclass(frozen=True)
class Port:
    """An input or output: its name, numpy dtype and shape (ints, and names or terms of dimensions)."""

    name: str
    dtype: Any
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        kind = "string" if np.dtype(self.dtype).kind == "O" else np.dtype(self.dtype).name
        return f"{self.name}: {kind}[{', '.join(map(str, self.shape))}]"
