"""Functions that join, cut and reshape."""

from __future__ import annotations

from collections.abc import Callable

from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Amounts, Axes, Axis, Count, Number, Offsets, Shape, Sizes
from .base import Example, Function, Rejected, Sample, need_held
from .positions import Left, Positions
from .rules import (
    axes_of,
    axis_of,
    common_dtype,
    common_shape,
    divide,
    need_equal,
    need_number,
    need_rank,
    need_whole,
    product,
)

_X = Example("f32", ("B", "T", 6))


class Add(Function):
    """Sum of two tensors, as `+`; for pipelines: `-> add(shortcut)`."""

    elementwise = True
    linear = "sum"
    onnx = "Add"
    samples = (Sample({}, (_X, Example("f32", ("T", 1)))), Sample({}, (_X, 1.5)))

    def infer(self, facts: Facts, x: TensorType, y: TensorType) -> TensorType:
        need_number(x, "`add`")
        need_number(y, "`add`")
        return TensorType(common_dtype(x, y), common_shape(facts, x, y))


class Concat(Function):
    """Concatenates tensors along an axis; their other sizes must be equal.

    [.., A, ..], [.., B, ..] -> [.., A + B, ..]. Errors: E0201, E0202, E0204.
    """

    axis: Axis

    keeps = True
    onnx = "Concat"
    samples = (
        Sample({"axis": 1}, (Example("f32", ("B", 2)), Example("f32", ("B", 3)))),
        Sample({"axis": -2}, (_X, Example("f32", ("B", "S", 6)), _X)),
        Sample({"axis": 0}, (Example("i64", ("T",), 0, 9), Example("i64", ("S",), 0, 9)), differentiable=False),
    )

    def infer(self, facts: Facts, *parts: TensorType) -> TensorType:
        first = _first(parts, "concat")
        dtype = common_dtype(*parts)
        axis = axis_of(first, self.axis)
        total: Size = 0
        for part in parts:
            if part.rank != first.rank:
                raise Rejected("E0202", f"cannot join `{first}` and `{part}`", "different numbers of axes")
            for at, size in enumerate(part.shape):
                if at != axis:
                    need_equal(
                        facts, first.shape[at], size, f"cannot join `{first}` and `{part}` along axis {axis}", part
                    )
            total = total + part.shape[axis]
        return TensorType(dtype, (*first.shape[:axis], total, *first.shape[axis + 1 :]))


class Stack(Function):
    """Stacks tensors of one shape along a new axis.

    n times [..] -> [.., n, ..]. Errors: E0201, E0202, E0204.
    """

    axis: Axis

    along = "none"
    keeps = True
    onnx = "Reshape and Concat"
    samples = (
        Sample({"axis": 0}, (Example("f32", ("B", 2)), Example("f32", ("B", 2)))),
        Sample({"axis": -1}, (_X, _X, _X)),
    )

    def infer(self, facts: Facts, *parts: TensorType) -> TensorType:
        first = _first(parts, "stack")
        dtype = common_dtype(*parts)
        axis = axis_of(first, self.axis, extra=1)
        for part in parts:
            if part.rank != first.rank:
                raise Rejected("E0202", f"cannot stack `{first}` and `{part}`", "different numbers of axes")
            for mine, size in zip(first.shape, part.shape, strict=True):
                need_equal(facts, mine, size, f"cannot stack `{first}` and `{part}`", part)
        return TensorType(dtype, (*first.shape[:axis], len(parts), *first.shape[axis:]))


_OTHER_AXIS = "name another axis, such as `axis = -1`, or another number of parts"


def _along_another(rejected: Rejected, x: TensorType, fits: Callable[[Size], bool], otherwise: str = "") -> Rejected:
    """What is refused along the first axis, by default, with the last axis along which it fits."""
    found = next((axis for axis in reversed(range(x.rank)) if fits(x.shape[axis])), None)
    shown = f"axis = {-1 if found == x.rank - 1 else found}"
    helps = (
        (f"along another axis it fits: `{shown}`",)
        if found is not None
        else (otherwise,)
        if otherwise
        else rejected.helps
    )
    return Rejected(rejected.code, rejected.message, rejected.label, notes=rejected.notes, helps=helps)


class Split(Function):
    """Splits along an axis into parts of one size (the last may be smaller), or of the listed sizes.

    Errors: E0208 when one size cuts a symbolic axis, E0201 when listed sizes do not add up.
    """

    size: Sizes
    axis: Axis = 0

    keeps = True
    onnx = "Split"
    samples = (
        Sample({"size": 4, "axis": -1}, (_X,), note="parts of 4 and 2"),
        Sample({"size": (1, 2, 3), "axis": 2}, (_X,)),
    )

    def infer(self, facts: Facts, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        size = x.shape[axis]
        if isinstance(self.size, tuple):
            whole = sum(self.size)
            try:
                need_equal(facts, whole, size, f"the parts of axis {axis} must add up to `{size}`", x)
            except Rejected as rejected:
                raise _along_another(
                    rejected,
                    x,
                    lambda other: other == whole,
                    "list sizes that add up, or name another axis, such as `axis = -1`",
                ) from None
            return tuple(_with_axis(x, axis, part) for part in self.size)
        length = _static(size, axis, x, "split")
        starts = range(0, length, self.size)
        return tuple(_with_axis(x, axis, min(self.size, length - start)) for start in starts)


class Chunk(Function):
    """`n` equal parts along an axis.

    Errors: E0206 when the size is not a multiple of `n`.
    """

    n: Count
    axis: Axis = 0

    keeps = True
    onnx = "Split"
    samples = (Sample({"n": 3, "axis": -1}, (_X,)),)

    def infer(self, facts: Facts, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        try:
            part = divide(facts, x.shape[axis], self.n, f"axis {axis} in {self.n} equal parts", x)
        except Rejected as rejected:
            raise _along_another(
                rejected, x, lambda other: isinstance(other, int) and other % self.n == 0, _OTHER_AXIS
            ) from None
        return (_with_axis(x, axis, part),) * self.n


class Unbind(Function):
    """The slices along an axis, without that axis.

    Errors: E0208 when the axis is symbolic.
    """

    axis: Axis = 0

    keeps = True
    onnx = "Split and Reshape"
    samples = (Sample({}, (Example("f32", (3, "B", 2)),)), Sample({"axis": -1}, (Example("f32", ("B", "T", 2)),)))

    def infer(self, facts: Facts, x: TensorType) -> tuple[TensorType, ...]:
        axis = axis_of(x, self.axis)
        count = _static(x.shape[axis], axis, x, "unbind")
        return (x.with_shape(*x.shape[:axis], *x.shape[axis + 1 :]),) * count


class SplitHeads(Function):
    """Splits the last axis into heads and moves them before the sequence.

    [B, T, heads*K] -> [B, heads, T, K]. Errors: E0206 when `heads` does not divide the last axis.
    """

    heads: Count

    view = "moved"
    along = "none"
    onnx = "Reshape and Transpose"
    samples = (Sample({"heads": 3}, (_X,)),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_rank(x, 3, 3, "split_heads", "[B, T, heads*K]")
        each = divide(facts, x.shape[2], self.heads, f"the last axis in {self.heads} heads", x)
        return x.with_shape(x.shape[0], self.heads, x.shape[1], each)


class MergeHeads(Function):
    """The inverse of `split_heads`.

    [B, H, T, K] -> [B, T, H*K].
    """

    view = "moved"
    along = "none"
    onnx = "Transpose and Reshape"
    samples = (Sample({}, (Example("f32", ("B", 2, "T", 3)),)),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_rank(x, 4, 4, "merge_heads", "[B, H, T, K]")
        batch, heads, length, each = x.shape
        return x.with_shape(batch, length, heads * each)


class Flatten(Function):
    """Merges the axes from `start` to the last.

    [B, C, H, W] -> [B, C*H*W].
    """

    start: Axis = 1

    view = "reshaped"
    along = "none"
    keeps = True
    onnx = "Reshape"
    samples = (
        Sample({}, (Example("f32", ("B", 2, 3, 2)),)),
        Sample({}, (Example("f32", ("B", 2, "H", "W")),)),
        Sample({"start": -2}, (Example("f32", ("B", "T", 3, 2)),)),
        Sample({"start": 0}, (_X,)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        start = axis_of(x, self.start)
        return x.with_shape(*x.shape[:start], product(x.shape[start:]))


class Squeeze(Function):
    """Removes axes of size 1.

    Errors: E0201 when such an axis has another size, E0207 when that cannot be decided.
    """

    axis: Axes

    view = "reshaped"
    along = "none"
    keeps = True
    onnx = "Reshape"
    samples = (
        Sample({"axis": -1}, (Example("f32", ("B", 1)),)),
        Sample({"axis": (1, 2)}, (Example("f32", ("B", 1, 1, 3)),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        gone = (
            axes_of(x, self.axis) if self.axis is not None else tuple(a for a, size in enumerate(x.shape) if size == 1)
        )
        for axis in gone:
            try:
                need_equal(
                    facts, x.shape[axis], 1, f"cannot squeeze axis {axis}: its size is {x.shape[axis]}, not 1", x
                )
            except Rejected as rejected:
                raise _along_another(
                    rejected, x, lambda size: size == 1, "only axes of size 1 can be left out"
                ) from None
        return x.with_shape(*(size for axis, size in enumerate(x.shape) if axis not in gone))


class Expand(Function):
    """Repeats axes of size 1 and adds axes in front, so that the shape of the result is `shape`.

    Errors: E0201 when a size is neither 1 nor the wanted one.
    """

    shape: Shape

    view = "moved"
    along = "none"
    sized = True
    keeps = True
    onnx = "Expand"
    samples = (
        Sample({"shape": (2, 3, 4)}, (Example("f32", (1, 4)),)),
        Sample({"shape": ("B", "T", 3)}, (Example("f32", (1, "T", 1)),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        shape = need_whole(facts, self.shape)
        result = x.with_shape(*shape)
        if x.rank > len(shape):
            raise Rejected("E0202", f"cannot expand `{x}` to {len(shape)} axes", "too many axes")
        for at, size in enumerate(x.shape):
            wanted = shape[len(shape) - x.rank + at]
            if size != 1:
                need_equal(facts, size, wanted, f"cannot expand `{x}` to `{result}`", x)
        return result


class Pad(Function):
    """Pads with a constant. `amounts` are pairs of before and after, from the last axis backwards; a negative
    amount crops.

    [.., L] -> [.., before + L + after]. Errors: E0202, E0201 when nothing is left.
    """

    amounts: Amounts
    value: Number = 0

    onnx = "Pad"
    samples = (
        Sample({"amounts": (1, 2)}, (_X,)),
        Sample({"amounts": (0, 1, 2, 0), "value": -1.5}, (_X,)),
        Sample({"amounts": (-1, 1)}, (_X,)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        pairs = list(zip(self.amounts[::2], self.amounts[1::2], strict=False))
        if len(self.amounts) % 2 or len(pairs) > x.rank:
            raise Rejected(
                "E0202",
                "`amounts` must be pairs of before and after, from the last axis backwards",
                f"{len(self.amounts)} numbers for {x.rank} axes",
            )
        if isinstance(self.value, float) and x.dtype not in ("f16", "bf16", "f32", "f64"):
            raise Rejected("E0204", f"`{self.value}` cannot be stored as `{x.dtype}`", f"the tensor is `{x}`")
        need_held(self.value, x.dtype)
        shape = list(x.shape)
        for back, (before, after) in enumerate(pairs, 1):
            shape[-back] = shape[-back] + before + after
            if facts.at_most(shape[-back], 0):
                raise Rejected("E0201", f"nothing is left of axis {x.rank - back}", f"the tensor is `{x}`")
        return x.with_shape(*shape)

    def piecewise(self, use: Positions) -> Left:
        rank = use.type(0).rank
        use.keep_apart(range(rank - len(self.amounts) // 2, rank))
        return "still"


class Roll(Function):
    """Shifts elements along axes; those shifted past the end reappear at the front. One shift per axis.

    Any shape and dtype.
    """

    shift: Offsets
    axis: Offsets

    keeps = True
    onnx = "Slice and Concat"
    samples = (
        Sample({"shift": 1, "axis": -1}, (_X,)),
        Sample({"shift": 6, "axis": 1}, (_X,), note="round more than once"),
        Sample({"shift": (-2, 1), "axis": (2, 1)}, (_X,)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        axes_of(x, self.axis)
        shifts = self.shift if isinstance(self.shift, tuple) else (self.shift,)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        if len(shifts) != len(axes):
            raise Rejected("E0202", "one shift for each axis", f"{len(shifts)} shifts, {len(axes)} axes")
        return x


def _first(parts: tuple[TensorType, ...], name: str) -> TensorType:
    if not parts:
        raise Rejected("E0304", f"`{name}` needs at least one tensor", "no tensor")
    return parts[0]


def _with_axis(x: TensorType, axis: int, size: Size) -> TensorType:
    return x.with_shape(*x.shape[:axis], size, *x.shape[axis + 1 :])


def _static(size: Size, axis: int, x: TensorType, name: str) -> int:
    if isinstance(size, int):
        return size
    raise Rejected(
        "E0208",
        f"`{name}` needs a concrete axis {axis}: the number of parts depends on `{size}`",
        f"the tensor is `{x}`",
    )
