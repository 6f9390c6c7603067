"""E04xx of weight maps and of weights from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from ..diagnostics import Diagnostic
from ..source import Span


def not_foreign(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0304", "the right side names foreign tensors", span, "not a tensor",
        helps=('`"name"`, `"name".T`, `"name"[:512]`, or `concat("a", "b", axis = 0)`',),
    )  # fmt: skip


def wildcards(span: Span, ours: Sequence[str], theirs: Sequence[str]) -> Diagnostic:
    here, there = (" ".join(f"`{star}`" for star in side) or "none" for side in (ours, theirs))
    return Diagnostic(
        "E0405", f"the wildcards of the two sides do not correspond: {here} here, {there} there", span, "",
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


# ---- maps and tensors --------------------------------------------------------------------------------------------------


def does_not_fit(span: Span, where: str, summary: str, notes: Sequence[str], helps: Sequence[str]) -> Diagnostic:
    """A plan that is not total; `summary` counts, `notes` list both sides."""
    return Diagnostic("E0405", f"{where} does not fit: {summary}", span, "", (), tuple(notes), tuple(helps))


def not_invertible(span: Span, path: str, what: str) -> Diagnostic:
    return Diagnostic(
        "E0405", f"the map cannot be turned round at `{path}`: the sizes of {what} are not known", span, "not invertible",
        helps=("say every size: `concat(\"a\"[:512], \"b\"[:256])`, or keep the file that the weights came from",),
    )  # fmt: skip


def untied(span: Span, name: str, paths: Sequence[str]) -> Diagnostic:
    listed = " and ".join(f"`{path}`" for path in paths)
    return Diagnostic(
        "E0405", f"{listed} both become `{name}`, and their values differ", span, "not invertible",
        notes=("they were one tensor there, and two that moved apart here",),
    )  # fmt: skip


def partly_made(span: Span, name: str, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E0405", f"the rules do not produce all of `{name}` {list(shape)}", span, "not invertible",
        helps=("slices of one tensor have to meet: `[:512]`, `[512:1024]`, `[1024:]`",),
    )  # fmt: skip
