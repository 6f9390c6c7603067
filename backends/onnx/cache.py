"""The cached form of a graph: keys and values of earlier positions come in, those of all positions go out.

For the attention number N (in order of execution) the inputs `past_key_values.N.key` and `past_key_values.N.value` are
[B, heads, past, K], and the outputs `present.N.key` and `present.N.value` [B, heads, past + T, K]: the names under which
other programs feed such graphs. Fed back as they are, the next step's `T` positions follow. An empty past (0 positions)
begins a sequence, so one graph reads a prompt and continues it.
"""

from __future__ import annotations

import onnx_ir as ir

from ...compiler.sizes.dims import Size, substitute, var
from .graph import GraphBuilder, dimension_text

#: The dimension of what is kept; a dimension of a spec begins with a capital letter.
PAST = "past"


class Cache:
    """What the graph of a cached form keeps. `length` is the dimension that is fed piece by piece."""

    def __init__(self, graph: GraphBuilder, length: str) -> None:
        self.graph = graph
        self.length, self.past = var(length), var(PAST)
        self.inputs: list[ir.Value] = []
        self.outputs: list[ir.Value] = []
        # positions are counted before the first attention is met: its keys say how many are kept
        self._first = ir.Value(name="past_key_values.0.key")
        graph.learn_sizes(self._first, (1, 1, self.past, 1))

    @property
    def total(self) -> Size:
        """The number of positions seen after this step."""
        return self.past + self.length

    def steps(self) -> ir.Value:
        """The numbers of this step's positions, i64[T]."""
        graph = self.graph
        return graph.kept(
            "steps of the cache",
            lambda: graph.node("Range", graph.scalar(self.past), graph.scalar(self.total), graph.constant(1, "i64")),
        )

    def feed(self, keys: tuple[Size, ...], values: tuple[Size, ...]) -> tuple[ir.Value, ir.Value]:
        """The inputs of the next attention, whose new keys and values have these shapes [B, heads, T, K]."""
        number = len(self.inputs) // 2
        made: list[ir.Value] = []
        for kind, shape in (("key", keys), ("value", values)):
            first = number == 0 and kind == "key"
            value = self._first if first else ir.Value(name=self.graph.unique(f"past_key_values.{number}.{kind}"))
            self._declare(value, (*shape[:2], self.past, shape[3]))
            made.append(value)
        self.inputs += made
        return made[0], made[1]

    def keep(self, key: ir.Value, value: ir.Value) -> None:
        """The outputs of the attention that was fed last."""
        number = len(self.outputs) // 2
        for kind, made, past in zip(("key", "value"), (key, value), self.inputs[-2:], strict=True):
            assert past.shape is not None
            self.graph.rename(made, f"present.{number}.{kind}")
            made.shape = ir.Shape([*past.shape[:2], dimension_text(self.total), past.shape[3]])
            made.type = past.type
            self.outputs.append(made)

    def whole(self, size: Size) -> Size:
        """A size of the whole sequence where the spec speaks of its length."""
        return substitute(size, {str(self.length): self.total})

    def _declare(self, value: ir.Value, shape: tuple[Size, ...]) -> None:
        value.shape = ir.Shape([dimension_text(size) for size in shape])
        value.type = ir.TensorType(self.graph.data_type("f32"))
