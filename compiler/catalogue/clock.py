"""How long things take: durations of a recipe as numbers of steps, once the records are counted."""

from __future__ import annotations

from ..dataclass import dataclass
from ..ir.train import Duration, Phase, Update

ENDLESS = 2**62  # steps of a phase whose duration is a time on the clock


@dataclass(frozen=True)
class Clock:
    """How lengths become steps: `per_epoch` steps of `batch` samples (on the average), of `tokens` tokens each."""

    per_epoch: int
    batch: float
    tokens: int | None = None

    def steps(self, duration: Duration, rest: int | None = None) -> int:
        """A length in steps, from 1 to `ENDLESS`; `rest` is what is left of the duration."""
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
        return min(ENDLESS, max(1, round(amount)))

    def of_updates(self, update: Update) -> Clock:
        """The clock of an update's own schedules, whose time is its updates: `repeat` of them a step."""
        return Clock(self.per_epoch * update.repeat, self.batch, self.tokens)


def seconds(duration: Duration) -> float | None:
    """A length of wall time, or None when it is none."""
    return {"s": 1.0, "min": 60.0, "h": 3600.0}.get(duration.unit, 0.0) * duration.amount or None


def clock_of(phase: Phase, records: int) -> Clock:
    """Steps an epoch: a step draws a batch, and one more for every repeat of an update beyond that."""
    repeats = [update.repeat for update in phase.updates]
    draws = sum(repeat for repeat in repeats if repeat > 1) or 1
    if len(repeats) > 1 and repeats[0] == 1 and draws > 1:
        draws += 1
    batch = phase.batch
    if batch.unit == "samples":
        return Clock(max(1, records // (batch.amount * draws)), min(batch.amount, records))
    assert batch.batches is not None, "batches of tokens are counted with the data"
    return Clock(max(1, batch.batches // draws), records / batch.batches, batch.amount)


def length_of(phase: Phase, clock: Clock) -> int:
    """Steps of a phase; one that lasts for a time has no end of its own."""
    return ENDLESS if seconds(phase.duration) else clock.steps(phase.duration)
