"""E04xx of weight maps; what is wrong with the tensors themselves is said by `runtime/weights/mistakes.py`."""

from __future__ import annotations

from collections.abc import Sequence

from . import programs
from .diagnostics import Diagnostic
from .explanation import Explanation
from .source import Span


def not_foreign(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "the right side names foreign tensors",
        span,
        "not a tensor",
        helps=('`"name"`, `"name".T`, `"name"[:512]`, or `concat("a", "b", axis = 0)`',),
    )


def wildcards(span: Span, ours: Sequence[str], theirs: Sequence[str]) -> Diagnostic:
    here, there = (" ".join(f"`{star}`" for star in side) or "none" for side in (ours, theirs))
    return Diagnostic(
        "E0405",
        f"the wildcards of the two sides do not correspond: {here} here, {there} there",
        span,
        "",
        helps=("wildcards correspond in order, `**` to `**` and `*` to `*`",),
    )


def rule_matches_nothing(span: Span, ours: str, model: str, near: str | None) -> Diagnostic:
    helps = (f"did you mean `{near}`?",) if near else ()
    return Diagnostic("E0402", f'no parameter of `{model}` is called "{ours}"', span, "matches nothing", helps=helps)


def not_produced(span: Span, paths: Sequence[str], model: str) -> Diagnostic:
    shown = ", ".join(f"`{path}`" for path in paths[:3]) + (f" and {len(paths) - 3} more" if len(paths) > 3 else "")
    return Diagnostic(
        "E0405",
        f"no rule produces {shown} of `{model}`",
        span,
        "not total",
        helps=('a last rule `"**" <- "**"` takes the rest under its own name',),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0405": Explanation(
            "weight map not total",
            "Each parameter is produced exactly once, and each foreign tensor is used, skipped or ignored; otherwise both lists\n"
            "are shown. `skip = [..]` leaves ours at their initial values, `ignore = [..]` leaves theirs out. What the file holds\n"
            "is compared when it is read.",
            programs.body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "fc.weight" <- "dense.weight"\n}\n',
            programs.body("y = x -> fc: Linear(8)") + '\nweights theirs for M {\n  "fc.*" <- "dense.*"\n}\n',
        ),
    }
