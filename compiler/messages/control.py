"""`if`, `for`, `repeat` and `scan`, and what must be static for them."""

from __future__ import annotations

from typing import Any

from . import programs
from .diagnostics import Diagnostic
from .explanation import Explanation
from .source import Span
from .wording import Size, TensorType, describe, kind


def training_as_value(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "`training` is no value",
        span,
        "decided by what the model is used for",
        helps=("it stands in conditions: `if training { .. } else { .. }`",),
    )


def not_static(span: Span, what: str) -> Diagnostic:
    return Diagnostic("E0208", f"{what} must be static", span, "depends on data")


def data_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "a condition cannot depend on data",
        span,
        "known only when the model runs",
        helps=("choose between tensors with `where(c, a, b)`",),
    )


def inverted_mode(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "write the training branch first",
        span,
        "true in evaluation only",
        helps=("`if training { .. } else { .. }`",),
    )


def index_by_tensor(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208", "an index must be static", span, "a tensor", helps=("select by a tensor with `gather` or `take`",)
    )


def recursion(name: str, span: Span) -> Diagnostic:
    return Diagnostic("E0105", f"block `{name}` contains itself", span, "no end", helps=("use `repeat n { .. }`",))


def too_many_instances(span: Span) -> Diagnostic:
    return Diagnostic("E0316", "more than 100k instances", span, "too many layers")


def too_many_versions(name: str, most: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0316",
        f"`{name}` is used with more than {most:,} different settings or inputs",
        span,
        "each would be checked on its own",
        helps=("uses with equal settings and inputs are checked once",),
    )


def negative_count(count: int, span: Span) -> Diagnostic:
    return Diagnostic("E0304", f"`repeat` takes a count of 0 or more, not {count}", span, "negative")


def not_a_list(value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "`for` takes a list or a range", span, f"this is {kind(value)}", helps=("`for i in 0..n { .. }`",)
    )


def for_count(names: int, item: Any, span: Span) -> Diagnostic:
    return Diagnostic("E0202", f"an item does not give {names} values", span, f"`{describe(item)}`")


def turn_count(before: int, after: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202", f"a turn takes {before} value{'s' * (before != 1)} and returns {after}", span, "counts differ"
    )


def branches_differ(first: list[TensorType], second: list[TensorType], span: Span) -> Diagnostic:
    one, two = ", ".join(map(str, first)), ", ".join(map(str, second))
    return Diagnostic(
        "E0201", "the branches of `if training` differ in type", span, f"training `{one}`, evaluation `{two}`"
    )


def scan_argument(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`scan` takes named sequences and carries",
        span,
        "no name",
        helps=("`scan(axis = 1, x_t = x, h = carry(zeros([B, n])))`",),
    )


def carry_argument(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "`carry` takes the start value", span, "one argument", helps=("`h = carry(zeros([B, n]))`",)
    )


def scan_without_sequence(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "`scan` needs a sequence", span, "nothing to run along", helps=("`scan(axis = 1, x_t = x, ..)`",)
    )


def scan_axis(axis: int, name: str, type: TensorType, span: Span) -> Diagnostic:
    return Diagnostic("E0202", f"`{name}` has no axis {axis}", span, f"it is `{type}`")


def scan_lengths(first: Size, second: Size, name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0201", f"the sequences of a `scan` differ in length: {first} and {second}", span, f"`{name}` differs"
    )


def not_in_scan(span: Span) -> Diagnostic:
    return Diagnostic("E0104", "a `scan` body holds no `emit` and no `init`", span, "not here")


def carry_not_assigned(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0307", f"carry `{name}` is not assigned", span, "every carry gets its next value", helps=(f"`{name} = ..`",)
    )


def carry_changes(name: str, before: TensorType, after: TensorType, span: Span) -> Diagnostic:
    return Diagnostic("E0201", f"carry `{name}` changes its type", span, f"`{before}` becomes `{after}`")


def explanations() -> dict[str, Explanation]:
    return {
        "E0316": Explanation(
            "more than 100k instances",
            "A repeat count is probably a typo.",
            programs.body("y = x -> h: repeat 1M { Linear(8) }"),
            programs.body("y = x -> h: repeat 10 { Linear(8) }"),
        ),
    }
