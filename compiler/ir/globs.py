"""Path globs: `**` is any number of whole segments, `*` anything within one.

No pattern takes longer than its length times that of the path: between two wildcards the first place that fits is as good as
any other, so nothing is tried twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache


class Glob:
    """A pattern, ready to match paths."""

    def __init__(self, pattern: str) -> None:
        groups: list[list[Sequence[str]]] = [[]]
        for segment in pattern.split("."):
            if segment == "**":
                groups.append([])
            else:
                groups[-1].append(segment.split("*"))
        #: What is between two `**`: segments, each as the texts between its stars.
        self.groups = groups

    def matches(self, path: str) -> bool:
        """Whether the whole path fits."""
        segments = path.split(".")
        first, *middle = self.groups
        if not middle:
            return len(segments) == len(first) and _fits(first, segments, 0)
        last = middle.pop()
        end = len(segments) - len(last)
        if len(first) > end or not _fits(first, segments, 0) or not _fits(last, segments, end):
            return False
        at = len(first)
        for group in middle:
            found = next((i for i in range(at, end - len(group) + 1) if _fits(group, segments, i)), None)
            if found is None:
                return False
            at = found + len(group)
        return True


def _fits(group: Sequence[Sequence[str]], segments: Sequence[str], at: int) -> bool:
    return all(_within(parts, segments[at + i]) for i, parts in enumerate(group))


def _within(parts: Sequence[str], text: str) -> bool:
    """Whether a segment consists of these parts, with anything between two of them."""
    if len(parts) == 1:
        return text == parts[0]
    at, end = len(parts[0]), len(text) - len(parts[-1])
    if at > end or not text.startswith(parts[0]) or not text.endswith(parts[-1]):
        return False
    for part in parts[1:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


@lru_cache(maxsize=256)
def glob(pattern: str) -> Glob:
    """The glob of a pattern."""
    return Glob(pattern)


__all__ = ["Glob", "glob"]
