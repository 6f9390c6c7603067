"""`dlc check`: is the spec correct? Reads only the spec and its imports; loads neither torch nor numpy."""

from __future__ import annotations

import json
from pathlib import Path

import click

from . import console
from .choice import OneOf
from .misused import Misused
from .spec import check_every_variant, show


@click.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--format", "form", type=OneOf(["text", "json"]), default="text", help="Output format (default: text).")
def command(files: tuple[str, ...], form: str) -> int:
    """Check specs without looking at data.

    Every variant of each FILE is checked. Exits with 2 if any has an error.
    """
    for file in files:
        if "=" in file and not Path(file).exists():
            raise Misused(f"`{file}` is not a file", f"`dlc build FILE {file}` checks a spec with a setting")
    found = {file: check_every_variant(file) for file in files}
    wrong = {file for file, (diagnostics, _) in found.items() if any(d.is_error for d in diagnostics)}
    if form == "json":
        from ..compiler.messages.render import ordered, to_data

        answers = [
            {"file": file, "ok": file not in wrong, "diagnostics": [to_data(d, s) for d in ordered(diagnostics, s)]}
            for file, (diagnostics, s) in found.items()
        ]
        console.out(json.dumps({"files": answers}, indent=2))
    else:
        for file, (diagnostics, sources) in found.items():
            show(diagnostics, sources)
            if file not in wrong:
                console.out(f"{file}: ok")
    return 2 if wrong else 0
