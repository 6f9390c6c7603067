"""A spec for the rows of a table as time series: windows of rows, a split by time, forecasts of the rows that follow.

sales.csv --time date --target sales    series by `store`, a row a day, a season of 7 days: a month of past, a week of forecast
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass
from ..data import series as ordered
from ..data.table import Table, column_numbers
from ..data.text_columns import Cells
from ..failure import BadInput
from . import rhythm
from .columns import Column
from .drafted import NOWHERE, Draft, laid_out
from .notation import column_of_source, field_name, listed, quoted, shown, wrapped
from .recipes import repeated
from .rhythm import Rhythm
from .tables import Described, named, read_values

LEAST = 30  # rows of the longest stretch
LONGEST = 96  # rows of a window: a recurrent net reads them one by one
HORIZON = 24
TRAIN, REST = 0.7, 0.15
BATCH = 32
OWN = (
    "past",
    "next",
    "season",
    "coming",
    "others",
    "rows",
    "horizon",
    "period",
    "forecast",
    "hidden",
    "state",
    "before",
    "shape",
    "scale",
)


@dataclass(frozen=True)
class FoundSeries:
    """What the rows are as series."""

    key: Column | None
    count: int  # of series
    longest: int  # rows of a stretch
    format: str | None  # of the dates
    rhythm: Rhythm
    period: int | None
    gaps: str | None
    long: tuple[int, int]  # steps that are longer than usual, among how many
    values: tuple[NDArray[np.float64], ...]
    unknown: frozenset[str]  # columns of numbers with which a series begins without one


def draft(path: Path, place: str, source: str, target: str | None, time: str) -> Draft:
    """A spec that forecasts the column `target` from the rows before."""
    described, values = read_values(path, place, source, spread=False)
    at = named(path, described, time)
    goal = _target(path, described, target, at)
    table = Table(values, described.records, lambda row: f"{path}, row {row + 1}", str(path))
    found = _found(path, table, described, at, goal)
    if found.longest < LEAST:
        raise BadInput(
            f"`{path}` has {found.longest} rows without a gap: too few to learn a series from",
            helps=(f"give a series of at least {LEAST} rows",),
        )
    writer = _Writer(described, at, goal, found)
    return Draft(laid_out(writer.lines(Path(place).name)), writer.found_lines())


def _target(path: Path, table: Described, name: str | None, time: Column) -> Column:
    numbers = [column for column in table.columns if column.kind == "numbers" and column is not time]
    if name is None and len(numbers) == 1:
        return numbers[0]
    column = named(path, table, name)
    if column not in numbers:
        raise BadInput(
            f"column `{shown(column.name)}` of `{path}` cannot be forecast: it is not a column of numbers",
            helps=(
                f"name one of numbers: {listed(each.name for each in numbers)}" if numbers else "add one of numbers",
            ),
        )
    return column


def _found(path: Path, table: Table, described: Described, time: Column, goal: Column) -> FoundSeries:
    read = ordered.times_of(table, time.name, NOWHERE)
    dates, times = read.dtype.kind == "i", read.astype(np.float64)
    key, codes = _key(path, table, described, time, goal, times)
    rows = np.lexsort((times, codes))
    edges = np.flatnonzero(np.diff(codes[rows])) + 1
    parts = np.split(rows, edges)
    numbers = column_numbers(table, goal.name, np.arange(table.count), NOWHERE)
    values = tuple(numbers[part] for part in parts)
    usual, gaps, steps = rhythm.steps_of([times[part] for part in parts])
    column = table.columns[time.name]
    format = rhythm.format_of(column) if dates and isinstance(column, Cells) else None
    regular = gaps > rhythm.REGULAR * steps
    calendar = rhythm.of_dates(usual, pauses=regular) if dates else Rhythm(f"{usual:g}")
    period = calendar.period if calendar.period and rhythm.repeats(values, calendar.period) else None
    if period is None:
        period = rhythm.season_of(values)
        calendar, period = rhythm.with_part(calendar, usual, period) if dates else (calendar, period)
    policy, longest = _policy([times[part] for part in parts], period, regular=regular, gaps=gaps)
    firsts = np.array([part[0] for part in parts])
    lacking = (
        column.name
        for column in described.columns
        if column.kind == "numbers"
        and column.missing
        and np.isnan(column_numbers(table, column.name, firsts, NOWHERE)).any()
    )
    return FoundSeries(
        key, len(parts), longest, format, calendar, period, policy, (gaps, steps), values, frozenset(lacking)
    )


def _policy(
    times: list[NDArray[np.float64]], period: int | None, *, regular: bool, gaps: int
) -> tuple[str | None, int]:
    """What is done with gaps, and the rows of the longest stretch then. Windows end at gaps unless these are regular, or would leave
    a split less than half of its windows."""
    whole = max(map(len, times))
    if not gaps or regular:
        return ("join" if gaps else None), whole
    pieces = [piece for each in times for piece in _pieces(each)]
    longest = max(map(len, pieces))
    ends = np.quantile(np.concatenate(times), [TRAIN, TRAIN + REST])
    kept, all_of_them = (_windows(p, ends, *lengths(n, period)) for p, n in ((pieces, longest), (times, whole)))
    return ("cut", longest) if 2 * kept >= all_of_them else ("join", whole)


def _pieces(times: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """What lies between the gaps of a series."""
    steps = np.diff(times)
    return np.split(times, np.flatnonzero(steps > ordered.GAP * np.median(steps)) + 1) if len(steps) > 1 else [times]


def _windows(pieces: list[NDArray[np.float64]], ends: NDArray[np.float64], rows: int, horizon: int) -> int:
    """How many windows the split has that has fewest."""
    counts = np.zeros(3, np.int64)
    for times in pieces:
        split = np.searchsorted(ends, times)
        first, last = split[rows : len(times) - horizon + 1], split[rows + horizon - 1 :]
        counts += np.bincount(first[first == last], minlength=3)
    return int(counts.min())


def lengths(longest: int, period: int | None) -> tuple[int, int]:
    """Rows of a window and of a forecast: a season, three seasons back, and so few that each split has some windows."""
    season = period or 6
    horizon = max(1, min(season, HORIZON, int(REST * longest) // 3))
    most = max(2, (int(TRAIN * longest) - horizon) // 3)
    return min(max(3 * season, 24), LONGEST, most), horizon


def _key(
    path: Path, table: Table, described: Described, time: Column, goal: Column, times: NDArray[np.float64]
) -> tuple[Column | None, NDArray[np.int64]]:
    """The column that names the series, where a time is there more than once: the one of fewest names with which it is not."""
    if len(np.unique(times)) == len(times):
        return None, np.zeros(len(times), np.int64)
    candidates = [c for c in described.columns if c is not time and c is not goal and c.names and not c.missing]
    for column in sorted(candidates, key=lambda each: len(each.names)):
        codes = ordered.keys_of(table, column.name, NOWHERE)
        if len(np.unique(np.stack([codes.astype(np.float64), times]), axis=1).T) == len(times):
            return column, codes
    distinct, counts = np.unique(times, return_counts=True)
    first, second = np.flatnonzero(times == distinct[counts > 1][0])[:2].tolist()
    raise BadInput(
        f"`{path}` has several rows at one `{shown(time.name)}`, and no column names a series of each: "
        f"{ordered.shown_of(table, time.name, first)} in rows {first + 1} and {second + 1}",
        helps=("give each row a time of its own, or add a column that names the series of a row",),
    )


class _Writer:
    """The lines of one spec."""

    def __init__(self, table: Described, time: Column, goal: Column, found: FoundSeries) -> None:
        self.table, self.time, self.goal, self.found = table, time, goal, found
        rest = [c for c in table.columns if c not in (time, goal, found.key)]
        self.others = [c for c in rest if c.kind == "numbers"]
        self.left = [c for c in rest if c.kind != "numbers"]
        self.calendar = found.rhythm.part if found.format is not None and found.period else None
        self.key = None if found.key is None else field_name(found.key.name, OWN)
        self._sizes()

    def _sizes(self) -> None:
        """The lengths of windows, and what two simple forecasts are off by."""
        season = self.found.period or 1
        self.rows, self.horizon = lengths(self.found.longest, self.found.period)
        self.period = season if self.found.period and season <= self.rows else None
        errors = {lag: rhythm.error(self.found.values, lag, self.horizon) for lag in (1, self.period or 1)}
        self.errors = errors
        self.seasonal = self.period is not None and self.horizon <= self.period and errors[self.period] < errors[1]

    # ---- what was found ----------------------------------------------------------------------------------------------------

    def found_lines(self) -> tuple[str, ...]:
        found = self.found
        series = f"{found.count:,} series by `{shown(found.key.name)}`" if found.key else "one series"
        season = f"a season of {found.period} rows" if found.period else "no season"
        lines = [f"{self.table.records:,} rows: {series}, a step of {found.rhythm.step}, {season}", *self.table.note]
        gaps, steps = found.long
        if gaps:
            what = "windows go across them" if found.gaps == "join" else "no window goes across one"
            lines.append(f"{gaps:,} of {steps:,} steps are longer: {what}")
        if self.goal.missing:
            lines.append(
                f"{self.goal.missing:,} cells of `{shown(self.goal.name)}` are missing: filled with the one before"
            )
        lines += [f"`{shown(other.name)}` is left out: not a column of numbers" for other in self.left]
        return tuple(lines)

    def lines(self, file: str) -> list[str]:
        season = [f"param period = {self.period}  # rows of a season"] if self.period else []
        return [
            "dlspec 1",
            f"# The next rows of `{shown(self.goal.name)}` from those before, of {shown(file)}. Drafted by `dlc new`.",
            *(f"# {note}" for note in self.table.note),
            "",
            f"param rows = {self.rows}  # that the model reads",
            f"param horizon = {self.horizon}  # rows that it forecasts",
            *season,
            "",
            *self._data(),
            "",
            *self._model(),
            "",
            *self._train(),
            "",
            'export { onnx = "model.onnx"; preprocess = true }',
        ]

    # ---- data ----------------------------------------------------------------------------------------------------------------

    def _data(self) -> list[str]:
        found, time = self.found, column_of_source(self.time.name)
        lines = ["data Series {", f"  source = {self.table.source}"]
        if found.key:
            lines.append(f"  series = {column_of_source(found.key.name)}  # no window goes from one to another")
        lines.append(f"  time = {time}")
        if found.gaps:
            gaps, steps = found.long
            why = ": rows may be missing there"
            if found.gaps == "join":
                often = gaps > rhythm.REGULAR * steps
                why = ", as over weekends" if often else ": windows of what lies between them would be too few"
            lines.append(f"  gaps = {quoted(found.gaps)}  # {gaps:,} of {steps:,} steps are longer than usual{why}")
        lines += [
            "  # in the order of time: what is forecast in a test comes after all that training has read",
            f"  split = contiguous(train = {TRAIN:g}, val = {REST:g}, test = {REST:g}, by = {time})",
            *(f"  # left out: `{shown(column.name)}`, not a column of numbers" for column in self.left),
            "",
        ]
        fill = lambda *columns: self._fill(columns)
        season = ", period = period" if self.period else ""
        goal = column_of_source(self.goal.name) + fill(self.goal)
        lines += [
            "  # scaled by the rows of the train split; `dlc predict` answers in the unit of the table",
            f"  let window = {goal} -> standardize -> window(rows, horizon = horizon{season})",
            "  past: f32[rows] = window.past",
            "  next: f32[horizon] = window.next",
        ]
        if self.others:
            head = "  let measured = source.columns("
            tail = f"){fill(*self.others)} -> standardize -> window(rows, horizon = horizon)"
            lines += [
                "  # of the past only; what is known in advance, as planned prices are, may be read from `measured.next` as well",
                *wrapped(head, [quoted(column.name) for column in self.others], tail),
                f"  others: f32[rows, {len(self.others)}] = measured.past",
            ]
        if self.calendar:
            date = f"date({quoted(self.found.format or '')}, {quoted(self.calendar)}, cyclic = true)"
            lines += [
                f"  # the {self.calendar} is known of rows that are still to come",
                f"  let calendar = {time} -> {date} -> window(rows, horizon = horizon)",
                "  season: f32[rows, 2] = calendar.past",
                "  coming: f32[horizon, 2] = calendar.next",
            ]
        if self.found.key:
            numbered = "category(unknown = true)" if self.table.sample.share == 1 else f"hash({self._names()})"
            lines.append(f"  {self.key}: i64 = {column_of_source(self.found.key.name)} -> {numbered}")
        return [*lines, "}"]

    def _names(self) -> int:
        """Numbers of a series: one for each, and one for others; more where not all of the file was looked at."""
        assert self.found.key is not None
        names = len({name.strip() for name in self.found.key.names})
        return names + 1 if self.table.sample.share == 1 else 4 * names

    def _fill(self, columns: Sequence[Column]) -> str:
        """What fills in cells that are missing: those before, and for those that none is before, the median."""
        filled = " -> forward_fill" if any(column.missing for column in columns) else ""
        return filled + (' -> impute("median")' if self.found.unknown.intersection(c.name for c in columns) else "")

    # ---- model ---------------------------------------------------------------------------------------------------------------

    def _model(self) -> list[str]:
        inputs, read, known = ["past: [B, rows]"], ["shape[:, :, none]"], ["state"]
        if self.others:
            inputs.append(f"others: [B, rows, {len(self.others)}]")
            read.append("others")
        if self.calendar:
            inputs += ["season: [B, rows, 2]", "coming: [B, horizon, 2]"]
            read.append("season")
            known.append("(coming -> flatten)")
        if self.found.key:
            inputs.append(f"{self.key}: i64[B]")
            names = self._names()
            known.append(f"({self.key} -> embed: Embedding({names}, {min(16, (names + 1) // 2)}))")
        joined = lambda parts: parts[0] if len(parts) == 1 else f"concat({', '.join(parts)}, axis = -1)"
        before = (
            "past[:, rows - period : rows - period + horizon]"
            if self.seasonal
            else "past[:, -1:] -> expand([B, horizon])"
        )
        return [
            "# What is added to the baseline is learned: by a linear layer, and by a GRU for what is not linear. Both begin with zero.",
            *wrapped(
                f"model Forecaster(hidden = 32, scale = {self._scale():.2g})(",
                inputs,
                ") -> (forecast: [B, horizon]) {",
            ),
            "  # only how the past differs from the last value is read: a level that drifts is new to the model",
            "  shape = (past - past[:, -1:]) / scale",
            f"  x = {joined(read)}",
            "  state = (x -> gru: GRU(hidden)).h[-1]",
            *self._why(),
            f"  before = {before}",
            f"  change = {joined(known)} -> fc: Linear(hidden) -> relu -> head: Linear(horizon)",
            "  forecast = before + scale * ((shape -> straight: Linear(horizon)) + change)",
            "",
            '  init "straight.*", "head.*" = zeros',
            "}",
        ]

    def _scale(self) -> float:
        """What the baseline is off by, in deviations of the train part."""
        spread = float(np.nanstd(np.concatenate([each[: int(TRAIN * len(each))] for each in self.found.values])))
        least = min(self.errors.values())
        return least / spread if spread and 0 < least < float("inf") else 1.0

    def _why(self) -> list[str]:
        if self.period is None or self.period == 1:
            return ["  # the last value: no season was found"]
        season, last = self.errors[self.period], self.errors[1]
        name, more = (
            ("the season before", "the last value") if self.seasonal else ("the last value", "the season before")
        )
        return [f"  # {name}: it is off by {min(season, last):.4g} in the mean, {more} by {max(season, last):.4g}"]

    # ---- recipe --------------------------------------------------------------------------------------------------------------

    def _train(self) -> list[str]:
        epochs = repeated(int(TRAIN * self.table.records / self.table.sample.share), BATCH, 8, 60)
        return [
            "train {",
            "  model = Forecaster",
            "  data = Series",
            "  loss = mse(forecast, next)",
            "  # printed next to what the last value would reach" + (", and the season before" if self.period else ""),
            "  metrics { rmse = rmse(forecast, next); mae = mae(forecast, next) }",
            "  optimizer = AdamW(lr = 3e-3 -> cosine(0, rest), weight_decay = 0.01)",
            "  clip = norm(1.0)",
            f"  batch = {BATCH}",
            f"  duration = {epochs} epochs",
            "  keep = best(val.rmse)  # the weights of the best epoch",
            f"  stop = plateau(val.rmse, patience = {max(5, epochs // 3)} epochs)",
            "}",
        ]
