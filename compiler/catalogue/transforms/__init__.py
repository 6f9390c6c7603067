"""Transforms of data, in files by what they are applied to. `of` finds the entry of a node of a data graph.

base        what a transform is                     branching   one chain of transforms, or none, for each image
image       of images                               colour      of their colours, each pixel by itself
number      of numbers and names, of streams        cells       of dates, and of names of which there are many
text        of texts, tokens, sequences, windows    tokens      by a tokenizer, and of chats
notation    what a data section writes with a sign
"""

from __future__ import annotations

from functools import cache

from .. import NOTATIONS, TRANSFORMS
from .base import Transform, Undo


@cache
def of(op: str) -> type[Transform]:
    """The entry of a node: a transform, or a form such as `slice`."""
    return TRANSFORMS[op] if op in TRANSFORMS else NOTATIONS[op]


__all__ = ["Transform", "Undo", "of"]
