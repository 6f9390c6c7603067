"""`Param`, init rules and the selectors that name parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from . import programs
from .diagnostics import Diagnostic
from .explanation import Explanation
from .names import nearest
from .source import Span
from .wording import listed, meant


def unknown_init(name: str, span: Span, table: Iterable[str]) -> Diagnostic:
    starts = [entry for entry in table if entry.startswith(name)]
    helps = meant(nearest(name, table)) or (f"known: {listed(starts or table, 16)}",)
    return Diagnostic("E0301", f"unknown init `{name}`", span, "not in the init table", helps=helps)


def not_an_init(span: Span, *, number: bool = False) -> Diagnostic:
    helps = ("for example `normal(0.02)`, `zeros`, `kaiming_normal`",)
    if number:
        helps = ("a shape is one list, `Param([8, 3], init = normal(0.02))`; a single value is `init = constant(0.5)`",)
    return Diagnostic("E0304", "this is not an init", span, "expected an entry of the init table", helps=helps)


def not_a_selector(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0402",
        "this is not a selector",
        span,
        "not a selector",
        helps=('selectors are `"glob"`, `Kind.weight` and `rank < 2`',),
    )


def selector_matches_nothing(text: str, span: Span, near: str | None, paths: Sequence[str]) -> Diagnostic:
    heads = sorted({path.split(".")[0] for path in paths})
    helps = meant(near) or ((f"parameters start with {listed(heads)}",) if heads else ())
    return Diagnostic("E0402", "this selector matches no parameter", span, "matches nothing", helps=helps)


def init_rank(name: str, least: int, path: str, shape: Sequence[int], span: Span, ruled: bool) -> Diagnostic:
    """`ruled`: an `init` rule chose the weight; else it was given with the weight."""
    axes = "no axes" if not shape else "one axis" if len(shape) == 1 else f"{len(shape)} axes"
    wanted = "one axis" if least == 1 else f"{least} axes"
    help = (
        f"choose only weights that have them, such as `init rank >= {least} = {name}`; without a rule the others keep their own"
        if ruled
        else "use `normal(0.02)`, `zeros` or `ones`"
    )
    return Diagnostic(
        "E0202",
        f"`{name}` needs a weight of at least {wanted}, and `{path}` has {axes}",
        span,
        f"`{path}` is [{', '.join(map(str, shape))}]",
        helps=(help,),
    )


def parameter_without_init(path: str, span: Span) -> Diagnostic:
    return Diagnostic(
        "E0409",
        f"parameter `{path}` has no init",
        span,
        "no initial value",
        helps=("write `Param(shape, init = normal(0.02))`, or an `init` rule that selects it",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0402": Explanation(
            "selector that matches nothing",
            "`init`, `group` and `freeze` name parameters by path; a selector without a match would have no effect.",
            programs.body('y = x -> fc: Linear(8)\ninit "fcc.weight" = zeros'),
            programs.body('y = x -> fc: Linear(8)\ninit "fc.weight" = zeros'),
        ),
        "E0409": Explanation(
            "`Param` without init",
            "A bare parameter has no default initial value: give `init = ..` or an `init` rule.",
            programs.body("y = x + Param([8])"),
            programs.body("y = x + Param([8], init = zeros)"),
        ),
    }
