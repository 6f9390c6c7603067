"""`if`, `for`, `repeat` and `scan`, and what must be static in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import programs
from .diagnostics import Diagnostic
from .explanation import Explanation
from .source import Span
from .wording import PrintedType, Size, computed_from, describe, kind


def training_as_value(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "`training` is not a value",
        span,
        "depends on how the model is used",
        helps=("use it as a condition: `if training { .. } else { .. }`",),
    )


#: A reduction that is given a second tensor was meant to be elementwise.
ELEMENTWISE = {"argument `axis` of `max`": ("max", "maximum"), "argument `axis` of `min`": ("min", "minimum")}


def not_static(span: Span, what: str) -> Diagnostic:
    other = ELEMENTWISE.get(what)
    helps = (
        (f"`{other[0]}` reduces an axis; of two tensors, element by element: `{other[1]}(x, y)`",)
        if other
        else ("use a number, a setting or a size",)
    )
    return Diagnostic("E0208", f"{what} must be static", span, "depends on data", helps=helps)


def data_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "a condition cannot depend on data",
        span,
        "known only when the model runs",
        helps=("select elementwise with `where(c, a, b)`",),
    )


def inverted_mode(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        "write the training branch first",
        span,
        "true only in evaluation",
        helps=("write `if training { .. } else { .. }`",),
    )


def index_by_tensor(span: Span, gathered: str = "") -> Diagnostic:
    """`gathered`: what does the same with `gather`, where it is known."""
    help = "pick with `x -> gather(index, axis = 1)`, where `index` has as many axes as `x`"
    return Diagnostic(
        "E0208", "an index must be static", span, "a tensor", helps=(f"write `{gathered}`" if gathered else help,)
    )


def recursion(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0105", f"block `{name}` contains itself", span, "endless recursion", helps=("use `repeat n { .. }`",)
    )


def too_many_operations(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0316",
        "more than 200k operations, every turn and every use of a block counted",
        span,
        "too large",
        helps=("lower the counts of `repeat` and `for`",),
    )


def too_many_turns(most: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0316",
        f"more than {most:,} different turns of `for`",
        span,
        "too many",
        helps=("equal turns are checked once: `repeat n { .. }`",),
    )


def too_many_instances(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0316",
        "more than 100k instances",
        span,
        "too many layers",
        helps=("use fewer layers: lower the counts of `repeat` and `for`",),
    )


def too_many_versions(name: str, most: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0316",
        f"`{name}` is used with more than {most:,} different settings or inputs",
        span,
        "each combination is checked separately",
        helps=("uses with the same settings and inputs are checked once",),
    )


def negative_count(count: int, span: Span, names: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the count of `repeat` must be 0 or more, not {count}",
        span,
        "negative",
        helps=(computed_from(names, "write a count of 0 or more"),),
    )


def not_a_list(value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`for` needs a list or a range",
        span,
        f"this is {kind(value)}",
        helps=("for example `for i in 0..n { .. }`",),
    )


def for_count(names: int, item: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"an item does not have {names} values",
        span,
        f"`{describe(item)}`",
        helps=("write as many names as each item has values: `for (n, s) in [(64, 1), (128, 2)] { .. }`",),
    )


def turn_count(before: int, after: int, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"the repeated body takes {before} value{'s' * (before != 1)} but returns {after}",
        span,
        "counts differ",
        helps=("return as many values as the body takes: the next turn reads them",),
    )


def branches_differ(first: list[PrintedType], second: list[PrintedType], span: Span) -> Diagnostic:
    one, two = ", ".join(map(str, first)), ", ".join(map(str, second))
    return Diagnostic(
        "E0201",
        "the branches of `if training` have different types",
        span,
        f"training `{one}`, evaluation `{two}`",
        helps=("both branches need the same shape and dtype",),
    )


def branches_without_effect(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0309",
        "this `if` has no effect",
        span,
        "nothing that it binds is known after it",
        helps=("rebind a name from before the `if`, or bind the same name in each branch, `else` included",),
    )


def not_in_mode(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0104",
        "`emit`, `init` and `require` are not allowed in a branch of `if training`",
        span,
        "not allowed here",
        helps=("write it before or after the `if`",),
    )


def mode_binds_static(name: str, value: Any, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0208",
        f"`{name}` depends on `training`, so it must be a tensor",
        span,
        f"it is {kind(value)}",
        helps=("bind layers and numbers before the `if`, and use them in it",),
    )


def scan_argument(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "arguments of `scan` are named sequences and carries",
        span,
        "no name",
        helps=("for example `scan(axis = 1, x_t = x, h = carry(zeros([B, n])))`",),
    )


def carry_argument(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`carry` takes one argument, the initial value",
        span,
        "one argument",
        helps=("for example `h = carry(zeros([B, n]))`",),
    )


def scan_without_sequence(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "`scan` needs a sequence",
        span,
        "nothing to iterate over",
        helps=("for example `scan(axis = 1, x_t = x, ..)`",),
    )


def scan_axis(axis: int, name: str, type: PrintedType, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0202",
        f"`{name}` has no axis {axis}",
        span,
        f"it is `{type}`",
        helps=("give `scan` an axis that the sequence has, such as `axis = 1`",),
    )


def scan_lengths(first: Size, second: Size, name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"the sequences of a `scan` differ in length: {first} and {second}",
        span,
        f"`{name}` differs",
        helps=("cut one of them to the length of the other, such as `x[:, :n]`",),
    )


def not_in_scan(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0104",
        "`emit` and `init` are not allowed in a `scan` body",
        span,
        "not allowed here",
        helps=("move it out of the `scan`, into the block or model around it",),
    )


def carry_not_assigned(name: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0307",
        f"carry `{name}` is not assigned",
        span,
        "every carry needs its next value",
        helps=(f"assign it: `{name} = ..`",),
    )


def carry_changes(name: str, before: PrintedType, after: PrintedType, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0201",
        f"carry `{name}` changes its type",
        span,
        f"`{before}` becomes `{after}`",
        helps=("its start and what the body assigns need the same shape and dtype",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0316": Explanation(
            "more than 100k instances",
            "The count of a `repeat` is probably a typo.",
            programs.body("y = x -> h: repeat 1M { Linear(8) }"),
            programs.body("y = x -> h: repeat 10 { Linear(8) }"),
        ),
    }
