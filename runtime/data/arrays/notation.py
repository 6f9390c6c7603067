"""What a data section writes with a sign, on a batch of records; the rest of its notation is the section's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"


def as_float(x: Array) -> Array:
    """Floats; u8 is read as value / 255."""
    if x.dtype == np.uint8:
        return x.astype(np.float32) / np.float32(255)
    return x if x.dtype.kind == "f" else x.astype(np.float32)


def to_float(x: Array, args: Mapping[str, Any]) -> Array:
    return as_float(x)


def slice(x: Array, args: Mapping[str, Any]) -> Array:
    return x[:, args["start"] : args["stop"]]


def index(x: Array, args: Mapping[str, Any]) -> Array:
    return x[:, args["at"]]
