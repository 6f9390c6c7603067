"""Functions that make tensors, fixed and random ones."""

from __future__ import annotations

from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Extent, Shape, ShapeLike, Share
from .base import Function, Range, Rejected, Sample
from .rules import need_whole


class _Filled(Function):
    shape: Shape

    along = "none"
    sized = True
    onnx = "Expand"
    samples = (Sample({"shape": ("B", 3)}, (), differentiable=False),)

    def infer(self, facts: Facts) -> TensorType:
        return TensorType("f32", need_whole(facts, self.shape))


class Zeros(_Filled):
    """Zeros of a shape.

    -> f32[shape].
    """


class Ones(_Filled):
    """Ones of a shape.

    -> f32[shape].
    """


class Arange(Function):
    """The integers from 0 to n - 1.

    -> i64[n].
    """

    n: Extent

    called = "positions"
    along = "count"
    sized = True
    onnx = "Range; an initializer where `n` is known"
    samples = (Sample({"n": "T"}, (), differentiable=False), Sample({"n": 5}, (), differentiable=False))

    def infer(self, facts: Facts) -> TensorType:
        return TensorType("i64", need_whole(facts, (self.n,)))

    def spans(self, *ranges: Range | None) -> Range | None:
        return 0, self.n - 1


class Sinusoid(Function):
    """Position codes: sin(t / 10000^(2i/d)) in column 2i, the cosine in column 2i + 1.

    -> f32[n, d]. Errors: E0206 when d is odd, E0208 when it is symbolic.
    """

    n: Extent
    d: Extent

    called = "positions"
    cut = "n"
    along = "count"
    sized = True
    paper = "Vaswani et al. 2017, arXiv:1706.03762"
    onnx = "Range, Mul, Sin, Cos; an initializer where `n` is known"
    samples = (Sample({"n": "T", "d": 6}, (), differentiable=False),)

    def infer(self, facts: Facts) -> TensorType:
        if not isinstance(self.d, int):
            raise Rejected("E0208", f"the width of `sinusoid` must be known, but is `{self.d}` is not", "not static")
        if self.d % 2 or self.d < 2:
            raise Rejected(
                "E0206", f"the width of `sinusoid` must be even, not {self.d}", "one half are sines, the other cosines"
            )
        return TensorType("f32", (*need_whole(facts, (self.n,)), self.d))


class _Drawn(Function):
    random = True
    onnx = "none: E0502 in an exported output"


class _Noise(_Drawn):
    shape: ShapeLike

    samples = (Sample({"shape": ("B", 3)}, (), differentiable=False),)

    def infer(self, facts: Facts) -> TensorType:
        return TensorType("f32", need_whole(facts, self.shape))


class Randn(_Noise):
    """Standard normal random numbers of a shape, or of the shape of a tensor.

    -> f32[shape].
    """


class Rand(_Noise):
    """Uniform random numbers from [0, 1), of a shape, or of the shape of a tensor.

    -> f32[shape].
    """


class Randint(_Drawn):
    """Uniform random integers from `low` to `high` - 1.

    -> i64[shape]. Errors: E0304 unless low < high.
    """

    low: int
    high: int
    shape: Shape

    samples = (Sample({"low": 0, "high": 9, "shape": ("B", 3)}, (), differentiable=False),)

    def infer(self, facts: Facts) -> TensorType:
        if self.low >= self.high:
            raise Rejected("E0304", "`low` must be below `high`", f"low = {self.low}, high = {self.high}")
        return TensorType("i64", need_whole(facts, self.shape))

    def spans(self, *ranges: Range | None) -> Range | None:
        return self.low, self.high - 1


class Bernoulli(_Drawn):
    """1 with probability `p`, else 0, of a shape, or of the shape of a tensor.

    -> f32[shape].
    """

    p: Share
    shape: ShapeLike

    samples = (Sample({"p": 0.3, "shape": ("B", 3)}, (), differentiable=False),)

    def infer(self, facts: Facts) -> TensorType:
        return TensorType("f32", need_whole(facts, self.shape))
