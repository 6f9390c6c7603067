"""`dlc runs`: a table that compares the runs in a directory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import console
from .choice import OneOf

if TYPE_CHECKING:
    from ..runtime.checkpoints.runs import Comparison, RunRow

#: Characters of a setting that are shown.
LONGEST = 40


@click.command("runs")
@click.argument("directory", metavar="[DIR...]", nargs=-1)
@click.option("--format", "form", type=OneOf(["text", "json"]), default="text", help="Output format (default: text).")
def command(directory: tuple[str, ...], form: str) -> int:
    """Compare runs: the settings that differ, and the results.

    DIR is a directory of runs (default: runs).
    """
    from ..runtime.checkpoints import runs

    comparison = runs.compare(*(directory or ("runs",)))
    if form == "json":
        from ..runtime.writing import json_text

        console.out(json_text(runs.as_json(comparison)))
    elif not comparison.rows:
        console.out(f"no runs in {', '.join(directory or ('runs',))}")
    else:
        for line in table(comparison):
            console.out(line)
    return 0


def table(comparison: Comparison) -> list[str]:
    """A line per run: its state, the settings in which runs of one spec differ, the figures."""
    figures = list(dict.fromkeys(name for row in comparison.rows for name in row.figures))
    head = ["run", "state", *comparison.settings, *figures]
    rows = [head]
    for row in comparison.rows:
        settings = [_short(row.settings.get(name, "")) for name in comparison.settings]
        numbers = [f"{row.figures[name]:.4g}" if name in row.figures else "" for name in figures]
        rows.append([str(row.path), _state(row), *settings, *numbers])
    lines = _columns(rows)
    for name in comparison.definitions:
        lines.append(f"note: `{name}` differs between runs: compare with `dlc diff RUN/spec.dlspec RUN/spec.dlspec`")
    return lines


def _state(row: RunRow) -> str:
    return "done" if row.state == "done" else f"{row.state} at {row.step:,}"


def _short(text: str) -> str:
    one = " ".join(text.split())
    return one if len(one) <= LONGEST else f"{one[: LONGEST - 1]}…"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


__all__ = ["command", "table"]
