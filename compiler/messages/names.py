"""Near names, for "did you mean": edit distance over names that are first made comparable."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that was most likely meant, or None when none is near.

    Case and word separators do not count (`ReLU` is `relu`, `batchNorm1D` near `BatchNorm`), swapped neighbours are one
    edit. A third of the letters may differ, at least one.
    """
    return next(iter(near(name, candidates, 1)), None)


def near(name: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """Up to `most` candidates, nearest first."""
    plain = _plain(name)
    letters = frozenset(plain)
    words = {_plain(word) for word in _words(name)}
    scored: list[tuple[tuple[float, int, bool, int], str]] = []
    for position, candidate in enumerate(dict.fromkeys(candidates)):
        other = _plain(candidate)
        if candidate == name or not other:
            continue
        limit = max(1, min(max(len(plain), len(other)) // 3, 4))
        distance: float = edits(plain, other, limit) if _may_be(letters, other, limit) else limit + 1
        if distance > limit or distance >= min(len(plain), len(other)):
            if other not in words or len(other) < 4:
                continue
            distance = limit + 1  # `batch_size`: one of its words
        # at the same distance the spelling as it is, the same beginning, the order of the table
        scored.append(((distance, edits(name, candidate, 99), other[0] != plain[:1], position), candidate))
    return [candidate for _, candidate in sorted(scored)[:most]]


def edits(a: str, b: str, limit: int) -> int:
    """Insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b`; above `limit` any number
    above it."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, last, row = row, before, [i]
        for j, y in enumerate(b, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def _may_be(letters: frozenset[str], other: str, limit: int) -> bool:
    """Whether so few edits can do: each takes away or brings at most one letter that the other name does not have."""
    return len(letters.difference(other)) <= limit and len(set(other).difference(letters)) <= limit


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)


@lru_cache(maxsize=1 << 14)
def _plain(name: str) -> str:
    return re.sub(r"[_\-. ]", "", name).lower()
