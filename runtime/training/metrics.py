"""Metrics over a whole split, however it is batched: what gathers each entry of the catalogue, by the name of its class."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...backends.pytorch.signatures import MetricPart
from ...compiler.catalogue import METRICS
from ...compiler.messages import training as errors
from ...compiler.messages.diagnostics import Failed
from ..data.feed import Data
from . import class_metrics, score_metrics, value_metrics
from .accumulator import Accumulator, MeanOfBatches


class Bleu(Accumulator):
    """Corpus BLEU-4 with the brevity penalty (Papineni et al., 2002)."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        super().__init__(args)
        self.said: list[Tensor] = []
        self.wanted: list[Tensor] = []

    def update(self, *inputs: Tensor) -> None:
        self.said.append(inputs[0].argmax(-1))
        self.wanted.append(inputs[1])

    def value(self) -> float:
        matches, totals, said_length, wanted_length = [0] * 4, [0] * 4, 0, 0
        for said, wanted in zip(self.said, self.wanted, strict=True):
            for a, b in zip(said.tolist(), wanted.tolist(), strict=True):
                keep = [i for i, token in enumerate(b) if token != self.args["ignore"]]
                one, other = [a[i] for i in keep], [b[i] for i in keep]
                said_length, wanted_length = said_length + len(one), wanted_length + len(other)
                for n in range(1, 5):
                    grams, known = _grams(one, n), _grams(other, n)
                    matches[n - 1] += sum((grams & known).values())
                    totals[n - 1] += sum(grams.values())
        if not all(matches):
            return 0.0
        precision = math.exp(sum(math.log(m / t) for m, t in zip(matches, totals, strict=True)) / 4)
        return precision * min(1.0, math.exp(1 - wanted_length / said_length))


def _grams(tokens: list[int], n: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))


_CLASSES: Mapping[str, type[Accumulator]] = {
    **vars(class_metrics),
    **vars(score_metrics),
    **vars(value_metrics),
    "Bleu": Bleu,
}


def accumulator_of(name: str) -> type[Accumulator]:
    """What gathers a metric: the class that is called as its entry (`mean` is that of any other expression). KeyError when there is
    none."""
    return _CLASSES[METRICS[name].__name__] if name in METRICS else MeanOfBatches


def accumulator(name: str, args: Mapping[str, Any]) -> Accumulator:
    return accumulator_of(name)(args)


def accumulators(parts: Sequence[MetricPart], data: Data) -> list[Accumulator]:
    """What gathers each part over a split of the data. Raises Failed where targets that should be text are not."""
    found = [accumulator(part.op, part.args) for part in parts]
    for part, each in zip(parts, found, strict=True):
        if isinstance(each, score_metrics.BitsPerByte):
            lengths = data.token_bytes(part.field) if part.field is not None else None
            if lengths is None:
                assert part.span is not None
                raise Failed(errors.not_tokens_of_text(part.span, part.op))
            each.lengths = torch.tensor(lengths)
    return found
