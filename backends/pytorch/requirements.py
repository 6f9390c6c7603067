"""What the input must fulfil: claims about sizes that only it decides, at the head of `forward`.

require H % 16 == 0                                      the spec
requirements: H - 16*floor(H/16) == 0                    the IR
if H % 16 != 0:                                          the source
    raise ValueError(f"expected H % 16 == 0, got H = {H}")
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...compiler.ir.model import Requirement
from .constants import ClassNumber
from .python import quoted
from .statements import Statements
from .variables import Region


def require(writer: Statements, region: Region, requirements: Sequence[Sequence[Requirement]]) -> None:
    """Asserts facts about sizes that only the input decides."""
    opposite = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
    for row in requirements:
        first = row[0]
        left = ClassNumber(tuple(r.left for r in row), region.group.constants)  # before it is known to hold
        right = ClassNumber(tuple(r.right for r in row), region.group.constants)
        try:
            texts = [writer.size(region, left), writer.size(region, right)]
        except AssertionError:
            continue
        marked = ["\x01" in text for text in texts]
        if any(marked) and not region.group.constants.closed:
            continue
        said = [f"{{{text}}}" if is_marked else text for text, is_marked in zip(texts, marked, strict=True)]
        writer.add(f"if {texts[0]} {opposite[first.op]} {texts[1]}:")
        letters = sorted({a.letter for a in writer.sizes.axes if re.search(rf"\b{a.letter}\b", " ".join(texts))})
        got = ", ".join(f"{letter} = {{{letter}}}" for letter in letters)
        message = f'f"expected {said[0]} {first.op} {said[1]}, got {got}"'
        with writer.recorded() as lines:
            writer.add(f"raise ValueError({quoted(first.message) if first.message else message})")
        writer.lines += lines


__all__ = ["require"]
