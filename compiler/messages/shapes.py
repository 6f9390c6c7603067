"""Sizes, ranks and dtypes that do not fit, rearrangements, and facts about sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, NamedTuple, TypeVar

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .names import nearest
from .source import Span
from .wording import PrintedType, Size, computed_from, describe, kind, listed, meant

T = TypeVar("T", bound=PrintedType)

#: Numbers on either side of one among which a divisor is looked for.
SEARCHED = 10_000


class Demand(NamedTuple, Generic[T]):
    """What a tensor is asked to be, and where: what all messages about it contain."""

    what: str  #: what asks: "input `x` of `Mlp`", "this shape"
    actual: T
    required: Span | None = None  #: the use, when the asking type belongs to a signature elsewhere
    called: str = "the tensor"
    source: Span | None = None  #: the stage that gave the tensor its shape


def _needed(demand: Demand[Any]) -> tuple[Label, ...]:
    text = "given here" if demand.what.startswith(("output ", "the result")) else "required here"
    return (Label(demand.required, text),) if demand.required is not None else ()


def _made(demand: Demand[Any]) -> tuple[Label, ...]:
    return (Label(demand.source, f"`{demand.actual}` comes from here"),) if demand.source is not None else ()


def between(found: Diagnostic, operator: Span, sides: Sequence[tuple[Span, PrintedType]]) -> Diagnostic:
    """A mistake of two operands, shown with the operator and the type of each side."""
    labels = tuple(Label(span, f"`{type}`") for span, type in sides)
    return replace(found, span=operator, labels=labels)


class Known(NamedTuple):
    """A size that a shape names, and where its name was bound first."""

    name: str
    size: Size
    span: Span


def _bound(demand: Demand[Any], known: Sequence[Known]) -> tuple[Label, ...]:
    """Where the names of a shape got their sizes: a letter that is used twice means one size."""
    shown = [k for k in known if demand.required is None or k.span.file == demand.required.file]
    return tuple(
        Label(k.span, f"`{k.name}` is `{k.size}` here" if str(k.size) != k.name else f"`{k.name}` is named here")
        for k in shown
    )


def _renamed(demand: Demand[Any], known: Sequence[Known]) -> tuple[str, ...]:
    if demand.what != "this rearrangement" or not known:
        return ()
    names = listed([k.name for k in known])
    return (f"{names} {'is' if len(known) == 1 else 'are'} already a size: use another letter to name a new axis",)


def size_differs(
    demand: Demand[Any], axis: int, declared: Size, size: Size, span: Span, known: Sequence[Known] = ()
) -> Diagnostic:
    label = f"axis {axis}; {demand.called} is `{demand.actual}`"
    labels = (*_needed(demand), *_made(demand), *_bound(demand, known))
    message = f"{demand.what}: expected {declared}, found {size}"
    return Diagnostic("E0201", message, span, label, labels, helps=_renamed(demand, known))


def size_too_small(size: int, span: Span, names: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"a size must be at least 1, not {size}",
        span,
        f"{size}",
        helps=(computed_from(names, "write a size of 1 or more"),),
    )


def stage_in_shape(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "brackets in a pipeline are a shape, not a list of stages",
        span,
        "not a size",
        helps=("stages are joined with `->`: `x -> Linear(8) -> relu`; several as one are `{ Linear(8) -> relu }`",),
    )


def size_too_large(why: str, span: Span) -> Diagnostic:
    """A symbolic size beyond what the algebra holds."""
    return Diagnostic(
        "E0105", f"this computes {why}", span, "too large", helps=("make the numbers that multiply here smaller",)
    )


def _way_out(
    demand: Demand[Any], axis: int, declared: Size, fact: str | None, known: Sequence[Known]
) -> tuple[str, ...]:
    """What to type when two sizes may differ: a fact only where no axis is misplaced or misnamed."""
    elsewhere = [n for n, size in enumerate(demand.actual.shape) if n != axis and str(size) == str(declared)]
    if elsewhere:
        return (f"the tensor has `{declared}` on axis {elsewhere[0]}: reorder its axes with `=>`",)
    fact_help = (f"if this always holds, state it: `require {fact}`",) if fact else ()
    return (*_renamed(demand, known), *fact_help) or (OTHER_AXES,)


#: For two sizes that nothing relates. A fact that equates them would fix a size of the model silently.
OTHER_AXES = "they belong to different axes: reorder the axes with `=>`, or insert one with `none`, as in `x[:, none]`"


def size_unproved(
    demand: Demand[Any],
    axis: int,
    declared: Size,
    size: Size,
    span: Span,
    fact: str | None,
    known: Sequence[Known] = (),
) -> Diagnostic:
    return Diagnostic(
        "E0207",
        f"{demand.what}: `{size}` and `{declared}` cannot be shown equal",
        span,
        f"axis {axis}; the tensor is `{demand.actual}`",
        (*_needed(demand), *_bound(demand, known)),
        helps=_way_out(demand, axis, declared, fact, known),
    )


def rank_differs(demand: Demand[Any], expected: int, span: Span, at_least: bool = False) -> Diagnostic:
    axes = f"{'at least ' if at_least else ''}{expected} ax{'is' if expected == 1 else 'es'}"
    message = f"{demand.what}: expected {axes}, found {demand.actual.rank}"
    return Diagnostic("E0202", message, span, f"the tensor is `{demand.actual}`", (*_needed(demand), *_made(demand)))


def dtype_differs(demand: Demand[Any], expected: str, span: Span) -> Diagnostic:
    helps = (f"convert it explicitly: `-> cast({expected})`",)
    return Diagnostic(
        "E0204",
        f"{demand.what}: expected {expected}, found {demand.actual.dtype}",
        span,
        f"the tensor is `{demand.actual}`",
        _needed(demand),
        helps=helps,
    )


def not_indexable(value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0303",
        "this value has no axes to index",
        span,
        f"it is {kind(value)}",
        helps=("tensors and lists have items: `x[:, 0]`",),
    )


def not_divisible(size: Size, parts: Size, axis: int, actual: PrintedType, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0206",
        f"`{size}` is not a multiple of `{parts}`",
        span,
        f"axis {axis}; the tensor is `{actual}`",
        helps=(f"choose sizes such that {parts} divides {size}",),
    )


def rearrange_unknown(key: str, span: Span, left: list[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{key}` is not on the left of `=>`",
        span,
        f"left over: {listed(left)}" if left else "no axis is left over",
        helps=meant(left[0] if len(left) == 1 else nearest(key, left)),
    )


def rearrange_dropped(key: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"axis `{key}` is missing on the right of `=>`",
        span,
        "dropped axis",
        helps=("a rearrangement only moves axes; to reduce one, use `mean` or `sum`",),
    )


def rearrange_two_unknown(first: str, second: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0207",
        f"`{first}` and `{second}` are both unknown",
        span,
        "at most one may be unknown in a group",
        helps=(f"give one of them as a number or static: `({first.lower()}, {second})`",),
    )


def rearrange_underscore(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0301",
        "`_` cannot be rearranged",
        span,
        "give the axis a name",
        helps=("name every axis: `[B, T] => [T, B]`",),
    )


def claim_fails(left: Size, op: str, right: Size, message: str | None, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0210",
        message or f"`{left} {op} {right}` does not hold",
        span,
        f"{left} {op} {right} is false",
        helps=("give sizes for which it holds, or relax the requirement",),
    )


def requirement(
    message: str | None, span: Span, names: Mapping[str, Any], undivided: tuple[int, str, int] | None
) -> Diagnostic:
    """`undivided`: of `size % name == 0` the size, the name and its value."""
    notes = (", ".join(f"{name} = {describe(value)}" for name, value in names.items()),) if names else ()
    if undivided is not None:
        size, name, number = undivided
        help = f"`{name}` must divide {size}: {_divisors(size, number)}"
    elif names:
        help = f"change {' or '.join(f'`{name}`' for name in names)}, so that it holds"
    else:
        help = "remove the requirement: it never holds"
    return Diagnostic(
        "E0210", message or "this requirement does not hold", span, "does not hold", notes=notes, helps=(help,)
    )


def _divisors(size: int, number: int) -> str:
    """The divisors of a size next to a number."""
    below = next((n for n in range(number, max(number - SEARCHED, 0), -1) if size % n == 0), 1)
    above = next((n for n in range(number, min(number + SEARCHED, abs(size) + 1)) if size % n == 0), None)
    return f"{below} does" if above is None else f"{below} and {above} do"


def explanations() -> dict[str, Explanation]:
    return {
        "E0201": Explanation(
            "shapes or types differ; a record does not fit its field",
            "Two sizes that must be equal are known to differ. Both places are shown. Only a literal 1 broadcasts.",
            programs.body("y = x + (x -> Linear(4))"),
            programs.body("y = x + (x -> Linear(8))"),
        ),
        "E0202": Explanation(
            "rank or count: axes, or names in an unpacking",
            "The number of axes, or the number of values on the right of `[a, b] = ..`, is not the number given.",
            programs.body("[a, b] = x -> chunk(4, axis = -1)\ny = concat(a, b, axis = -1)", outputs="y: [B, 4]"),
            programs.body("[a, b] = x -> chunk(2, axis = -1)\ny = concat(a, b, axis = -1)"),
        ),
        "E0204": Explanation(
            "dtype",
            "Tensor dtypes are never converted implicitly; write `cast(f32)`.",
            programs.body("y = x -> Embedding(10, 8)", "x: [B]"),
            programs.body("y = x -> Embedding(10, 8)", "x: i64[B]"),
        ),
        "E0207": Explanation(
            "two sizes that cannot be shown equal",
            "Whether two symbolic sizes are equal depends on the input. Nothing is guessed: state the fact with `require`. The\n"
            "checker assumes it, and it is asserted on the input at run time.",
            programs.body("y = x -> max_pool(2) -> upsample(2) -> add(x)", "x: [B, 3, H, W]", "y: [B, 3, H, W]"),
            programs.body(
                "require H % 2 == 0 and W % 2 == 0\ny = x -> max_pool(2) -> upsample(2) -> add(x)",
                "x: [B, 3, H, W]",
                "y: [B, 3, H, W]",
            ),
        ),
        "E0210": Explanation(
            "`require` does not hold",
            "A condition stated in the spec is false for the values given.",
            "dlspec 1\n\nmodel M(heads = 3)(x: [B, 8]) -> (y: [B, 8]) {\n  require 8 % heads == 0\n  y = x\n}\n",
            "dlspec 1\n\nmodel M(heads = 4)(x: [B, 8]) -> (y: [B, 8]) {\n  require 8 % heads == 0\n  y = x\n}\n",
        ),
        "E0212": Explanation(
            "weight with a symbolic size",
            "The size of a weight must be a number. Write it in the model's signature, or make it a static.",
            programs.body("y = x -> Linear(8)", "x: [B, F]"),
            programs.body("y = x -> Linear(8)", "x: [B, 16]"),
        ),
    }
