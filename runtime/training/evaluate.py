"""Losses and metrics over a split: every record once, however it is batched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, TypeAlias

import torch
from torch import Tensor

from ...compiler.dataclass import dataclass
from ...compiler.ir.train import Batch
from ..checkpoints.judgements import Judgement
from ..data.draw import Records
from ..data.feed import Batch as Fields
from ..data.feed import Feed
from ..generated.functions import Measured, Program
from .metrics import accumulators

#: What the nets were applied to and gave for one batch, by the net's name, in order.
Calls: TypeAlias = "Mapping[str, Sequence[tuple[tuple[Any, ...], tuple[Tensor, ...]]]]"


@dataclass(frozen=True)
class Seen:
    """A batch that was measured. `positions` are those of its records in the split."""

    positions: Records
    batch: Fields
    measured: Measured
    calls: Calls


class Witness(Protocol):
    """Sees each batch of a split while it is evaluated, in evaluation mode and without gradients."""

    def see(self, seen: Seen) -> None: ...


class JudgingWitness(Witness, Protocol):
    """A witness that judges what it saw."""

    def result(self, figures: Mapping[str, float]) -> Judgement: ...


@contextmanager
def evaluating(program: Program) -> Iterator[None]:
    """Evaluation mode without gradients; afterwards every module is in the mode it was in."""
    modes = [(module, module.training) for net in program.nets.values() for module in net.modules()]
    program.train(False)
    try:
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def _weighted(term: Tensor, count: Tensor | float) -> Tensor:
    """What a batch adds to a term: its sum and its count. A mean over nothing adds nothing."""
    wide = torch.as_tensor(count, dtype=torch.float64, device=term.device)
    return torch.stack(((term.double() * wide).where(wide != 0, 0), wide))


@contextmanager
def _recorded(program: Program | None) -> Iterator[Calls]:
    """What the nets are applied to and give within; nothing without a program."""
    calls: dict[str, list[tuple[tuple[Any, ...], tuple[Tensor, ...]]]] = {}

    def hook(name: str) -> Any:
        def record(_: Any, inputs: tuple[Any, ...], output: Any) -> None:
            calls.setdefault(name, []).append((inputs, output if isinstance(output, tuple) else (output,)))

        return record

    with ExitStack() as stack:
        for name, net in program.nets.items() if program is not None else ():
            stack.callback(net.register_forward_hook(hook(name)).remove)
        yield calls


class Measurement:
    """Losses and metrics of a split.

    What is random in them (the noise of a diffusion model) is drawn alike every time: figures of two moments compare, and
    validation does not change what training draws.
    """

    def __init__(self, program: Program, feed: Feed, batch: Batch, limit: int | None = None) -> None:
        self.program, self.feed, self.batch, self.limit = program, feed, batch, limit
        self.parts = accumulators(program.parts, feed.data)
        self.sums: list[Tensor] = []

    def run(self, *, recorded: bool = False) -> Iterator[Seen]:
        """Measures batch after batch; with `recorded` also what the nets gave."""
        program, device = self.program, self.feed.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []), evaluating(program):
            torch.manual_seed(0)
            for positions, data in self.feed.numbered(self.batch, self.limit):
                with _recorded(program if recorded else None) as calls:
                    found = program.evaluation(data)
                for part, values in zip(self.parts, found.inputs, strict=True):
                    part.update(*values)
                wide = [_weighted(term, count) for term, count in zip(found.terms, found.weights, strict=True)]
                self.sums = [a + b for a, b in zip(self.sums, wide, strict=True)] if self.sums else wide
                with torch.random.fork_rng([device] if device.type == "cuda" else [], enabled=recorded):
                    yield Seen(positions, data, found, calls)

    def figures(self) -> tuple[dict[str, float], dict[str, float]]:
        """Figures and loss terms: (`{"acc": ..}`, `{"loss": ..}`). One host read at the end of each."""
        losses: dict[str, float] = {}
        for name, total in zip(self.program.terms, self.sums, strict=True):
            value, count = total.tolist()
            losses[name] = value / count if count else 0.0
        if len(losses) > 1:
            losses = {"loss": sum(losses.values()), **losses}
        elif losses:
            losses = {"loss": next(iter(losses.values()))}
        values = {given.name: part.value() for given, part in zip(self.program.parts, self.parts, strict=True)}
        return self.program.evaluation.figures(values), losses


def evaluate(
    program: Program, feed: Feed, batch: Batch, limit: int | None = None, witness: Witness | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures and loss terms of a split: (`{"acc": ..}`, `{"loss": ..}`)."""
    measurement = Measurement(program, feed, batch, limit)
    for seen in measurement.run(recorded=witness is not None):
        if witness is not None:
            witness.see(seen)
    return measurement.figures()
