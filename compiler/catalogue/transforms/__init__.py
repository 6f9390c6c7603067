"""Transforms of data, in files by what they are applied to. `of` finds the entry of a node of a data graph."""

from __future__ import annotations

from functools import cache

from .. import NOTATIONS, TRANSFORMS
from .base import Transform, Undo


@cache
def of(op: str) -> type[Transform]:
    """The entry of a node: a transform, or a form such as `slice`."""
    return TRANSFORMS[op] if op in TRANSFORMS else NOTATIONS[op]


__all__ = ["Transform", "Undo", "of"]
