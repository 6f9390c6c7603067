"""`dlc evaluate`: loss and metrics of a run's kept weights on a split."""

from __future__ import annotations

from pathlib import Path

import click

from . import console
from .choice import Choice
from .failure import warnings_shown


@click.command("evaluate")
@click.argument("run", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--split", default="test", metavar="train|val|test", help="Split to evaluate on (default: test).")
@click.option("--format", "form", type=Choice(["text", "json"]), default="text", help="Output format (default: text).")
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="Device to run on (default: auto).")
@click.option(
    "--data-root",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Directory of the data files, if they have moved.",
)
@click.option("--edited", is_flag=True, help="Run the edited model.py and recipe.py of RUN; this executes them.")
def command(run: Path, split: str, form: str, device: str, data_root: Path | None, edited: bool) -> int:
    """Compute loss and metrics of the kept weights of RUN, with code generated from its spec."""
    from ..runtime import api
    from ..runtime.inference.units import figures_in_units
    from ..runtime.run import Run
    from ..runtime.writing import json_text

    with warnings_shown():
        figures = api.evaluate(run, split, device=device, data_root=data_root, edited=edited)
    if form == "json":
        console.out(json_text({"run": str(run), "split": split, "figures": figures}))
        return 0
    width = max(map(len, figures), default=0)
    for name, value in figures.items():
        console.out(f"{split}.{name:<{width}}  {value:.4f}")
    for line in figures_in_units(Run(run), figures):
        console.err(f"note: {line}")
    return 0
