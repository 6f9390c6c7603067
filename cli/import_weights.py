"""`dlc import-weights`: does a foreign checkpoint fit a spec, and through which map?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import console, spec
from .failure import complain

if TYPE_CHECKING:
    from ..runtime.weights.importing import Suggested


@click.command("import-weights")
@click.argument("target", metavar="FILE[@variant]")
@click.argument("weights", metavar="WEIGHTS", type=click.Path(path_type=Path))
@click.argument("overrides", metavar="[key=value...]", nargs=-1)
@click.option("--suggest", is_flag=True, help="Propose a weight map for the checkpoint.")
@click.option(
    "--map", "name", metavar="NAME", help="Weight map to use, if there are several; with --suggest, its name."
)
@click.option("--model", metavar="NAME", help="Model to use, if there are several.")
def command(
    target: str, weights: Path, overrides: tuple[str, ...], suggest: bool, name: str | None, model: str | None
) -> int:
    """Compare a checkpoint with a spec.

    WEIGHTS is a safetensors or PyTorch file, a shard index, or a directory.
    """
    from ..runtime.weights import importing

    checked = spec.check(target, overrides)
    assert checked.spec is not None
    foreign = importing.opened(weights)
    if suggest:
        chosen = importing.model_of(checked.spec, model, None)
        return _suggest(importing.suggest(checked.spec, chosen, name or "theirs", foreign), weights)
    found = importing.map_of(checked.spec, name)
    chosen = importing.model_of(checked.spec, model, found)
    with spec.places(checked.sources):
        made, rows = importing.compare(checked.spec, chosen, found, foreign, f"`{weights.name}`")
    used = len(made.foreign) - len(made.ignored)
    through = f"through `{found.name}`" if found else "by equal names"
    console.out(
        f"{weights.name} fits {chosen.name} {through}: {len(made.sources)} tensors from {used}, {len(made.ignored)} ignored"
    )
    wide = max(len(row.ours) for row in rows)
    shapes = max(len(str(list(row.shape))) for row in rows)
    for row in rows:
        times = f"   x {row.count}" if row.count > 1 else ""
        console.out(f"  {row.ours:<{wide}}  {list(row.shape)!s:<{shapes}}  <- {row.theirs}{times}")
    return 0


def _suggest(made: Suggested, weights: Path) -> int:
    """Prints the section on standard output and remarks on standard error; returns 1 when the map is not total."""
    console.out(made.section.rstrip())
    for name, why in made.left.items():
        console.err(f"left out: {name}" + (f", {why}" if why else ""))
    for name, (ours, theirs) in made.resized.items():
        console.err(
            f"size differs: {name} is {list(theirs)} in the file, {list(ours)} in the model: change the model's size, or `skip` it"
        )
    for words in made.not_finite:
        console.err(f"not finite: {words}")
    if made.total:
        return 0
    notes = [f"no source for `{name}` {list(shape)}" for name, shape in made.unplaced.items()]
    notes += [f"no place for `{name}` {list(shape)}" for name, shape in made.partly.items()]
    shown = (*notes[:8], f"and {len(notes) - 8} more") if len(notes) > 8 else tuple(notes)
    complain(
        f"the proposed map is not complete for `{weights.name}`",
        ('write a rule for each of these: `"ours" <- "theirs"`',),
        shown,
        code="E0405",
    )
    return 1
