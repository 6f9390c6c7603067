"""What is drafted: the text of a spec, laid out, and what was found, for the reader."""

from __future__ import annotations

from ...compiler.dataclass import dataclass
from ...compiler.messages.source import Source, Span
from ...compiler.text.layout import format_file
from ...compiler.text.parse import parse

NOWHERE = Span("", 0, 0)  # there is no spec yet whose line a message could show


@dataclass(frozen=True)
class Draft:
    """A spec, and lines that say what it is made of."""

    text: str
    found: tuple[str, ...]


def laid_out(lines: list[str]) -> str:
    """Lines of a spec as `dlc fmt` writes them."""
    source = Source("<drafted>", "\n".join(lines) + "\n")
    file, diagnostics = parse(source)
    assert file is not None, diagnostics
    return format_file(file, source)
