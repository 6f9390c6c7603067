"""What is wrong with splits, with the records that are drawn from them, and with the windows of a stream."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...compiler.messages.diagnostics import Failed
from ...compiler.messages.source import Span
from .mistakes import fail


def split_empty(span: Span, split: str, records: int) -> Failed:
    return fail(
        "E0411", f"the {split} split gets none of the {records} records", span, helps=("give it a larger fraction",)
    )


def all_dropped(span: Span, lacking: Mapping[str, int], count: int) -> Failed:
    shown = ", ".join(f"`{name}` {number:,}" for name, number in lacking.items())
    return fail(
        "E0411",
        f"`drop` leaves none of the {count:,} records: each has a missing cell",
        span,
        notes=(f"missing by column: {shown}",),
        helps=("name the columns that must be there, `drop = [source.price]`, and fill in others: `-> impute(..)`",),
    )


def split_missing(span: Span, split: str, known: Sequence[str]) -> Failed:
    listed = " or ".join(f"`{name}`" for name in known)
    return fail(
        "E0411",
        f"this data has no {split} split",
        span,
        helps=(f"use {listed}", f"or give it a share: `split = random(.., {split} = 0.1)`"),
    )


def class_too_small(span: Span, name: str, count: int) -> Failed:
    return fail(
        "E0411",
        f"class `{name}` has {count} record(s), too few for every split",
        span,
        helps=("remove `stratify`, or add records",),
    )


def stream_too_short(span: Span, split: str, length: int, window: int) -> Failed:
    return fail(
        "E0411",
        f"the {split} part of the stream has {length} tokens, but a window takes {window}",
        span,
        helps=("use a shorter window or a larger fraction",),
    )


def bad_weight(span: Span, field: str, place: str, value: float) -> Failed:
    return fail(
        "E0411",
        f"{place}: `{field}` is {value:g}, and a record cannot be drawn so often",
        span,
        "weights of records",
        helps=("weights are numbers of at least 0",),
    )


def no_weight(span: Span, field: str) -> Failed:
    return fail(
        "E0411",
        f"`{field}` gives no record of the train split a weight above 0",
        span,
        "nothing to draw",
        helps=("name another field, or remove `sampling`",),
    )


def nothing_left(span: Span, split: str) -> Failed:
    return fail(
        "E0411",
        f"`where` keeps no record of the {split} split",
        span,
        helps=("relax the condition: no record meets it",),
    )


def streams_differ(span: Span) -> Failed:
    return fail(
        "E0304",
        "the windows of this section are cut from streams of different lengths",
        span,
        helps=("cut all windows from one stream, or put the other fields into a `data` section of their own",),
    )


def no_windows(span: Span) -> Failed:
    return fail("E0304", "a stream is not a record", span, helps=("cut it: `source.tokens -> random_window(128)`",))
