"""What dates in a column of a table are read as: days since 1970, and parts that come round. Works without torch.

2024-01-31 .. 2026-05-01      no format, orders records, and the parts month and weekday
"""

from __future__ import annotations

from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass
from ..data import series
from ..data.table import Column
from ..data.text_columns import Cells
from .rhythm import DAY, format_of

MOST = 100_000  # distinct texts by which a format is known


@dataclass(frozen=True)
class Parts:
    """`format` is that of the dates, None for ISO 8601; `orders`: a split can be by this column; `cycles` are the parts that come
    round."""

    format: str | None
    orders: bool
    cycles: tuple[str, ...]


def parts_of(column: Column) -> Parts | None:
    """None where the dates are not all written in one way."""
    if not isinstance(column, Cells):
        return None
    texts = [text.strip() for text in column.coded[1] if not column.rule.is_missing(text)][:MOST]
    format = None if column.rule.dates else format_of(texts)
    if format is None and not column.rule.dates:
        return None
    times, orders = _times(texts, format)
    days = np.floor(times / DAY)
    span = float(days.max() - days.min()) if len(days) else 0.0
    cycles = {
        "month": span > 183,
        "weekday": span > 13 and len(np.unique(days % 7)) > 2,
        "hour": bool((times % DAY).any()),
    }
    complete = len(texts) == len(column.coded[1])
    return Parts(format, orders and complete, tuple(part for part, there in cycles.items() if there))


def _times(texts: list[str], format: str | None) -> tuple[NDArray[np.float64], bool]:
    """Microseconds since 1970, and whether the texts order records as they are written."""
    try:
        return series.microseconds(texts).astype(np.float64), True
    except ValueError:
        found = [(datetime.strptime(text, format or "") - datetime(1970, 1, 1)).total_seconds() for text in texts]
        return np.array(found) * 1e6, False
