"""`search` sections. Their codes are explained by other themes."""

from __future__ import annotations

from collections.abc import Sequence

from .diagnostics import Diagnostic, Label
from .source import Span


def draw_twice(span: Span, path: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0408", f"`{path}` is drawn twice", span, "second", (Label(first, "first"),), helps=("remove one of the two",)
    )


def draws_nothing(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0408", "`search` draws nothing", span, "no draw", helps=("for example `lr ~ log_uniform(1e-4, 1e-1)`",)
    )


def draw_value(span: Span, path: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{path}` must be {expected}, not `{found}`", span, f"expected {expected}")


def draw_open_grid(span: Span, path: str, distribution: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`grid()` cannot try all of `{distribution}`",
        span,
        f"`{path}` has no list of values",
        helps=("list the values with `choice(..)`, or use `random(trials = 50)`",),
    )


def draw_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "a draw may depend only on other settings of the search, compared with constants",
        span,
        "not a condition",
        helps=('for example `if opt == "sgd" { uniform(0.8, 0.99) } else { fixed(0.9) }`',),
    )


def which_train(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "several `train` sections: which one is searched?",
        span,
        "no `train`",
        helps=(f"for example `train = {names[0]}`",),
    )


def no_train(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0408",
        "there is no `train` section to search",
        span,
        "nothing to train",
        helps=("add one: `train { model = .. data = .. }`",),
    )
