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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ...compiler.catalogue.clock import Clock
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

    def __init__(self, taken: Iterable[str]) -> None:
        self.taken = set(taken)
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
            body = _body(schedule, clock, total)
        return self._function(body, [*words, *group], key)

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
class _Piece:
    """A segment from `begin` on, for `length` updates, from the value `start`."""

    begin: int
    length: int
    start: float

    @property
    def time(self) -> str:
        return f"(step - {self.begin})" if self.begin else "step"

    @property
    def end(self) -> int:
        return self.begin + self.length


def _body(schedule: Schedule, clock: Clock, total: int) -> list[Line]:
    lines: list[Line] = []
    time, value = 0, schedule.start
    for segment in schedule.segments:
        if segment.kind == "jump":
            assert segment.to is not None
            value = segment.to
            continue
        assert segment.length is not None
        piece = _Piece(time, clock.steps(segment.length, max(1, total - time)), value)
        text, value = _segment(segment, piece)
        if segment.kind == "decay":
            return [*lines, Line(f"return {text}", 1)]
        time = piece.end
        lines.append(Line(f"if step < {time}:", 1))
        if len(text) > LONG and WAVE in text:
            begin = text.index(WAVE)
            lines.append(Line(f"wave = {text[begin:-1]}", 2))
            text = f"{text[:begin]}wave)"
        lines.append(Line(f"return {text}", 2))
    return [*lines, Line(f"return {literal(value)}", 1)]


def _segment(segment: Segment, piece: _Piece) -> tuple[str, float]:
    """The value at `step`, and the value at the end."""
    start, to, time, length = literal(piece.start), segment.to, piece.time, piece.length
    match segment.kind:
        case "linear":
            assert to is not None
            if not piece.start:
                return f"{literal(to)} * ({time} / {length})", to
            if not to:
                return f"{start} * (1 - {time} / {length})", to
            return f"{start} + ({literal(to)} - {start}) * ({time} / {length})", to
        case "cosine":
            assert to is not None
            wave = f"math.cos(math.pi * {time} / {length})"
            if not to:
                return f"0.5 * {start} * (1 + {wave})", to
            if not piece.start:
                return f"0.5 * {literal(to)} * (1 - {wave})", to
            return f"{literal(to)} + 0.5 * ({start} - {literal(to)}) * (1 + {wave})", to
        case "decay":
            assert segment.factor is not None
            return f"{start} * {literal(segment.factor)} ** ({time} // {length})", piece.start
        case "inverse_sqrt":
            if not piece.begin:
                return f"{start} / math.sqrt(max(1, step))", piece.start / math.sqrt(max(1, piece.end))
            return f"{start} * math.sqrt({piece.begin} / step)", piece.start * math.sqrt(piece.begin / piece.end)
        case _:
            return start, piece.start


__all__ = ["Schedules"]
