"""Sizes, ranks and dtypes that do not fit, rearrangements, and facts about sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from . import programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .names import nearest
from .source import Span
from .wording import Size, TensorType, describe, kind, listed, meant


def _needed(required: Span | None, what: str = "") -> tuple[Label, ...]:
    text = "given here" if what.startswith(("output ", "the result")) else "required here"
    return (Label(required, text),) if required is not None else ()


def between(found: Diagnostic, operator: Span, sides: Sequence[tuple[Span, TensorType]]) -> Diagnostic:
    """A mistake of two operands, with the operator and the type of each side."""
    labels = tuple(Label(span, f"`{type}`") for span, type in sides)
    return replace(found, span=operator, labels=labels)


def size_differs(
    what: str,
    declared: Size,
    size: Size,
    axis: int,
    actual: TensorType,
    span: Span,
    required: Span | None,
    value: str,
    source: Span | None = None,
) -> Diagnostic:
    label = f"axis {axis}; {value} is `{actual}`"
    labels = (*_needed(required, what), *_made(source, actual))
    return Diagnostic("E0201", f"{what}: expected {declared}, found {size}", span, label, labels)


def _made(source: Span | None, type: TensorType) -> tuple[Label, ...]:
    return (Label(source, f"`{type}` comes from here"),) if source is not None else ()


def size_too_small(size: int, span: Span) -> Diagnostic:
    return Diagnostic("E0201", f"a size is at least 1, and this is {size}", span, f"{size}")


def size_too_large(why: str, span: Span) -> Diagnostic:
    """A symbolic size beyond what the algebra holds."""
    return Diagnostic("E0105", f"this computes {why}", span, "too large")


def size_unproved(
    what: str,
    declared: Size,
    size: Size,
    axis: int,
    actual: TensorType,
    span: Span,
    required: Span | None,
    fact: str | None,
) -> Diagnostic:
    helps = (f"they are equal when this holds: `require {fact}`",) if fact else ("say the missing fact with `require`",)
    return Diagnostic(
        "E0207",
        f"{what}: cannot prove that `{size}` equals `{declared}`",
        span,
        f"axis {axis}; the tensor is `{actual}`",
        _needed(required, what),
        helps=helps,
    )


def rank_differs(
    what: str,
    expected: int,
    actual: TensorType,
    span: Span,
    required: Span | None,
    at_least: bool = False,
    source: Span | None = None,
) -> Diagnostic:
    axes = f"{'at least ' if at_least else ''}{expected} ax{'is' if expected == 1 else 'es'}"
    labels = (*_needed(required, what), *_made(source, actual))
    return Diagnostic(
        "E0202", f"{what}: expected {axes}, found {actual.rank}", span, f"the tensor is `{actual}`", labels
    )


def dtype_differs(what: str, expected: str, actual: TensorType, span: Span, required: Span | None) -> Diagnostic:
    helps = (f"convert it in the open: `-> cast({expected})`",)
    return Diagnostic(
        "E0204",
        f"{what}: expected {expected}, found {actual.dtype}",
        span,
        f"the tensor is `{actual}`",
        _needed(required, what),
        helps=helps,
    )


def not_indexable(value: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0303", "this value has no axes to index", span, f"it is {kind(value)}")


def not_divisible(size: Size, parts: Size, axis: int, actual: TensorType, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0206",
        f"`{size}` is not a multiple of `{parts}`",
        span,
        f"axis {axis}; the tensor is `{actual}`",
        helps=(f"choose sizes so that {parts} divides {size}",),
    )


def rearrange_unknown(key: str, span: Span, left: list[str]) -> Diagnostic:
    return Diagnostic(
        "E0301",
        f"`{key}` does not stand on the left of `=>`",
        span,
        f"left over: {listed(left)}" if left else "used up",
        helps=meant(left[0] if len(left) == 1 else nearest(key, left)),
    )


def rearrange_dropped(key: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"axis `{key}` is missing on the right of `=>`",
        span,
        "every axis goes somewhere",
        helps=("a rearrangement moves axes; reduce them with `mean`, `sum`, ..",),
    )


def rearrange_two_unknown(first: str, second: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0207",
        f"`{first}` and `{second}` are both unknown",
        span,
        "at most one in a group",
        helps=(f"give one as a number or static: `({first.lower()}, {second})`",),
    )


def rearrange_underscore(span: Span) -> Diagnostic:
    return Diagnostic("E0301", "`_` cannot be rearranged", span, "give the axis a name")


def claim_fails(left: Size, op: str, right: Size, message: str | None, span: Span) -> Diagnostic:
    return Diagnostic("E0210", message or f"`{left} {op} {right}` does not hold", span, f"{left} against {right}")


def requirement(message: str | None, span: Span, names: dict[str, Any]) -> Diagnostic:
    notes = (", ".join(f"{name} = {describe(value)}" for name, value in names.items()),) if names else ()
    return Diagnostic("E0210", message or "this requirement does not hold", span, "does not hold", notes=notes)


def explanations() -> dict[str, Explanation]:
    return {
        "E0201": Explanation(
            "shapes or types differ; a record does not fit its field",
            "Two sizes that must be equal are known to differ. Both places are shown. Nothing broadcasts but a literal 1.",
            programs.body("y = x + (x -> Linear(4))"),
            programs.body("y = x + (x -> Linear(8))"),
        ),
        "E0202": Explanation(
            "rank or count: axes, or names in an unpacking",
            "The number of axes, or the number of values on the right of `[a, b] = ..`, is not what is stated.",
            programs.body("[a, b] = x -> chunk(4, axis = -1)\ny = concat(a, b, axis = -1)", outputs="y: [B, 4]"),
            programs.body("[a, b] = x -> chunk(2, axis = -1)\ny = concat(a, b, axis = -1)"),
        ),
        "E0204": Explanation(
            "dtype",
            "Tensor dtypes never convert by themselves; `cast(f32)` says it.",
            programs.body("y = x -> Embedding(10, 8)", "x: [B]"),
            programs.body("y = x -> Embedding(10, 8)", "x: i64[B]"),
        ),
        "E0207": Explanation(
            "cannot be proved; the missing fact is the help",
            "Two symbolic sizes may be equal or not. There is no solver that guesses: state the fact with `require`, which\n"
            "is assumed by the checker and asserted on the input at run time.",
            programs.body("y = x -> max_pool(2) -> upsample(2) -> add(x)", "x: [B, 3, H, W]", "y: [B, 3, H, W]"),
            programs.body(
                "require H % 2 == 0 and W % 2 == 0\ny = x -> max_pool(2) -> upsample(2) -> add(x)",
                "x: [B, 3, H, W]",
                "y: [B, 3, H, W]",
            ),
        ),
        "E0210": Explanation(
            "`require` does not hold",
            "A condition that the spec itself states is false for the values given.",
            "dlspec 1\n\nmodel M(heads = 3)(x: [B, 8]) -> (y: [B, 8]) {\n  require 8 % heads == 0\n  y = x\n}\n",
            "dlspec 1\n\nmodel M(heads = 4)(x: [B, 8]) -> (y: [B, 8]) {\n  require 8 % heads == 0\n  y = x\n}\n",
        ),
        "E0212": Explanation(
            "weight whose size is symbolic",
            "A weight has one size. Write it in the model's signature, or as a static.",
            programs.body("y = x -> Linear(8)", "x: [B, F]"),
            programs.body("y = x -> Linear(8)", "x: [B, 16]"),
        ),
    }
