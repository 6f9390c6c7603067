"""Cells of a table as numbers: which text is a number, which stands for a missing one, and which is neither.

Stricter than Python's `float` and `int`, which read `1_0` as 10 and digits of every script. Works without torch. Whole columns
are read by `parsing.py`, by the same rules.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass

EXPONENT = r"(?:e[+-]?\d+)?"
INFINITE = "inf(?:inity)?"
NUMBER = re.compile(rf"[+-]?(?:(?:\d+\.?\d*|\.\d+){EXPONENT}|{INFINITE})", re.ASCII | re.IGNORECASE)
#: Words that are numbers, in upper or lower case. Words of other languages are names: `category("nein", "ja")`.
TRUTH = {"false": 0, "true": 1, "no": 0, "yes": 1, "f": 0, "t": 1, "n": 0, "y": 1}
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))
DIGITS_AT_MOST = 400  # of a whole number that is computed exactly: a cell of 1e999999999 would take all memory


class NotANumber(ValueError):
    """The cell at `position` is neither a number nor missing."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


@dataclass(frozen=True)
class CellRule:
    """How the cells of a source are read. A cell that is one of `missing` is missing, blanks around it aside, and so is an
    empty one; None stands for the words that people write, in upper or lower case. Numbers have this sign before their
    decimals, and may have that one between thousands. `dates`: they are dates or times of a file that knows them as such, which
    are written as in ISO 8601."""

    missing: frozenset[str] | None = None
    decimal: str = "."
    thousands: str = ""
    dates: bool = False

    def is_missing(self, cell: str) -> bool:
        text = cell.strip()
        return not text or (text.lower() in MISSING if self.missing is None else text in self.missing)

    @cached_property
    def pattern(self) -> str:
        """What a number in lower case is, as a regular expression that Python and RE2 read alike."""
        if self.plain:
            return NUMBER.pattern
        point = re.escape(self.decimal)
        whole = rf"\d{{1,3}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+" if self.thousands else r"\d+"
        return rf"[+-]?(?:(?:(?:{whole})(?:{point}\d*)?|{point}\d+){EXPONENT}|{INFINITE})"

    @cached_property
    def marks(self) -> list[str]:
        """Words for a missing cell, in the spellings that are usual."""
        if self.missing is not None:
            return sorted({*self.missing, ""})
        return sorted({spelled for word in MISSING for spelled in (word, word.upper(), word.title(), "NaN")})

    @property
    def plain(self) -> bool:
        """Whether numbers are written as Python writes them."""
        return self.decimal == "." and not self.thousands

    def number_text(self, cell: str) -> str | None:
        """A number as Python writes it, in lower case; None for what is not a number."""
        text = cell.strip().lower()
        if self.plain:
            return text if NUMBER.fullmatch(text) else None
        if not re.fullmatch(self.pattern, text, re.ASCII):
            return None
        return (text.replace(self.thousands, "") if self.thousands else text).replace(self.decimal, ".")


PLAIN = CellRule()


def rule_of(args: Mapping[str, Any]) -> CellRule:
    """How a source with these arguments is read."""
    missing = args.get("missing")
    return CellRule(
        None if missing is None else frozenset(missing), args.get("decimal") or ".", args.get("thousands") or ""
    )


def is_missing(cell: str) -> bool:
    return PLAIN.is_missing(cell)


def is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def number(cell: str, rule: CellRule = PLAIN) -> float:
    """A cell as a number; NaN for a missing one. Raises NotANumber."""
    if rule.is_missing(cell):
        return math.nan
    text = rule.number_text(cell)
    if text is not None:
        return float(text)
    text = cell.strip().lower()
    if text in TRUTH:
        return float(TRUTH[text])
    raise NotANumber(0)


def in_order(names: Iterable[str]) -> list[str]:
    """The order of classes, wherever their names come from: numbers by value, before other names, which are sorted by their
    characters."""
    return sorted(names, key=lambda name: (0, float(name), name) if is_number(name) else (1, 0.0, name))


def numbers(cells: Sequence[str]) -> NDArray[np.float64]:
    """Cells as f64; NaN for a missing one. Raises NotANumber."""
    if _plain(cells):
        try:
            return np.fromiter(map(float, cells), np.float64, len(cells))
        except ValueError:
            pass  # one by one, to read a cell as missing or to say which is wrong
    return np.array(_each(cells, PLAIN, number), np.float64)


def exact(cell: str, rule: CellRule = PLAIN) -> int | float | None:
    """A cell as a whole number, exactly; as a float where it is none, None where it is missing. Raises NotANumber."""
    value = number(cell, rule)
    if math.isnan(value):
        return None
    if not math.isfinite(value):
        return value
    text = rule.number_text(cell)
    if text is None:
        return TRUTH[cell.strip().lower()]
    found = Decimal(text)
    if found == 0 or found.adjusted() > DIGITS_AT_MOST or found.adjusted() < 0:
        return 0 if found == 0 else value
    return int(found) if found == found.to_integral_value() else value


def whole_numbers(cells: Sequence[str], rule: CellRule = PLAIN) -> NDArray[np.int64] | list[int | float | None]:
    """Cells as i64 where all are; else each as `exact` reads it. Raises NotANumber."""
    if rule == PLAIN and _plain(cells):
        try:
            return np.fromiter(map(int, cells), np.int64, len(cells))
        except (ValueError, OverflowError):
            pass
    return _each(cells, rule, exact)


def _plain(cells: Sequence[str]) -> bool:
    """Whether Python reads numbers in these cells as we do."""
    return all(map(str.isascii, cells)) and not any("_" in cell for cell in cells)


def _each(cells: Sequence[str], rule: CellRule, read: Any) -> list[Any]:
    found: list[Any] = []
    for position, cell in enumerate(cells):
        try:
            found.append(read(cell, rule))
        except NotANumber:
            raise NotANumber(position) from None
    return found
