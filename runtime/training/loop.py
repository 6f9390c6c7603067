"""The training loop: what happens in a step, in one visible function (`run_phase`).

A step of `train { batch = 64; micro_batch = 32; clip = norm(1.0); .. }`:

    micro_batches = next(batches)           two batches of 32, already on the device or copied ahead by threads
    losses = backward(loss_of, ..)          forward and backward of each; gradients add up
    move(..)                                clips the gradients, sets learning rates by schedule, updates
    state.losses.add(losses)                sums stay on the device

The host queues kernels and runs ahead of the device as long as it reads nothing from it. A read (`.item()`, `.tolist()`, a
comparison of a tensor) waits for all that is queued, and with one read a step host and device would take turns. So between two
points where something is reported nothing is read; lines that read are marked `device read`.

Position is (phase, step), and data order and augmentation follow from the seed and the position: a checkpoint needs no state of
the loader, and a resumed run is bitwise the same on a CPU.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from ...compiler.catalogue.clock import length_of, seconds
from ...compiler.ir.train import Phase, Update
from .. import randomness
from ..checkpoints.checkpoint import Checkpoint
from ..data import sampling
from ..failure import Interrupted
from ..generated.functions import LossCode
from . import mixing
from .finish import finish
from .freezing import Freezing, only
from .interrupts import Signals
from .losses import NotFinite
from .optimizers import Stepper, build
from .precision import HALF
from .recomputing import recompute
from .reporter import Reporter, announce, loss_names
from .resume import restore, restore_optimizers, save
from .scaling import LEAST, report_skipped, unscale
from .state import Job, TrainingState
from .validation import validate

Batches = Iterator[list[dict[str, Tensor]]]


def run(job: Job, resumed: Checkpoint | None = None) -> dict[str, Any]:
    """Trains to the end, from the checkpoint on if there is one; the result, as `result.json` holds it."""
    with torch.random.fork_rng(devices=[job.device] if job.device.type == "cuda" else []):
        state = TrainingState(job)
        randomness.seed_torch(job.train.seed, 0, job.device)
        if resumed is not None:
            restore(state, resumed)
        announce(state)
        fit(state)
        save(state)
        return finish(state)


def fit(state: TrainingState) -> None:
    """Trains from `state.at` to the end. Raises Interrupted (saved) or NotFinite."""
    at, phases = state.at, state.train.phases
    began = time.perf_counter() - at.seconds
    with Signals() as signals:
        while True:
            run_phase(state, phases[at.phase], signals, began)
            if at.phase + 1 == len(phases):
                break  # the position stays at the end of the last phase, so that a longer duration continues there
            at.phase, at.phase_step, at.stopped = at.phase + 1, 0, False
    at.seconds = time.perf_counter() - began


def run_phase(state: TrainingState, phase: Phase, signals: Signals, began: float) -> None:
    """Steps of one phase, until its duration, its deadline, `stop` or a signal."""
    job, at, losses = state.job, state.at, state.losses
    losses.names = loss_names(phase)
    clock = state.clock(phase)
    total, deadline = length_of(phase, clock), seconds(phase.duration)
    begin_phase(state, phase)
    freezing = Freezing(job.program, job.entries, phase, clock)
    losses_of = mixing.losses(state.program.phases[at.phase], phase.mixup)
    update, loss_of, stepper = phase.updates[0], losses_of[0], state.steppers[0]
    one_update = not update.name and update.repeat == 1  # not a `step`, which moves some of the nets only
    parameters = stepper.parameters
    cast, scaled = autocast(phase, job.device), phase.precision == "f16"
    validate_every = clock.steps(phase.validate_every.every)
    patience = clock.steps(state.train.stop.patience) if state.train.stop else 0
    log_every = clock.steps(phase.log.every) if phase.log.every else 0
    report = Reporter(state, phase, total, clock)
    batches = training_batches(state, phase)
    freezing.apply(at.phase_step)

    while at.phase_step < total:
        if one_update:
            micro_batches = next(batches)
            if job.watch:
                job.watch.before(micro_batches, loss_of)
            with cast:
                terms = backward(loss_of, micro_batches, at.scale if scaled else None)
            moved = move(state, update, stepper, parameters, at.phase_step, terms, cast, scaled)
        else:
            terms, moved = rounds(state, phase, losses_of, batches, cast)
        if moved:
            losses.add(terms)
            state.averages.step()
        at.step += 1
        at.phase_step += 1
        if freezing.changes(at.phase_step):
            freezing.apply(at.phase_step)

        now = time.perf_counter()
        last = at.phase_step == total or (deadline is not None and now - began >= deadline)
        measure = at.phase_step % validate_every == 0 or last
        if state.val is not None and measure:
            report.validated(now, validate(state, state.val, phase))  # device read
            if state.train.stop and at.step - at.stop_step >= patience:
                at.stopped = True
                metric = state.train.stop.metric
                why = "was never a number in" if at.stop_best is None else "has not improved for"
                job.say(
                    f"stopped at step {at.step}: {metric.split}.{metric.name} {why} {patience} steps; "
                    "remove `stop` to train longer"
                )
                break
        elif measure or (log_every and at.phase_step % log_every == 0):
            report.trained(now)  # device read
        elif now >= report.next:
            report.progress(now)  # device read, once a second
        if signals.number:
            at.seconds = now - began
            save(state)
            raise Interrupted(signals.number, job.run.path)
        if now >= report.next_save:
            at.seconds = now - began
            save(state)  # device read, by default every 30 s
            report.saved()
        if last:
            break
    losses.check(at.step)  # device read


def rounds(
    state: TrainingState,
    phase: Phase,
    losses_of: Sequence[LossCode],
    batches: Batches,
    cast: AbstractContextManager[Any],
) -> tuple[list[Tensor], bool]:
    """One round of all `step` sections, such as discriminator and generator: each draws its batches and updates its own
    nets. The terms of all of them, and whether every update was made."""
    found: list[Tensor] = []
    micro_batches: list[dict[str, Tensor]] = []
    terms: Sequence[Tensor] = ()
    at, watch, scaled, whole = state.at, state.job.watch, phase.precision == "f16", True
    shared = state.program.shared[at.phase] if state.program.shared else None
    for number, (update, loss_of, stepper) in enumerate(zip(phase.updates, losses_of, state.steppers, strict=True)):
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
            with only(state.program, parameters, update.nets):
                if watch:
                    watch.before(given, loss_of)
                with cast:
                    terms = backward(loss_of, given, at.scale if scaled else None)
                done = at.updates.get(update.name, 0)
                whole &= move(state, update, stepper, parameters, done, terms, cast, scaled)
                at.updates[update.name] = done + 1
        found += terms
    return found, whole


# ---- pieces of a step ------------------------------------------------------------------------------------------------------


def backward(loss_of: LossCode, batches: Sequence[dict[str, Tensor]], scale: float | None = None) -> Sequence[Tensor]:
    """Gradients of the whole batch, times `scale`; the terms. Over micro-batches a mean divides by the targets of the whole
    batch."""
    if len(batches) == 1:
        terms = loss_of(batches[0])
        total = terms[0] if len(terms) == 1 else sum(terms[1:], terms[0])
        (total if scale is None else total * scale).backward()
        return terms
    whole: Sequence[Any] = ()
    for batch in batches:
        counts = loss_of.counts(batch)
        whole = [a + b for a, b in zip(whole, counts, strict=True)] if whole else counts
    whole = [at_least_one(count) for count in whole]
    totals: list[Tensor] = []
    for batch in batches:
        terms = loss_of.part(batch, whole, 1 / len(batches))
        total = terms[0] if len(terms) == 1 else sum(terms[1:], terms[0])
        (total if scale is None else total * scale).backward()
        parts = [term.detach() for term in terms]
        totals = [a + b for a, b in zip(totals, parts, strict=True)] if totals else parts
    return totals


def at_least_one(count: Tensor | float) -> Tensor | float:
    """What a sum over counted targets is divided by: where none counts the sum is 0, and so is the loss. No host read."""
    return count.where(count != 0, 1) if isinstance(count, Tensor) else count or 1


def move(
    state: TrainingState,
    update: Update,
    stepper: Stepper,
    parameters: Sequence[Tensor],
    time: int,
    terms: Sequence[Tensor],
    cast: AbstractContextManager[Any],
    scaled: bool,
) -> bool:
    """Moves the weights along their gradients, which end with it. False where gradients are beyond the range of f16, so that the
    update is left out; NotFinite where that has no end."""
    at, watch = state.at, state.job.watch
    moves = not scaled or unscale(parameters, at)  # device read, in f16 only
    if not moves:
        report_skipped(state)
    elif update.clip:
        clip(parameters, update.clip.kind, update.clip.limit)
    if watch and (moves or at.scale < LEAST):
        with cast:
            watch.after(terms, at.step)  # device read, only while the cause of a divergence is looked for
    if moves:
        stepper.step(time)
    elif at.scale < LEAST:
        raise NotFinite(at.step + 1)
    for parameter in parameters:  # cheaper than `zero_grad`, and the next backward pass writes instead of adding
        parameter.grad = None
    return moves


def clip(parameters: Sequence[Tensor], kind: str, limit: float) -> None:
    """Cuts the gradients, without a host read."""
    if kind == "norm":
        nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
    else:
        nn.utils.clip_grad_value_(parameters, limit, foreach=True)


# ---- around the steps ------------------------------------------------------------------------------------------------------


def begin_phase(state: TrainingState, phase: Phase) -> None:
    """Makes the optimizers of a phase; what they kept continues unless the phase starts them fresh."""
    at = state.at
    recompute(state.program.nets, phase.runtime.recompute)
    state.job.data.graph.workers = phase.runtime.workers
    before = {id(p): kept for stepper in state.steppers for p, kept in stepper.states()}
    state.steppers = [build(groups(), state.job.device) for groups in state.program.groups[at.phase]]
    for stepper in state.steppers if not phase.fresh else ():
        for parameter in stepper.parameters:
            home = stepper.home(parameter)
            if home is not None and id(parameter) in before:
                home.state[parameter] = before[id(parameter)]
    if state.optimizers:
        restore_optimizers(state, state.optimizers)
        state.optimizers = {}
    if at.phase_step == 0:
        at.updates = {}


def training_batches(state: TrainingState, phase: Phase) -> Batches:
    """The batches from here on, epoch after epoch, each as its micro-batches."""
    at, size = state.at, phase.batch
    if at.batch and (at.batch, at.unit) != (size.amount, size.unit) and at.epoch_step:  # it changed within an epoch
        at.epoch, at.epoch_step = at.epoch + 1, 0
    at.batch, at.unit = size.amount, size.unit
    seed, mixup = state.train.seed, phase.mixup
    weights = sampling.weights(state.job.data, phase.sampling) if phase.sampling is not None else None
    asked = size if mixup is None else size.model_copy(update={"micro": None})
    while True:
        for batch in state.feed.epoch(seed, at.epoch, asked, start=at.epoch_step, weights=weights):
            at.epoch_step += 1
            if mixup is not None:
                batch = mixing.cut(mixing.mixed(batch[0], mixup, seed, at.epoch, at.epoch_step), size)
            yield batch
        at.epoch, at.epoch_step = at.epoch + 1, 0


def autocast(phase: Phase, device: torch.device) -> AbstractContextManager[Any]:
    if phase.precision in HALF:
        return torch.autocast(device.type, HALF[phase.precision])
    return nullcontext()
