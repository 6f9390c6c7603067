"""The training loop: one visible function. What the recipe says is built around it.

Between two points where something is reported the host reads nothing from the device. Position is (phase, step), data
order and augmentation follow from the seed, so that what a checkpoint holds is enough to go on bitwise (on a CPU).
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from ...compiler.catalogue.clock import Clock, clock_of, length_of, seconds
from ...compiler.ir.data import Split
from ...compiler.ir.expand import ParameterEntry
from ...compiler.ir.train import Phase, Train
from .. import randomness
from ..checkpoints import checkpoint
from ..checkpoints.checkpoint import Checkpoint
from ..checkpoints.rundir import MetricsFile, RunDir
from ..data.feed import Data, Feed
from ..failure import Interrupted
from ..generated.functions import LossCode, Program
from . import image_grid
from .averages import Averages
from .evaluate import evaluate, evaluating
from .events import Finished, Listener, Note, Progress, Saved, Started, Validated
from .freezing import Freezing
from .optimizers import Stepper, build
from .recomputing import recompute

REPORT_EVERY = 1.0  # seconds between two progress events
SAVE_EVERY = 30.0  # seconds between two checkpoints


class NotFinite(Exception):
    """The loss stopped being a number; `step` is the last one that was looked at."""

    def __init__(self, step: int) -> None:
        super().__init__(step)
        self.step = step


@dataclass
class Job:
    """Everything that one run is made from."""

    train: Train
    program: Program
    entries: dict[str, ParameterEntry]  # by path, the net's name before
    data: Data
    run: RunDir
    device: torch.device
    listener: Listener
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    save_every: float = SAVE_EVERY
    careful: Careful | None = None
    records: bool = True  # False: nothing is written


class Careful(Protocol):
    """Looks at every step before the weights change; used to find the step at which a loss stops being a number."""

    def before(self, batches: Sequence[dict[str, Tensor]], loss: LossCode) -> None: ...

    def after(self, losses: Sequence[Tensor], step: int) -> None: ...


@dataclass
class Position:
    """Where a run is. All of it goes into the checkpoint."""

    step: int = 0
    phase: int = 0
    phase_step: int = 0
    epoch: int = 0
    epoch_step: int = 0
    batch: int = 0  # the batch size the epoch was begun with
    updates: dict[str, int] = field(default_factory=dict[str, int])
    best: float | None = None
    best_step: int | None = None
    best_figures: dict[str, float] = field(default_factory=dict[str, float])
    stop_best: float | None = None
    stop_step: int = 0
    seconds: float = 0.0
    stopped: bool = False  # by `stop`


class Signals:
    """While entered in the main thread, SIGINT and SIGTERM only leave a note; a second one interrupts at once."""

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise KeyboardInterrupt
        self.number = number

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


class Loop:
    """The state of one run and the function `fit`."""

    def __init__(self, job: Job) -> None:
        self.job, self.train, self.program = job, job.train, job.program
        self.at = Position()
        self.feed = Feed(job.data, "train", training=True, device=job.device)
        measured = bool(job.train.evaluation.terms or job.train.evaluation.metrics)
        self.val = (
            Feed(job.data, "val", training=False, device=job.device) if measured and "val" in job.data.parts else None
        )
        self.averages = Averages(job.train, job.program)
        self.kept: dict[str, Tensor] | None = None
        self.fresh_best = False  # `kept` is not on disk yet
        self.steppers: list[Stepper] = []
        self.running: list[Tensor] = []
        self.running_steps = 0
        self.names: list[str] = []  # of the loss terms of the phase, in the order of `running`
        self.totals = len(job.train.phases[0].updates) == 1  # the losses of several nets have no meaningful sum
        self.losses: dict[str, float] = {}  # of the last row
        self.sample: dict[str, Tensor] | None = None  # the records that `log` shows
        self._waiting: dict[str, Tensor] = {}  # optimizer state of the checkpoint, until the optimizers are there

    # ---- the loop ------------------------------------------------------------------------------------------------------------

    def fit(self) -> None:
        """Trains from `self.at` to the end. Raises Interrupted (saved) or NotFinite."""
        began = time.perf_counter() - self.at.seconds
        with Signals() as signals:
            while True:
                self.run_phase(self.train.phases[self.at.phase], signals, began)
                if self.at.phase + 1 == len(self.train.phases):
                    break  # the position stays at the end of the last phase, so that a longer duration goes on there
                self.at.phase, self.at.phase_step, self.at.stopped = self.at.phase + 1, 0, False
        self.at.seconds = time.perf_counter() - began

    def run_phase(self, phase: Phase, signals: Signals, began: float) -> None:
        job, at = self.job, self.at
        self.names = loss_names(phase)
        clock = self.clock(phase)
        total, deadline = length_of(phase, clock), seconds(phase.duration)
        self.enter(phase)
        freezing = Freezing(job.program, job.entries, phase, clock)
        losses_of = self.program.phases[at.phase]
        plain = len(phase.updates) == 1 and phase.updates[0].repeat == 1
        cast = self.autocast(phase)
        micro = phase.batch.micro
        validate_every = clock.steps(phase.validate_every.every)
        patience = clock.steps(self.train.stop.patience) if self.train.stop else 0
        log_every = clock.steps(phase.log.every) if phase.log.every else 0
        report = Reporter(self, phase, total, clock, began)
        update, loss_of, stepper = phase.updates[0], losses_of[0], self.steppers[0]
        parameters = stepper.parameters
        batches = self.batches(phase, clock, micro)
        freezing.apply(at.phase_step)

        while at.phase_step < total:
            if plain:
                micro_batches = next(batches)
                if job.careful:
                    job.careful.before(micro_batches, loss_of)
                with cast:
                    losses = backward(loss_of, micro_batches)
                if update.clip:
                    clip(parameters, update.clip.kind, update.clip.limit)
                if job.careful:
                    job.careful.after(losses, at.step)
                stepper.step(at.phase_step)
                for parameter in parameters:
                    parameter.grad = None
            else:
                losses = self.rounds(phase, batches, cast)
            self.add(losses)
            at.step += 1
            at.phase_step += 1
            self.averages.step()
            if freezing.changes(at.phase_step):
                freezing.apply(at.phase_step)

            now = time.perf_counter()
            last = at.phase_step == total or (deadline is not None and now - began >= deadline)
            measure = at.phase_step % validate_every == 0 or last
            if self.val is not None and measure:
                report.validated(now, self.validate(self.val, phase))
                if self.train.stop and at.step - at.stop_step >= patience:
                    at.stopped = True
                    self.say(
                        f"stopped at step {at.step}: {watched(self.train.stop.metric)} has not improved for "
                        f"{patience} steps; leave out `stop` to train on"
                    )
                    break
            elif measure or (log_every and at.phase_step % log_every == 0):
                report.trained(now)
            elif now >= report.next:
                report.progress(now)
            if signals.number:
                at.seconds = now - began
                self.save()
                raise Interrupted(signals.number, job.run.path)
            if now >= report.next_save:
                at.seconds = now - began
                self.save()
                report.next_save = time.perf_counter() + job.save_every
            if last:
                break
        self.check(at.step)

    def rounds(
        self, phase: Phase, batches: Iterator[list[dict[str, Tensor]]], cast: AbstractContextManager[Any]
    ) -> list[Tensor]:
        """One round of all `step` sections: each draws its batches and updates its own nets."""
        found: list[Tensor] = []
        micro_batches: list[dict[str, Tensor]] = []
        terms: Sequence[Tensor] = ()
        shared = self.program.shared[self.at.phase] if self.program.shared else None
        losses_of = self.program.phases[self.at.phase]
        for number, (update, loss_of, stepper) in enumerate(zip(phase.updates, losses_of, self.steppers, strict=True)):
            parameters = stepper.parameters
            for turn in range(update.repeat):
                if number == 0 or turn > 0 or update.repeat > 1:
                    micro_batches = next(batches)
                    if shared is not None:
                        with cast:
                            micro_batches = [shared.add(batch) for batch in micro_batches]
                given = micro_batches
                if shared is not None and not set(shared.nets) & set(update.nets):
                    given = [shared.detached(batch) for batch in micro_batches]
                with only(self.program, parameters, update.nets):
                    if self.job.careful:
                        self.job.careful.before(given, loss_of)
                    with cast:
                        losses = backward(loss_of, given)
                    if update.clip:
                        clip(parameters, update.clip.kind, update.clip.limit)
                    if self.job.careful:
                        self.job.careful.after(losses, self.at.step)
                    done = self.at.updates.get(update.name, 0)
                    stepper.step(done)
                    self.at.updates[update.name] = done + 1
                    for parameter in parameters:
                        parameter.grad = None
                    terms = losses
            found += terms
        return found

    # ---- around it -----------------------------------------------------------------------------------------------------------

    def clock(self, phase: Phase) -> Clock:
        return clock_of(phase, len(self.feed))

    def enter(self, phase: Phase) -> None:
        """Optimizers of a phase; what they kept goes on unless the phase starts them anew."""
        recompute(self.program.nets, phase.runtime.recompute)
        self.job.data.graph.workers = phase.runtime.workers
        before = {id(p): state for stepper in self.steppers for p, state in stepper.states()}
        self.steppers = [build(groups(), self.job.device) for groups in self.program.groups[self.at.phase]]
        for stepper in self.steppers if not phase.fresh else ():
            for parameter in stepper.parameters:
                home = stepper.home(parameter)
                if home is not None and id(parameter) in before:
                    home.state[parameter] = before[id(parameter)]
        if self._waiting:
            self.restore_optimizers(self._waiting)
            self._waiting = {}
        if self.at.phase_step == 0:
            self.at.updates = {}

    def batches(self, phase: Phase, clock: Clock, micro: int | None) -> Iterator[list[dict[str, Tensor]]]:
        """The batches from here on, epoch after epoch."""
        at, size = self.at, phase.batch.amount
        if at.batch not in (0, size) and at.epoch_step:  # the batch changed within an epoch
            at.epoch, at.epoch_step = at.epoch + 1, 0
        at.batch = size
        steps = max(1, len(self.feed) // size)
        while True:
            if at.epoch_step >= steps:
                at.epoch, at.epoch_step = at.epoch + 1, 0
            for batch in self.feed.epoch(self.train.seed, at.epoch, size, start=at.epoch_step, micro=micro):
                at.epoch_step += 1
                yield batch

    def autocast(self, phase: Phase) -> AbstractContextManager[Any]:
        kinds = {"bf16": torch.bfloat16, "f16": torch.float16}
        if phase.precision in kinds:
            return torch.autocast(self.job.device.type, kinds[phase.precision])
        return nullcontext()

    def add(self, losses: Sequence[Tensor]) -> None:
        if not self.running:
            self.running = [loss.detach().clone() for loss in losses]
        else:
            for total, loss in zip(self.running, losses, strict=True):
                total += loss.detach()
        self.running_steps += 1

    def drain(self) -> dict[str, float]:
        """The mean of each term since the last time; the one place where training reads from the device."""
        if not self.running_steps:
            return {}
        values = torch.stack([total.float() for total in self.running]).tolist()
        means = [value / self.running_steps for value in values]
        self.running, self.running_steps = [], 0
        if not all(map(math.isfinite, means)):
            raise NotFinite(self.at.step)
        named = dict(zip(self.names, means, strict=True))
        total = self.totals and len(named) > 1 and "loss" not in named
        self.losses = {"loss": sum(means), **named} if total else named
        return self.losses

    def check(self, step: int) -> None:
        """Raises NotFinite when a loss since the last look was none."""
        if self.running_steps and not bool(torch.isfinite(torch.stack([t.float() for t in self.running])).all()):
            raise NotFinite(step)

    def show(self, phase: Phase) -> dict[str, float]:
        """What `log` names, from the same records and the same chance every time, so that pictures can be compared:
        images go to files, the means of the values are returned."""
        logged = self.program.logged[self.at.phase] if self.program.logged else None
        if logged is None:
            return {}
        if self.sample is None:
            self.sample = self.first_records(image_grid.MOST)
        devices = [self.job.device] if self.job.device.type == "cuda" else []
        with torch.random.fork_rng(devices), self.averages.applied(), evaluating(self.program):
            start_random(self.train.seed, -1, self.job.device)
            found = logged(self.sample)
        every = self.clock(phase).steps(phase.log.every) if phase.log.every else 1
        for name in phase.log.images if self.job.records and self.at.phase_step % every == 0 else ():
            file = self.job.run.path / "images" / f"{name}-{self.at.step:06}.png"
            image_grid.write_grid(file, found[name].cpu().numpy())
        return {name: float(found[name].double().mean()) for name in phase.log.values}

    def first_records(self, count: int) -> dict[str, Tensor]:
        """Records of the validation part, or of the train part, as evaluation sees them."""
        data = self.job.data
        split: Split = "val" if "val" in data.parts else "train"
        part = data.part(split)
        few = replace(data, parts={split: replace(part, records=part.records[:count])})
        return next(Feed(few, split, training=False, device=self.job.device).batches(count))

    # ---- validation ----------------------------------------------------------------------------------------------------------

    def validate(self, feed: Feed, phase: Phase) -> tuple[dict[str, float], dict[str, float], bool]:
        """Figures (`val.acc`), loss terms, and whether these weights are the best so far."""
        at = self.at
        size = evaluation_batch(phase)
        with self.averages.applied():
            figures, losses = evaluate(self.program, feed, size, phase.validate_every.batches)
            named = {f"val.{name}": value for name, value in {**losses, **figures}.items()}
            keep, stop = self.train.keep, self.train.stop
            best = False
            if keep.kind == "best" and keep.metric:
                value = self.figure(keep.metric, named, size)
                if better(value, at.best, keep.metric.direction):
                    at.best, at.best_step, at.best_figures, best = value, at.step, named, True
                    self.keep_these()
            elif keep.kind == "average":
                self.averages.sample(keep.last or 5)
        if stop:
            value = self.figure(stop.metric, named, size)
            if better(value, at.stop_best, stop.metric.direction):
                at.stop_best, at.stop_step = value, at.step
        return named, {f"val.{name}": value for name, value in losses.items()}, best

    def figure(self, metric: Any, named: dict[str, float], size: int) -> float:
        key = f"{metric.split}.{metric.name}"
        if key in named:
            return named[key]
        feed = Feed(self.job.data, metric.split, training=False, device=self.job.device)
        figures, losses = evaluate(self.program, feed, size)
        named.update({f"{metric.split}.{name}": value for name, value in {**losses, **figures}.items()})
        return named[key]

    def keep_these(self) -> None:
        tensors = self.program.tensors()
        if self.kept is None:
            self.kept = {name: tensor.detach().clone() for name, tensor in tensors.items()}
        else:
            for name, tensor in tensors.items():
                self.kept[name].copy_(tensor.detach())
        self.fresh_best = True

    # ---- checkpoints -----------------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """`best/` if it is new, then `last/`."""
        self.check(self.at.step)
        if not self.job.records:
            return
        run, at = self.job.run, self.at
        if self.fresh_best and self.kept is not None:
            figures = {"step": at.best_step, "figures": at.best_figures}
            checkpoint.write(run.best, Checkpoint(self.kept, loop=figures), self.job.metadata)
            self.fresh_best = False
        weights = {name: tensor.detach() for name, tensor in self.program.tensors().items()}
        state = {**self.optimizer_state(), **self.averages.state(), **checkpoint.random_state(self.job.device)}
        state.update({f"running.{i}": total for i, total in enumerate(self.running)})
        loop = {**vars(at), "running_steps": self.running_steps, "torch": torch.__version__}
        averaged = self.averages.weights()
        checkpoint.write(run.last, Checkpoint(weights, averaged, state, loop), self.job.metadata)
        self.job.listener(Saved(at.step, run.last))

    def optimizer_state(self) -> dict[str, Tensor]:
        paths = {id(tensor): path for path, tensor in self.program.tensors().items()}
        state: dict[str, Tensor] = {}
        for number, stepper in enumerate(self.steppers):
            for parameter, values in stepper.states():
                for key, value in values.items():
                    if value is not None:
                        name = f"optimizer.{number}.{key}.{paths[id(parameter)]}"
                        state[name] = value if isinstance(value, Tensor) else torch.tensor(value)
        return state

    def restore_optimizers(self, state: dict[str, Tensor]) -> None:
        tensors = self.program.tensors()
        for name, value in state.items():
            kind, number, rest = (*name.split(".", 2), "")[:3]
            if kind != "optimizer":
                continue
            key, path = rest.split(".", 1)
            parameter = tensors[path]
            home = self.steppers[int(number)].home(parameter)
            if home is not None:
                on_device = key != "step" or home.defaults.get("fused")
                home.state[parameter][key] = (value.to(parameter.device) if on_device else value).clone()

    def restore(self, saved: Checkpoint) -> None:
        """Puts everything back as it was when `saved` was written."""
        tensors = self.program.tensors()
        checkpoint.compare(tensors, saved.weights, self.job.run.last)
        with torch.no_grad():
            for name, tensor in tensors.items():
                tensor.copy_(saved.weights[name])
        loop = dict(saved.loop)
        self.running_steps = loop.pop("running_steps")
        loop.pop("torch", None)
        self.at = Position(**loop)
        self.averages.restore(saved, self.job.device)
        self.running = [
            saved.state[f"running.{i}"].to(self.job.device)
            for i in range(sum(name.startswith("running.") for name in saved.state))
        ]
        self._waiting = {name: value for name, value in saved.state.items() if name.startswith("optimizer.")}
        checkpoint.set_random_state(saved.state, self.job.device)
        if checkpoint.settle(self.job.run.best):
            best = checkpoint.read(self.job.run.best, everything=False)
            if best.loop.get("step") == self.at.best_step:
                self.kept = {name: value.to(self.job.device) for name, value in best.weights.items()}

    def log(self, text: str) -> None:
        if self.job.records:
            self.job.run.log(text)

    def say(self, text: str, code: str = "") -> None:
        self.log(text)
        self.job.listener(Note(text, code))


class Reporter:
    """Events, the metrics file, and when the next of each is due."""

    def __init__(self, loop: Loop, phase: Phase, total: int, clock: Clock, began: float) -> None:
        self.loop, self.phase, self.total, self.clock, self.began = loop, phase, total, clock, began
        now = time.perf_counter()
        self.next, self.next_save = now + REPORT_EVERY, now + loop.job.save_every
        self.since, self.since_step = now, loop.at.step
        evaluation = loop.train.evaluation
        terms = ["loss", *(term.name for term in evaluation.terms)] if evaluation.terms else []
        figures = [f"val.{name}" for name in (*terms, *(metric.name for metric in evaluation.metrics))]
        phases = loop.train.phases  # one file for all: a column for whatever any of them has
        columns = ["lr", *(["loss"] if loop.totals else []), *(name for each in phases for name in loss_names(each))]
        columns += [*(figures if loop.val is not None else ()), *(name for each in phases for name in each.log.values)]
        columns = list(dict.fromkeys(columns))
        self.file = MetricsFile(loop.job.run.path / "metrics.csv", columns, loop.at.step) if loop.job.records else None
        self.seen: dict[str, float] = {}

    def lr(self) -> float:
        return self.loop.steppers[0].lr(self.loop.at.phase_step)

    def event(self, now: float, losses: dict[str, float]) -> Progress:
        at = self.loop.at
        steps = at.step - self.since_step
        rate = steps / max(now - self.since, 1e-9)
        self.since, self.since_step = now, at.step
        self.next = now + REPORT_EVERY
        left = self.total - at.phase_step
        memory = torch.cuda.max_memory_allocated() if self.loop.job.device.type == "cuda" else None
        return Progress(
            at.step,
            at.step + left,
            at.epoch,
            losses,
            self.lr(),
            rate * self.clock.batch,
            left / max(rate, 1e-9),
            memory,
            self.phase.name,
        )

    def progress(self, now: float) -> None:
        """Looks at the sums without ending them, so that when it is called changes nothing that is recorded."""
        loop = self.loop
        loop.check(loop.at.step)
        values = torch.stack([total.float() for total in loop.running]).tolist()
        losses = {name: value / loop.running_steps for name, value in zip(loop.names, values, strict=True)}
        loop.job.listener(self.event(now, losses))

    def row(self, now: float, more: dict[str, float] | None = None) -> None:
        loop = self.loop
        losses = loop.drain()
        values = {**losses, **(more or {}), **loop.show(self.phase)}
        if self.file is not None:
            self.file.add({"step": loop.at.step, "epoch": loop.at.epoch + 1, "lr": self.lr(), **values})
        loop.job.listener(self.event(now, losses))

    def trained(self, now: float) -> None:
        """A row without validation."""
        self.row(now)
        at = self.loop.at
        if self.loop.val is None:
            losses = {f"train.{name}": value for name, value in self.loop.losses.items()}
            self.loop.job.listener(Validated(at.step, at.epoch + 1, "train", {}, losses))

    def validated(self, now: float, found: tuple[dict[str, float], dict[str, float], bool]) -> None:
        named, losses, best = found
        at = self.loop.at
        self.row(now, named)
        figures = {name: value for name, value in named.items() if name not in losses}
        self.loop.job.listener(Validated(at.step, at.epoch + 1, "val", figures, losses, best))
        self.loop.log(f"step {at.step} " + " ".join(f"{name} {value:.6g}" for name, value in named.items()))


def complete(train: Train, at: Mapping[str, Any], records: int) -> bool:
    """Whether nothing is left to do at this position."""
    if at["phase"] < len(train.phases) - 1:
        return False
    phase = train.phases[-1]
    clock = clock_of(phase, records)
    if at["stopped"] and train.stop and at["step"] - at["stop_step"] >= clock.steps(train.stop.patience):
        return True
    return at["phase_step"] >= length_of(phase, clock)


# ---- pieces of a step ------------------------------------------------------------------------------------------------------


def backward(loss_of: LossCode, batches: Sequence[dict[str, Tensor]]) -> Sequence[Tensor]:
    """Gradients of the whole batch; the terms. Over micro-batches a mean divides by the targets of the whole batch."""
    if len(batches) == 1:
        terms = loss_of(batches[0])
        (terms[0] if len(terms) == 1 else sum(terms[1:], terms[0])).backward()
        return terms
    whole: Sequence[Tensor] = ()
    for batch in batches:
        counts = loss_of.counts(batch)
        whole = [a + b for a, b in zip(whole, counts, strict=True)] if whole else counts
    totals: list[Tensor] = []
    for batch in batches:
        terms = loss_of.part(batch, whole, 1 / len(batches))
        (terms[0] if len(terms) == 1 else sum(terms[1:], terms[0])).backward()
        parts = [term.detach() for term in terms]
        totals = [a + b for a, b in zip(totals, parts, strict=True)] if totals else parts
    return totals


def clip(parameters: Sequence[Tensor], kind: str, limit: float) -> None:
    """Cuts the gradients, without a host read."""
    if kind == "norm":
        nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
    else:
        nn.utils.clip_grad_value_(parameters, limit, foreach=True)


class only:
    """Gradients go to these parameters only; the other nets keep their running statistics."""

    def __init__(self, program: Program, parameters: Sequence[Tensor], nets: Sequence[str]) -> None:
        chosen = {id(parameter) for parameter in parameters}
        self.others = [
            p for net in program.nets.values() for p in net.parameters() if id(p) not in chosen and p.requires_grad
        ]
        self.norms = [
            module
            for name, net in program.nets.items()
            if name not in nets
            for module in net.modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.track_running_stats
        ]

    def __enter__(self) -> None:
        for parameter in self.others:
            parameter.requires_grad_(False)
        for norm in self.norms:
            norm.track_running_stats = False

    def __exit__(self, *exception: object) -> None:
        for parameter in self.others:
            parameter.requires_grad_(True)
        for norm in self.norms:
            norm.track_running_stats = True


def better(value: float, best: float | None, direction: str) -> bool:
    """Whether a figure beats the best so far; one that is no number never does."""
    if math.isnan(value):
        return False
    return best is None or (value > best if direction == "max" else value < best)


def evaluation_batch(phase: Phase) -> int:
    """The batch of evaluation; what is measured does not depend on it."""
    return max(phase.batch.micro or phase.batch.amount, 256)


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


def watched(metric: Any) -> str:
    return f"{metric.split}.{metric.name}"


def start_random(seed: int, step: int, device: torch.device) -> None:
    """The generator of dropout and its kin: (seed, rank, step at the start)."""
    number = randomness.key(seed, "device", 0, step) & (2**63 - 1)
    torch.manual_seed(number)
    if device.type == "cuda":
        torch.cuda.manual_seed(number)


def run(job: Job, resumed: Checkpoint | None = None) -> dict[str, Any]:
    """Trains to the end; the result, as `result.json` holds it."""
    phases = job.train.phases
    with torch.random.fork_rng(devices=[job.device] if job.device.type == "cuda" else []):
        loop = Loop(job)
        start_random(job.train.seed, 0, job.device)
        if resumed is not None:
            loop.restore(resumed)
        announce(loop)
        loop.fit()
        loop.save()
        return finish(loop, phases[-1])


def announce(loop: Loop) -> None:
    job = loop.job
    clocks = [loop.clock(phase) for phase in job.train.phases]
    steps = sum(length_of(phase, clock) for phase, clock in zip(job.train.phases, clocks, strict=True))
    count = sum(t.numel() for t in job.program.tensors().values() if isinstance(t, nn.Parameter))
    records = {str(split): len(part) for split, part in job.data.parts.items()}
    names = tuple(phase.name for phase in job.train.phases if phase.name)
    job.listener(
        Started(job.run.path, str(job.device), count, records, steps, clocks[0].per_epoch, loop.at.step, names)
    )
    loop.log(f"start at step {loop.at.step} on {job.device}")
    size = job.train.phases[0].batch.amount
    rest = len(loop.feed) % size
    if len(loop.feed) < size:
        loop.say(
            f"the train split has {len(loop.feed)} records, fewer than `batch = {size}`: one batch of them", "W0407"
        )
    elif rest:
        loop.say(f"the incomplete last batch of an epoch ({rest} of {len(loop.feed)} records) is left out")


def finish(loop: Loop, phase: Phase) -> dict[str, Any]:
    """Kept weights in place, the test split evaluated with them, `result.json`."""
    job, at, keep = loop.job, loop.at, loop.train.keep
    averaged = loop.averages.mean_of_samples() if keep.kind == "average" else None
    if averaged is not None and job.records:
        checkpoint.write(job.run.best, Checkpoint(averaged, loop={"step": at.step, "figures": {}}), job.metadata)
    kept = averaged or loop.kept or loop.averages.weights()
    if kept is not None:
        with torch.no_grad():
            for name, tensor in loop.program.tensors().items():
                tensor.copy_(kept[name])
    figures: dict[str, float] = {}
    splits: tuple[Split, ...] = ("val", "test")
    measured = loop.train.evaluation.terms or loop.train.evaluation.metrics
    for split in splits:
        if measured and split in job.data.parts:
            feed = Feed(job.data, split, training=False, device=job.device)
            values, losses = evaluate(loop.program, feed, evaluation_batch(phase))
            figures.update({f"{split}.{name}": value for name, value in {**losses, **values}.items()})
    if not figures:  # nothing was held back: all there is to say is how the losses ended
        figures = {f"train.{name}": value for name, value in loop.losses.items()}
    result = {
        "figures": figures, "step": at.step, "epoch": at.epoch + 1, "seconds": round(at.seconds, 3),
        "best_step": at.best_step, "kept": keep.kind,
    }  # fmt: skip
    if job.records:
        job.run.write_json("result.json", result)
    job.listener(Finished(job.run.path, at.step, at.seconds, figures, at.best_step))
    return result


__all__ = ["Careful", "Job", "Loop", "NotFinite", "Position", "backward", "run"]
