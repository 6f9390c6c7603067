"""Affine maps of the last axis."""

from __future__ import annotations

from ..lowering import Construction, constructor


@constructor("Linear", module=r"nn\.Linear")
def linear(layer: Construction) -> str:
    out, inputs = layer.weight()
    return f"nn.Linear({', '.join([str(inputs), str(out), *layer.options(bias=('bias', True))])})"
