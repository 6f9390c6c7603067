"""A line of a generated function before it is laid out."""

from __future__ import annotations

from collections.abc import Sequence

from ...compiler.dataclass import dataclass
from .constants import ClassNumber


@dataclass
class Line:
    """A logical line of a function; `shapes`, maybe with names, become a trailing comment where it fits."""

    text: str
    indent: int = 0
    shapes: Sequence[tuple[ClassNumber, ...]] = ()
    names: Sequence[str] = ("",)


__all__ = ["Line"]
