"""What has its own notation: indices, `.T`, `[..] => [..]`, numbers and sizes among tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...sizes.dims import Dim
from ...sizes.dims import Size as AnySize
from ...sizes.facts import Facts
from ...sizes.types import TensorType, is_float
from ..arguments import DType, Extent, Items, Order, Plain, Shape
from .base import Example, Rejected, Sample, Syntax
from .positions import LAST_ONLY, Left, Positions
from .rules import need_equal, need_rank, need_whole, product
from .selection import need_position

_X = Example("f32", ("B", "T", 6))


class Index(Syntax):
    """Indexing as in NumPy: a size selects (and removes the axis), `a:b` slices, `none` adds an axis
    of 1, `...` is all axes in between.

    A bound must be within the axis: E0201, or E0207 if a symbolic axis might be too short.
    """

    items: Items

    view = "moved"
    syntax = "x[..]"
    sized = True
    keeps = True
    onnx = "Gather, Slice, Reshape"
    samples = (
        Sample({"items": (("slice", None, None), 0)}, (_X,)),
        Sample({"items": (-1,)}, (_X,)),
        Sample({"items": (("slice", None, None), ("slice", 0, "T"), ("slice", 2, None))}, (_X,)),
        Sample({"items": ("...", ("slice", 1, -1), None)}, (_X,)),
        Sample({"items": (("slice", None, None), None, None, ("slice", None, None))}, (Example("bool", ("B", "T"), 0, 2),),
               differentiable=False),
    )  # fmt: skip

    @classmethod
    def view_with(cls, args: Mapping[str, Any]) -> Literal["reshaped", "moved"] | None:
        whole = all(item is None or item == "..." or item == ("slice", None, None) for item in args["items"])
        return "reshaped" if whole else "moved"

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        taken = sum(item is not None and item != "..." for item in self.items)
        if taken > x.rank:
            raise Rejected(
                "E0202",
                f"{taken} indices for {x.rank} axes",
                f"the tensor is `{x}`",
                helps=("give one index per axis at most; `none` inserts an axis and counts for none",),
            )
        if sum(item == "..." for item in self.items) > 1:
            raise Rejected(
                "E0202", "`...` is allowed only once", "twice here", helps=("write `:` for one of the axes instead",)
            )
        shape: list[AnySize] = []
        axis = 0
        for item in self.items:
            if item is None:
                shape.append(1)
            elif item == "...":
                skipped = x.rank - taken
                shape += x.shape[axis : axis + skipped]
                axis += skipped
            elif isinstance(item, tuple):
                shape.append(_slice(facts, x, axis, item[1], item[2]))  # pyright: ignore[reportUnknownArgumentType]
                axis += 1
            else:
                need_position(facts, x, axis, item)
                axis += 1
        return x.with_shape(*shape, *x.shape[axis:])

    def piecewise(self, use: Positions) -> Left:
        x, left = use.type(0), "still"
        axis = 0
        for item in self.items:
            if item is None:
                continue
            if item == "...":
                axis += x.rank - sum(item is not None and item != "..." for item in self.items)
                continue
            if axis in use.axes(x):
                if item in (-1, ("slice", -1, None)) and x.shape[axis] == use.size:
                    left = "last"
                elif not (isinstance(item, tuple) and item[1] in (None, 0) and item[2] in (None, x.shape[axis])):
                    use.reject(f"selects positions of `{use.length}`", LAST_ONLY)
            elif use.speaks(item):
                use.reject(
                    f"slices at the number `{use.length}`",
                    "look up rows of a table by position: `arange(T) -> Embedding(..)`",
                )
            axis += 1
        return left


def _slice(facts: Facts, x: TensorType, axis: int, start: Any, stop: Any) -> AnySize:
    """The length of `start:stop` on an axis."""
    size = x.shape[axis]

    def bound(value: Any, default: AnySize) -> AnySize:
        if value is None:
            return default
        if isinstance(value, Dim) and not facts.is_whole(value):
            raise Rejected(
                "E0206", f"the bound `{value}` is not whole", f"axis {axis}", helps=("round down with `//`",)
            )
        return size + value if isinstance(value, int) and value < 0 else value

    first, last = bound(start, 0), bound(stop, size)
    length = last - first
    written = f"{'' if start is None else start}:{'' if stop is None else stop}"
    for low, high in ((0, first), (first, last), (last, size)):
        inside = facts.at_least(high - low, 0)
        if not inside:
            raise Rejected(
                "E0201" if inside is False else "E0207",
                f"`{written}` is outside axis {axis}, which has {size}"
                if inside is False
                else f"`{written}` may be outside axis {axis}, which has {size}",
                f"the tensor is `{x}`",
                helps=(
                    f"the bounds of this axis go from 0 to {size}, the first at most the second"
                    if inside is False
                    else f"state the bound: `require {high} >= {low}`",
                ),
            )
    if length == 0:
        raise Rejected(
            "E0201",
            f"`{written}` is empty on axis {axis}",
            f"the tensor is `{x}`",
            helps=("keep at least one element: the end of a slice is not part of it",),
        )
    return length


class Transpose(Syntax):
    """Swaps the last two axes."""

    view = "moved"
    syntax = ".T"
    along = "none"
    keeps = True
    onnx = "Transpose"
    samples = (Sample({}, (_X,)), Sample({}, (Example("f32", ("B", 2)),)))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_rank(x, 2, None, "`.T`", "at least two axes")
        return x.with_shape(*x.shape[:-2], x.shape[-1], x.shape[-2])


class Rearrange(Syntax):
    """Splits, permutes and merges axes: `[B, T, (3, heads, K)] => [3, B, heads, T, K]`.

    `expanded`: the sizes after splitting. `order`: the axes of the permutation, as numbers of expanded ones. `merged`: how
    many of the permuted axes make each axis of the result; 0 is a new axis of 1.
    """

    expanded: Shape
    order: Order
    merged: Order

    view = "moved"
    syntax = "[..] => [..]"
    along = "none"
    sized = True
    keeps = True
    onnx = "Reshape, Transpose, Reshape"
    samples = (
        Sample({"expanded": ("B", "T", 3, 2), "order": (2, 0, 1, 3), "merged": (1, 1, 1, 1)}, (_X,)),
        Sample({"expanded": ("B", "T", 6), "order": (1, 0, 2), "merged": (1, 2)}, (_X,)),
        Sample({"expanded": (2, 3), "order": (1, 0), "merged": (1, 0, 1)}, (Example("f32", (2, 3)),)),
    )

    @classmethod
    def view_with(cls, args: Mapping[str, Any]) -> Literal["reshaped", "moved"] | None:
        return "reshaped" if list(args["order"]) == sorted(args["order"]) else "moved"

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        assert sorted(self.order) == list(range(len(self.expanded))), "the order must be a permutation"
        assert sum(self.merged) == len(self.order), "every axis must be merged exactly once"
        need_equal(facts, product(self.expanded), product(x.shape), "a rearrangement keeps all elements", x)
        shape: list[AnySize] = []
        at = 0
        for count in self.merged:
            shape.append(product([self.expanded[axis] for axis in self.order[at : at + count]]))
            at += count
        return x.with_shape(*shape)

    def arrangement(self, x: TensorType) -> str:
        """How it is written for `x`: `[B, T, (3, K)] => [3, B, T, K]`."""
        left: list[list[AnySize]] = []
        left_over = list(self.expanded)
        for size in x.shape:
            group = [left_over.pop(0)]
            while product(group) != size:
                group.append(left_over.pop(0))
            left.append(group)
        moved = [self.expanded[axis] for axis in self.order]
        right = [[moved.pop(0) for _ in range(count)] for count in self.merged]
        return f"{_groups(left)} => {_groups(right)}"


def _groups(groups: Sequence[Sequence[AnySize]]) -> str:
    texts = [", ".join(map(str, group)) or "1" for group in groups]
    return f"[{', '.join(f'({text})' if ', ' in text else text for text in texts)}]"


class Constant(Syntax):
    """A number as a scalar tensor."""

    value: Plain
    dtype: DType = "f32"

    syntax = "a number"
    onnx = "an initializer"
    samples = (
        Sample({"value": 1.5}, (), differentiable=False),
        Sample({"value": 2, "dtype": "i64"}, (), differentiable=False),
    )

    def infer(self, facts: Facts) -> TensorType:
        if isinstance(self.value, float) and not is_float(self.dtype):
            raise Rejected(
                "E0204",
                f"`{self.value}` is not `{self.dtype}`",
                "a fraction",
                helps=("write a whole number, or convert the tensor: `cast(f32)`",),
            )
        return TensorType(self.dtype, ())


class Size(Syntax):
    """A size as an i64 scalar: a dimension used among tensors."""

    value: Extent

    syntax = "a dimension"
    onnx = "Shape, or an initializer"
    samples = (Sample({"value": "T"}, (), differentiable=False), Sample({"value": 3}, (), differentiable=False))

    def infer(self, facts: Facts) -> TensorType:
        need_whole(facts, (self.value,))
        return TensorType("i64", ())
