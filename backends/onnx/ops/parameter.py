"""Lowerings of `compiler/catalogue/ops/parameter.py`."""

from __future__ import annotations

from ..lowering import Result, Use, lowers


@lowers("Param", "Buffer")
def parameter(use: Use) -> Result:
    type = use.outputs[0]
    return use.weight("", *(size for size in type.shape if isinstance(size, int)), dtype=type.dtype)
