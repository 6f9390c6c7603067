"""`mixup`: pairs of examples and their targets are mixed (Zhang et al., 2018, "mixup: Beyond Empirical Risk Minimization").

    image = share * image + (1 - share) * image[partner]              fields of floating-point numbers
    loss  = share * loss(label) + (1 - share) * loss(label[partner])  whole numbers are not mixed: the loss of both is

The share comes from Beta(alpha, alpha), the partners from a permutation of the batch, both once a step and as functions of (seed,
epoch, step). The nets run once: they see mixed fields alone, which `dlc check` makes sure of.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from ...compiler.ir.train import Batch as BatchSize
from .. import randomness
from ..data.feed import Batch
from ..generated.functions import Loss, LossCode

#: Further entries of a mixed batch; fields have no dot in their names.
SHARE, PARTNER = "mixup.share", "mixup.partner."


def mixed(batch: Batch, alpha: float, *words: int | str) -> Batch:
    """A batch mixed as the words decide: its share, and of whole numbers those of the partner, are entries of their own."""
    base = randomness.key(*words, "mixup")
    share = random.Random(base).betavariate(alpha, alpha)
    first = next(iter(batch.values()))
    partner = torch.from_numpy(randomness.permutation(base, len(first))).to(first.device)
    found: Batch = {SHARE: torch.tensor(share, device=first.device).expand(len(first))}
    for name, value in batch.items():
        other = value.index_select(0, partner)
        if value.is_floating_point():
            found[name] = torch.lerp(other, value, share)
        else:
            found[name], found[PARTNER + name] = value, other
    return found


def cut(batch: Batch, size: BatchSize) -> list[Batch]:
    """Its micro-batches."""
    count = len(batch[SHARE])
    if size.micro is None:
        return [batch]
    each = size.micro if size.unit == "samples" else max(1, count * size.micro // size.amount)
    return [{name: value[at : at + each] for name, value in batch.items()} for at in range(0, count, each)]


class MixedLoss:
    """A loss of mixed batches (a `LossCode`): its terms with the targets of an example and of its partner."""

    def __init__(self, loss: Loss) -> None:
        self._loss, self._nets = loss.remembering()

    def __call__(self, batch: Batch) -> Sequence[Tensor]:
        return self._both(batch, [self._loss(side) for side in _sides(batch)])

    def counts(self, batch: Batch) -> Sequence[Any]:
        return [count for side in _sides(batch) for count in self._loss.counts(side)]

    def part(self, batch: Batch, counts: Sequence[Any], share: float) -> Sequence[Tensor]:
        half = len(counts) // 2
        halves = (counts[:half], counts[half:])
        return self._both(
            batch, [self._loss.part(side, own, share) for side, own in zip(_sides(batch), halves, strict=True)]
        )

    def _both(self, batch: Batch, terms: Sequence[Sequence[Tensor]]) -> list[Tensor]:
        for net in self._nets:
            net.forget()
        share, (own, others) = batch[SHARE][0], terms
        return [share * one + (1 - share) * other for one, other in zip(own, others, strict=True)]


def _sides(batch: Batch) -> Iterator[Batch]:
    """The batch with its own whole numbers, then with those of the partners."""
    fields = {name: value for name, value in batch.items() if not name.startswith((SHARE, PARTNER))}
    yield fields
    yield {**fields, **{name.removeprefix(PARTNER): batch[name] for name in batch if name.startswith(PARTNER)}}


def losses(of: Sequence[LossCode], mixup: float | None) -> Sequence[LossCode]:
    """The losses of a phase, for mixed batches where it mixes them."""
    return of if mixup is None else [MixedLoss(loss) if isinstance(loss, Loss) else loss for loss in of]
