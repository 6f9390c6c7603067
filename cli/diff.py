"""`dlc diff`: the semantic differences of two specs."""

from __future__ import annotations

import json

import click

from . import console
from .choice import OneOf
from .spec import check


@click.command("diff")
@click.argument("before", metavar="A[@variant]")
@click.argument("after", metavar="B[@variant]")
@click.option("--format", "form", type=OneOf(["text", "json"]), default="text", help="Output format (default: text).")
def command(before: str, after: str, form: str) -> int:
    """Show semantic differences between two specs.

    Compares blocks, settings and parameters; layout and order are ignored.
    """
    from ..compiler.resolve.diff import compare, to_json, to_text

    one, two = check(before), check(after)
    assert one.spec is not None and two.spec is not None
    difference = compare(one.project, two.project, (one.spec, two.spec))
    if form == "json":
        console.out(json.dumps(to_json(difference), indent=2))
    else:
        console.out(to_text(difference).rstrip("\n"))
    return 0
