"""`weights` sections: maps from foreign tensors to parameters."""

from __future__ import annotations

from typing import Literal

from ..messages.source import Span
from .record import Record


class Foreign(Record):
    """What a rule takes from foreign tensors: one that `pattern` names, transposed or sliced along the first axis, or
    several joined along `axis`."""

    kind: Literal["tensor", "transpose", "slice", "concat"]
    pattern: str = ""
    items: tuple[Foreign, ...] = ()
    start: int | None = None
    stop: int | None = None
    axis: int = 0


class WeightRule(Record):
    """`"ours" <- theirs`: wildcards correspond in order."""

    ours: str
    theirs: Foreign
    span: Span


class WeightMap(Record):
    """A `weights NAME for Model` section: the first rule that matches one of our parameters produces it."""

    name: str
    model: str
    rules: tuple[WeightRule, ...]
    ignore: tuple[str, ...] = ()
    strip: str = ""
    span: Span
