"""Tables of vectors."""

from __future__ import annotations

from ..lowering import Layer, constructor


@constructor("Embedding")
def embedding(layer: Layer) -> str:
    count, dim = layer.weight()
    return f"nn.Embedding({', '.join([str(count), str(dim), *layer.options(padding_idx=('pad', None))])})"
