"""Lowering of `compiler/catalogue/ops/embedding.py`."""

from __future__ import annotations

from ..lowering import Result, Use, lowers
from ..tensor import Tensor


@lowers("Embedding")
def embedding(use: Use, ids: Tensor) -> Result:
    return use.graph.node("Gather", use.weight("weight", use["count"], use["dim"]), ids.value, axis=0)
