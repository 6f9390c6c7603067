"""`dlc import-weights`: does a foreign checkpoint fit a spec, and by which map would it?"""

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
@click.option("--map", "name", metavar="NAME", help="The weight map, where there are several; with --suggest its name.")
@click.option("--model", metavar="NAME", help="The model, where there are several.")
def command(
    target: str, weights: Path, overrides: tuple[str, ...], suggest: bool, name: str | None, model: str | None
) -> int:
    """Compare the tensors of WEIGHTS (safetensors, PyTorch, shards, a directory) with those of FILE."""
    from ..runtime.weights import importing

    checked = spec.check(target, overrides)
    assert checked.spec is not None
    foreign = importing.opened(weights)
    if suggest:
        chosen = importing.model_of(checked.spec, model, None)
        return _suggest(importing.suggest(checked.spec, chosen, name or "theirs", foreign), weights)
    found = importing.map_of(checked.spec, name)
    chosen = importing.model_of(checked.spec, model, found)
    with spec.places(checked):
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
    """The section on standard output, what a person should know of it on standard error; 1 when it is not total."""
    console.out(made.section.rstrip())
    for name, why in made.left.items():
        console.err(f"left out: {name}" + (f", {why}" if why else ""))
    for name, (ours, theirs) in made.resized.items():
        console.err(
            f"another size: {name} is {list(theirs)} there, {list(ours)} here: give the model that size, or `skip` it"
        )
    if made.total:
        return 0
    notes = [f"no source for `{name}` {list(shape)}" for name, shape in made.unplaced.items()]
    notes += [f"no place for `{name}` {list(shape)}" for name, shape in made.partly.items()]
    shown = (*notes[:8], f"and {len(notes) - 8} more") if len(notes) > 8 else tuple(notes)
    complain(f"the proposed map is not complete for `{weights.name}`", ("write the missing rules by hand",), shown)
    return 1
