"""Transforms of the cells of a table: dates, and names of which there are many. Each distinct text is read once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue.transforms.cells import CIRCLES
from .. import table_mistakes
from ..text_columns import distinct
from .text_use import TextUse

Array: TypeAlias = "NDArray[Any]"

EPOCH = datetime(1970, 1, 1)

#: Cells are filled where the rows before them are known (`nodes.Nodes`).
forward_fill = None


def date(texts: Sequence[str], use: TextUse) -> Array:
    """f64, NaN for a missing one; f32[.., 2] of sine and cosine."""
    part = use.args["part"]
    codes, present = distinct(texts)
    numbers = np.full(len(present), math.nan)
    for number, text in enumerate(present):
        if use.rule.is_missing(text):
            continue
        try:
            numbers[number] = _part(_moment(text.strip(), None if use.rule.dates else use.args["format"]), part)
        except ValueError:
            at = int(np.flatnonzero(codes == number)[0])
            raise table_mistakes.not_a_date(
                use.node.span, use.place(at), use.columns, text, use.args["format"]
            ) from None
    found = numbers[codes]
    if not use.args["cyclic"]:
        return found
    steps, first = CIRCLES[part]
    angle = 2 * np.pi * (found - first) / steps
    return np.stack([np.sin(angle), np.cos(angle)], 1).astype(np.float32)


def _moment(text: str, form: str | None) -> datetime:
    """A time as it is written, without its zone. Raises ValueError."""
    found = datetime.fromisoformat(text) if form is None else datetime.strptime(text, form)
    return found.replace(tzinfo=None)


def _part(moment: datetime, part: str) -> float:
    match part:
        case "days":
            since = moment - EPOCH
            return since.days + (since.seconds + since.microseconds / 1e6) / 86400
        case "weekday":
            return moment.weekday()
        case "yearday":
            return moment.timetuple().tm_yday
        case _:
            return getattr(moment, part)


def hash(texts: Sequence[str], use: TextUse) -> Array:
    codes, present = distinct(texts)
    for number, text in enumerate(present):
        if use.rule.is_missing(text):
            at = int(np.flatnonzero(codes == number)[0])
            raise table_mistakes.missing_name(use.node.span, use.place(at), use.columns[0], text.strip())
    return np.array([_bucket(text, use.args["buckets"]) for text in present], np.int64)[codes]


def _bucket(text: str, buckets: int) -> int:
    """The same on every machine and in every process, unlike Python's `hash`."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") % buckets
