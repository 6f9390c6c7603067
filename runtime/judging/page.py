"""A judgement as a page: `dlc evaluate RUN --report FILE.html`. Tables, drawings, and the worst examples with what went into the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..checkpoints.judgements import ClassJudgement, Figure, InUnits, Judgement, ValueJudgement, WorstExample
from ..data.feed import Data, Feed
from ..data.streams import SplitPart
from ..looking import columns, fields, html
from ..training.reopen import split_of
from ..writing import write_text, writing
from . import charts


def write(file: Path, title: str, judgement: Judgement, data: Data, feed: Feed) -> None:
    """Writes the page of a judgement. `feed` gives the examples of its split, in evaluation."""
    parts = [_figures(judgement.figures, judgement.in_units)]
    for output in judgement.outputs:
        parts += _classes(output) if isinstance(output, ClassJudgement) else _values(output)
        if output.worst:
            parts += _worst(output, data, data.part(split_of(judgement.split)), feed)
    with writing(file):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_text(file, html.page(title, parts))


def _figures(figures: Mapping[str, Figure], units: Mapping[str, InUnits]) -> str:
    rows = ([name, _number(value), _unit(units.get(name))] for name, value in figures.items())
    return html.table(("", "", ""), rows)


def _unit(found: InUnits | None) -> str:
    if found is None or found.figure is None:
        return ""
    undone = ", ".join(found.undone)
    return f"{_number(found.figure)} in the units of {found.field}" + (f", {undone} undone" if undone else "")


def _classes(output: ClassJudgement) -> Iterator[str]:
    yield html.heading(f"{output.output} gives {output.field}")
    yield html.paragraph(f"{_share(output.accuracy)} of {output.count:,} right")
    rows = [[c.name, *map(_share, (c.precision, c.recall, c.f1)), f"{c.support:,}"] for c in output.classes]
    for word, mean in (("(macro)", output.macro), ("(weighted)", output.weighted)):
        rows.append([word, *map(_share, (mean.precision, mean.recall, mean.f1)), f"{output.support:,}"])
    yield html.table(("class", "precision", "recall", "F1", "support"), rows)
    drawn: list[tuple[str, str, str]] = []
    if output.confusion is not None:
        table, shown = charts.confusion(output, output.confusion)
        some = f"; the {len(shown)} classes with most mistakes" if len(shown) < len(output.classes) else ""
        drawn.append(("confusion", f"targets by row, predictions by column{some}", table))
    ece = _share(output.calibration.ece)
    drawn.append(
        (
            "calibration",
            f"ECE {ece}; the line is the distance from the diagonal",
            charts.reliability(output.calibration.bins),
        )
    )
    yield html.charts(drawn)


def _values(output: ValueJudgement) -> Iterator[str]:
    yield html.heading(
        f"{output.output} gives {output.field}" + (f" ({output.units.replace('`', '')})" if output.units else "")
    )
    figures = (("MAE", output.mae), ("RMSE", output.rmse), ("R2", output.r2))
    yield html.paragraph(
        f"{output.count:,} values; " + ", ".join(f"{name} {_number(figure)}" for name, figure in figures)
    )
    head = ("", "mean", "std", "min", "5 %", "25 %", "median", "75 %", "95 %", "max")
    rows = (
        [name, *map(_number, (s.mean, s.std, s.min, s.q05, s.q25, s.median, s.q75, s.q95, s.max))]
        for name, s in (("target", output.targets), ("residual", output.residuals))
    )
    yield html.table(head, rows)
    if output.points:
        some = f"{len(output.points):,} of {output.count:,}" if len(output.points) < output.count else "all values"
        yield html.charts(
            [
                ("predictions", some, charts.scatter(output.points)),
                (
                    "residuals",
                    f"{some}; lines: the mean of each tenth",
                    charts.residuals(output.points, output.deciles),
                ),
            ]
        )
    parts = (
        [f"{_number(p.low)} to {_number(p.high)}", f"{p.count:,}", *map(_number, (p.bias, p.mae, p.rmse))]
        for p in output.deciles
    )
    yield html.table(("target", "values", "residual", "MAE", "RMSE"), parts)


def _worst(output: ClassJudgement | ValueJudgement, data: Data, part: SplitPart, feed: Feed) -> Iterator[str]:
    """The examples, each with its inputs as the model sees them and its row of the source."""
    yield html.heading(f"the {len(output.worst)} worst of {output.output}")
    positions = np.array([int(np.flatnonzero(part.records == each.record)[0]) for each in output.worst], np.int64)
    drawn = fields.drawings_of(data, feed, positions, leave_out=output.field)
    yield html.cards(
        (each.place, _told(each), inside + columns.row(data.table, each.record))
        for each, inside in zip(output.worst, drawn, strict=True)
    )


def _told(example: WorstExample) -> str:
    told = f"target {_of(example.target)}, predicted {_of(example.answer)}"
    if example.probability is not None:
        return f"{told}, probability of the target {_share(example.probability)}"
    return f"{told}, error {_number(example.error)}"


def _of(value: str | float) -> str:
    return charts.short(value) if isinstance(value, str) else _number(value)


def _share(share: Figure) -> str:
    return "-" if share is None else f"{share:.4f}"


def _number(value: Figure) -> str:
    return "-" if value is None else f"{value:.4g}"
