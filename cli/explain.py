"""`dlc explain`: what a code means, or what an operator, an entry of a recipe, a key of a section, a word of the language or a command does."""

from __future__ import annotations

from difflib import get_close_matches

import click

from . import console
from .failure import complain


@click.command("explain")
@click.argument("name", metavar="CODE|NAME")
@click.pass_context
def command(ctx: click.Context, name: str) -> int:
    """Explain a message (E0207), an operator (LayerNorm), an entry of a recipe (AdamW, accuracy), a section (train), a
    key (batch, train.precision), a word of the language (scan) or a command (build)."""
    from ..compiler.catalogue import explain, sections, sections_page, words
    from ..compiler.messages import habits, register

    pages = [
        register.explain(name),
        explain.explain(name),
        sections_page.explain(name),
        words.explain(name),
        _of_command(ctx, name),
    ]
    found = [page.rstrip("\n") for page in pages if page is not None]
    if found:
        console.out("\n\n".join(found))
        return 0
    known = [*register.REGISTER, *explain.names(), *sections.names(), *words.WORDS]
    near = next(iter(get_close_matches(name, known, 1, 0.5)), None)
    helps = habits.key(name, "") or habits.entry(name) or habits.suggest(name, near)
    first, *others = helps or ("give a code (`E0207`), a name (`Linear`), a key (`train`) or a word (`scan`)",)
    complain(f"nothing is called `{name}`", (first, *others), code="E0607")
    return 2


def _of_command(ctx: click.Context, name: str) -> str | None:
    """What a command does, as in its help."""
    group = ctx.parent.command if ctx.parent is not None else None
    found = group.get_command(ctx.parent, name) if isinstance(group, click.Group) and ctx.parent is not None else None
    if found is None:
        return None
    return f"dlc {name}    command\n\n  {found.get_short_help_str(200)}\n\n  `dlc {name} --help` lists its options."
