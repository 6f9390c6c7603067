"""Runs side by side: what differs between their settings, and their figures.

Only text is read (the resolved spec, `env.json`, `result.json`), so listing needs no torch, and a run that is damaged or
of another version is still listed.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ...compiler.dataclass import dataclass, field
from ...compiler.messages.source import Source
from ...compiler.resolve.diff import meaning
from ...compiler.text.parse import parse
from ..failure import BadInput

State = Literal["done", "diverged", "unfinished"]

#: Directories below the one named that are looked through: `runs/<spec>/<n>`.
DEEPEST = 3


@dataclass(frozen=True)
class RunRow:
    """One run. `figures` are those of its result, or of its last validation while it is not done."""

    path: Path
    spec: str
    started: str
    state: State
    step: int
    seconds: float | None
    figures: Mapping[str, float]
    settings: Mapping[str, str] = field(repr=False)
    definitions: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True)
class Comparison:
    """Runs in the order of their names, and the names of the settings and definitions (blocks, models) in which runs of
    one spec differ."""

    rows: tuple[RunRow, ...]
    settings: tuple[str, ...]
    definitions: tuple[str, ...]


def compare(*places: str | Path) -> Comparison:
    """All runs in or under these directories. BadInput when one does not exist."""
    rows: dict[Path, RunRow] = {}
    for place in map(Path, places):
        if not place.is_dir():
            raise BadInput(
                f"there is no directory `{place}`",
                helps=("name a directory of runs: `dlc train` writes them to `runs`",),
            )
        rows.update({path: read(path) for path in find(place)})
    ordered = sorted(rows.values(), key=lambda row: _natural(row.path))
    settings: dict[str, None] = {}
    definitions: dict[str, None] = {}
    for name in dict.fromkeys(row.spec for row in ordered):
        group = [row for row in ordered if row.spec == name]
        settings |= dict.fromkeys(_differing([row.settings for row in group]))
        definitions |= dict.fromkeys(_differing([row.definitions for row in group]))
    return Comparison(tuple(ordered), tuple(settings), tuple(definitions))


def as_json(comparison: Comparison) -> list[dict[str, Any]]:
    """One flat record a run; `settings` are those that differ, None where a run has none of the name."""
    return [
        {
            "run": str(row.path),
            "spec": row.spec,
            "started": row.started,
            "state": row.state,
            "step": row.step,
            "seconds": row.seconds,
            "settings": {name: row.settings.get(name) for name in comparison.settings},
            "figures": dict(row.figures),
        }
        for row in comparison.rows
    ]


def find(place: Path) -> Iterator[Path]:
    """Run directories at a place and below it."""
    waiting = [(place, 0)]
    while waiting:
        path, depth = waiting.pop()
        if (path / "ir.json").exists():
            yield path
        elif depth < DEEPEST:
            waiting += [(inner, depth + 1) for inner in path.iterdir() if inner.is_dir() and inner.name[:1] != "."]


def read(path: Path) -> RunRow:
    """One run; what is missing or damaged is left open."""
    environment, result = _json(path / "env.json"), _json(path / "result.json")
    step, figures = _last_validation(path / "metrics.csv")
    state: State = "done" if result else "diverged" if _diverged(path / "log.txt") else "unfinished"
    file, _ = parse(Source("spec.dlspec", _text(path / "spec.dlspec")))
    settings, definitions = meaning(file) if file is not None else ({}, {})
    return RunRow(
        path=path,
        spec=_name(path),
        started=str(environment.get("started", "")),
        state=state,
        step=result["step"] if isinstance(result.get("step"), int) else step,
        seconds=result["seconds"] if isinstance(result.get("seconds"), int | float) else None,
        figures=_figures(result.get("figures")) or figures,
        settings=settings,
        definitions=definitions,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path) or "{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _name(path: Path) -> str:
    """The spec's name: it is at the top of the IR, which may be long."""
    try:
        with (path / "ir.json").open(encoding="utf-8") as file:
            found = re.search(r'"name":\s*"([^"\\]+)"', file.read(200))
    except (OSError, UnicodeDecodeError):
        found = None
    return found.group(1) if found else path.absolute().parent.name.partition("@")[0]


def _last_validation(path: Path) -> tuple[int, dict[str, float]]:
    """Step and figures (`val.acc`) of the last row of `metrics.csv`."""
    rows = list(csv.DictReader(_text(path).splitlines()))
    if not rows:
        return 0, {}
    try:
        figures = {name: float(text) for name, text in rows[-1].items() if name and "." in name and text}
        return int(rows[-1]["step"]), figures
    except (KeyError, TypeError, ValueError):
        return 0, {}


def _figures(values: Any) -> dict[str, float]:
    known = values.items() if isinstance(values, dict) else ()
    return {name: float(value) for name, value in known if isinstance(value, int | float)}


def _diverged(log: Path) -> bool:
    lines = _text(log).splitlines()
    return bool(lines) and re.search(r"  diverged at step \d", lines[-1]) is not None


def _differing(runs: Sequence[Mapping[str, str]]) -> Iterator[str]:
    for name in _names(runs):
        if len({run.get(name) for run in runs}) > 1:
            yield name


def _names(runs: Iterable[Mapping[str, str]]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run))


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """`runs/a/10` after `runs/a/9`."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in path.parts]
