"""Tables of vectors."""

from __future__ import annotations

from ..lowering import Construction, constructor


@constructor("Embedding", module=r"nn\.Embedding")
def embedding(layer: Construction) -> str:
    count, dim = layer.weight()
    return f"nn.Embedding({', '.join([str(count), str(dim), *layer.options(padding_idx=('pad', None))])})"
