"""A run judged on a split: figures, tables, the worst examples, and a file with all of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..checkpoints.judgements import Judgement
from ..inference import writers
from ..training import baselines
from ..training.reopen import TrainedModel, split_of
from . import page
from .examples import Examples
from .judge import Judge


def judged(
    opened: TrainedModel,
    split: str,
    worst: int = 10,
    save: Path | None = None,
    form: str = "csv",
    report: Path | None = None,
) -> Judgement:
    """The judgement of a split. With `save` every example is written to a file of the format `form`, a batch at a time; with `report`
    a page of HTML shows all of it."""
    chosen, data = split_of(split), opened.data()
    measurement = opened.measurement(data, chosen)
    judge = Judge(opened.spec, opened.train, opened.program, data, chosen, opened.classes, worst)
    examples = Examples(judge, opened.classes)

    def rows() -> Iterator[list[dict[str, Any]]]:
        for seen in measurement.run(recorded=True):
            judge.see(seen)
            yield examples.rows(seen) if save is not None else []

    with opened.explained():
        if save is not None:
            writers.write(save, form, rows())
        else:
            for _ in rows():
                pass
        figures, losses = measurement.figures()
        figures |= baselines.figures(opened.program, measurement.feed, opened.spec, opened.train)
        found = judge.result({**losses, **figures})
        if report is not None:
            page.write(report, f"{opened.run.path}: {split}", found, data, measurement.feed)
        return found
