"""What the columns of a table are, as a person would see them: numbers, names, dates, texts, numbers of records, nothing at all.

Works without torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass, field
from ..data import cells
from ..data.cells import CellRule
from ..data.table import Column as Values
from ..data.table import Numbers
from ..data.text_columns import Cells

Kind = Literal["numbers", "names", "date", "text", "record", "constant", "empty", "other"]

DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?([T ].*)?|\d\d?[-/.]\d\d?[-/.]\d{4}([T ].*)?")
RECORD = re.compile(r"(^|.*[\W_])(id|ids|index|key|uuid|guid|rownames?|unnamed: 0)$|^$", re.IGNORECASE)
MOST_NAMES = 1000
WORDS_OF_A_TEXT = 4
#: Texts and numbers, in addition to the usual words, that stand for a missing number in many tables.
MARKS = ("?", "-", "--", ".", "*", "unknown", "missing", "-999", "-9999", "-99999")
SENTINEL = -99.0  # a mark that is a number: all others are 0 or more


@dataclass(frozen=True)
class Column:
    """A column of a table. `names` are its distinct texts in the order of classes, with how many records have each; `low`, `high`
    and `middle` are of its numbers."""

    name: str
    kind: Kind
    records: int
    missing: int
    names: Mapping[str, int] = field(default_factory=dict[str, int])
    whole: bool = False
    low: float = 0.0
    high: float = 0.0
    middle: float = 0.0
    deviation: float = 0.0
    blanks: bool = False  # some names have blanks around them

    @property
    def present(self) -> int:
        return self.records - self.missing

    @property
    def skewed(self) -> bool:
        """Whether a few numbers are far larger than all others."""
        return self.low >= 0 and self.high > 30 * max(self.middle, self.deviation / 10)


def describe(name: str, column: Values) -> Column:
    """What a column is. It reads every cell once."""
    if isinstance(column, Cells):
        codes, texts = column.coded
        counts = np.bincount(codes, minlength=len(texts))
        return _of_texts(name, texts, counts, column.rule)
    if isinstance(column, Numbers) and column.array.ndim == 1:
        if column.classes is not None:
            counts = np.bincount(column.array[column.array >= 0].astype(np.int64), minlength=len(column.classes))
            return _of_names(name, dict(zip(column.classes, counts.tolist(), strict=True)), len(column))
        return _of_numbers(name, column.array.astype(np.float64), column.array)
    return Column(name, "other", len(column), 0)


def _of_texts(name: str, texts: list[str], counts: NDArray[np.int64], rule: CellRule) -> Column:
    records = int(counts.sum())
    missing = np.array([rule.is_missing(text) for text in texts], bool)
    present = [(text, int(count)) for text, count, gone in zip(texts, counts, missing, strict=True) if not gone]
    if not present:
        return Column(name, "empty", records, records)
    try:
        numbers = cells.numbers([rule.number_text(text) or text for text, _ in present])
        truths = all(text.strip().lower() in cells.TRUTH for text, _ in present)
    except cells.NotANumber:
        truths, numbers = False, None
    lacking = records - sum(count for _, count in present)
    if numbers is not None and not truths:
        each = np.repeat(numbers, [count for _, count in present])
        found = _of_numbers(name, each, each, records)
        names = _sorted(present) if found.whole and len(present) <= MOST_NAMES else {}
        return Column(**{**vars(found), "names": names, "missing": lacking})
    if sum(count for text, count in present if DATE.fullmatch(text.strip())) > 0.9 * (records - lacking):
        return Column(name, "date", records, lacking)
    return _of_names(name, _sorted(present), records)


def _sorted(present: list[tuple[str, int]]) -> dict[str, int]:
    counts = dict(present)
    return {text: counts[text] for text in cells.in_order(counts)}


def _of_names(name: str, names: dict[str, int], records: int) -> Column:
    present = sum(names.values())
    words = sum(len(text.split()) * count for text, count in names.items()) / max(present, 1)
    kind: Kind = "names"
    if len(names) == 1:
        kind = "constant"
    elif words >= WORDS_OF_A_TEXT and len(names) > present / 2:
        kind = "text"
    elif len(names) > min(MOST_NAMES, max(present / 2, 10)):
        kind = "record"
    blanks = any(text != text.strip() for text in names)
    return Column(name, kind, records, records - present, names, blanks=blanks)


def _of_numbers(name: str, numbers: NDArray[np.float64], own: NDArray[np.generic], records: int = 0) -> Column:
    records = records or len(numbers)
    present = numbers[np.isfinite(numbers)]
    if not len(present):
        return Column(name, "empty", records, records)
    whole = bool((present == np.rint(present)).all())
    distinct, counts = np.unique(present, return_counts=True)
    kind: Kind = "numbers"
    if len(distinct) == 1:
        kind = "constant"
    elif whole and len(distinct) == len(present) == records > 10:
        consecutive = distinct[-1] - distinct[0] == len(distinct) - 1
        kind = "record" if consecutive or RECORD.fullmatch(name) else "numbers"
    names: dict[str, int] = {}
    if whole and own.dtype.kind in "iu" and len(distinct) <= MOST_NAMES:
        names = {str(int(number)): int(count) for number, count in zip(distinct, counts, strict=True)}
    return Column(
        name,
        kind,
        records,
        records - len(present),
        names,
        whole,
        float(distinct[0]),
        float(distinct[-1]),
        float(np.median(present)),
        float(present.std()),
    )


def marks(name: str, column: Values) -> list[str]:
    """Texts of a column that stand for a missing cell although the rule of its source does not know them: `?` among numbers, and
    -999 where all other numbers are 0 or more."""
    if not isinstance(column, Cells):
        return []
    _, texts = column.coded
    stripped = {text.strip() for text in texts if not column.rule.is_missing(text)}
    numbers = {text for text in stripped if column.rule.number_text(text) is not None}
    words = stripped - numbers
    found: list[str] = []
    if (
        words
        and words <= {mark for text in words for mark in MARKS if text.lower() == mark}
        and len(numbers) > len(words)
    ):
        found += sorted(words)
    if "?" in stripped and "?" not in found:
        found.append("?")
    least = [text for text in numbers if float(column.rule.number_text(text) or 0) <= SENTINEL]
    others = (float(column.rule.number_text(text) or 0) for text in numbers.difference(least))
    if least and len(numbers) > 1 and set(least) <= set(MARKS) and min(others, default=-1.0) >= 0:
        found += sorted(least)
    return found
