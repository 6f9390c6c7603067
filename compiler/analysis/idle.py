"""Keys of `train` whose value changes nothing (W0415): lengths beyond the end of the run, figures of splits that there are not; and
a batch that is larger than the train split (W0407).

A phase of `100 steps` with `lr = 0 -> linear(1e-3, 200 steps)` reaches half of the rate. Lengths in one unit are compared by
`dlc check`; steps with epochs only where the records are counted. A value that several phases share is idle if it is in each.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..catalogue import SEGMENTS
from ..catalogue.clock import Clock, clock_of, length_of
from ..ir.data import DataFacts, DataSet
from ..ir.train import Duration, Phase, Schedule, Train, Update
from ..messages import idle as messages
from ..messages.diagnostics import Diagnostic
from ..messages.source import Span

#: Without data an epoch is a million steps: only lengths in epochs are compared with each other.
_UNCOUNTED = Clock(10**6, 1, 1)
_COUNTED = ("steps", "epochs", "samples", "tokens")


def idle(train: Train, data: DataSet, facts: DataFacts | None) -> Iterator[Diagnostic]:
    """W0415 for what changes nothing; with `facts` it is known how many records there are."""
    yield from _large_batch(train, facts)
    measured = bool(train.evaluation.terms or train.evaluation.metrics)
    validates = measured and ("val" in data.splits if facts is None else bool(facts.records.get("val")))
    if not validates and measured:
        yield from _without_validation(train, data)
    found: dict[Span, list[Diagnostic | None]] = {}
    for phase in train.phases:
        for span, diagnostic in _Phase(phase, facts, bool(validates)).verdicts():
            found.setdefault(span, []).append(diagnostic)
    for verdicts in found.values():
        if (first := verdicts[0]) is not None and None not in verdicts:
            yield first
    if validates:
        yield from _followed(train, facts)


def _large_batch(train: Train, facts: DataFacts | None) -> Iterator[Diagnostic]:
    """W0407 for the first phase whose batch the train split does not fill."""
    records = facts.records.get("train") if facts is not None else None
    for phase in train.phases if records else ():
        if records is not None and phase.batch.unit == "samples" and phase.batch.amount > records:
            yield messages.fewer_than_batch(phase.span, phase.batch.amount, records)
            return


def _without_validation(train: Train, data: DataSet) -> Iterator[Diagnostic]:
    if train.evaluation.metrics and "test" not in data.splits:
        yield messages.nothing_measured(train.evaluation.metrics[0].span, data.name)
    if train.keep.kind != "last" and train.keep.span is not None:
        yield messages.nothing_validated(train.keep.span, "keep", data.name)
    if train.stop is not None:
        yield messages.nothing_validated(train.stop.span, "stop", data.name)


def _clock(phase: Phase, facts: DataFacts | None, *lengths: Duration) -> Clock | None:
    """Steps of these lengths; None where they cannot be compared."""
    if any(length.unit not in _COUNTED for length in lengths):
        return None
    records = facts.records.get("train") if facts is not None else None
    if records and (phase.batch.unit == "samples" or phase.batch.batches is not None):
        return clock_of(phase, records)
    return _UNCOUNTED if len({length.unit for length in lengths}) == 1 else None


def _shown(length: Duration) -> str:
    return f"{length.amount:g} {length.unit}"


class _Phase:
    """What a phase does with each of its keys: for each place why it changes nothing, or None where it does."""

    def __init__(self, phase: Phase, facts: DataFacts | None, validates: bool) -> None:
        self.phase, self.facts, self.validates = phase, facts, validates
        what = f"phase `{phase.name}`" if phase.name else "the run"
        self.where = f"{what} ({_shown(phase.duration)})"

    def verdicts(self) -> Iterator[tuple[Span, Diagnostic | None]]:
        phase, validate = self.phase, self.phase.validate_every
        if validate.span is not None and self.validates:
            shown = f"every({_shown(validate.every)})"
            rare = messages.rarely(validate.span, shown, self.where) if self._beyond(validate.every) else None
            yield validate.span, rare or self._batches(validate.span)
        if phase.log.span is not None and phase.log.every is not None:
            shown = f"every = {_shown(phase.log.every)}"
            yield (
                phase.log.span,
                (messages.log_rarely(phase.log.span, shown, self.where) if self._beyond(phase.log.every) else None),
            )
        for freeze in phase.freeze:
            if freeze.until is not None:
                late = self._beyond(freeze.until, reached=True)
                shown = _shown(freeze.until)
                yield freeze.span, messages.frozen_throughout(freeze.span, shown, self.where) if late else None
        for update in phase.updates:
            for name, schedule in update.schedules():
                yield from self._schedule(update, name, schedule)

    def _batches(self, span: Span) -> Diagnostic | None:
        batches, size = self.phase.validate_every.batches, self.phase.batch.evaluation()
        records = self.facts.records.get("val") if self.facts is not None else None
        if batches is None or not records or size.unit != "samples" or batches * size.amount < records:
            return None
        return messages.all_batches(span, batches, records, size.amount)

    def _beyond(self, length: Duration, *, reached: bool = False) -> bool:
        """Whether a length is over only after the phase, or (`reached`) with it."""
        clock = _clock(self.phase, self.facts, length, self.phase.duration)
        return clock is not None and clock.steps(length) > length_of(self.phase, clock) - reached

    def _schedule(self, update: Update, name: str, schedule: Schedule) -> Iterator[tuple[Span, Diagnostic | None]]:
        duration = self.phase.duration
        timed = [segment.length for segment in schedule.segments if segment.length is not None]
        clock = _clock(self.phase, self.facts, duration, *(length for length in timed if length.unit != "rest"))
        if clock is None:
            return
        total, clock = length_of(self.phase, clock) * update.repeat, clock.of_updates(update)
        time = 0
        for segment in schedule.segments:
            verdict: Diagnostic | None = None
            if time >= total:
                verdict = messages.never_reached(segment.span, name, self.where)
            elif segment.length is not None:
                length = clock.steps(segment.length, max(1, total - time))
                if SEGMENTS[segment.kind].repeats:
                    late = time + length >= total
                    verdict = messages.never_repeats(segment.span, name, self.where) if late else None
                elif time + length > total and segment.to is not None:
                    share, to = (total - time) / length, segment.to * schedule.scale
                    verdict = messages.cut_short(segment.span, name, share, to, self.where)
                time += length
            yield segment.span, verdict


def _followed(train: Train, facts: DataFacts | None) -> Iterator[Diagnostic]:
    """`keep` and `stop`, by when there are validations."""
    rhythm = [(phase, phase.validate_every.every) for phase in train.phases]
    clocks = [_clock(phase, facts, phase.duration, every) for phase, every in rhythm]
    if not all(clocks):
        return
    steps = [length_of(phase, clock) for (phase, _), clock in zip(rhythm, clocks, strict=True) if clock is not None]
    periods = [clock.steps(every) for (_, every), clock in zip(rhythm, clocks, strict=True) if clock is not None]
    validations = sum(-(-total // period) for total, period in zip(steps, periods, strict=True))
    keep, stop = train.keep, train.stop
    if keep.span is not None and keep.kind != "last":
        if validations == 1:
            whole = train.phases[0].duration
            tenth = max(1, whole.amount // 10) if whole.unit in ("steps", "samples", "tokens") else whole.amount / 10
            yield messages.only_candidate(keep.span, keep.kind, f"{tenth:g} {whole.unit}")
        elif keep.last is not None and keep.last > validations:
            yield messages.fewer_to_average(keep.span, keep.last, validations)
    phase, *more = train.phases
    if stop is None or more:
        return
    clock, total, period = _clock(phase, facts, phase.duration, rhythm[0][1], stop.patience), steps[0], periods[0]
    if clock is not None and (total - 1) // period * period - period < clock.steps(stop.patience):
        yield messages.never_stops(stop.span, _shown(stop.patience), _Phase(phase, facts, True).where)
