"""`dlc evaluate`: loss and metrics of a run's kept weights on a split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import console, judgement
from .choice import OneOf
from .failure import warnings_shown
from .misused import Misused
from .predict import by_ending


@click.command("evaluate")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--split", default="test", metavar="train|val|test", help="Split to evaluate on (default: test).")
@click.option("--format", "form", type=OneOf(["text", "json"]), default="text", help="Output format (default: text).")
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="Device to run on (default: auto).")
@click.option(
    "--data-root",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Directory of the data files, if they have moved.",
)
@click.option("--edited", is_flag=True, help="Run the edited model.py and recipe.py of RUN; this executes them.")
@click.option(
    "--worst",
    metavar="K",
    type=click.IntRange(min=0, max=1000),
    help="Print the K examples with the least probability of the target, or the largest error; also those of --report "
    "and of --format json (default: 10 there).",
)
@click.option(
    "--save",
    metavar="OUT",
    type=click.Path(path_type=Path),
    help="Write target, prediction, probabilities and loss of every example to this file (.csv, .json, .jsonl, .parquet).",
)
@click.option(
    "--report",
    metavar="FILE.html",
    type=click.Path(path_type=Path),
    help="Write a page with drawings of these tables, and the worst examples as the model sees them.",
)
def command(
    run: Path, split: str, form: str, worst: int | None, save: Path | None, report: Path | None, **options: Any
) -> int:
    """Compute loss and metrics of the kept weights of RUN, with code generated from its spec.

    Prints tables of classes and calibration, or of residuals, in the units of the data.
    """
    ending = by_ending(save, other="text")
    if save is not None and ending == "text":
        raise Misused(f"`--save` writes no `{save.suffix}`", "name a file that ends in .csv, .json, .jsonl or .parquet")
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise Misused(f"`--report` writes no `{report.suffix}`", "name a file that ends in .html")
    from ..runtime import api
    from ..runtime.writing import json_text

    with warnings_shown():
        chosen = {} if worst is None else {"worst": worst}
        found = api.judge(run, split, save=save, form=ending, report=report, **chosen, **options)
    if form == "json":
        console.out(json_text({"run": str(run), **found.model_dump()}))
        return 0
    width = max(map(len, found.figures), default=0)
    for name, value in found.figures.items():
        figure = "nan" if value is None else f"{value:.4f}"
        console.out(f"{split}.{name:<{width}}  {figure}  {judgement.units(found.in_units.get(name))}".rstrip())
    judgement.show(found, worst=worst or 0)
    if save is not None:
        console.out()
        console.out(f"{save}   {found.records:,} examples")
    if report is not None:
        console.out()
        console.out(f"report   {report}")
    return 0
