"""Transforms of data, in files named as in `compiler/catalogue/transforms`: the function of an entry has the entry's name, and
what a fitted one learns is found by `fit_` and its name.

    takes image               function(x, args, u)      one tensor of images or masks, uniform numbers
    numbers, sequence         function(x, args)         one tensor
    texts, words              function(value, use)      a list of strings, or of lists of strings
    tokens                    function(x, args, u, vocabulary)

One that is not here is that of `runtime/data/arrays`, on the processor; here is what draws, or is worth computing on a device.

Its files: branching, colour, image, notation, number, text, tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from torch import Tensor

from ....compiler.catalogue import NOTATIONS, TRANSFORMS
from .. import arrays
from ..values import as_value, on_the_cpu


def function(op: str) -> Callable[..., Any] | None:
    """The function of a transform; None for one that is done elsewhere (`pad`). AttributeError for one that is missing."""
    home = _home(op)
    if home is not None and hasattr(home, op):
        return getattr(home, op)
    found = arrays.function(op)
    return found and _on_arrays(found)


def learning(op: str) -> Callable[..., dict[str, Any]]:
    """What a fitted transform learns: a function of the values of the train split and its arguments."""
    return getattr(_home(op), f"fit_{op}")


def _home(op: str) -> Any:
    """The file here that is named as that of the entry; None where all of it is computed on the processor."""
    family = TRANSFORMS if op in TRANSFORMS else NOTATIONS
    name = f"{__package__}.{family.module_of(op)}"
    return import_module(name) if find_spec(name) else None


def _on_arrays(found: Callable[..., Any]) -> Callable[..., Any]:
    def apply(value: Any, given: Any) -> Any:
        if isinstance(value, Tensor):
            return on_the_cpu(found, value.cpu(), given).to(value.device)
        return as_value(found(value, given))

    return apply
