"""What the commands share about specs: the target on the command line, checking it, showing what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import console

if TYPE_CHECKING:
    from ..compiler.diagnostics import Diagnostic
    from ..compiler.source import Source


class Rejected(Exception):
    """The spec has mistakes, and they have been shown."""

    exit_code = 2


def split(target: str) -> tuple[str, str | None]:
    """`gpt2.dlspec@medium` -> the file and the variant."""
    file, at, variant = target.rpartition("@")
    return (file, variant) if at and variant and not variant.endswith(".dlspec") else (target, None)


def show(diagnostics: Sequence[Diagnostic], sources: Mapping[str, Source] | None) -> None:
    """Diagnostics on standard error, each with its source excerpt, then how many there are."""
    if not diagnostics:
        return
    from ..compiler.render import render

    text = render(
        diagnostics, sources or {}, color=console.coloured(), unicode=console.speaks_unicode(), width=console.width()
    )
    console.err(text.removesuffix("\n"))
