"""Places in source text: what every diagnostic and every IR node points at."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from ..dataclass import dataclass, field


class Span(NamedTuple):
    """A half-open range of characters in one source; offsets count Unicode code points from 0.

    `file` is the key of the source in `Sources`: a path as the user wrote it, or `<argument>` style names for
    overrides given on the command line.
    """

    file: str
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The smallest span that covers both."""
        return Span(self.file, min(self.start, other.start), max(self.end, other.end))


@dataclass(frozen=True)
class Source:
    """One text with its name."""

    name: str
    text: str
    line_starts: tuple[int, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        object.__setattr__(self, "line_starts", tuple(starts))

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        start = self.line_starts[number - 1]
        stop = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:stop].rstrip("\r\n")


class Sources(dict[str, Source]):
    """All texts that took part in a check, by name: what a renderer needs besides the diagnostics."""

    def add(self, name: str, text: str) -> Source:
        source = Source(name, text)
        self[name] = source
        return source
