"""Which bracket was meant to be closed, judged by indentation because the brackets alone do not show it."""

from __future__ import annotations

import re
from collections.abc import Collection

from ...grammar.scanner import NEWLINE, WORD, Token
from ..messages.source import Source

OPENERS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in OPENERS.items()}
# an item's first line, as far as it cannot be a statement or a setting
HEADER = re.compile(
    r"(?:(?:override[ \t]+)?block[ \t]+\w|model[ \t]+\w|param[ \t]+\w|data[ \t]+\w+[ \t]*\{|variant[ \t]+\w+[ \t]*\{"
    r"|(?:train|export|search)(?:[ \t]+\w+)?[ \t]*\{|weights[ \t]+\w+[ \t]+for\b|from[ \t]+[\w\"]|extends[ \t]+\""
    r"|set[ \t]+\w+(?:\.\w+)*[ \t]*=)"
)
# what a statement or a setting begins like
FRESH = re.compile(
    r"(?:\"[^\"\n]*\"[ \t]*<-|\[[\w ,]*\][ \t]*=|(?:let[ \t]+)?\w+(?:\.\w+)*[ \t]*(?:\+?=(?!=)|~|:)|\w+[ \t]*\{)"
)
GOES_ON = ("->", "else", "=>", "+", "-", "*", "/", "//", "%", "@", "**", ",", "and", "or", ".")


class Brackets:
    """The lines of a text and the brackets that are open on them. `closed` are positions of brackets to ignore,
    `left_out` ranges of the text that were reported already."""

    def __init__(
        self, source: Source, tokens: list[Token], closed: Collection[int], left_out: Collection[tuple[int, int]] = ()
    ) -> None:
        self.source = source
        self.tokens = tokens
        self.closed = closed
        self.left_out = left_out
        self.base: dict[int, int] = {}  # indentation of the statement in which a bracket opens, by the bracket's place
        self.suspect: tuple[Token, Token] | None = None

    def indent(self, token: Token) -> int:
        """Of the token's line."""
        line = self.source.line(self.source.position(token.start)[0]).expandtabs(8)
        return len(line) - len(line.lstrip())

    def begins_line(self, index: int) -> bool:
        return index == 0 or self.tokens[index - 1].kind == NEWLINE

    def is_header(self, index: int) -> bool:
        """Does an item begin with this token, at the left margin?"""
        token = self.tokens[index]
        return (
            token.kind == WORD
            and self.begins_line(index)
            and self.indent(token) == 0
            and HEADER.match(self.source.text, token.start) is not None
        )

    def scan(self, limit: int) -> list[Token]:
        """The brackets open at an offset, outermost first. Notes the first line that shows that the bracket around
        it was meant to be closed before: it is not deeper than the line where that opens, and does not close it."""
        open_: list[Token] = []
        self.suspect = None
        base = 0
        for index, token in enumerate(self.tokens):
            if token.start >= limit:
                break
            if self.begins_line(index):
                inner = open_[-1] if open_ else None
                indent = self.indent(token)
                if inner is not None and self.suspect is None and self._shows(token, index, inner, indent):
                    self.suspect = inner, token
                # lines inside ( and [, and the second list of a signature, are indented freely
                if inner is not None and inner.text != "{":
                    base = self.base[inner.start]
                elif token.text != "(":
                    base = indent
            if any(start <= token.start < end for start, end in self.left_out):
                continue
            if token.text in OPENERS:
                self.base[token.start] = base
                if token.start not in self.closed:
                    open_.append(token)
            elif token.text in CLOSERS and open_ and CLOSERS[token.text] in (o.text for o in open_):
                while open_.pop().text != CLOSERS[token.text]:
                    pass
        return open_

    def _shows(self, token: Token, index: int, inner: Token, indent: int) -> bool:
        if token.text in CLOSERS:
            return indent < self.base[inner.start]
        if indent > self.base[inner.start] or token.text in GOES_ON:
            return False
        return inner.text == "{" or self.is_fresh(index)

    def is_fresh(self, index: int) -> bool:
        """Does a statement or setting plainly begin with this token?"""
        return self.begins_line(index) and FRESH.match(self.source.text, self.tokens[index].start) is not None

    def ends_before(self, index: int, inner: Token) -> bool:
        """Should the bracket `inner` have been closed before the line of this token, for a reader?"""
        token = self.tokens[index]
        base = self.base.get(inner.start, 0)
        if not self.begins_line(index) or self.indent(token) > base or token.text in CLOSERS or token.text in GOES_ON:
            return False
        return self.is_fresh(index) or (base > 0 and inner.text != "{" and token.kind == WORD)
