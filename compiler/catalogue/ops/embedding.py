"""Tables of vectors."""

from __future__ import annotations

from ...ir.model import Init, Parameter
from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Count, Natural
from .base import Example, Layer, Rejected, Sample
from .rules import need_integer


class Embedding(Layer):
    """A vector for each id.

    i64[..] -> f32[.., dim]. Row `pad` starts at zero and gets no gradient. Ids are below `count`. Errors: E0204 unless
    the ids are not integers, E0304 when `pad` is not a row.
    """

    count: Count
    dim: Count
    pad: Natural | None = None

    along = "none"
    refuses = "outside"
    is_table = True
    onnx = "Gather"
    samples = (
        Sample({"count": 7, "dim": 3}, (Example("i64", ("B", "T"), 0, 7),)),
        Sample({"count": 7, "dim": 3}, (Example("i32", ("B",), 0, 7),)),
        Sample({"count": 7, "dim": 3, "pad": 0}, (Example("i64", ("T",), 0, 7),)),
    )

    def infer(self, facts: Facts, ids: TensorType) -> TensorType:
        need_integer(ids, "an id for Embedding")
        if self.pad is not None and self.pad >= self.count:
            raise Rejected(
                "E0304",
                "`pad` must be a row of the table",
                f"pad = {self.pad}, count = {self.count}",
                helps=(f"the rows are 0 to {self.count - 1}; `count` includes the row of the padding",),
            )
        return TensorType("f32", (*ids.shape, self.dim))

    def positions(self, *inputs: TensorType | None) -> tuple[int, Size] | None:
        return 0, self.count

    # The table is known before any ids are: `x @ wte.weight.T` may come first.
    def parameters(self, ids: TensorType | None = None) -> tuple[Parameter, ...]:
        args = {"std": 1.0, "mean": 0.0}
        # The row that stays zero is part of the default only: an `init` rule replaces the whole table, as in PyTorch.
        init = Init(name="normal", args=args if self.pad is None else {**args, "zero_row": self.pad})
        return (Parameter(name="weight", shape=(self.count, self.dim), init=init),)
