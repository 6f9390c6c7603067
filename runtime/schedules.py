"""Durations in steps, and hyperparameters as functions of the number of updates completed."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from ..compiler.recipe.ir import Duration, Schedule, Segment


@dataclass(frozen=True)
class Clock:
    """How lengths become steps: `per_epoch` steps of `batch` samples, of `tokens` tokens each."""

    per_epoch: int
    batch: int
    tokens: int | None = None

    def steps(self, duration: Duration, rest: int | None = None) -> int:
        """A length in steps, at least 1; `rest` is what is left of the duration."""
        match duration.unit:
            case "steps":
                amount: float = duration.amount
            case "epochs":
                amount = duration.amount * self.per_epoch
            case "samples":
                amount = duration.amount / self.batch
            case "tokens":
                amount = duration.amount / (self.tokens or self.batch)
            case "rest":
                assert rest is not None, "`rest` outside a schedule"
                amount = rest
            case "s" | "min" | "h":
                raise ValueError(duration.unit)
        return max(1, round(amount))


def seconds(duration: Duration) -> float | None:
    """A length of wall time, or None when it is none."""
    return {"s": 1.0, "min": 60.0, "h": 3600.0}.get(duration.unit, 0.0) * duration.amount or None


@dataclass(frozen=True)
class _Piece:
    end: float
    value: Callable[[int], float]


class Curve:
    """A schedule with all lengths in steps; call it with the updates completed."""

    def __init__(self, schedule: Schedule, clock: Clock, total: int) -> None:
        """`total` is the number of updates of the phase, for `rest`."""
        self.pieces: list[_Piece] = []
        self.scale = schedule.scale
        time, value = 0, schedule.start
        for segment in schedule.segments:
            if segment.kind == "jump":
                assert segment.to is not None
                value = segment.to
                continue
            assert segment.length is not None
            length = clock.steps(segment.length, max(1, total - time))
            function = _segment(segment, time, value, length)
            endless = segment.kind == "decay"
            self.pieces.append(_Piece(math.inf if endless else time + length, function))
            time += length
            value = function(time)
        self.last = value

    def __call__(self, step: int) -> float:
        for piece in self.pieces:
            if step < piece.end:
                return piece.value(step) * self.scale
        return self.last * self.scale


def _segment(segment: Segment, begin: int, start: float, length: int) -> Callable[[int], float]:
    """The value at a time from `begin` on."""
    to, factor = segment.to, segment.factor
    match segment.kind:
        case "linear":
            assert to is not None
            return lambda t: start + (to - start) * ((t - begin) / length)
        case "cosine":
            assert to is not None
            return lambda t: to + (start - to) * 0.5 * (1 + math.cos(math.pi * (t - begin) / length))
        case "decay":
            assert factor is not None
            return lambda t: start * factor ** ((t - begin) // length)
        case "inverse_sqrt":
            origin = max(1, begin)
            return lambda t: start * math.sqrt(origin / max(origin, t))
        case _:
            return lambda t: start
