"""The times of a series, as a person would see them: their step, their gaps, the season that comes round, how dates are written.

Works without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass
from ..data.series import GAP

Numbers = NDArray[np.float64]

#: How dates are written, the usual ways first; the first that fits all cells is taken. Where a day and a month could be exchanged,
#: the day comes first, as in most countries.
FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M",
    "%Y-%m",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y.%m.%d",
    "%Y%m",
    "%Y%m%d",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d/%m/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y",
    "%m/%d/%Y %H:%M",
    "%d-%m-%Y",
    "%m-%d-%Y",
)
DAY = 86_400e6  # microseconds
SEASONAL = 0.3  # correlation with the season before from which it is called one
REGULAR = 0.05  # of all steps: gaps that are so frequent belong to the series, as weekends do


@dataclass(frozen=True)
class Rhythm:
    """What the calendar gives: the `step` in words, how many rows a season has, and the `part` of a date that comes round with it."""

    step: str
    period: int | None = None
    part: str | None = None


#: By the step in days, from and to.
CALENDAR = (
    (0.0, 1 / 25, Rhythm("less than an hour", None, "hour")),
    (1 / 25, 1 / 23, Rhythm("an hour", 24, "hour")),
    (1 / 23, 0.9, Rhythm("some hours", None, "hour")),
    (0.9, 1.1, Rhythm("a day", 7, "weekday")),
    (6.5, 7.5, Rhythm("a week", 52, "yearday")),
    (27.5, 31.5, Rhythm("a month", 12, "month")),
    (89.0, 93.0, Rhythm("a quarter", 4, "month")),
)


PARTS = ((1.0, "hour"), (7.0, "weekday"), (365.25, "yearday"))  # by the days after which they come round


def format_of(texts: Iterable[str]) -> str | None:
    """The format that all of these dates have."""
    found = list(FORMATS)
    for text in texts:
        found = [each for each in found if _fits(text.strip(), each)]
        if not found:
            return None
    return found[0]


def _fits(text: str, format: str) -> bool:
    try:
        datetime.strptime(text, format)
    except ValueError:
        return False
    return True


def of_dates(step: float, *, pauses: bool) -> Rhythm:
    """What the calendar gives for a step in microseconds; with `pauses`, rows of weekends are left out."""
    days = step / DAY
    for low, high, rhythm in CALENDAR:
        if low <= days < high:
            if rhythm.period is None and days > 0:
                return Rhythm(rhythm.step, max(1, round(1 / days)), rhythm.part)
            return Rhythm("a day of work", 5, "weekday") if pauses and rhythm.period == 7 else rhythm
    return Rhythm("a year" if 364 < days < 367 else f"{days:g} days")


def steps_of(times: Sequence[Numbers]) -> tuple[float, int, int]:
    """The usual step of series in order, and how many steps are longer, among how many."""
    steps = [np.diff(each) for each in times if len(each) > 1]
    if not steps:
        return 0.0, 0, 0
    usual = float(np.median(np.concatenate(steps)))
    gaps = sum(int((each > GAP * np.median(each)).sum()) for each in steps)
    return usual, gaps, sum(map(len, steps))


def season_of(values: Sequence[Numbers]) -> int | None:
    """The lag at which the longest series is most like itself, where the calendar gives none."""
    x = max(values, key=len)
    x = _level(x)
    most = min(len(x) // 4, 400)
    if most < 3 or not x.std():
        return None
    likeness = np.array([correlation(x, lag) for lag in range(1, most + 1)])
    peaks = [i for i in range(1, most - 1) if likeness[i - 1] < likeness[i] >= likeness[i + 1]]
    best = max(peaks, key=lambda i: likeness[i], default=None)
    return best + 1 if best is not None and likeness[best] > SEASONAL else None


def with_part(rhythm: Rhythm, step: float, period: int | None) -> tuple[Rhythm, int | None]:
    """The part of a date that comes round with a season of so many steps, each of so many microseconds, and its length by the
    calendar."""
    days = step * (period or 0) / DAY
    for length, part in PARTS:
        if 0.9 < days / length < 1.1:
            return replace(rhythm, part=part), round(length * DAY / step)
    return replace(rhythm, part=None), period


def repeats(values: Sequence[Numbers], period: int) -> bool:
    """Whether series are more like themselves a season before than somewhat earlier or later."""
    aside = max(1, round(0.05 * period))  # a year has 52.18 weeks
    long = [_level(each) for each in values if len(each) >= 3 * period]
    if not long:
        return False
    found = [float(np.mean([correlation(x, period + i) for x in long])) for i in range(-aside, aside + 1)]
    return found[aside] > SEASONAL and found[aside] >= max(found[0], found[-1])


def correlation(x: Numbers, lag: int) -> float:
    """Of a series with itself, so many rows before."""
    one, other = x[lag:], x[:-lag]
    spread = float(one.std() * other.std())
    return float(((one - one.mean()) * (other - other.mean())).mean()) / spread if spread else 0.0


def error(values: Sequence[Numbers], lag: int, horizon: int) -> float:
    """The mean absolute error of forecasts that are the last value (`lag` 1), or that of a season before, where both are known."""
    errors: list[Numbers] = []
    for x in values:
        for ahead in range(1, horizon + 1):
            back = lag * -(-ahead // lag)
            if len(x) > back:
                errors.append(np.abs(x[back:] - x[:-back]) if lag > 1 else np.abs(x[ahead:] - x[:-ahead]))
    known = [each[np.isfinite(each)] for each in errors]
    return float(np.concatenate(known).mean()) if any(map(len, known)) else float("inf")


def _level(x: Numbers) -> Numbers:
    """A series without its straight trend and its holes."""
    x = np.where(np.isfinite(x), x, np.nanmean(x)) if np.isfinite(x).any() else np.zeros_like(x)
    at = np.arange(len(x))
    return x - np.polyval(np.polyfit(at, x, 1), at) if len(x) > 2 else x
