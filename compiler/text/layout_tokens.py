"""What `dlc fmt` lays out: the tokens of a spec, each with the comments and line breaks around it."""

from __future__ import annotations

from ...grammar.scanner import NEWLINE, scan
from ...grammar.tables import load
from ..messages.source import Source


class LayoutToken:
    """A token and what is around it; `gap` is the number of spaces before it when it does not begin a line."""

    __slots__ = ("above", "blank", "breaks", "column", "comment", "end", "gap", "least", "start", "text", "trailing")

    def __init__(self, start: int, end: int, text: str) -> None:
        self.start, self.end, self.text = start, end, text
        self.breaks = False  # begins a line
        self.blank = False  # after an empty line
        self.above: list[tuple[str, bool]] = []  # comments on lines of their own, each with "after an empty line"
        self.trailing = ""  # comment behind it
        self.comment = 0  # column of that comment, as it was
        self.gap = self.least = 0
        self.column = 0


def read_tokens(source: Source) -> tuple[list[LayoutToken], list[tuple[str, bool]]]:
    """Tokens with their comments and line breaks; the comments behind the last token apart."""
    raw, comments = scan(source.text, load())
    pieces = [(t.start, t.end, t.text, False) for t in raw if t.kind != NEWLINE and t.text]
    pieces += [(start, end, source.text[start:end].rstrip(), True) for start, end, _ in comments]
    tokens: list[LayoutToken] = []
    above: list[tuple[str, bool]] = []
    at = 0
    for start, end, text, is_comment in sorted(pieces):
        lines = source.text.count("\n", at, start)
        blank = lines > 1 and at > 0
        if is_comment:
            if lines == 0 and tokens and not above:
                tokens[-1].trailing = text
                tokens[-1].comment = _column(source, start)
            else:
                above.append((text, blank))
        else:
            token = LayoutToken(start, end, text)
            token.breaks = lines > 0 or not tokens or bool(above)
            token.blank = blank
            token.above, above = above, []
            tokens.append(token)
        at = end
    return tokens, above


def _column(source: Source, offset: int) -> int:
    line, column = source.position(offset)
    before = source.line(line)[: column - 1]
    indent = before[: len(before) - len(before.lstrip())]
    return len(indent.expandtabs(8)) + len(before) - len(indent)
