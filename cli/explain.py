"""`dlc explain`: what a code means, or what an operator or an entry of a recipe table does."""

from __future__ import annotations

import click

from . import console
from .failure import complain


@click.command("explain")
@click.argument("name", metavar="CODE|OPERATOR")
def command(name: str) -> int:
    """Explain a message (E0207) or an operator (LayerNorm)."""
    from ..compiler.explain import pages
    from ..compiler.ops import find, names
    from ..compiler.ops.explain import explain

    page = pages().get(name.upper())
    if page is not None:
        console.out(str(page))
        return 0
    operator = find(name)
    if operator is not None:
        console.out(explain(operator))
        return 0
    from difflib import get_close_matches

    near = get_close_matches(name, [*pages(), *names()], 1, 0.5)
    complain(f"nothing is called `{name}`", (f"did you mean `{near[0]}`?",) if near else ())
    return 2
