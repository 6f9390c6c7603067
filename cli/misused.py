"""A command line that cannot be used: what is wrong with it, and what to write instead."""

from __future__ import annotations

import click


class Misused(click.UsageError):
    """Arguments that do not go together, or a word that a command does not know; `help` is the way out."""

    def __init__(self, message: str, help: str, ctx: click.Context | None = None) -> None:
        super().__init__(message, ctx or click.get_current_context(silent=True))
        self.help = help


def way_out(error: click.ClickException) -> str:
    """What to write instead; for what `click` refuses by itself, where the options are listed."""
    if isinstance(error, Misused):
        return error.help
    context = error.ctx if isinstance(error, click.UsageError) else None
    return f"`{context.command_path if context is not None else 'dlc'} --help` lists what is possible"


def message(error: click.ClickException) -> str:
    """The message of `click` as ours are written: no capital at the beginning, no full stop at the end."""
    text = " ".join(error.format_message().split()).removesuffix(".")
    return text[:1].lower() + text[1:]
