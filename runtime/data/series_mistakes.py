"""What is wrong with rows of a table as series: each names the file and line and how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from .mistakes import fail


def not_a_time(span: Span, place: str, column: str, cell: str) -> Failed:
    return fail(
        "E0201",
        f'{place}, column `{column}`: "{cell}" is not a time',
        span,
        helps=("write a number, or a date with the year first, as `2024-01-31` or `2024/01/31 12:00`",),
    )


def same_time(span: Span, place: str, other: str, column: str, time: str, series: str | None) -> Failed:
    within = "" if series is None else f" and `{series}`"
    help = (
        "remove one of them, or give the column that names the series: `series = source.name`"
        if series is None
        else "remove one of them"
    )
    return fail("E0412", f"{place} and {other} have the same `{column}`{within}: {time}", span, helps=(help,))


def gap(span: Span, place: str, column: str, between: Sequence[str], count: int) -> Failed:
    more = "" if count == 1 else f"; there are {count} such steps"
    return fail(
        "E0412",
        f"{place}: the step of `{column}` from {between[0]} to {between[1]} is longer than usual{more}",
        span,
        notes=("rows may be missing there",),
        helps=(
            'add the rows, or end windows there: `gaps = "cut"`',
            'where such steps are expected, as weekends of a market: `gaps = "join"`',
        ),
    )


def no_window(span: Span, split: str, rows: int, longest: int, before: int, after: int) -> Failed:
    needed = f"{before} rows and {after} that follow" if after else f"{before} rows"
    helps = (
        ("use a shorter window: no series is long enough",)
        if longest < before + after
        else ("give the split a larger fraction, or use a shorter window",)
    )
    return fail(
        "E0411",
        f"the {split} split has {rows} rows and no window: one takes {needed}",
        span,
        notes=(f"the longest series without a gap has {longest} rows",),
        helps=helps,
    )


def rows_differ(span: Span, place: str, found: str, first: str) -> Failed:
    return fail(
        "E0201",
        f"{place}: a row of {found}, where the first of the series has {first}",
        span,
        helps=("give every row of a series the same shape",),
    )
