"""Functions that take an axis away, or run along one."""

from __future__ import annotations

from typing import ClassVar

from ...sizes.facts import Facts
from ...sizes.types import TensorType, is_float
from ..arguments import Axes, Axis, Positive
from .base import Example, Function, Rejected, Sample
from .rules import axes_of, axis_of, need_float, need_number, need_some, product

_X = (Example("f32", ("B", "T", 3)),)
_SAMPLES = (
    Sample({"axis": None}, _X, note="over all axes: a scalar"),
    Sample({"axis": -1, "keepdim": True}, _X),
    Sample({"axis": (0, 2)}, _X),
)


class _Reduction(Function):
    axis: Axes = None
    keepdim: bool = False

    floats: ClassVar[bool] = False
    samples = _SAMPLES

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        (need_float if self.floats else need_number)(x, self.name)
        return reduced(x, self.axis, self.keepdim, self.name)


class Sum(_Reduction):
    """Sum over axes, over all axes by default; whole numbers and bools give i64.

    [..] -> without the axes, or with 1 in their places (`keepdim`).
    """

    onnx = "ReduceSum"
    samples = (
        *_SAMPLES,
        Sample({"axis": 1}, (Example("bool", ("B", "T"), 0, 2),), differentiable=False),
        Sample({"axis": None}, (Example("i32", ("B", "T"), -9, 10),), differentiable=False),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        result = reduced(x, self.axis, self.keepdim, self.name)
        return result if is_float(x.dtype) else result.with_dtype("i64")


class Mean(_Reduction):
    """Mean over axes, over all axes by default. Floats only.

    [..] -> without the axes, or with 1 in their places (`keepdim`).
    """

    floats = True
    onnx = "ReduceMean"


class Max(_Reduction):
    """Largest value over axes, over all axes by default; values only.

    [..] -> without the axes, or with 1 in their places (`keepdim`).
    """

    onnx = "ReduceMax"
    samples = (*_SAMPLES, Sample({"axis": 0}, (Example("i64", ("B", "T"), -9, 10),), differentiable=False))


class Min(_Reduction):
    """Smallest value over axes, over all axes by default; values only.

    [..] -> without the axes, or with 1 in their places (`keepdim`).
    """

    onnx = "ReduceMin"


class Var(_Reduction):
    """Variance over axes, divided by the count minus `correction` (1: unbiased, 0: biased). Floats only.

    [..] -> without the axes, or with 1 in their places (`keepdim`).
    """

    correction: int = 1

    floats = True
    onnx = "ReduceMean, Sub, Mul, ReduceSum, Div"
    samples = (*_SAMPLES, Sample({"axis": -1, "correction": 0}, _X))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        result = super().infer(facts, x)
        count = product([x.shape[axis] for axis in axes_of(x, self.axis)])
        if facts.at_most(count - self.correction, 0):
            raise Rejected(
                "E0201",
                f"the variance of {count} number{'s' * (count != 1)} is divided by {count - self.correction}",
                f"the tensor is `{x}`",
                helps=("reduce an axis with more elements, or divide by the count: `correction = 0`",),
            )
        return result


class Norm(Function):
    """Norm of vectors, (sum |x|^p)^(1/p) over axes, over all axes by default. Floats only.

    [..] -> without the axes, or with 1 in their places (`keepdim`).
    """

    p: Positive = 2.0
    axis: Axes = None
    keepdim: bool = False

    magnitude = True
    onnx = "ReduceL1, ReduceL2, or Abs, Pow and ReduceSum"
    samples = (
        Sample({"axis": -1}, _X),
        Sample({"p": 1.0, "axis": (0, 1), "keepdim": True}, _X),
        Sample({"p": 3.0}, _X),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "norm")
        return reduced(x, self.axis, self.keepdim, self.name)


class L2Normalize(Function):
    """x / max(‖x‖₂, 1e-12) along an axis. Floats only; any shape."""

    axis: Axis = -1

    onnx = "ReduceL2, Max, Div"
    samples = (Sample({}, _X), Sample({"axis": 1}, _X))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "l2_normalize")
        need_some(x, (axis_of(x, self.axis),), "`l2_normalize`")
        return x


class Argmax(Function):
    """The index of the largest element along an axis, which is removed; the first of equal ones.

    [..] -> i64[..] without the axis.
    """

    axis: Axis = -1

    turns = (("scores", "class"), ("probabilities", "class"))
    onnx = "ArgMax"
    samples = (
        Sample({}, _X, differentiable=False),
        Sample({"axis": 1}, (Example("i64", ("B", "T"), -3, 4),), differentiable=False),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_number(x, "argmax")
        axis = axis_of(x, self.axis)
        need_some(x, (axis,), "`argmax`")
        return TensorType("i64", (*x.shape[:axis], *x.shape[axis + 1 :]))


class Cumsum(Function):
    """Running sum along an axis, the element itself included; whole numbers and bools give i64. Any shape."""

    axis: Axis

    onnx = "CumSum"
    samples = (
        Sample({"axis": 1}, _X),
        Sample({"axis": -1}, (Example("bool", ("B", "T"), 0, 2),), differentiable=False),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        axis_of(x, self.axis)
        return x if is_float(x.dtype) else x.with_dtype("i64")


def reduced(x: TensorType, axis: Axes, keepdim: bool, what: str) -> TensorType:
    """The shape without the axes, or with 1 in their places. E0201 for an axis that is empty."""
    gone = axes_of(x, axis)
    need_some(x, gone, f"`{what}`")
    if keepdim:
        return x.with_shape(*(1 if at in gone else size for at, size in enumerate(x.shape)))
    return x.with_shape(*(size for at, size in enumerate(x.shape) if at not in gone))
