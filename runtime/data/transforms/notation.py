"""What a data section writes with a sign, on a batch of records; the rest of its notation is the graph's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ..arrays.notation import index, slice
from ..values import as_float

__all__ = ["index", "slice", "to_float"]


def to_float(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return as_float(x)
