"""Functions that choose elements."""

from __future__ import annotations

from ...sizes.dims import Dim, Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Axis, Count, Extent
from .base import Example, Function, Rejected, Sample
from .positions import LAST_ONLY, Left, Positions
from .rules import (
    axis_of,
    common_dtype,
    common_shape,
    need_bool,
    need_equal,
    need_float,
    need_integer,
    need_number,
    need_whole,
    need_within,
)

_X = Example("f32", ("B", "T", 6))


class Take(Function):
    """The slice at position `i` of an axis, without the axis; a negative `i` counts from the end.

    [.., N, ..] -> [.., ..]. Errors: E0201 outside the axis, E0207 when that cannot be decided.
    """

    i: Extent
    axis: Axis

    view = "moved"
    keeps = True
    onnx = "Gather with a scalar index"
    samples = (Sample({"i": 0, "axis": 1}, (_X,)), Sample({"i": -2, "axis": -1}, (_X,)))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        axis = axis_of(x, self.axis)
        need_position(facts, x, axis, self.i)
        return x.with_shape(*x.shape[:axis], *x.shape[axis + 1 :])

    def piecewise(self, use: Positions) -> Left:
        x = use.type(0)
        axis = self.axis % x.rank
        if axis not in use.axes(x):
            return "still"
        if self.i != -1 or x.shape[axis] != use.size:
            use.reject(f"selects a position of `{use.length}`", LAST_ONLY)
        return "last"


class Gather(Function):
    """Selects elements along an axis: result[.., j, ..] = x[.., index[.., j, ..], ..]. Indices must not be negative.

    x[.., N, ..], index i64[.., M, ..] -> [.., M, ..]; the other sizes of the index are at most those of x.
    """

    axis: Axis

    refuses = "outside"
    onnx = "GatherElements"
    samples = (
        Sample({"axis": -1}, (_X, Example("i64", ("B", "T", 2), 0, 6))),
        Sample({"axis": 1}, (Example("f32", ("B", 4, 2)), Example("i64", ("B", 3, 2), 0, 4))),
    )

    def infer(self, facts: Facts, x: TensorType, index: TensorType) -> TensorType:
        need_integer(index, "`index`")
        axis = axis_of(x, self.axis)
        if index.rank != x.rank:
            raise Rejected("E0202", f"`index` must have {x.rank} axes, like the tensor", f"`{x}` and `{index}`")
        for at, (size, wanted) in enumerate(zip(x.shape, index.shape, strict=True)):
            if at != axis and size != wanted:
                need_within(facts, size, wanted, x, f"`index`, axis {at},")
        return x.with_shape(*index.shape)

    def positions(self, *inputs: TensorType | None) -> tuple[int, Size] | None:
        x = inputs[0]
        return None if x is None else (1, x.shape[axis_of(x, self.axis)])


class Where(Function):
    """`a` where the condition is true, else `b`. The three broadcast.

    c bool, a and b of one dtype (a number adapts) -> their common shape.
    """

    elementwise = True
    alike = ("a", "b")
    chooses = True
    onnx = "Where"
    samples = (
        Sample({}, (Example("bool", ("B", "T", 1), 0, 2), _X, Example("f32", (6,)))),
        Sample({}, (Example("bool", ("B",), 0, 2), Example("i64", ("B",), 0, 9), Example("i64", (), 0, 9)),
               differentiable=False),
        Sample({}, (Example("bool", ("B", 6), 0, 2), Example("f32", ("B", 6)), 0)),
        Sample({}, (Example("bool", ("B", 6), 0, 2), 1.5, Example("f32", (1, 6)))),
    )  # fmt: skip

    def infer(self, facts: Facts, c: TensorType, a: TensorType, b: TensorType) -> TensorType:
        need_bool(c, "the condition of `where`")
        dtype = common_dtype(a, b)
        return TensorType(dtype, common_shape(facts, c, a, b))


class Topk(Function):
    """The `k` largest values along an axis in descending order, and their indices.

    [.., N, ..] -> [.., k, ..], i64[.., k, ..]. Errors: E0201 when there are fewer than `k`, E0207 when that cannot be
    decided.
    """

    k: Count
    axis: Axis = -1

    onnx = "TopK"
    samples = (Sample({"k": 2}, (_X,)), Sample({"k": 1, "axis": 1}, (_X,)))

    def infer(self, facts: Facts, x: TensorType) -> tuple[TensorType, TensorType]:
        need_number(x, "topk")
        axis = axis_of(x, self.axis)
        need_within(facts, x.shape[axis], self.k, x, f"`k` = {self.k}")
        values = x.with_shape(*x.shape[:axis], self.k, *x.shape[axis + 1 :])
        return values, values.with_dtype("i64")


class Scatter(Function):
    """Writes values into zeros along the last axis: result[.., index[.., j]] = values[.., j]. The indices of a row must differ.

    values[.., K], index i64[.., K] -> [.., size].
    """

    size: Extent

    along = "last"
    refuses = "outside"
    onnx = "ScatterElements into zeros"
    samples = (
        Sample({"size": 5}, (Example("f32", ("B", 1)), Example("i64", ("B", 1), 0, 5))),
        Sample({"size": 4}, (Example("f32", ("B", "T", 1)), Example("i64", ("B", "T", 1), 0, 4))),
    )

    def infer(self, facts: Facts, values: TensorType, index: TensorType) -> TensorType:
        need_float(values, "scatter")
        need_integer(index, "`index`")
        if index.rank != values.rank or not values.rank:
            raise Rejected("E0202", "`values` and `index` must have the same axes", f"`{values}` and `{index}`")
        for a, b in zip(values.shape, index.shape, strict=True):
            need_equal(facts, a, b, f"`values` and `index` must have the same sizes: `{values}` and `{index}`", index)
        (size,) = need_whole(facts, (self.size,))
        return values.with_shape(*values.shape[:-1], size)

    def positions(self, *inputs: TensorType | None) -> tuple[int, Size] | None:
        return 1, self.size


def need_position(facts: Facts, x: TensorType, axis: int, at: Size) -> None:
    """E0201 unless position `at` lies on the axis; a concrete negative one counts from the end."""
    size = x.shape[axis]
    if isinstance(at, int) and at < 0:
        least: Size = -at
    else:
        least = at + 1
        if isinstance(at, Dim) and facts.at_least(at, 0) is False:
            raise Rejected(
                "E0208",
                f"a symbolic position must count from the front; `{at}` is negative",
                f"axis {axis}",
                helps=("count from the front, or from the end with a number: `-1` is the last position",),
            )
    need_within(facts, size, least, x, f"position {at} of axis {axis}")
