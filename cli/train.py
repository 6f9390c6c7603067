"""`dlc train`: from a spec to a run directory with weights and figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path
from typing import Any

import click

from . import console, progress, spec
from .failure import report
from .misused import Misused
from .runs import table


@click.command("train")
@click.argument("file", metavar="FILE[@variant]")
@click.argument("overrides", metavar="[key=value...]", nargs=-1)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="Run directory (default: runs/NAME/N).")
@click.option(
    "--resume", metavar="[RUN]", is_flag=False, flag_value="", help="Continue RUN (default: the newest unfinished run)."
)
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="Device to run on (default: auto).")
@click.option(
    "--data-root",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Directory of the data files, if they have moved.",
)
@click.option("--section", metavar="NAME", help="Train section to use, if there are several.")
def command(file: str, overrides: tuple[str, ...], out: Path | None, resume: str | None, **options: Any) -> int:
    """Train the model of a spec.

    Ctrl-C finishes the step and saves; --resume continues. `seed=1,2,3` starts one run per seed.
    """
    if resume is not None and "=" in resume:  # `--resume key=value`: the value belongs to the overrides
        resume, overrides = "", (resume, *overrides)
    combinations = spec.combinations(overrides)
    if len(combinations) > 1 and (out is not None or resume is not None):
        option = "--out" if out is not None else "--resume"
        raise Misused(
            f"`{option}` applies to one run, but these settings start {len(combinations)}",
            f"give each setting one value, or leave `{option}` out",
        )
    # mistakes in the spec are reported before torch is loaded
    checked = dict(zip(combinations, spec.check_each(file, combinations), strict=True))

    def train(settings: tuple[str, ...]) -> Path:
        from ..runtime import api
        from ..runtime.spec import Loaded

        path, variant = spec.split(file)
        loaded = Loaded(Path(path), settings, variant, checked.pop(settings))
        listener = progress.listener()
        try:
            resumed = resume or resume is not None
            return api.train(loaded, out=out, resume=resumed, listener=listener, **options).path
        finally:
            listener.close()

    if len(combinations) > 1:
        return several(combinations, train)
    changed = spec.changes(file, combinations[0], checked[combinations[0]])
    if changed:
        console.out(f"changed    {changed}")
    train(combinations[0])
    return 0


def several(combinations: Sequence[tuple[str, ...]], train: Callable[[tuple[str, ...]], Path]) -> int:
    """One run after the other. One that fails does not stop the others, and its exit code is the command's; an interrupt
    stops all."""
    from ..runtime.failure import Interrupted

    varying = [len(set(column)) > 1 for column in zip(*combinations, strict=True)]
    names = ["  ".join(compress(settings, varying)) for settings in combinations]
    done: list[Path] = []
    code = 0
    for number, (settings, name) in enumerate(zip(combinations, names, strict=True), 1):
        console.out(f"{number} of {len(combinations)}     {name}")
        try:
            done.append(train(settings))
        except (KeyboardInterrupt, Interrupted):
            for left in names[number:]:
                console.err(f"not started: {left}")
            raise
        except Exception as error:  # noqa: BLE001 - reported as at the end of a command; the next run starts
            code = report(error) or code
    if done:
        from ..runtime.checkpoints.runs import compare

        console.out()
        for line in table(compare(*done)):
            console.out(line)
    return code
