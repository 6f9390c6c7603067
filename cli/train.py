"""`dlc train`: from a spec to a run directory with weights and figures."""

from __future__ import annotations

from pathlib import Path

import click

from . import spec


@click.command("train")
@click.argument("file", metavar="FILE[@variant]")
@click.argument("overrides", metavar="[key=value...]", nargs=-1)
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path), help="The run directory (default: runs/NAME/N).")
@click.option(
    "--resume", metavar="[RUN]", is_flag=False, flag_value="", help="Go on with RUN, or the newest unfinished."
)
@click.option("--device", default="auto", metavar="auto|cpu|cuda[:N]|mps", help="Where to compute (default: auto).")
@click.option("--data-root", metavar="DIR", type=click.Path(path_type=Path), help="Where the data is, if it moved.")
@click.option("--section", metavar="NAME", help="The train section, where there are several.")
def command(
    file: str,
    overrides: tuple[str, ...],
    out: Path | None,
    resume: str | None,
    device: str,
    data_root: Path | None,
    section: str | None,
) -> int:
    """Train FILE; Ctrl-C finishes the step and saves, --resume goes on."""
    if resume is not None and "=" in resume:  # `--resume key=value`: the value belongs to the overrides
        resume, overrides = "", (resume, *overrides)
    spec.check(file, overrides)  # mistakes of the spec are told before torch is loaded

    from ..runtime import api
    from . import progress

    path, variant = spec.split(file)
    loaded = api.Loaded(Path(path), overrides, variant)
    listener = progress.listener()
    try:
        api.train(
            loaded,
            section=section,
            out=out,
            resume=resume or resume is not None,
            device=device,
            data_root=data_root,
            listener=listener,
        )
    finally:
        listener.close()
    return 0
