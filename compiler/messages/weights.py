"""E0405: weight maps. Mistakes in the tensors themselves are in `runtime/weights/mistakes.py`."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic
from .explanation import Explanation
from .source import Span


def not_foreign(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "the right side must name foreign tensors",
        span,
        "not a tensor",
        helps=('write `"name"`, `"name".T`, `"name"[:512]` or `concat("a", "b", axis = 0)`',),
    )


def wildcards(span: Span, ours: Sequence[str], theirs: Sequence[str]) -> Diagnostic:
    here, there = (" ".join(f"`{star}`" for star in side) or "none" for side in (ours, theirs))
    return Diagnostic(
        "E0405",
        f"the wildcards of the two sides do not match: {here} on the left, {there} on the right",
        span,
        "",
        helps=("wildcards match in order: write `**` for `**` and `*` for `*`",),
    )


def rule_matches_nothing(span: Span, ours: str, model: str, near: str | None) -> Diagnostic:
    helps = (f"did you mean `{near}`?",) if near else ()
    return Diagnostic("E0402", f'`{model}` has no parameter "{ours}"', span, "matches nothing", helps=helps)


def not_produced(span: Span, paths: Sequence[str], model: str) -> Diagnostic:
    shown = ", ".join(f"`{path}`" for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    return Diagnostic(
        "E0405",
        f"no rule produces {shown} of `{model}`",
        span,
        "not total",
        helps=('add a last rule `"**" <- "**"`, which maps the rest by equal names',),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0405": Explanation(
            "weight map not total",
            "Each parameter must be produced exactly once, and each foreign tensor used, skipped or ignored; otherwise both\n"
            "lists are shown. `skip = [..]` leaves parameters at their initial values, `ignore = [..]` leaves foreign tensors\n"
            "unused. The contents of the file are compared when it is read.",
            programs.body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "fc.weight" <- "dense.weight"\n}\n',
            programs.body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "fc.*" <- "dense.*"\n}\n',
        ),
    }
