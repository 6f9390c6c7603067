"""Operators between tensors. A number next to a tensor adapts to its dtype; tensors are never converted implicitly.

Shapes broadcast: aligned at the last axis, a size matches itself or a literal 1 (E0201; E0207 when equality cannot be
decided). Different dtypes are E0204.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType, is_float, is_integer
from .base import Example, Operand, Range, Rejected, Sample, Syntax
from .positions import FOR_KEYS, Left, Positions
from .rules import common_dtype, common_shape, need_bool, need_equal, need_float, need_number, need_rank, product

_PAIR = (Example("f32", ("B", "T", 3)), Example("f32", ("T", 1)))
_POSITIVE = (Example("f32", ("B", 3), 0.5, 4.0), Example("f32", (3,), 0.5, 2.0))
_WHOLE = (Example("i64", ("B", 3), -9, 10), Example("i64", (3,), 1, 5))


_NUMBERS = (
    Sample({}, (Example("f32", ("B", 3)), 1.5)),
    Sample({}, (2, Example("f32", ("B", "T"), 0.5, 3.0)), note="a whole number with floats"),
    Sample({}, (Example("f32", ("B", "T"), 0.5, 2.0), "T"), note="a size"),
    Sample({}, (Example("i64", ("B",), -9, 10), 3), differentiable=False),
)


class _Arithmetic(Syntax):
    elementwise = True
    samples = (Sample({}, _PAIR), Sample({}, _WHOLE, differentiable=False), *_NUMBERS)

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        need_number(x, f"`{self.syntax}`")
        need_number(y, f"`{self.syntax}`")
        return TensorType(common_dtype(x, y), common_shape(facts, x, y))


class Plus(_Arithmetic):
    """Sum."""

    syntax = "+"
    linear = "sum"
    result = "total"
    onnx = "Add"

    def spans(self, *ranges: Range | None) -> Range | None:
        one, two = ranges
        return None if one is None or two is None else (one[0] + two[0], one[1] + two[1])


class Minus(_Arithmetic):
    """Difference."""

    syntax = "-"
    linear = "difference"
    result = "difference"
    onnx = "Sub"

    def spans(self, *ranges: Range | None) -> Range | None:
        one, two = ranges
        return None if one is None or two is None else (one[0] - two[1], one[1] - two[0])


class Times(_Arithmetic):
    """Product of elements."""

    syntax = "*"
    linear = "scaled"
    result = "product"
    onnx = "Mul"


class _Quotient(_Arithmetic):
    @classmethod
    def check_numbers(cls, operands: Sequence[Operand], types: Sequence[TensorType | None]) -> None:
        super().check_numbers(operands, types)
        if isinstance(operands[1], (int, float)) and operands[1] == 0:
            raise Rejected(
                "E0211",
                "division by zero",
                f"`{cls.syntax} {operands[1]}`",
                helps=("the divisor must be another number than 0",),
            )


class Divide(_Quotient):
    """Quotient of floats. Whole numbers: `//`, or `cast(f32)` first (E0204)."""

    syntax = "/"
    linear = "scaled"
    result = "ratio"
    onnx = "Div"
    samples = (Sample({}, _POSITIVE), *_NUMBERS[:3])

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        result = super().infer(facts, x, y)
        if not is_float(result.dtype):
            raise Rejected(
                "E0204",
                f"`/` takes floats, not `{result.dtype}`",
                "whole numbers",
                helps=("divide and round down with `//`, or convert with `cast(f32)`",),
            )
        return result


_ROUNDED = (
    Sample({}, _POSITIVE, differentiable=False),
    Sample({}, _WHOLE, differentiable=False),
    Sample({}, (Example("f32", ("B", 3)), -0.7), differentiable=False),
    Sample({}, (7, Example("i64", ("B",), -9, -1)), differentiable=False),
    Sample({}, (Example("i64", ("B", "T"), -20, 20), "T"), differentiable=False),
)


class FloorDivide(_Quotient):
    """Quotient rounded down, for numbers of either sign."""

    syntax = "//"
    flat = True
    refuses = "zero"
    onnx = "Div and Floor; whole numbers: Sub, Mod, Div"
    samples = _ROUNDED


class Modulo(_Quotient):
    """Remainder of the quotient rounded down: it has the sign of the divisor."""

    syntax = "%"
    refuses = "zero"
    onnx = "Mod; floats: Div, Floor, Mul, Sub"
    samples = _ROUNDED

    def spans(self, *ranges: Range | None) -> Range | None:
        divisor = ranges[1]
        positive = divisor is not None and isinstance(divisor[0], int) and divisor[0] > 0
        return (0, divisor[1] - 1) if divisor is not None and positive else None


class Power(_Arithmetic):
    """Power. Integers need non-negative exponents."""

    syntax = "**"
    onnx = "Pow"
    samples = (
        Sample({}, _POSITIVE),
        Sample({}, (Example("i64", ("B", 3), -4, 5), Example("i64", (3,), 0, 4)), differentiable=False),
        Sample({}, (Example("f32", ("B", 3)), 2)),
        Sample({}, (Example("f32", ("B", 3), 0.1, 4.0), -0.5)),
        Sample({}, (2.0, Example("f32", ("B", 3)))),
        Sample({}, (Example("i64", ("B",), -4, 5), 3), differentiable=False),
    )

    @classmethod
    def check_numbers(cls, operands: Sequence[Operand], types: Sequence[TensorType | None]) -> None:
        super().check_numbers(operands, types)
        base, exponent = types[0], operands[1]
        if base is not None and is_integer(base.dtype) and isinstance(exponent, int) and exponent < 0:
            raise Rejected(
                "E0204",
                "whole numbers have no negative powers",
                f"`** {exponent}` of `{base.dtype}`",
                helps=("convert with `cast(f32)` first",),
            )


class Negative(Syntax):
    """The negated number."""

    elementwise = True
    syntax = "-"
    linear = "scaled"
    result = "negated"
    onnx = "Neg"
    samples = (Sample({}, (Example("f32", ("B", 3)),)),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_number(x, "`-`")
        return x


class Matmul(Syntax):
    """Matrix product of the last two axes; axes before them broadcast. A vector is a row on the left and a
    column on the right, and its axis is removed.

    [.., M, K] @ [.., K, N] -> [.., M, N]. Errors: E0201 when the inner sizes differ.
    """

    syntax = "@"
    onnx = "MatMul; with one matrix for all: Gemm"
    samples = (
        Sample({}, (Example("f32", ("B", "T", 3)), Example("f32", (3, 4)))),
        Sample({}, (Example("f32", ("B", 2, "T", 3)), Example("f32", ("B", 1, 3, "S")))),
        Sample({}, (Example("f32", (3,)), Example("f32", ("B", 3, "T")))),
        Sample({}, (Example("f32", ("B", "T", "T")), Example("f32", ("B", "T", 4)))),
        Sample({}, (Example("f32", ("B", "T", 3)), Example("f32", (3,)))),
    )

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        for side in (x, y):
            need_float(side, "`@`")
            need_rank(side, 1, None, "`@`", "vectors and matrices, not numbers")
        dtype = common_dtype(x, y)
        inner = y.shape[-2] if y.rank > 1 else y.shape[0]
        need_equal(facts, x.shape[-1], inner, f"cannot multiply `{x}` with `{y}`", x)
        lead = common_shape(facts, x, y, last=2)
        rows = x.shape[-2:-1] if x.rank > 1 else ()
        columns = y.shape[-1:] if y.rank > 1 else ()
        return TensorType(dtype, (*lead, *rows, *columns))

    @classmethod
    def rounded_weights(cls, args: Mapping[str, Any], *inputs: TensorType | None) -> Size | None:
        y = inputs[1]
        return None if y is None or y.rank != 2 else y.shape[0] * y.shape[1]

    def piecewise(self, use: Positions) -> Left:
        x, y = use.types
        if x is not None and y is not None:
            summed = ((x, x.rank - 1), (y, max(y.rank - 2, 0)))
            if any(axis in use.axes(type) for type, axis in summed):
                use.reject(f"sums over `{use.length}`", FOR_KEYS)
        return "still"

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        x = inputs[0]
        assert x is not None
        return 2 * product(outputs[0].shape) * x.shape[-1]


class _Comparison(Syntax):
    elementwise = True
    samples = (
        Sample({}, _WHOLE, differentiable=False),
        Sample({}, _PAIR, differentiable=False),
        Sample({}, (Example("i64", ("B", "T"), -2, 3), 0), differentiable=False),
        Sample({}, (0.5, Example("f32", ("B", "T"))), differentiable=False),
    )

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        if self.syntax not in ("==", "!="):
            need_number(x, f"`{self.syntax}`")
        common_dtype(x, y)
        return TensorType("bool", common_shape(facts, x, y))


class Equal(_Comparison):
    """Whether elements are equal."""

    syntax = "=="
    onnx = "Equal"


class NotEqual(_Comparison):
    """Whether elements differ."""

    syntax = "!="
    onnx = "Equal and Not"


class Less(_Comparison):
    """Whether the left is smaller."""

    syntax = "<"
    onnx = "Less"


class LessEqual(_Comparison):
    """Whether the left is not larger."""

    syntax = "<="
    onnx = "LessOrEqual"


class Greater(_Comparison):
    """Whether the left is larger."""

    syntax = ">"
    onnx = "Greater"


class GreaterEqual(_Comparison):
    """Whether the left is not smaller."""

    syntax = ">="
    onnx = "GreaterOrEqual"


_BOOLS = (Example("bool", ("B", 3), 0, 2), Example("bool", (3,), 0, 2))


class _Logic(Syntax):
    elementwise = True
    samples = (Sample({}, _BOOLS, differentiable=False),)

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        need_bool(x, f"an operand of `{self.syntax}`")
        need_bool(y, f"an operand of `{self.syntax}`")
        return TensorType("bool", common_shape(facts, x, y))


class LogicalAnd(_Logic):
    """Whether both are true."""

    syntax = "and"
    onnx = "And"


class LogicalOr(_Logic):
    """Whether one is true."""

    syntax = "or"
    onnx = "Or"


class LogicalNot(Syntax):
    """Whether it is false."""

    elementwise = True
    syntax = "not"
    onnx = "Not"
    samples = (Sample({}, _BOOLS[:1], differentiable=False),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_bool(x, "the operand of `not`")
        return x
