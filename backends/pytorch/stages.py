"""Stages of an `nn.Sequential` that only some uses of a class have.

block: { if expand != C { ConvBN(expand, 1) } -> ConvBN(expand, 3) }      the spec
block.0, block.1 in one body, block.0 in the other                        the IR: numbers shift
layers: list[nn.Module] = []                                              the source
if expand != in_channels:
    layers.append(ConvBN(in_channels, expand, kernel=1))
layers.append(ConvBN(expand, expand, kernel=3))
self.block = nn.Sequential(*layers)
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .constants import ClassNumber
from .lines import Line

#: The condition of a stage that may be absent, and the stage.
_STAGE = re.compile("\x06([^\x07]*)\x07(.*)", re.DOTALL)
#: The variable in which the stages are collected.
LAYERS = "layers"


def optional_stage(switch: ClassNumber, text: str) -> str:
    """An entry of an `nn.Sequential` that exists where the switch is true."""
    return f"\x06{switch}\x07{text}"


def has_optional(entries: Sequence[str]) -> bool:
    return any("\x06" in entry for entry in entries)


def collected(entries: Sequence[str]) -> list[Line]:
    """Statements that collect the stages of an `nn.Sequential`, as numbers shift where one is absent."""
    runs: list[tuple[str, list[str]]] = [("", [])]
    for entry in entries:
        stage = _STAGE.fullmatch(entry)
        condition, text = (stage[1], stage[2]) if stage is not None else ("", entry)
        if condition != runs[-1][0]:
            runs.append((condition, []))
        runs[-1][1].append(text)
    lines = [Line(f"{LAYERS}: list[nn.Module] = [{', '.join(runs[0][1])}]", 1)]
    for condition, texts in runs[1:]:
        if condition:
            lines.append(Line(f"if {condition}:", 1))
        lines.append(Line(added(LAYERS, texts), 2 if condition else 1))
    return lines


def added(variable: str, entries: Sequence[str]) -> str:
    """A statement that adds entries to a list of layers."""
    single = len(entries) == 1 and not entries[0].startswith("*")
    return f"{variable}.append({entries[0]})" if single else f"{variable} += [{', '.join(entries)}]"


__all__ = ["LAYERS", "added", "collected", "has_optional", "optional_stage"]
