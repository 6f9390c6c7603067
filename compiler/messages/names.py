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


def unquoted(text: str, candidates: Iterable[str]) -> str | None:
    """The candidate that a quoted text names."""
    known = list(candidates)
    return text if text in known else nearest(text, known)


def near(name: str, candidates: Iterable[str], most: int = 3) -> list[str]:
    """Up to `most` candidates, nearest first."""
    return list(_near(name, tuple(candidates))[:most])


@lru_cache(maxsize=64)
def _near(name: str, candidates: tuple[str, ...]) -> tuple[str, ...]:
    """All candidates that may have been meant. One name is often misspelled in many places."""
    plain, letters = _plain(name)
    length = len(plain)
    words = {_plain(word)[0] for word in _words(name)}
    scored: list[tuple[tuple[float, int, bool, int], str]] = []
    for position, candidate in enumerate(dict.fromkeys(candidates)):
        other, others = _plain(candidate)
        size = len(other)
        limit = min(max(length, size) // 3, 4) or 1
        distance: float = limit + 1
        # each edit brings or takes away at most one letter
        if (letters & ~others).bit_count() <= limit and (others & ~letters).bit_count() <= limit:
            distance = edits(plain, other, limit)
        if distance > limit or distance >= length or distance >= size:
            if other not in words or size < 4:
                continue
            distance = limit + 1  # `batch_size`: one of its words
        if candidate == name or not other:
            continue
        # at the same distance the spelling as it is, the same beginning, the order of the table
        scored.append(((distance, edits(name, candidate, 99), other[0] != plain[:1], position), candidate))
    return tuple([candidate for _, candidate in sorted(scored)])


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


def _words(name: str) -> list[str]:
    return re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", name)


@lru_cache(maxsize=1 << 14)
def _plain(name: str) -> tuple[str, int]:
    """The letters that count in comparing, and the set of these as bits."""
    plain = re.sub(r"[_\-. ]", "", name).lower()
    letters = 0
    for letter in plain:
        letters |= 1 << ord(letter) % 64
    return plain, letters
