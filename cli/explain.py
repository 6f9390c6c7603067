"""`dlc explain`: what a code means, or what an operator, an entry of a recipe, or a key of a section does."""

from __future__ import annotations

from difflib import get_close_matches

import click

from . import console
from .failure import complain


@click.command("explain")
@click.argument("name", metavar="CODE|NAME")
def command(name: str) -> int:
    """Explain a message (E0207), an operator (LayerNorm), an entry of a recipe (AdamW, accuracy), a section (train) or a
    key (batch, train.precision)."""
    from ..compiler.catalogue import explain, sections, sections_page
    from ..compiler.messages import register

    pages = [register.explain(name), explain.explain(name), sections_page.explain(name)]
    found = [page.rstrip("\n") for page in pages if page is not None]
    if found:
        console.out("\n\n".join(found))
        return 0
    known = [*register.REGISTER, *explain.names(), *sections.names()]
    near = get_close_matches(name, known, 1, 0.5)
    help = f"did you mean `{near[0]}`?" if near else "give a code (`E0207`), a name (`Linear`) or a key (`train`)"
    complain(f"nothing is called `{name}`", (help,), code="E0607")
    return 2
