"""Wildcards of path patterns that correspond: what they stood for on one side is filled in on the other.

`**` is any number of whole segments, `*` anything within one: the globs of `globs.py`, with their matches kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

#: A `*` in a segment, and what is added to its number: names that count from 1 come from `layer*+1`.
NUMBERED = re.compile(r"\*(?:\+(\d{1,9})(?!\d))?")


def wildcards(pattern: str) -> tuple[str, ...]:
    """The wildcards of a pattern in order, each `**` or `*`."""
    found: list[str] = []
    for segment in pattern.split("."):
        found += ["**"] if segment == "**" else ["*"] * segment.count("*")
    return tuple(found)


def capture(pattern: str, path: str) -> tuple[str, ...] | None:
    """What the wildcards match in `path`; None when it does not match. `**` keeps its trailing dots."""
    tokens, text = _tokens(pattern), path + "."
    reachable = _reachable(tokens, text)
    if not reachable[0][0]:
        return None
    found: list[str] = []
    at = 0
    for number, token in enumerate(tokens):
        end = at + len(token)
        if token in ("*", "**"):
            end = max(
                to for to in _ends(token, text, at) if reachable[number + 1][to]
            )  # the longest, as of regular expressions
            found.append(text[at:end])
        at = end
    return tuple(found)


def _ends(token: str, text: str, at: int) -> Iterator[int]:
    """Where a wildcard that begins here may end."""
    yield at
    while at < len(text):
        dot = text.find(".", at)
        if token == "*":
            yield from range(at + 1, dot + 1)
            return
        if dot == at:
            return
        at = dot + 1
        yield at


def fill(pattern: str, texts: Sequence[str]) -> str:
    """The path of a pattern whose wildcards are replaced by `texts`; `*+1` is a number plus 1."""
    left = iter(texts)
    made = "".join(
        next(left) if segment == "**" else NUMBERED.sub(lambda found: _plus(next(left), found[1]), segment) + "."
        for segment in pattern.split(".")
    )
    return made.removesuffix(".")


def _plus(text: str, more: str | None) -> str:
    return str(int(text) + int(more)) if more and re.fullmatch(r"[0-9]{1,9}", text) else text


def _reachable(tokens: Sequence[str], text: str) -> list[list[bool]]:
    """For every token and place: whether this token and all after it match the text from that place on."""
    size = len(text)
    found = [[False] * (size + 1) for _ in tokens] + [[at == size for at in range(size + 1)]]
    for number in range(len(tokens) - 1, -1, -1):
        token, after, here = tokens[number], found[number + 1], found[number]
        for at in range(size, -1, -1):
            if token == "*":
                here[at] = after[at] or (at < size and text[at] != "." and here[at + 1])
            elif token == "**":
                dot = text.find(".", at)
                here[at] = after[at] or (dot > at and here[dot + 1])
            else:
                here[at] = text.startswith(token, at) and after[at + len(token)]
    return found


@lru_cache(maxsize=1024)
def _tokens(pattern: str) -> tuple[str, ...]:
    """The pattern as texts, `*` and `**`; a `**` holds the dots of its segments."""
    found: list[str] = []
    for segment in pattern.split("."):
        if segment == "**":
            found.append("**")
            continue
        for position, part in enumerate(segment.split("*")):
            found += ["*"] * (position > 0) + [part] * bool(part)
        found.append(".")
    return tuple(found)
