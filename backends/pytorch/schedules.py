"""Schedules of hyperparameters as functions of the step, with every length a number of steps.

The lines of a spec, the segments of the IR, and the function that comes out where an epoch has 50 steps:

    lr = 0 -> linear(1e-3, 2 epochs) -> cosine(1e-4, 8 epochs)     start 0; linear to 1e-3, 2 epochs; cosine to 1e-4, 8 epochs

    def lr(step: int) -> float:
        if step < 100:
            return 0.001 * (step / 100)
        if step < 500:
            wave = math.cos(math.pi * (step - 100) / 400)
            return 0.0001 + 0.5 * (0.001 - 0.0001) * (1 + wave)
        return 0.0001

They are plain arithmetic on a Python number, evaluated on the host once a step, which takes about a microsecond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from ...compiler.catalogue import SEGMENTS
from ...compiler.catalogue.clock import Clock
from ...compiler.dataclass import dataclass
from ...compiler.ir.train import Schedule, Segment
from .lines import Line
from .python import identifier, literal
from .recipe_function import definition

#: What the values of a hyperparameter are called.
WORDS = {"lr": "Learning rate", "weight_decay": "Weight decay", "momentum": "Momentum"}

#: An expression beyond this many characters gets a variable for its cosine, the last thing in it.
LONG, WAVE = 72, "math.cos("


class Schedules:
    """The functions of a file, each written once."""

    def __init__(self, taken: Iterable[str], values: Mapping[float, str] | None = None) -> None:
        self.taken = set(taken)
        #: How the author computed a value.
        self.values = values or {}
        self.names: dict[tuple[str, ...], str] = {}  # by the lines of the body
        self.functions: list[list[Line]] = []

    def name(
        self, schedule: Schedule, clock: Clock, total: int, words: Sequence[str], group: Sequence[str], key: str
    ) -> str:
        """The function of a schedule of `total` updates; `words` and then `group` distinguish it from others of its key."""
        if schedule.scale != 1.0:
            plain = self.name(schedule.model_copy(update={"scale": 1.0}), clock, total, words, (), key)
            body = [Line(f"return {_scaled(f'{plain}(step)', schedule.scale)}", 1)]
        else:
            body = self._body(schedule, clock, total)
        return self._function(body, [*words, *group], key)

    def number(self, value: float) -> str:
        """A value as source."""
        return self.values.get(value) or literal(value)

    def _body(self, schedule: Schedule, clock: Clock, total: int) -> list[Line]:
        lines: list[Line] = []
        time, value = 0, schedule.start
        for segment in schedule.segments:
            if time >= total:  # the training ends before
                break
            if segment.length is None:  # an immediate change
                value = segment.to if segment.to is not None else value
                continue
            piece = Stretch(time, clock.steps(segment.length, max(1, total - time)), value, self.number)
            text, value = segment_text(segment.kind)(segment, piece)
            if SEGMENTS[segment.kind].repeats:
                return [*lines, Line(f"return {text}", 1)]
            time = piece.end
            lines.append(Line(f"if step < {time}:", 1))
            if len(text) > LONG and WAVE in text:
                begin = text.index(WAVE)
                lines.append(Line(f"wave = {text[begin:-1]}", 2))
                text = f"{text[:begin]}wave)"
            lines.append(Line(f"return {text}", 2))
        return [*lines, Line(f"return {self.number(value)}", 1)]

    def _function(self, body: list[Line], words: Sequence[str], key: str) -> str:
        lines = tuple(f"{line.indent} {line.text}" for line in body)
        if lines not in self.names:
            name = identifier("_".join([*words, key]).lower(), self.taken)
            self.taken.add(name)
            self.names[lines] = name
            about = f"{WORDS.get(key, key)} after `step` updates."
            self.functions.append(definition(name, ["step: int"], "float", about, body))
        return self.names[lines]


def _scaled(text: str, scale: float) -> str:
    inverse = 1 / scale if scale else 0.0
    whole = round(inverse)
    if whole > 1 and math.isclose(inverse, whole, rel_tol=1e-12):
        return f"{text} / {whole}"
    return f"{text} * {literal(scale)}"


@dataclass(frozen=True)
class Stretch:
    """A segment from `begin` on, for `length` updates, from the value `start`; `number` writes values."""

    begin: int
    length: int
    start: float
    number: Callable[[float], str]

    @property
    def time(self) -> str:
        return f"(step - {self.begin})" if self.begin else "step"

    @property
    def share(self) -> str:
        """How much of the segment is over."""
        return self.time if self.length == 1 else f"{self.time} / {self.length}"

    @property
    def end(self) -> int:
        return self.begin + self.length


#: The value of a segment at `step`, as text, and its value at the end.
SegmentText: TypeAlias = Callable[[Segment, Stretch], tuple[str, float]]

_TEXTS: dict[str, SegmentText] = {}


def segment_text(kind: str) -> SegmentText:
    """How a segment is written; KeyError for one that no function here writes."""
    return _TEXTS[kind]


def _writes(kind: str) -> Callable[[SegmentText], SegmentText]:
    """Registers how a segment is written."""

    def register(text: SegmentText) -> SegmentText:
        _TEXTS[kind] = text
        return text

    return register


@_writes("linear")
def _linear(segment: Segment, piece: Stretch) -> tuple[str, float]:
    to = segment.to or 0.0
    share = piece.share
    if not piece.start:
        return f"{piece.number(to)} * ({share})", to
    start = piece.number(piece.start)
    return (f"{start} + ({piece.number(to)} - {start}) * ({share})" if to else f"{start} * (1 - {share})"), to


@_writes("cosine")
def _cosine(segment: Segment, piece: Stretch) -> tuple[str, float]:
    start, to = piece.number(piece.start), segment.to or 0.0
    wave = f"math.cos(math.pi * {piece.share})"
    if not to:
        return f"0.5 * {start} * (1 + {wave})", to
    if not piece.start:
        return f"0.5 * {piece.number(to)} * (1 - {wave})", to
    return f"{piece.number(to)} + 0.5 * ({start} - {piece.number(to)}) * (1 + {wave})", to


@_writes("hold")
def _hold(segment: Segment, piece: Stretch) -> tuple[str, float]:
    return piece.number(piece.start), piece.start


@_writes("decay")
def _decay(segment: Segment, piece: Stretch) -> tuple[str, float]:
    assert segment.factor is not None
    count = piece.time if piece.length == 1 else f"({piece.time} // {piece.length})"
    return f"{piece.number(piece.start)} * {piece.number(segment.factor)} ** {count}", piece.start


@_writes("inverse_sqrt")
def _inverse_sqrt(segment: Segment, piece: Stretch) -> tuple[str, float]:
    start = piece.number(piece.start)
    if not piece.begin:
        return f"{start} / math.sqrt(max(1, step))", piece.start / math.sqrt(max(1, piece.end))
    return f"{start} * math.sqrt({piece.begin} / step)", piece.start * math.sqrt(piece.begin / piece.end)


__all__ = ["Schedules", "segment_text"]
