"""Mistakes in static values. They have no location yet: the evaluator of the expression adds it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from . import programs
from .diagnostics import Diagnostic, Helps
from .explanation import Explanation
from .source import Span
from .wording import values

#: What takes which values, by operator.
_TAKES = {
    "+": "two numbers or sizes, or two durations of one unit",
    "-": "two numbers or sizes, or two durations of one unit",
    "*": "two numbers or sizes, or a number and a duration",
    "/": "two numbers or sizes, or a duration and a number",
    "//": "two numbers or sizes, or a duration and a number",
}
STATIC = "make it a static of the model, or write the size in its signature"


class StaticError(Exception):
    """An operation on static values that has no result; the caller attaches the span.

    Fields are those of a `Diagnostic`.
    """

    def __init__(self, code: str, message: str, label: str = "", *, helps: Helps) -> None:
        super().__init__(message)
        self.code, self.message, self.label, self.helps = code, message, label, helps


def at(error: StaticError, span: Span, names: Mapping[str, Any]) -> Diagnostic:
    """The error at its place, with the settings and sizes that were read there."""
    listed = values(names)
    notes = (f"with {listed}",) if listed else ()
    return Diagnostic(error.code, error.message, span, error.label, notes=notes, helps=error.helps)


def wrong_operands(op: str, left: str, right: str) -> StaticError:
    takes = _TAKES.get(op, "two numbers or sizes")
    return StaticError("E0304", f"`{op}` does not take {left} and {right}", helps=(f"`{op}` takes {takes}",))


def wrong_operand(op: str, value: str) -> StaticError:
    return StaticError(
        "E0304", f"`{op}` does not take {value}", helps=(f"`{op}` takes a number, a size or a duration",)
    )


def not_comparable(left: str, right: str) -> StaticError:
    return StaticError(
        "E0304",
        f"{left} cannot be compared with {right}",
        helps=("compare two values of one kind, such as two numbers or two strings",),
    )


def different_units(op: str, left: str, right: str) -> StaticError:
    return StaticError(
        "E0403",
        f"`{op}` of different units: `{left}` and `{right}`",
        "different units",
        helps=("write both in one unit, such as `steps`",),
    )


def division_by_zero(left: str, op: str) -> StaticError:
    return StaticError(
        "E0211", f"division by zero: `{left} {op} 0`", helps=("the divisor must be another number than 0",)
    )


def too_large(what: str) -> StaticError:
    return StaticError("E0105", f"{what} is too large", "above 2^63", helps=("use smaller numbers",))


def not_real(what: str) -> StaticError:
    return StaticError("E0304", f"{what} is not a real number", helps=("roots and logarithms are of positive numbers",))


def too_many_items(count: int, limit: int) -> StaticError:
    return StaticError(
        "E0316", f"this range has {count} items", f"at most {limit}", helps=(f"use a range of at most {limit} items",)
    )


def symbolic(what: str, size: str) -> StaticError:
    return StaticError(
        "E0208",
        f"{what} must be known, but `{size}` depends on the input",
        f"`{size}` is not static",
        helps=(STATIC,),
    )


def unknown_order(left: str, op: str, right: str) -> StaticError:
    return StaticError(
        "E0208",
        f"whether `{left} {op} {right}` holds depends on the input",
        "not static",
        helps=(f"state it as a fact: `require {left} {op} {right}`",),
    )


def unknown_equality(left: str, op: str, right: str, fact: str | None) -> StaticError:
    if fact is None:
        return StaticError(
            "E0208", f"whether `{left} {op} {right}` holds depends on the input", "not static", helps=(STATIC,)
        )
    return StaticError(
        "E0207",
        f"cannot decide whether `{left} {op} {right}`",
        "depends on the input",
        helps=(f"decide it with `require {fact}`",),
    )


def not_whole(what: str, value: str, fact: str | None = None) -> StaticError:
    helps = (f"state that it divides: `require {fact}`",) if fact else ("round down with `//` or `floor(..)`",)
    return StaticError("E0206", f"{what} must be whole, but is `{value}`", "not whole", helps=helps)


def quotient_not_whole(left: str, right: str, fact: str | None) -> StaticError:
    helps = (f"state that it divides: `require {fact}`",) if fact else ("round down with `//`",)
    return StaticError("E0206", f"`{left}` divided by `{right}` is not whole", "not whole", helps=helps)


def wrong_type(what: str, expected: str, found: str, help: str) -> StaticError:
    return StaticError("E0304", f"{what} must be {expected}, not {found}", f"expected {expected}", helps=(help,))


def too_small(what: str, value: int, least: int) -> StaticError:
    return StaticError(
        "E0201", f"{what} must be at least {least}, but is {value}", helps=(f"give a number of at least {least}",)
    )


def index_outside(index: int, count: int, what: str = "index") -> StaticError:
    last = count if what == "bound" else count - 1
    help = f"use 0 to {last}, or -1 to -{count} from the end" if count else "the list is empty: give it items"
    return StaticError("E0202", f"{what} {index} is outside a list of {count}", "outside", helps=(help,))


def not_an_index() -> StaticError:
    return StaticError(
        "E0304", "an index is a whole number", helps=("select with an int or a size, or slice with two: `x[:, 0:4]`",)
    )


def not_of_kind(code: str, message: str, help: str) -> StaticError:
    """A value for a parameter of a stated kind."""
    return StaticError(code, message, helps=(help,))


def unknown_function(name: str, known: Iterable[str]) -> StaticError:
    listed = ", ".join(f"`{each}`" for each in sorted(known))
    return StaticError("E0301", f"`{name}` is not a function of numbers", helps=(f"these are {listed}",))


def argument_count(name: str, expected: str, found: int) -> StaticError:
    return StaticError("E0304", f"`{name}` takes {expected}, {found} given", helps=(f"give `{name}` {expected}",))


def explanations() -> dict[str, Explanation]:
    return {
        "E0206": Explanation(
            "not whole",
            "`/` on sizes is exact, and a size or count must be whole. To round down, write `//`.",
            programs.body("y = x -> Linear(7 / 2)", outputs="y: [B, _]"),
            programs.body("y = x -> Linear(7 // 2)", outputs="y: [B, _]"),
        ),
        "E0208": Explanation(
            "not static: a symbolic size or data as static argument, condition or count",
            "The structure of a model never depends on its data. To choose by data, write `where(c, a, b)`.",
            programs.body("y = x -> repeat B { relu }"),
            programs.body("y = x -> repeat 3 { relu }"),
        ),
        "E0211": Explanation(
            "division by zero",
            "A static expression divides by zero.",
            "dlspec 1\n\nparam n = 0\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * (1 / n)\n}\n",
            "dlspec 1\n\nparam n = 2\n\nmodel M(x: [B, 8]) -> (y: [B, 8]) {\n  y = x * (1 / n)\n}\n",
        ),
    }
