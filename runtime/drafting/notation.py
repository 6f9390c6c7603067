"""What a drafted spec is written with: names for columns, strings, comments. Works without torch."""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

from ...compiler.catalogue import TRANSFORMS
from ...compiler.catalogue.ops import find
from ...compiler.messages.printable import one_line
from ...compiler.text.printer import ESCAPES

WORDS = frozenset("and else false for if in model none not or repeat source training true".split())  # noqa: SIM905
LONGEST = 40  # characters of a name or a comment's sample
WIDTH = 100


def quoted(text: str) -> str:
    """A string of the language."""
    return f'"{text.translate(ESCAPES)}"'


def column_of_source(name: str) -> str:
    """How a pipeline reads a column."""
    plain = name.isascii() and name.isidentifier() and name not in WORDS
    return f"source.{name}" if plain else f"source[{quoted(name)}]"


def field_name(column: str, taken: Collection[str]) -> str:
    """A name of the language for a column: `Culmen Length (mm)` is `culmen_length_mm`. It hides no function, and none of
    `taken`."""
    plain = unicodedata.normalize("NFKD", column).encode("ascii", "ignore").decode().lower()
    name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:LONGEST] or "column"
    name = f"column_{name}" if name[0].isdigit() else name
    if len(name) == 1 or keyword.iskeyword(name) or name in WORDS or find(name) or name in TRANSFORMS:
        name += "_column"
    number = 2
    found = name
    while found in taken:
        found, number = f"{name}_{number}", number + 1
    return found


def shown(text: str) -> str:
    """A text from elsewhere in a comment or a message: in one line, not too long."""
    line = one_line(text)
    return line if len(line) <= LONGEST else line[: LONGEST - 3] + "..."


def listed(items: Iterable[str], most: int = 6) -> str:
    """`a, b, c, .. (20 in all)`."""
    names = [shown(item) for item in items]
    rest = f", .. ({len(names)} in all)" if len(names) > most else ""
    return ", ".join(names[:most]) + rest


def wrapped(head: str, items: Iterable[str], tail: str, indent: str = "    ") -> list[str]:
    """`head(a, b, c)tail` in as many lines as it takes."""
    lines, line = [], head
    items = list(items)
    for position, item in enumerate(items):
        text = item + (", " if position < len(items) - 1 else "")
        if len(line) + len(text) > WIDTH and line.strip():
            lines.append(line.rstrip())
            line = indent
        line += text
    return [*lines, line + tail]
