"""`dlc explain`: what a code means, or what an operator or an entry of a recipe table does."""

from __future__ import annotations

import click

from . import console
from .failure import complain


@click.command("explain")
@click.argument("name", metavar="CODE|OPERATOR")
def command(name: str) -> int:
    """Explain a message (E0207), an operator (LayerNorm) or an entry of a recipe (AdamW, accuracy)."""
    from ..compiler.catalogue import explain as entries
    from ..compiler.catalogue.ops import explain, find, names
    from ..compiler.messages import register

    page = register.explain(name)
    operator = find(name)
    if page is not None:
        console.out(page.rstrip("\n"))
    elif operator is not None:
        console.out(explain.explain(operator))
    elif entries.explain(name) is not None:
        console.out((entries.explain(name) or "").rstrip("\n"))
    else:
        from difflib import get_close_matches

        near = get_close_matches(name, [*register.REGISTER, *names(), *entries.names()], 1, 0.5)
        complain(f"nothing is called `{name}`", (f"did you mean `{near[0]}`?",) if near else ())
        return 2
    return 0
