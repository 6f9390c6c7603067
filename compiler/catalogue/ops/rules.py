"""Rules that many operators share, and the words when they do not hold."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import gcd
from typing import Any

from ...messages.shapes import OTHER_AXES
from ...sizes.dims import Size, floordiv
from ...sizes.facts import Facts, equal, exact_div, missing_divisor, missing_fact
from ...sizes.types import Clash, TensorType, broadcast, is_float, is_integer
from .base import NotWhole, Rejected

#: Axes of a tensor for which all ways to insert some are tried.
MOST_PLACES = 8
#: Numbers of groups that a help lists.
MOST_GROUPS = 8

# ---- dtypes ----------------------------------------------------------------------------------------------------------


def need_float(x: TensorType, what: str = "this") -> None:
    """E0204 unless `x` holds floats."""
    if not is_float(x.dtype):
        raise Rejected(
            "E0204", f"{what} takes floats, not `{x.dtype}`", f"the tensor is `{x}`", helps=("convert it: `cast(f32)`",)
        )


def in_out_kernel(given: Sequence[Any], x: TensorType) -> str:
    """`Conv(3, 8, 3)` on 3 channels: as (out, kernel, stride) the windows leave out pixels or are very wide, as (in, out, kernel)
    they are usual ones. What the numbers look like, or ""."""
    if len(given) < 3 or x.rank < 3 or given[0] != x.shape[1] or not isinstance(given[1], int):
        return ""
    kernel: int = given[1]
    stride = given[2][0] if isinstance(given[2], tuple) else given[2]  # pyright: ignore[reportUnknownVariableType]
    unusual = isinstance(stride, int) and kernel != stride and (kernel >= 8 or stride >= 3)
    return "in, out, kernel" if unusual else ""


def need_f32(x: TensorType, what: str) -> None:
    """E0204 unless `x` fits weights; half precision is a matter of the recipe, not of the model."""
    if x.dtype != "f32":
        helps = ("`cast(f32)` converts",)
        if is_integer(x.dtype):
            helps = ("`cast(f32)` converts; ids become vectors with `Embedding`",)
        raise Rejected("E0204", f"{what} takes f32, not `{x.dtype}`", f"the tensor is `{x}`", helps=helps)


def need_number(x: TensorType, what: str) -> None:
    """E0204 for bools."""
    if x.dtype == "bool":
        raise Rejected(
            "E0204", f"{what} takes numbers, not `bool`", f"the tensor is `{x}`", helps=("convert it: `cast(f32)`",)
        )


def need_integer(x: TensorType, what: str) -> None:
    """E0204 unless `x` can be an index."""
    if x.dtype not in ("i64", "i32"):
        raise NotWhole(
            "E0204", f"{what} must be i64, not `{x.dtype}`", f"the tensor is `{x}`", helps=("convert it: `cast(i64)`",)
        )


def need_bool(x: TensorType, what: str, *helps: str) -> None:
    """E0204 unless `x` holds bools."""
    if x.dtype != "bool":
        raise Rejected(
            "E0204",
            f"{what} must be bool, not `{x.dtype}`",
            f"the tensor is `{x}`",
            helps=helps or ("compare: `x != 0`",),
        )


def need_mask(mask: TensorType) -> None:
    """E0204 unless it is a mask of attention: bool. Floats are a bias, which is something else."""
    if mask.dtype == "bool":
        return
    if is_float(mask.dtype):
        help = "a bias is added to the scores, which are then written out: `softmax(scale * (q @ k.T) + bias) @ v`"
    else:
        help = "write `mask != 0` where 1 means that a position may be attended to"
    raise Rejected("E0204", f"the mask must be bool, not `{mask.dtype}`", f"the tensor is `{mask}`", helps=(help,))


def common_dtype(*tensors: TensorType) -> str:
    """The one dtype of all; E0204."""
    first = tensors[0]
    for other in tensors[1:]:
        if other.dtype != first.dtype:
            raise Rejected(
                "E0204",
                f"cannot combine `{first}` with `{other}`",
                "dtypes differ",
                helps=(f"convert one of them: `cast({_wider(first.dtype, other.dtype)})`",),
            )
    return first.dtype


def _wider(a: str, b: str) -> str:
    order = ("bool", "u8", "i8", "i16", "i32", "i64", "f16", "bf16", "f32", "f64")
    return max(a, b, key=order.index)


# ---- shapes ----------------------------------------------------------------------------------------------------------


def common_shape(facts: Facts, *tensors: TensorType, last: int = 0) -> tuple[Size, ...]:
    """The broadcast shape: aligned at the last axis, a size matches itself or a literal 1; E0201, E0207.

    `last`: so many axes at the end do not take part and are left out of the result (`@`).
    """
    shapes = [tensor.shape[: max(tensor.rank - last, 0)] for tensor in tensors]
    result = broadcast(shapes, facts)
    if isinstance(result, Clash):
        first, second = tensors[result.first], tensors[result.second]
        unproved = result.unproved
        raise Rejected(
            "E0207" if unproved else "E0201",
            f"cannot combine `{first}` with `{second}`",
            "shapes may differ" if unproved else "shapes differ",
            notes=(f"axis {result.axis}: `{result.left}` against `{result.right}`",),
            helps=_combining(first, second, result, facts, last),
        )
    return result


def _combining(first: TensorType, second: TensorType, clash: Clash, facts: Facts, last: int) -> tuple[str, ...]:
    """What makes two operands fit. With different ranks an axis is missing; a fact about sizes would hide that."""
    if first.rank == second.rank:
        return fact_help(clash.left, clash.right, facts) if clash.unproved else ()
    short, long = sorted((first, second), key=lambda type: type.rank)
    index = _insertion(short.shape[: short.rank - last], long.shape[: long.rank - last], facts)
    ranks = f"the ranks are {first.rank} and {second.rank}"
    if index is not None:
        return (f"{ranks}: insert an axis into `{short}`, `x{index}`",)
    return (f"{ranks}: insert an axis with `none`, as in `x[:, :, none]`",) if clash.unproved else ()


def _insertion(short: tuple[Size, ...], long: tuple[Size, ...], facts: Facts) -> str | None:
    """The index that inserts axes of size 1 so that `short` broadcasts to `long`, where one way alone does."""
    places = list(combinations(range(len(long)), len(long) - len(short))) if len(long) <= MOST_PLACES else []
    found: list[tuple[int, ...]] = []
    for new in places:
        sizes = iter(short)
        widened = tuple(1 if axis in new else next(sizes) for axis in range(len(long)))
        if not isinstance(broadcast((widened, long), facts), Clash):
            found.append(new)
    if len(found) != 1 or not found[0]:
        return None
    items = ["none" if axis in found[0] else ":" for axis in range(max(found[0]) + 1)]
    return f"[{', '.join(items)}]"


def fact_help(a: Size, b: Size, facts: Facts) -> tuple[str, ...]:
    """The fact that would make two sizes equal."""
    fact = missing_fact(a, b, facts)
    return (f"if this always holds, state it: `require {fact}`",) if fact else (OTHER_AXES,)


def need_equal(facts: Facts, a: Size, b: Size, message: str, x: TensorType) -> None:
    """E0201 when the sizes differ, E0207 when that cannot be decided. `message` names what must agree."""
    same = equal(a, b, facts)
    if not same:
        raise Rejected(
            "E0207" if same is None else "E0201",
            message,
            f"`{a}` against `{b}`",
            notes=(f"the tensor is `{x}`",),
            helps=fact_help(a, b, facts) if same is None else (),
        )


def axis_of(x: TensorType, axis: int, *, extra: int = 0) -> int:
    """An axis counted from the front; E0202. `extra`: axes the result has more."""
    rank = x.rank + extra
    if not -rank <= axis < rank:
        noun = "axis" if rank == 1 else "axes"
        helps = (f"the axes are 0 to {rank - 1}, or -{rank} to -1 from the end",) if rank > 1 else ()
        raise Rejected(
            "E0202", f"there is no axis {axis}: the tensor has {rank} {noun}", f"the tensor is `{x}`", helps=helps
        )
    return axis % rank


def axes_of(x: TensorType, axes: int | tuple[int, ...] | None) -> tuple[int, ...]:
    """Axes counted from the front, in order; all for None. E0202, E0304 for one named twice."""
    if axes is None:
        return tuple(range(x.rank))
    found = [axis_of(x, axis) for axis in (axes if isinstance(axes, tuple) else (axes,))]
    if len(set(found)) < len(found):
        raise Rejected("E0304", "an axis is given twice", f"axes {', '.join(map(str, found))}")
    return tuple(sorted(found))


def need_some(x: TensorType, axes: Sequence[int], what: str) -> None:
    """E0201 where one of these axes is known to be empty: a mean of nothing is NaN, and nothing has no largest element."""
    for axis in axes:
        if x.shape[axis] == 0:
            raise Rejected(
                "E0201",
                f"{what} of no elements: axis {axis} has size 0",
                f"the tensor is `{x}`",
                helps=("give this axis at least one element, where the tensor is made",),
            )


def need_rank(x: TensorType, low: int, high: int | None, what: str, layout: str) -> None:
    """E0202 unless the number of axes is in [low, high]."""
    if x.rank < low or (high is not None and x.rank > high):
        way = "insert an axis, such as `x[:, none]`" if x.rank < low else "merge or take away axes first"
        axes = "axis" if x.rank == 1 else "axes"
        raise Rejected(
            "E0202", f"{what} takes {layout}", f"the tensor is `{x}`", helps=(f"it has {x.rank} {axes}: {way}",)
        )


def divide(facts: Facts, size: Size, by: Size, what: str, x: TensorType) -> Size:
    """size / by, E0206 unless that is provably whole."""
    result = exact_div(size, by, facts)
    if result is None or (isinstance(result, int) and result == 0):
        fact = missing_divisor(size, by, facts) if isinstance(by, int) else None
        helps = (f"if this always holds, state it: `require {fact}`",) if fact else ()
        raise Rejected("E0206", f"{what}: `{size}` is not a multiple of {by}", f"the tensor is `{x}`", helps=helps)
    return result


def need_whole(facts: Facts, shape: Sequence[Size]) -> tuple[Size, ...]:
    """A stated shape: every size whole (E0206) and not negative (E0201)."""
    for size in shape:
        if not facts.is_whole(size):
            raise Rejected("E0206", f"the size `{size}` is not whole", "not whole", helps=("`//` rounds down",))
        if facts.at_most(size, -1):
            raise Rejected("E0201", f"the size `{size}` is negative", "negative")
    return tuple(shape)


def product(sizes: Sequence[Size]) -> Size:
    total: Size = 1
    for size in sizes:
        total = total * size
    return total


def need_within(facts: Facts, size: Size, least: Size, x: TensorType, what: str) -> None:
    """E0201 unless size >= least, E0207 when that cannot be decided."""
    enough = facts.at_least(size - least, 0)
    if not enough:
        known = (f"use at most {size} here, or an axis of at least {least}",)
        helps = known if enough is False else (f"state the bound: `require {size} >= {least}`",)
        raise Rejected(
            "E0201" if enough is False else "E0207",
            f"{what} needs an axis of at least {least}" + (f", not {size}" if enough is False else ""),
            f"the tensor is `{x}`",
            helps=helps,
        )


# ---- weights ---------------------------------------------------------------------------------------------------------


def weight_size(size: Size, what: str, least: int = 1) -> int:
    """A size that a weight depends on: concrete, else E0212; of an axis that is not empty, else E0201."""
    if isinstance(size, int):
        if size < least:
            raise Rejected(
                "E0201",
                f"a weight over no elements: {what} has size {size}",
                f"{what} is empty",
                helps=("give this axis at least one element, where the tensor is made",),
            )
        return size
    raise Rejected(
        "E0212",
        f"the weight's size would depend on `{size}`, which is not concrete",
        f"{what} is `{size}`",
        helps=(
            "write the size in the model's signature, or make it a static: `model M(features = 8)(x: [B, features])`",
        ),
    )


# ---- windows over spatial axes ---------------------------------------------------------------------------------------


def groups_help(*counts: int) -> tuple[str, ...]:
    """The help for a number of groups that does not divide these counts of channels."""
    whole = gcd(*counts)
    fits = [str(n) for n in range(1, whole + 1) if whole % n == 0]
    shown = ", ".join(fits if len(fits) <= MOST_GROUPS else [*fits[: MOST_GROUPS - 1], "..", fits[-1]])
    return (f"`groups` may be {shown} here, or change the channels",)


def spread(value: int | tuple[int, ...], axes: int, what: str) -> tuple[int, ...]:
    """One number for each spatial axis; E0202 for another count."""
    if isinstance(value, int):
        return (value,) * axes
    if len(value) != axes:
        fits = value[:1] * axes if len(set(value)) == 1 else ()
        helps = (f"write `{what} = {value[0]}`, which is {list(fits)}",) if fits else (f"give one number, or {axes}",)
        message = f"{what} has {len(value)} numbers for {axes} spatial ax{'i' if axes == 1 else 'e'}s"
        raise Rejected("E0202", message, f"{what} = {list(value)}", helps=helps)
    return value


def window(facts: Facts, x: TensorType, size: Size, kernel: int, stride: int, padding: int, dilation: int = 1) -> Size:
    """Places of a window along an axis: ⌊(size + padding - dilation*(kernel - 1) - 1) / stride⌋ + 1; E0201 if none."""
    reach = dilation * (kernel - 1) + 1
    result = floordiv(size + padding - reach, stride) + 1
    if facts.at_most(result, 0):
        padded = f" with {padding} of padding" if padding else ""
        raise Rejected(
            "E0201",
            f"a window of {reach} does not fit into an axis of {size}{padded}",
            f"the tensor is `{x}`",
            helps=(
                f"a window has at most {size + padding} here: use a smaller one, or reduce the axis less before it",
            ),
        )
    return result
