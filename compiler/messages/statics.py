"""Mistakes in static values. They have no location yet: the evaluator of the expression adds it."""

from __future__ import annotations

from . import programs
from .explanation import Explanation


class StaticError(Exception):
    """An operation on static values that has no result; the caller attaches the span.

    Fields are those of a `Diagnostic`.
    """

    def __init__(self, code: str, message: str, label: str = "", helps: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.code, self.message, self.label, self.helps = code, message, label, helps


def wrong_operands(op: str, left: str, right: str) -> StaticError:
    return StaticError("E0304", f"`{op}` does not take {left} and {right}")


def wrong_operand(op: str, value: str) -> StaticError:
    return StaticError("E0304", f"`{op}` does not take {value}")


def not_comparable(left: str, right: str) -> StaticError:
    return StaticError("E0304", f"{left} cannot be compared with {right}")


def different_units(op: str, left: str, right: str) -> StaticError:
    return StaticError("E0403", f"`{op}` of different units: `{left}` and `{right}`", "different units")


def division_by_zero(left: str, op: str) -> StaticError:
    return StaticError("E0211", f"division by zero: `{left} {op} 0`")


def too_large(what: str) -> StaticError:
    return StaticError("E0105", f"{what} is too large", "above 2^63")


def not_real(what: str) -> StaticError:
    return StaticError("E0304", f"{what} is not a real number")


def too_many_items(count: int, limit: int) -> StaticError:
    return StaticError("E0316", f"this range has {count} items", f"at most {limit}")


def symbolic(what: str, size: str) -> StaticError:
    return StaticError(
        "E0208",
        f"{what} must be known, but `{size}` depends on the input",
        f"`{size}` is not static",
        ("make it a static of the model, or write the size in its signature",),
    )


def unknown_order(left: str, op: str, right: str) -> StaticError:
    return StaticError(
        "E0208",
        f"whether `{left} {op} {right}` holds depends on the input",
        "not static",
        (f"state it as a fact: `require {left} {op} {right}`",),
    )


def unknown_equality(left: str, op: str, right: str, fact: str | None) -> StaticError:
    if fact is None:
        return StaticError("E0208", f"whether `{left} {op} {right}` holds depends on the input", "not static")
    return StaticError(
        "E0207",
        f"cannot decide whether `{left} {op} {right}`",
        "depends on the input",
        (f"decide it with `require {fact}`",),
    )


def not_whole(what: str, value: str, fact: str | None = None) -> StaticError:
    helps = (f"state that it divides: `require {fact}`",) if fact else ("round down with `//` or `floor(..)`",)
    return StaticError("E0206", f"{what} must be whole, but is `{value}`", "not whole", helps)


def quotient_not_whole(left: str, right: str, fact: str | None) -> StaticError:
    helps = (f"state that it divides: `require {fact}`",) if fact else ("round down with `//`",)
    return StaticError("E0206", f"`{left}` divided by `{right}` is not whole", "not whole", helps)


def wrong_type(what: str, expected: str, found: str, helps: tuple[str, ...] = ()) -> StaticError:
    return StaticError("E0304", f"{what} must be {expected}, not {found}", f"expected {expected}", helps)


def too_small(what: str, value: int, least: int) -> StaticError:
    return StaticError("E0201", f"{what} must be at least {least}, but is {value}")


def index_outside(index: int, count: int, what: str = "index") -> StaticError:
    return StaticError("E0202", f"{what} {index} is outside a list of {count}", "outside")


def unknown_function(name: str) -> StaticError:
    return StaticError("E0301", f"`{name}` is not a function of numbers")


def argument_count(name: str, expected: str, found: int) -> StaticError:
    return StaticError("E0304", f"`{name}` takes {expected}, {found} given")


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
