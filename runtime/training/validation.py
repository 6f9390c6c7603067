"""Validation within training: figures of the `val` split, which weights are kept, when `stop` counts."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...compiler.dataclass import dataclass
from ...compiler.ir.train import Batch, Phase, Watched
from ..data.feed import Feed
from .evaluate import evaluate
from .state import TrainingState


@dataclass(frozen=True)
class ValidationResult:
    """`figures` by name (`val.acc`), of which `losses` are the loss terms; `best` when these weights are now the kept
    ones."""

    figures: dict[str, float]
    losses: dict[str, float]
    best: bool


def validate(state: TrainingState, feed: Feed, phase: Phase) -> ValidationResult:
    """Measures the weights (their averages where there are some) on the split and keeps them if they are the best so far."""
    at, size = state.at, phase.batch.evaluation()
    with state.averages.applied():
        figures, losses = evaluate(state.program, feed, size, phase.validate_every.batches)
        named = {f"val.{name}": value for name, value in {**losses, **figures}.items()}
        report_undefined(state, "val", named)
        keep, stop = state.train.keep, state.train.stop
        best = False
        if keep.kind == "best" and keep.metric:
            value = figure(state, keep.metric, named, size)
            if better(value, at.best, keep.metric.direction):
                at.best, at.best_step, at.best_figures, best = value, at.step, named, True
                state.kept.take(state.program)
        elif keep.kind == "average":
            state.averages.sample(keep.last or 5)
    if stop:
        value = figure(state, stop.metric, named, size)
        if better(value, at.stop_best, stop.metric.direction):
            at.stop_best, at.stop_step = value, at.step
    return ValidationResult(named, {f"val.{name}": value for name, value in losses.items()}, best)


def figure(state: TrainingState, metric: Watched, named: dict[str, float], size: Batch) -> float:
    """A figure; one of another split is measured now and added to `named`."""
    key = f"{metric.split}.{metric.name}"
    if key in named:
        return named[key]
    feed = Feed(state.job.data, metric.split, training=False, device=state.job.device)
    figures, losses = evaluate(state.program, feed, size)
    found = {f"{metric.split}.{name}": value for name, value in {**losses, **figures}.items()}
    report_undefined(state, metric.split, found)
    named.update(found)
    return named[key]


def report_undefined(state: TrainingState, split: str, named: Mapping[str, float]) -> None:
    """Reports once that a figure is not a number."""
    for key, value in named.items():
        if math.isnan(value) and key not in state.undefined:
            state.undefined.add(key)
            state.job.say(
                f"`{key}` is not a number: the {split} split lacks what it is computed from, such as a second class or a "
                "target that counts",
                "W0412",
            )


def better(value: float, best: float | None, direction: str) -> bool:
    """Whether a figure beats the best so far; one that is not a number never does."""
    if math.isnan(value):
        return False
    return best is None or (value > best if direction == "max" else value < best)
