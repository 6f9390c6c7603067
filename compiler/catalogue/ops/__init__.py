"""Operators: layers own weights, functions own nothing, signs are written as in `a + b`.

base rules positions                     what an operator is; rules that many share; numbers within a table
activation arithmetic operators          of each element, and signs: `a + b`
convolution pooling normalization linear recurrent attention embedding parameter regularization
                                         layers and what belongs to them
reduction selection structure notation   fewer elements, some of them, others' shapes; `[..] => [..]`
making sampling                          tensors from nothing; random ones
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import FUNCTIONS, LAYERS, SIGNS

if TYPE_CHECKING:
    from .base import Op

_FAMILIES = (LAYERS, FUNCTIONS, SIGNS)


def find(name: str) -> type[Op] | None:
    """The operator called `name`, those with syntax (`plus`, `index`) included; None when there is none."""
    for family in _FAMILIES:
        if name in family:
            return family[name]
    return None


def names(*, layers: bool = True, functions: bool = True, syntax: bool = False) -> tuple[str, ...]:
    """The names that a spec may write, sorted; with `syntax` also those written with signs. Nothing is imported."""
    wanted = zip(_FAMILIES, (layers, functions, syntax), strict=True)
    return tuple(sorted(name for family, taken in wanted if taken for name in family))


def module_of(name: str) -> str:
    """The module that defines an operator (`convolution`); its lowerings are in files of the same name."""
    return next(family for family in _FAMILIES if name in family).module_of(name)


def is_buffer(layer: str) -> bool:
    """Whether a layer is a tensor that training does not change, and nothing else."""
    found = find(layer)
    return found is not None and found.bare == "buffer"


__all__ = ["find", "is_buffer", "module_of", "names"]
