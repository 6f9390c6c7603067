"""Rows of a table as series: `series`, `time`, `gaps` and the windows of a `data` section."""

from __future__ import annotations

from .diagnostics import Diagnostic, Label
from .source import Span


def without_windows(span: Span, key: str) -> Diagnostic:
    return Diagnostic(
        "W0415",
        f"`{key}` has no effect: no `window` is cut from rows of the table",
        span,
        "changes nothing",
        helps=("remove it, or cut windows: `source.value -> window(24, horizon = 6)`",),
    )


def rows_without_order(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{name}` reads rows before, and no `window` is cut from rows of the table",
        span,
        "rows without an order",
        helps=('fill in what is missing from the train split: `impute("median")`',),
    )


def window_before(span: Span, name: str, window: Span) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"`{name}` belongs before `window`: it reads rows of the table",
        span,
        "reads a window",
        (Label(window, "cut here"),),
        helps=(f"write `source.value -> {name} -> window(..)`",),
    )


def several_columns(span: Span, key: str) -> Diagnostic:
    written = {
        "series": "the name of the series, such as `north/bread`",
        "time": "the whole time, such as `2024-05-31 18:30`",
    }
    return Diagnostic(
        "E0304",
        f"`{key}` takes a single column",
        span,
        "several columns",
        helps=(f"add a column to the table with {written[key]}",),
    )


def gaps_without_time(span: Span) -> Diagnostic:
    return Diagnostic(
        "W0415",
        "`gaps` has no effect: without `time` the steps between rows are not known",
        span,
        "changes nothing",
        helps=("remove it, or name the column of times: `time = source.date`",),
    )


def strides_differ(span: Span, stride: int, first: Span, other: int) -> Diagnostic:
    return Diagnostic(
        "E0304",
        "windows of one section have different strides",
        span,
        f"one every {stride} rows",
        (Label(first, f"one every {other} rows"),),
        helps=(f"give both the same: `stride = {other}`",),
    )


def rows_random(span: Span, series: str | None) -> Diagnostic:
    whole = f"random(train = 0.8, val = 0.2, group = source.{series})"
    return Diagnostic(
        "E0304",
        "rows that windows are cut from must be split in order",
        span,
        "mixes the rows of a series",
        notes=("a window of the train split would have rows that another split forecasts",),
        helps=(
            "write `contiguous(train = 0.8, val = 0.2)`, which divides by time",
            *([f"or keep each series in one split: `{whole}`"] if series is not None and series.isidentifier() else []),
        ),
    )


def other_time(span: Span, by: str, time: str) -> Diagnostic:
    return Diagnostic(
        "E0304",
        f"the split is by `{by}`, but `{time}` is the time of the series",
        span,
        "another column",
        helps=(f"remove `by`: `contiguous` divides by `{time}`",),
    )
