"""Wildcards of path patterns that correspond: what they stood for on one side is filled in on the other.

`**` is any number of whole segments, `*` anything within one: the globs of `expand.glob`, with their matches kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def wildcards(pattern: str) -> tuple[str, ...]:
    """The wildcards of a pattern in order, each `**` or `*`."""
    found: list[str] = []
    for segment in pattern.split("."):
        found += ["**"] if segment == "**" else ["*"] * segment.count("*")
    return tuple(found)


def capture(pattern: str, path: str) -> tuple[str, ...] | None:
    """What the wildcards match in `path`; None when it does not match. `**` keeps its trailing dots."""
    found = _capturing(pattern).fullmatch(path + ".")
    return None if found is None else found.groups()


def fill(pattern: str, texts: Sequence[str]) -> str:
    """The path of a pattern whose wildcards are replaced by `texts`."""
    left = iter(texts)
    made = "".join(
        next(left) if segment == "**" else re.sub(r"\*", lambda _: next(left), segment) + "."
        for segment in pattern.split(".")
    )
    return made.removesuffix(".")


@lru_cache(maxsize=1024)
def _capturing(pattern: str) -> re.Pattern[str]:
    parts = (
        r"((?:[^.]+\.)*)" if segment == "**" else re.escape(segment).replace(r"\*", "([^.]*)") + r"\."
        for segment in pattern.split(".")
    )
    return re.compile("".join(parts))
