"""Text to raw tokens. Whether a word is a keyword and whether a newline counts is decided later, by the machine."""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from .tables import ParserTables


class Token(NamedTuple):
    """`kind` is a terminal's number, or one of the kinds below; offsets count characters."""

    kind: int
    start: int
    end: int
    text: str


NEWLINE = -1  # one or more line ends with what is blank or comment between them
BAD = -2  # no token begins here
WORD = -3  # a name or a keyword


@cache
def _pattern(name: str, number: str, string: str, symbols: tuple[str, ...]) -> re.Pattern[str]:
    longest_first = sorted(symbols, key=len, reverse=True)
    return re.compile(
        rf"(?P<blank>[ \t]+)|(?P<word>{name})(?!\w)|(?P<symbol>{'|'.join(map(re.escape, longest_first))})"
        rf"|(?P<number>{number})|(?P<string>{string})|(?P<newline>\r?\n)|(?P<comment>\#[^\r\n]*)|(?P<semicolon>;)"
        # what is none of these, as far as it plainly belongs together
        rf'|(?P<bad>"(?:[^"\\\n]|\\.)*|\d[\w.]*|[^\W\d]\w*|.)',
        re.DOTALL,
    )


def scan(text: str, tables: ParserTables) -> tuple[list[Token], list[tuple[int, int, bool]]]:
    """Tokens, the last one `$END`, and comments as (start, end, is it alone on its line)."""
    tokens: list[Token] = []
    comments: list[tuple[int, int, bool]] = []
    add = tokens.append
    symbols, newline = tables.symbols, tables.terminal["_NL"]
    number, string = tables.terminal["NUMBER"], tables.terminal["STRING"]
    patterns = tables.patterns
    line_is_empty = True  # nothing but blanks so far: the next comment is alone on its line
    for match in _pattern(patterns["NAME"], patterns["NUMBER"], patterns["STRING"], tuple(symbols)).finditer(text):
        what = match.lastgroup
        if what == "blank":
            continue
        start, end = match.span()
        if what == "comment":
            comments.append((start, end, line_is_empty))
            continue
        if what == "newline":
            line_is_empty = True
            if tokens and tokens[-1].kind != NEWLINE:
                add(Token(NEWLINE, start, end, "\n"))
            continue
        line_is_empty = False
        value = match[0]
        if what == "word":
            add(Token(WORD, start, end, value))
        elif what == "symbol":
            add(Token(symbols[value], start, end, value))
        elif what == "number":
            add(Token(number, start, end, value))
        elif what == "string":
            add(Token(string, start, end, value))
        elif what == "semicolon":
            add(Token(newline, start, end, value))
        else:
            add(Token(BAD, start, end, value))
    add(Token(tables.terminal["$END"], len(text), len(text), ""))
    return tokens, comments
