"""Cells of a table as numbers: which text is a number, which stands for a missing one, and which is neither.

Stricter than Python's `float` and `int`, which read `1_0` as 10 and digits of every script. Works without torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

NUMBER = re.compile(r"[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|inf(?:inity)?)", re.ASCII | re.IGNORECASE)
TRUTH = {"false": 0, "true": 1}
MISSING = frozenset(("", "na", "n/a", "nan", "null", "none"))
DIGITS_AT_MOST = 400  # of a whole number that is computed exactly: a cell of 1e999999999 would take all memory


class NotANumber(ValueError):
    """The cell at `position` is neither a number nor missing."""

    def __init__(self, position: int) -> None:
        super().__init__(position)
        self.position = position


def is_missing(cell: str) -> bool:
    return cell.strip().lower() in MISSING


def is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell.strip()) is not None


def number(cell: str) -> float:
    """A cell as a number; NaN for a missing one. Raises NotANumber."""
    text = cell.strip().lower()
    if NUMBER.fullmatch(text):
        return float(text)
    if text in TRUTH:
        return float(TRUTH[text])
    if text in MISSING:
        return math.nan
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
    return np.array(_each(cells, number), np.float64)


def exact(cell: str) -> int | float | None:
    """A cell as a whole number, exactly; as a float where it is none, None where it is missing. Raises NotANumber."""
    value = number(cell)
    if math.isnan(value):
        return None
    if not math.isfinite(value):
        return value
    text = cell.strip().lower()
    if text in TRUTH:
        return TRUTH[text]
    found = Decimal(text)
    if found == 0 or found.adjusted() > DIGITS_AT_MOST or found.adjusted() < 0:
        return 0 if found == 0 else value
    return int(found) if found == found.to_integral_value() else value


def whole_numbers(cells: Sequence[str]) -> NDArray[np.int64] | list[int | float | None]:
    """Cells as i64 where all are; else each as `exact` reads it. Raises NotANumber."""
    if _plain(cells):
        try:
            return np.fromiter(map(int, cells), np.int64, len(cells))
        except (ValueError, OverflowError):
            pass
    return _each(cells, exact)


def _plain(cells: Sequence[str]) -> bool:
    """Whether Python reads numbers in these cells as we do."""
    return all(map(str.isascii, cells)) and not any("_" in cell for cell in cells)


def _each(cells: Sequence[str], read: Any) -> list[Any]:
    found: list[Any] = []
    for position, cell in enumerate(cells):
        try:
            found.append(read(cell))
        except NotANumber:
            raise NotANumber(position) from None
    return found
