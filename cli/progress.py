"""The progress of a run: a moving bar on a terminal, plain lines elsewhere.

Milestones (start, validations, notes, end) are the same lines in both; what moves goes to standard error.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..runtime.training.events import Event, Finished, Note, Progress, Saved, Started, Validated
from . import console, judgement

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

#: Seconds between two lines of progress where nothing can move.
PATIENCE = 10.0


def listener() -> Lines:
    """The drawing that fits where standard error goes."""
    if sys.stderr.isatty() and not console.dumb():
        return Moving()
    return Lines()


def duration(seconds: float) -> str:
    """`8.3 s`, `2 min 05 s`, `3 h 12 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02} min"


def figures(values: Mapping[str, float]) -> str:
    """`val.acc 0.9767  val.loss 0.0812`."""
    return "  ".join(f"{name} {value:.4g}" for name, value in values.items())


class Lines:
    """One line an event; progress at most every few seconds."""

    def __init__(self) -> None:
        self.spoken = time.monotonic()
        self.steps = self.shown = 0

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self.steps, self.shown = event.steps, event.step
                self.say(f"run        {event.run}")
                splits = "  ".join(f"{split} {count:,}" for split, count in event.records.items())
                self.say(f"start      {event.parameters:,} parameters on {event.device}; {splits}")
                if event.step:
                    self.say(f"resume     from step {event.step:,} of {event.steps:,}")
            case Progress():
                self.progress(event)
            case Validated():
                self.validated(event)
            case Saved():
                pass  # every validation saves; saying so each time would bury the figures
            case Note():
                code = f"[{event.code}]" if event.code else ""
                self.say(f"note{code}: {event.text}")
            case Finished():
                self.finish(event)

    def progress(self, event: Progress) -> None:
        if time.monotonic() - self.spoken >= PATIENCE:
            self.spoken = time.monotonic()
            left = f"{duration(event.seconds_left)} left"
            rate = f"{event.samples_per_second:,.0f} samples/s"
            console.err(f"step {event.step:>6,} of {event.steps:,}  {figures(event.losses)}  {rate}  {left}")

    def validated(self, event: Validated) -> None:
        """A line: every twentieth of the run, and when it is the best so far (all are in metrics.csv)."""
        if event.best or event.step == self.steps or event.step - self.shown >= self.steps / 20:
            self.shown = event.step
            mark = "  (best)" if event.best else ""
            seen = {**event.losses, **event.figures}
            self.say(f"step {event.step:>6,}  epoch {event.epoch:>3,}  {figures(seen)}{mark}")

    def finish(self, event: Finished) -> None:
        for note in event.notes:
            self.say(f"note: {note}")
        best = f", best at step {event.best_step:,}" if event.best_step is not None else ""
        self.say(f"done       {event.step:,} steps in {duration(event.seconds)}{best}")
        if event.figures:
            self.say(f"result     {figures(event.figures)}")
        for judged in event.judged[-1:]:
            for name, found in judged.in_units.items():
                if judgement.units(found):
                    self.say(f"units      {judged.split}.{name} {judgement.units(found)}")
            judgement.show(judged)
            if judged.outputs:
                self.say("")
        self.say(f"run        {event.run}")

    def say(self, text: str) -> None:
        console.out(text)
        sys.stdout.flush()

    def close(self) -> None:
        """The run is over, one way or another."""


class Moving(Lines):
    """A bar below the lines."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Bar | None = None
        self.task: TaskID | None = None

    def __call__(self, event: Event) -> None:
        super().__call__(event)
        if isinstance(event, Started):
            self.draw(event)

    def draw(self, event: Started) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            refresh_per_second=4,
        )
        self.task = self.bar.add_task("", total=event.steps, completed=event.step)
        self.bar.start()

    def progress(self, event: Progress) -> None:
        if self.bar is not None and self.task is not None:
            text = f"{figures(event.losses)}  lr {event.lr:.2g}  {event.samples_per_second:,.0f} samples/s"
            self.bar.update(self.task, completed=event.step, description=text)

    def finish(self, event: Finished) -> None:
        self.close()
        super().finish(event)

    def say(self, text: str) -> None:
        if self.bar is not None:
            self.bar.console.file.flush()
            self.bar.stop()
            super().say(text)
            self.bar.start()
        else:
            super().say(text)

    def close(self) -> None:
        """Takes the bar away; also when a run ends by an exception."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
