"""Sections: their keys, units and table entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from . import habits, programs
from .diagnostics import Diagnostic, Label
from .explanation import Explanation
from .source import Span
from .wording import listed, meant

KEY_WORDS = {
    "train": "a training key", "data": "a data key", "export": "an export key", "search": "a search key",
    "weights": "a key of weight maps",
}  # fmt: skip


def unknown_key(span: Span, name: str, section: str, near: str | None, known: Iterable[str]) -> Diagnostic:
    word = KEY_WORDS.get(section, f"a key of `{section}`")
    helps = habits.key(name, section) or meant(near) or (f"`{section}` has {listed(known, 40)}",)
    return Diagnostic("E0401", f"unknown key `{name}` in `{section}`", span, f"not {word}", helps=helps)


def field_without_type(span: Span, name: str, value: str) -> Diagnostic:
    helps = (f"write `{name}: f32 = {value}`, with the dtype and the shape of a record",)
    return Diagnostic("E0401", f"the field `{name}` has no type", span, "not a data key", helps=helps)


def key_elsewhere(span: Span, name: str, section: str, owner: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"`{name}` is not allowed in `{section}`",
        span,
        f"belongs to `{owner}`",
        helps=(f"move it to `{owner}`",),
    )


def key_form(span: Span, name: str, section: str, form: str, example: str) -> Diagnostic:
    helps = (f"write {form}" + (f", for example `{example}`" if example else ""),)
    return Diagnostic("E0401", f"`{name}` in `{section}` has another form", span, "not written like this", helps=helps)


def not_a_field_here(span: Span, name: str, section: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"`{section}` has no typed fields",
        span,
        "a field",
        helps=(f"write settings as `{name} = value`; typed fields belong in `data`",),
    )


def entry_misplaced(span: Span, what: str, section: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"{what} is not allowed in `{section}`",
        span,
        "not allowed here",
        helps=("remove it, or move it to the section that it belongs in",),
    )


def key_twice(span: Span, name: str, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0408", f"`{name}` is given twice", span, "second", (Label(first, "first"),), helps=("remove one of the two",)
    )


def keys_missing(span: Span, section: str, lacking: Mapping[str, str]) -> Diagnostic:
    """All required keys that a section lacks, each with an example."""
    *names, last = (f"`{name}`" for name in lacking)
    first = ", ".join(names)
    needed, missing = (f"{first} and {last}", f"no {first} or {last}") if names else (last, f"no {last}")
    examples = ", ".join(f"`{example}`" for example in lacking.values())
    return Diagnostic("E0408", f"`{section}` needs {needed}", span, missing, helps=(f"for example {examples}",))


def unit_missing(span: Span, number: str, what: str, units: Sequence[str]) -> Diagnostic:
    helps = (" or ".join(f"`{number} {unit}`" for unit in units),)
    return Diagnostic("E0403", f"{what} needs a unit", span, "no unit", helps=helps)


def unit_wrong(span: Span, number: str, unit: str, what: str, units: Sequence[str], near: str | None) -> Diagnostic:
    helps = meant(near and f"{number} {near}") or (" or ".join(f"`{number} {unit}`" for unit in units),)
    return Diagnostic(
        "E0403", f"{what} must be in {' or '.join(units)}, not in `{unit}`", span, "wrong unit", helps=helps
    )


def unit_unwanted(span: Span, what: str, text: str) -> Diagnostic:
    return Diagnostic("E0403", f"{what} takes no unit", span, f"`{text}`", helps=("write just the number",))


def duration_not_positive(span: Span, what: str, text: str) -> Diagnostic:
    return Diagnostic(
        "E0304", f"{what} must be above 0, not `{text}`", span, helps=("for example `10 epochs` or `500 steps`",)
    )


def duration_too_long(span: Span, what: str, text: str) -> Diagnostic:
    return Diagnostic("E0304", f"{what} must be at most 2^53, not `{text}`", span, helps=("write a smaller number",))


def not_a_duration(span: Span, what: str, found: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"{what} must be a number with a unit, not {found}",
        span,
        "expected e.g. `10 epochs`",
        helps=("for example `10 epochs` or `500 steps`",),
    )


def rest_here(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0403",
        "`rest` is allowed only in the last segment of a schedule",
        span,
        "not allowed here",
        helps=("write a duration such as `10 epochs`",),
    )


def after_the_end(span: Span, before: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "segment after the end of the schedule",
        span,
        "never reached",
        (Label(before, "lasts to the end"),),
        helps=("remove it, or give the segment before it a length",),
    )


def not_an_entry(span: Span, what: str, example: str, quoted: str | None = None) -> Diagnostic:
    """`quoted` is the name that a text was meant to be."""
    helps = (f"names are not quoted: `{quoted}`" if quoted else f"for example `{example}`",)
    return Diagnostic("E0304", f"expected {what}", span, f"not {what}", helps=helps)


def unknown_entry(span: Span, name: str, what: str, near: str | None, known: Iterable[str]) -> Diagnostic:
    helps = habits.entry(name) or meant(near) or (f"known: {listed(known, 40)}",)
    return Diagnostic("E0301", f"`{name}` is not {what}", span, "unknown", helps=helps)


def unknown_argument(span: Span, owner: str, name: str, near: str | None, known: Sequence[str]) -> Diagnostic:
    helps = habits.argument(name, tuple(known), near)
    helps = helps or ((f"`{owner}` takes {listed(known, 24)}",) if known else (f"`{owner}` takes no arguments",))
    return Diagnostic("E0304", f"`{owner}` has no argument `{name}`", span, "unknown argument", helps=helps)


def too_many_arguments(span: Span, owner: str, count: int, known: Sequence[str]) -> Diagnostic:
    takes = f"it takes {listed(known, 24)}" if known else "it takes none"
    return Diagnostic(
        "E0304",
        f"too many arguments for `{owner}`: {takes}",
        span,
        f"{count} given",
        helps=("remove what is too many",),
    )


def argument_twice(span: Span, owner: str, name: str) -> Diagnostic:
    return Diagnostic(
        "E0304", f"`{name}` of `{owner}` is given twice", span, "second", helps=("remove one of the two",)
    )


def argument_missing(span: Span, owner: str, name: str, required: Sequence[str]) -> Diagnostic:
    helps = (f"write `{owner}({', '.join(required)})`",)
    return Diagnostic("E0304", f"`{owner}` needs `{name}`", span, f"no `{name}`", helps=helps)


def wrong_argument(span: Span, owner: str, name: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{name}` of `{owner}` must be {expected}, not `{found}`", span, f"expected {expected}")


def wrong_arguments(span: Span, owner: str, why: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{owner}`: {why}", span, helps=(f"`dlc explain {owner}` shows its arguments",))


def wrong_value(span: Span, key: str, expected: str, found: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{key}` must be {expected}, not `{found}`", span, f"expected {expected}")


def not_such(span: Span, key: str, expected: str) -> Diagnostic:
    return Diagnostic("E0304", f"`{key}` must be {expected}", span, "something else")


def absolute_path(span: Span, path: str) -> Diagnostic:
    return Diagnostic(
        "E0412",
        f"`{path}` is an absolute path",
        span,
        "not relative",
        helps=("write it relative to the spec; `--data-root DIR` gives another directory",),
    )


def section_as_value(span: Span, name: str, kind: str) -> Diagnostic:
    what = {"weights": "a weight map"}.get(kind, f"a `{kind}` section")
    return Diagnostic(
        "E0303",
        f"`{name}` is {what}, not a value or stage",
        span,
        "not allowed here",
        helps=("sections name each other by keys: `data = Flowers` in `train`",),
    )


def unknown_definition(span: Span, name: str, what: str, near: str | None, known: Iterable[str] = ()) -> Diagnostic:
    helps = meant(near) or (f"known: {listed(known)}" if known else "define it, or import it from another spec",)
    return Diagnostic("E0301", f"there is no {what} `{name}`", span, "not found", helps=helps)


def duration_in_both(span: Span, first: Span) -> Diagnostic:
    return Diagnostic(
        "E0407",
        "`duration` is set both in the phases and in `train`",
        span,
        "in `train` too",
        (Label(first, "in a phase"),),
        helps=("each phase has its own: remove this one",),
    )


def duration_missing(span: Span, phase: str) -> Diagnostic:
    return Diagnostic(
        "E0407", f"phase `{phase}` has no `duration`", span, "", helps=("for example `duration = 3 epochs`",)
    )


def phase_key(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0401",
        f"`{name}` does not change between phases",
        span,
        "not a key of `phase`",
        helps=("set it in `train`",),
    )


def grows_endlessly(span: Span, name: str, factor: float, times: int) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{name}` grows beyond any number",
        span,
        f"multiplied by {factor:g} {times} {'time' if times == 1 else 'times'}",
        helps=("a factor below 1 makes it smaller, such as `decay(0.5, every = 4 epochs)`",),
    )


def one_device(span: Span, key: str) -> Diagnostic:
    return Diagnostic(
        "W0415",
        f"`{key}` has no effect: a run trains on one device",
        span,
        "changes nothing",
        helps=("remove it",),
    )


def search_not_run(span: Span) -> Diagnostic:
    return Diagnostic(
        "W0415",
        "`search` has no effect: no command runs it, and `dlc train` uses the values that the spec sets",
        span,
        "changes nothing",
        helps=("remove it, and start one run for each value: `dlc train FILE train.seed=1,2,3`",),
    )


def explanations() -> dict[str, Explanation]:
    return {
        "E0401": Explanation(
            "unknown key",
            "Sections are closed: a misspelled key is an error and never ignored.",
            programs.digits("  optimizer = ", "  optimiser = "),
            programs.DIGITS,
        ),
        "E0403": Explanation(
            "unit missing or wrong; tokens of data without sequences",
            "A duration must have a unit, such as `epochs` or `steps`.",
            programs.digits("2 epochs", "2"),
            programs.DIGITS,
        ),
        "W0415": Explanation(
            "a key, a value or a section that has no effect",
            "The run would be the same without it: a length beyond the end of the run, figures of a split that there is not, or a key\n"
            "with which this version does nothing. What follows from the number of records is found by `dlc build` and `dlc train`.",
            programs.digits("  batch     = 64\n", "  batch     = 64\n  log { every = 5 epochs }\n"),
            programs.DIGITS,
        ),
        "E0407": Explanation(
            "`duration` in phases and in `train`, or missing in a phase",
            "If there are phases, each has its own duration and `train` has none.",
            programs.digits("  duration  = 2 epochs\n", "  duration  = 2 epochs\n  phase a { duration = 1 epochs }\n"),
            programs.digits("  duration  = 2 epochs\n", "  phase a { duration = 1 epochs }\n"),
        ),
        "E0408": Explanation(
            "required key missing, or a key twice",
            "Each required key must be set, and each key only once.",
            programs.digits("  batch     = 64\n", "  batch     = 64\n  batch     = 32\n"),
            programs.DIGITS,
        ),
    }
