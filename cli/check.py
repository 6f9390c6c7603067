"""`dlc check`: is the spec right? Reads the spec and its imports alone; loads neither torch nor numpy."""

from __future__ import annotations

import click

from . import console
from .spec import check_all, show, split, to_json


@click.command("check")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="How to print.")
def command(files: tuple[str, ...], form: str) -> int:
    """Check specs, every variant of each; exit 2 if one has a mistake."""
    ok = True
    answers: list[dict[str, object]] = []
    for target in files:
        file, variant = split(target)
        checked = check_all(file, variant)
        ok &= checked.report.ok
        if form == "json":
            answers.append({"file": file, "ok": checked.report.ok, "diagnostics": to_json(checked)})
        else:
            show(checked.report.diagnostics, checked.sources)
            if checked.report.ok:
                console.out(f"{file}: ok")
    if form == "json":
        import json

        console.out(json.dumps({"files": answers}, indent=2))
    return 0 if ok else 2
