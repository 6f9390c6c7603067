"""Affine maps of the last axis."""

from __future__ import annotations

from ..lowering import Construction, constructor


@constructor("Linear", module=r"nn\.Linear")
def linear(layer: Construction) -> str:
    inputs = str(layer.weight()[1])
    return f"nn.Linear({', '.join([inputs, layer.text(layer.arg('out')), *layer.options(bias=('bias', True))])})"
