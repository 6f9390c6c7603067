"""What a data section gives in evaluation, on NumPy arrays and without torch: what prediction feeds a run or an exported file.

section       the nodes of a section for some records     declared     fields as declared: dtype, shape, lengths
shapes        records of one shape or of several
batches       records as the inputs of a model            text_use     a transform of texts in its place

The other files are named as in `compiler/catalogue/transforms` and hold the functions of the entries that mean something
outside training, under the entries' names. `runtime/data/transforms` computes the same with torch on any device: bitwise, where
that is a matter of IEEE arithmetic (sums, products, comparisons), and elsewhere (logarithms, resampling) by calling these on the CPU.

    takes image, numbers, sequence   function(x, args)       one array, records on the first axis; of some random ones of
                                                             images, for training on the CPU, function(x, args, u)
    texts, words                     function(value, use)    a list of strings, or of lists of strings
    tokens                           function(x, args, u, vocabulary)

    cells, colour, image, notation, number, text, tokens
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

from ....compiler.catalogue import NOTATIONS, TRANSFORMS


def function(op: str) -> Callable[..., Any] | None:
    """The function of a transform; None for one that is done elsewhere (`pad`). AttributeError for one that is missing."""
    return getattr(_module(op), op)


@cache
def quick(op: str, prefix: str = "") -> Callable[..., Any] | None:
    """The function of a transform that takes `u` where that is random; None where only `runtime/data/transforms` has one. With
    `picture_` that on an image of Pillow's."""
    return getattr(_module(op), prefix + op, None)


def _module(op: str) -> ModuleType:
    family = TRANSFORMS if op in TRANSFORMS else NOTATIONS
    return import_module(f".{family.module_of(op)}", __package__)


def steps(op: str) -> tuple[str, ...]:
    """The transforms that one is in evaluation, by name."""
    family = TRANSFORMS if op in TRANSFORMS else NOTATIONS
    evaluation = family[op].evaluation
    return (op,) if evaluation is None else evaluation
