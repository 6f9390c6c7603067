"""Transforms of data, in files named as in `compiler/catalogue/transforms`: the function of an entry has the entry's name, and
what a fitted one learns is found by `fit_` and its name.

    takes image               function(x, args, u)      one tensor of images or masks, uniform numbers
    numbers, sequence         function(x, args)         one tensor
    texts, words              function(value, use)      a list of strings, or of lists of strings
    tokens                    function(x, args, u, vocabulary)
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from ....compiler.catalogue import NOTATIONS, TRANSFORMS


def function(op: str, prefix: str = "") -> Callable[..., Any] | None:
    """The function of a transform; None for one that is done elsewhere (`pad`). AttributeError for one that is missing."""
    family = TRANSFORMS if op in TRANSFORMS else NOTATIONS
    return getattr(import_module(f".{family.module_of(op)}", __package__), prefix + op)


def learning(op: str) -> Callable[..., dict[str, Any]]:
    """What a fitted transform learns: a function of the values of the train split and its arguments."""
    found = function(op, "fit_")
    assert found is not None
    return found
