"""Losses and metrics over a split: every record once, however it is batched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from ...compiler.ir.train import Batch, Phase
from ..data.feed import Feed
from ..generated.functions import Program
from .metrics import accumulator


def evaluation_batch(phase: Phase) -> Batch:
    """The batch of evaluation; what is measured does not depend on it."""
    size = phase.batch.micro or phase.batch.amount
    return Batch(amount=size if phase.batch.unit == "tokens" else max(size, 256), unit=phase.batch.unit)


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


def evaluate(
    program: Program, feed: Feed, batch: Batch, limit: int | None = None
) -> tuple[dict[str, float], dict[str, float]]:
    """Figures and loss terms of a split: (`{"acc": ..}`, `{"loss": ..}`). One host read at the end of each.

    What is random in them (the noise of a diffusion model) is drawn alike every time: figures of two moments compare, and
    validation does not change what training draws.
    """
    parts = [accumulator(part.op, part.args) for part in program.parts]
    sums: list[Tensor] = []
    with torch.random.fork_rng([feed.device] if feed.device.type == "cuda" else []), evaluating(program):
        torch.manual_seed(0)
        for data in feed.batches(batch, limit):
            found = program.evaluation(data)
            for part, values in zip(parts, found.inputs, strict=True):
                part.update(*values)
            wide = [_weighted(term, count) for term, count in zip(found.terms, found.weights, strict=True)]
            sums = [a + b for a, b in zip(sums, wide, strict=True)] if sums else wide
    losses: dict[str, float] = {}
    for name, total in zip(program.terms, sums, strict=True):
        value, count = total.tolist()
        losses[name] = value / count if count else 0.0
    if len(losses) > 1:
        losses = {"loss": sum(losses.values()), **losses}
    elif losses:
        losses = {"loss": next(iter(losses.values()))}
    values = {given.name: part.value() for given, part in zip(program.parts, parts, strict=True)}
    return program.evaluation.figures(values), losses
