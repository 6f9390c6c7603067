"""E04xx of `search` sections and weight maps."""

from __future__ import annotations

from collections.abc import Sequence

from ..diagnostics import Diagnostic, Label
from ..source import Span


def draw_twice(span: Span, path: str, first: Span) -> Diagnostic:
    return Diagnostic("E0408", f"`{path}` is drawn twice", span, "second", (Label(first, "first"),))


def draws_nothing(span: Span) -> Diagnostic:
    return Diagnostic("E0408", "`search` draws nothing", span, "no draw", helps=("`lr ~ log_uniform(1e-4, 1e-1)`",))


def draw_value(span: Span, path: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{path}` is {expected}, not `{found}`", span, f"expected {expected}")


def draw_open_grid(span: Span, path: str, distribution: str) -> Diagnostic:
    return Diagnostic(
        "E0304", f"`grid()` cannot try all of `{distribution}`", span, f"`{path}` has no list of values",
        helps=("`choice(..)` lists values; `random(trials = 50)` draws from anything",),
    )  # fmt: skip


def draw_condition(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "a draw depends on other settings of the search, compared with constants", span, "not a condition",
        helps=('for example `if opt == "sgd" { uniform(0.8, 0.99) } else { fixed(0.9) }`',),
    )  # fmt: skip


def which_train(span: Span, names: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0408", "several `train` sections: which one is searched?", span, "no `train`", helps=(f"`train = {names[0]}`",)
    )  # fmt: skip


def no_train(span: Span) -> Diagnostic:
    return Diagnostic("E0408", "there is no `train` section to search", span, "nothing to train")


# ---- weight maps -------------------------------------------------------------------------------------------------------


def not_foreign(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "the right side names foreign tensors", span, "not a tensor",
        helps=('`"name"`, `"name".T`, `"name"[:512]`, or `concat("a", "b", axis = 0)`',),
    )  # fmt: skip


def wildcards(span: Span, ours: int, theirs: int) -> Diagnostic:
    return Diagnostic(
        "E0405", f"the wildcards of the two sides do not correspond: {ours} here, {theirs} there", span, "",
        helps=("wildcards correspond in order, `**` to `**` and `*` to `*`",),
    )  # fmt: skip


def rule_matches_nothing(span: Span, ours: str, model: str, near: str | None) -> Diagnostic:
    helps = (f"did you mean `{near}`?",) if near else ()
    return Diagnostic("E0402", f'no parameter of `{model}` is called "{ours}"', span, "matches nothing", helps=helps)


def not_produced(span: Span, paths: Sequence[str], model: str) -> Diagnostic:
    shown = ", ".join(f"`{path}`" for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    return Diagnostic(
        "E0405", f"no rule produces {shown} of `{model}`", span, "not total",
        helps=('a last rule `"**" <- "**"` takes the rest under its own name',),
    )  # fmt: skip
