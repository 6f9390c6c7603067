"""Metrics over a whole split, however it is batched: sums on the device, one value at the end.

Nothing is read by the host until `value`. Figures that are ratios of sums are exact; sums are in f64.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ...compiler.catalogue import METRICS

_WIDE = torch.float64


def _wide(device: torch.device) -> torch.dtype:
    return torch.float32 if device.type == "mps" else _WIDE


class Accumulator:
    """Base: `update` with each batch's inputs, then `value`."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        self.args = args
        self.total: Tensor | None = None

    def update(self, *inputs: Tensor) -> None:
        found = self.sums(*inputs)
        self.total = found if self.total is None else self.total + found

    def sums(self, *inputs: Tensor) -> Tensor:
        """What this batch adds: a vector of sums."""
        raise NotImplementedError

    def value(self) -> float:
        assert self.total is not None, "no batch"
        return self.result(self.total.cpu())

    def result(self, total: Tensor) -> float:
        raise NotImplementedError


def _classes_last(logits: Tensor, axis: int) -> Tensor:
    return logits if axis in (-1, logits.dim() - 1) else logits.movedim(axis, -1)


class Mean(Accumulator):
    """The mean over examples of what a batch's mean is."""

    def sums(self, *inputs: Tensor) -> Tensor:
        value, count = inputs
        return torch.stack((value.to(_wide(value.device)) * count, count.to(_wide(value.device))))

    def result(self, total: Tensor) -> float:
        return float(total[0] / total[1])


class Accuracy(Accumulator):
    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        logits = _classes_last(logits, self.args["axis"])
        if self.args["k"] == 1:
            right = logits.argmax(-1) == target
        else:
            right = (logits.topk(self.args["k"], -1).indices == target[..., None]).any(-1)
        counts = torch.ones_like(right) if self.args["ignore"] is None else target != self.args["ignore"]
        return torch.stack(((right & counts).sum(), counts.sum()))

    def result(self, total: Tensor) -> float:
        return int(total[0]) / int(total[1]) if int(total[1]) else math.nan


class _Confusion(Accumulator):
    """Sums a table of targets (rows) against predictions (columns)."""

    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        logits = _classes_last(logits, self.args["axis"])
        classes = logits.shape[-1]
        cells = (target * classes + logits.argmax(-1)).flatten()
        table = torch.zeros(classes * classes, dtype=torch.int64, device=logits.device)
        return table.index_add_(0, cells, torch.ones_like(cells)).reshape(classes, classes)

    def result(self, total: Tensor) -> float:
        table = total.to(_WIDE)
        right = table.diagonal()
        return self.ratio(right, table.sum(0) - right, table.sum(1) - right)

    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        """From true positives, false positives and false negatives of each class."""
        raise NotImplementedError

    def averaged(self, numerator: Tensor, denominator: Tensor, support: Tensor) -> float:
        if self.args["average"] == "micro":
            return float(numerator.sum() / denominator.sum())
        each = torch.where(denominator > 0, numerator / denominator.clamp(min=1e-300), torch.zeros_like(numerator))
        if self.args["average"] == "weighted":
            return float((each * support).sum() / support.sum())
        return float(each.mean())


class F1(_Confusion):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        return self.averaged(2 * right, 2 * right + wrong + missed, right + missed)


class Precision(_Confusion):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        return self.averaged(right, right + wrong, right + missed)


class Recall(_Confusion):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        return self.averaged(right, right + missed, right + missed)


class Iou(_Confusion):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        union = right + wrong + missed
        occurs = union > 0
        return float((right[occurs] / union[occurs]).mean())


class Perplexity(Accumulator):
    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        logits = _classes_last(logits, self.args["axis"]).flatten(0, -2)
        ignore = -100 if self.args["ignore"] is None else self.args["ignore"]
        target = target.flatten()
        wide = _wide(logits.device)
        nll = torch.nn.functional.cross_entropy(logits.float(), target, ignore_index=ignore, reduction="sum")
        return torch.stack((nll.to(wide), (target != ignore).sum().to(wide)))

    def result(self, total: Tensor) -> float:
        return math.exp(min(700.0, float(total[0] / total[1]))) if total[1] else math.nan


class _Errors(Accumulator):
    """Sums over pairs of a prediction and a value: count, |e|, e^2, y, y^2 (about the first value, for precision)."""

    offset: Tensor | None = None

    def sums(self, *inputs: Tensor) -> Tensor:
        pred, y = (value.to(_wide(value.device)) for value in inputs)
        y = y.expand_as(pred)
        if self.offset is None:
            self.offset = y.flatten()[0] if y.numel() else torch.zeros((), dtype=y.dtype, device=y.device)
        error, centred = pred - y, y - self.offset
        count = torch.full((), float(pred.numel()), dtype=pred.dtype, device=pred.device)
        return torch.stack((count, error.abs().sum(), (error**2).sum(), centred.sum(), (centred**2).sum()))


class Rmse(_Errors):
    def result(self, total: Tensor) -> float:
        return math.sqrt(float(total[2] / total[0]))


class Mae(_Errors):
    def result(self, total: Tensor) -> float:
        return float(total[1] / total[0])


class R2(_Errors):
    def result(self, total: Tensor) -> float:
        count, _, squared, first, second = total.tolist()
        variance = second - first * first / count
        return 1 - squared / variance if variance > 0 else (1.0 if squared == 0 else 0.0)


class Auroc(Accumulator):
    """Needs the order of all scores, so it keeps them."""

    def __init__(self, args: Mapping[str, Any]) -> None:
        super().__init__(args)
        self.scores: list[Tensor] = []
        self.targets: list[Tensor] = []

    def update(self, *inputs: Tensor) -> None:
        self.scores.append(inputs[0].detach())
        self.targets.append(inputs[1])

    def value(self) -> float:
        logits, target = torch.cat(self.scores).to(_WIDE).cpu(), torch.cat(self.targets).cpu()
        if logits.dim() == target.dim():
            return _area(logits.flatten(), target.flatten() > 0.5)
        logits, target = logits.flatten(0, -2), target.flatten()
        if logits.shape[-1] == 2:
            return _area(logits[:, 1] - logits[:, 0], target == 1)
        scores = logits.softmax(-1)
        areas = [_area(scores[:, c], target == c) for c in range(scores.shape[-1])]
        known = [area for area in areas if not math.isnan(area)]
        return sum(known) / len(known) if known else math.nan


def _area(scores: Tensor, positive: Tensor) -> float:
    """The chance that a positive scores above a negative, ties counting half; NaN when one of both is missing."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return math.nan
    _, inverse, counts = torch.unique(scores, return_inverse=True, return_counts=True)
    ends = counts.cumsum(0).to(_WIDE)
    ranks = (ends - (counts.to(_WIDE) - 1) / 2)[inverse]
    return (float(ranks[positive].sum()) - positives * (positives + 1) / 2) / (positives * negatives)


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


def accumulator_of(name: str) -> type[Accumulator]:
    """What gathers a metric: the class of this file that is called as its entry (`mean` is that of any other expression).
    KeyError when there is none."""
    return globals()[METRICS[name].__name__] if name in METRICS else Mean


def accumulator(name: str, args: Mapping[str, Any]) -> Accumulator:
    return accumulator_of(name)(args)
