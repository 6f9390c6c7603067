"""What a run reports while it trains: events for the user, rows of `metrics.csv`, and when the next of each is due."""

from __future__ import annotations

import time

import torch
from torch import nn

from ...compiler.catalogue.clock import Clock, length_of
from ...compiler.ir.train import Phase
from ..checkpoints.rundir import MetricsFile
from .events import Progress, Started, Validated
from .logged import Logged
from .state import TrainingState
from .validation import ValidationResult

REPORT_EVERY = 1.0  # seconds between two progress events


def announce(state: TrainingState) -> None:
    """The run begins, or continues; what the data leaves out."""
    job, feed = state.job, state.feed
    phases = job.train.phases
    clocks = [state.clock(phase) for phase in phases]
    steps = sum(length_of(phase, clock) for phase, clock in zip(phases, clocks, strict=True))
    count = sum(t.numel() for t in job.program.tensors().values() if isinstance(t, nn.Parameter))
    records = {str(split): len(part) for split, part in job.data.parts.items()}
    names = tuple(phase.name for phase in phases if phase.name)
    job.listener(
        Started(job.run.path, str(job.device), count, records, steps, clocks[0].per_epoch, state.at.step, names)
    )
    job.log(f"start at step {state.at.step} on {job.device}")
    if phases[0].batch.unit == "tokens":
        return
    size = phases[0].batch.amount
    rest = len(feed) % size
    if rest and len(feed) > size:
        job.say(f"the incomplete last batch of an epoch ({rest} of {len(feed)} records) is dropped")


class Reporter:
    """Events and rows of one phase. It reads losses and position; it changes nothing of what is trained."""

    def __init__(self, state: TrainingState, phase: Phase, total: int, clock: Clock) -> None:
        self.state, self.phase, self.total, self.clock = state, phase, total, clock
        self.at, self.losses, self.listener = state.at, state.losses, state.job.listener
        now = time.perf_counter()
        self.next, self.next_save = now + REPORT_EVERY, now + state.job.save_every
        self.since, self.since_step = now, self.at.step
        self.logged = Logged(state, phase)
        file = state.job.run.path / "metrics.csv"
        self.file = MetricsFile(file, columns(state), self.at.step) if state.job.records else None

    def progress(self, now: float) -> None:
        """Looks at the sums without ending them, so that when it is called changes nothing that is recorded."""
        self.losses.check(self.at.step)
        self.listener(self._event(now, self.losses.means()))

    def trained(self, now: float) -> None:
        """A row without validation."""
        self._row(now)
        if self.state.val is None:
            losses = {f"train.{name}": value for name, value in self.losses.last.items()}
            self.listener(Validated(self.at.step, self.at.epoch + 1, "train", {}, losses))

    def validated(self, now: float, found: ValidationResult) -> None:
        """A row with figures."""
        self._row(now, found.figures)
        at = self.at
        figures = {name: value for name, value in found.figures.items() if name not in found.losses}
        self.listener(Validated(at.step, at.epoch + 1, "val", figures, found.losses, found.best))
        text = " ".join(f"{name} {value:.6g}" for name, value in found.figures.items())
        self.state.job.log(f"step {at.step} {text}")

    def saved(self) -> None:
        """A checkpoint was written: the next is due when `save_every` seconds have passed."""
        self.next_save = time.perf_counter() + self.state.job.save_every

    def _row(self, now: float, figures: dict[str, float] | None = None) -> None:
        at = self.at
        losses = self.losses.drain(at.step)
        values = {**losses, **(figures or {}), **self.logged.show()}
        if self.file is not None:
            self.file.add({"step": at.step, "epoch": at.epoch + 1, "lr": self._lr(), **values})
        self.listener(self._event(now, losses))

    def _lr(self) -> float:
        return self.state.steppers[0].lr(self.at.phase_step)

    def _event(self, now: float, losses: dict[str, float]) -> Progress:
        at = self.at
        rate = (at.step - self.since_step) / max(now - self.since, 1e-9)  # steps a second
        self.since, self.since_step = now, at.step
        self.next = now + REPORT_EVERY
        left = self.total - at.phase_step
        memory = torch.cuda.max_memory_allocated() if self.state.job.device.type == "cuda" else None
        return Progress(
            at.step,
            at.step + left,
            at.epoch,
            losses,
            self._lr(),
            rate * self.clock.batch,
            left / max(rate, 1e-9),
            memory,
            self.phase.name,
        )


def columns(state: TrainingState) -> list[str]:
    """One file for all phases: a column for whatever any of them has."""
    evaluation, phases = state.train.evaluation, state.train.phases
    terms = ["loss", *(term.name for term in evaluation.terms)] if evaluation.terms else []
    figures = [f"val.{name}" for name in (*terms, *(metric.name for metric in evaluation.metrics))]
    found = [
        "lr",
        *(["loss"] if state.losses.total else []),
        *(name for phase in phases for name in loss_names(phase)),
        *(figures if state.val is not None else ()),
        *(name for phase in phases for name in phase.log.values),
    ]
    return list(dict.fromkeys(found))


def loss_names(phase: Phase) -> list[str]:
    """The names of a phase's loss terms."""
    updates = phase.updates
    if len(updates) == 1:
        return [term.name for term in updates[0].terms]
    return [
        update.name if len(update.terms) == 1 else f"{update.name}.{term.name}"
        for update in updates
        for term in update.terms
    ]
