"""Functions of each number."""

from __future__ import annotations

from ...sizes.facts import Facts
from ...sizes.types import TensorType, is_float
from ..arguments import Number
from .base import Example, Function, Range, Rejected, Sample, need_held
from .rules import common_dtype, common_shape, need_float, need_number

_ANY = (Example("f32", ("B", 3)),)
_POSITIVE = (Example("f32", ("B", 3), 0.1, 4.0),)


class _OfFloats(Function):
    elementwise = True
    samples = (Sample({}, _ANY),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, self.name)
        return x


class Exp(_OfFloats):
    """e to the power x. Floats; any shape."""

    onnx = "Exp"


class Log(_OfFloats):
    """Natural logarithm. Floats; any shape."""

    root = 1.0
    turns = (("probabilities", "scores"),)  # softmax(log p) is p
    onnx = "Log"
    samples = (Sample({}, _POSITIVE),)


class Sqrt(_OfFloats):
    """Square root. Floats; any shape."""

    onnx = "Sqrt"
    samples = (Sample({}, _POSITIVE),)


class Sin(_OfFloats):
    """Sine of radians. Floats; any shape."""

    onnx = "Sin"


class Cos(_OfFloats):
    """Cosine of radians. Floats; any shape."""

    onnx = "Cos"


class Floor(_OfFloats):
    """Rounds down to an integer, as a float. Floats; any shape."""

    flat = True
    onnx = "Floor"
    samples = (Sample({}, _ANY, differentiable=False),)


class Abs(Function):
    """Absolute value. Numbers; any shape."""

    magnitude = True
    elementwise = True
    onnx = "Abs"
    samples = (Sample({}, _ANY), Sample({}, (Example("i64", ("B",), -4, 5),), differentiable=False))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_number(x, "abs")
        return x


class Clamp(Function):
    """Values below `min` become `min`, those above `max` become `max`; either may be omitted.

    Numbers; any shape. Errors: E0204 for a fractional bound of integers.
    """

    min: Number | None = None
    max: Number | None = None

    elementwise = True
    onnx = "Clip"
    samples = (
        Sample({"min": -0.5, "max": 0.5}, _ANY),
        Sample({"min": 0}, _ANY),
        Sample({"max": 2}, (Example("i64", ("B",), -4, 5),), differentiable=False),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_number(x, "clamp")
        if self.min is None and self.max is None:
            raise Rejected("E0304", "`clamp` needs `min`, `max` or both", "no bound")
        for bound in (self.min, self.max):
            if isinstance(bound, float) and not is_float(x.dtype):
                raise Rejected("E0204", f"integers cannot be clamped at `{bound}`", f"the tensor is `{x}`")
            if bound is not None:
                need_held(bound, x.dtype)
        return x

    def spans(self, *ranges: Range | None) -> Range | None:
        if not isinstance(self.min, int) or not isinstance(self.max, int):
            return None
        return self.min, self.max


_NUMBERS = (
    Sample({}, (Example("f32", ("B", "T", 3)), Example("f32", ("T", 1)))),
    Sample({}, (Example("f32", ("B", 3)), 0.25)),
    Sample({}, (0, Example("f32", ("B", 3)))),
    Sample({}, (Example("i64", ("B", "T"), -9, 10), "T"), differentiable=False, note="a size"),
)


class _OfTwo(Function):
    elementwise = True
    samples = _NUMBERS

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        need_number(x, self.name)
        need_number(y, self.name)
        return TensorType(common_dtype(x, y), common_shape(facts, x, y))


class Maximum(_OfTwo):
    """The larger of two elements. The two broadcast; a number adapts. `max` reduces an axis.

    Numbers of one dtype -> their common shape.
    """

    onnx = "Max"


class Minimum(_OfTwo):
    """The smaller of two elements. The two broadcast; a number adapts. `min` reduces an axis.

    Numbers of one dtype -> their common shape.
    """

    onnx = "Min"
