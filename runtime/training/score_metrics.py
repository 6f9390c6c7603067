"""Metrics of scores and probabilities: by the order of the examples, or by how far the probabilities are from the targets."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from .accumulator import Accumulator, Kept, classes_last, ranks, wide

# ---- by order --------------------------------------------------------------------------------------------------------


class _OfOrder(Kept):
    def sums(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        logits, target = inputs
        rows = logits.flatten() if logits.dim() == target.dim() else logits.flatten(0, -2)
        return rows.detach(), target.flatten()


class Auroc(_OfOrder):
    def of_all(self, first: Tensor, second: Tensor) -> float:
        return _versus_rest(first, second, _area)


class AveragePrecision(_OfOrder):
    def of_all(self, first: Tensor, second: Tensor) -> float:
        return _versus_rest(first, second, _precision)


def _versus_rest(logits: Tensor, target: Tensor, figure: Callable[[Tensor, Tensor], float]) -> float:
    """The figure of one score an example, of the second of two classes, or its mean over the classes where it is a number."""
    if logits.dim() == target.dim():
        return figure(logits, target > 0.5)
    if logits.shape[-1] == 2:
        return figure(logits[:, 1] - logits[:, 0], target == 1)
    scores = logits.softmax(-1)
    figures = [figure(scores[:, c], target == c) for c in range(scores.shape[-1])]
    known = [figure for figure in figures if not math.isnan(figure)]
    return sum(known) / len(known) if known else math.nan


def _area(scores: Tensor, positive: Tensor) -> float:
    """The chance that a positive scores above a negative, ties counting half; NaN when one of both is missing."""
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if not positives or not negatives:
        return math.nan
    return (float(ranks(scores)[positive].sum()) - positives * (positives + 1) / 2) / (positives * negatives)


def _precision(scores: Tensor, positive: Tensor) -> float:
    """The mean precision at each positive, of all that score as high; NaN without a positive."""
    positives = int(positive.sum())
    if not positives:
        return math.nan
    values, inverse = torch.unique(scores, return_inverse=True)
    counts = torch.zeros(2, len(values), dtype=scores.dtype)
    counts[0].index_add_(0, inverse, positive.to(scores.dtype))
    counts[1].index_add_(0, inverse, torch.ones_like(scores))
    found, taken = counts.flip(1).cumsum(1)
    return float((found / taken * counts[0].flip(0)).sum()) / positives


# ---- by distance -----------------------------------------------------------------------------------------------------


class _Likelihood(Accumulator):
    """Sums negative log-likelihoods and the targets that count."""

    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        ignore = -100 if self.args["ignore"] is None else self.args["ignore"]
        dtype = wide(logits.device)
        if logits.dim() == target.dim():
            each = functional.binary_cross_entropy_with_logits(logits.to(dtype), target.to(dtype), reduction="none")
            counts = target != ignore
            return torch.stack((each.where(counts, 0).sum(), counts.sum().to(dtype)))
        logits = classes_last(logits, self.args["axis"]).flatten(0, -2)
        target = target.flatten()
        nll = functional.cross_entropy(logits.float(), target, ignore_index=ignore, reduction="none")
        return torch.stack((nll.to(dtype).sum(), (target != ignore).sum().to(dtype)))


class Perplexity(_Likelihood):
    def result(self, total: Tensor) -> float:
        return math.exp(min(700.0, float(total[0] / total[1]))) if total[1] else math.nan


class BitsPerByte(_Likelihood):
    lengths: Tensor  # the bytes of each token's text

    def sums(self, *inputs: Tensor) -> Tensor:
        nats, _ = super().sums(*inputs)
        target = inputs[1]
        self.lengths = self.lengths.to(target.device)
        counts = (target != (-100 if self.args["ignore"] is None else self.args["ignore"])) & (target >= 0)
        each = self.lengths[target.clamp(0, len(self.lengths) - 1)].where(counts, 0)
        return torch.stack((nats, each.sum().to(nats.dtype)))

    def result(self, total: Tensor) -> float:
        return float(total[0] / total[1]) / math.log(2) if total[1] else math.nan


class LogLoss(_Likelihood):
    def result(self, total: Tensor) -> float:
        return float(total[0] / total[1]) if total[1] else math.nan


class Brier(Accumulator):
    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        dtype = wide(logits.device)
        if logits.dim() == target.dim():
            squares = (logits.to(dtype).sigmoid() - target.to(dtype)) ** 2
        else:
            shares = classes_last(logits, self.args["axis"]).to(dtype).softmax(-1)
            hot = torch.zeros_like(shares).scatter_(-1, target[..., None], 1)
            squares = ((shares - hot) ** 2).sum(-1) / (2 if shares.shape[-1] == 2 else 1)
        return torch.stack((squares.sum(), torch.full_like(squares.sum(), squares.numel())))

    def result(self, total: Tensor) -> float:
        return float(total[0] / total[1]) if total[1] else math.nan


class Ece(Accumulator):
    """By interval: predictions, the sum of their probabilities, those that are right."""

    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        dtype, bins = wide(logits.device), self.args["bins"]
        if logits.dim() == target.dim():
            share = logits.to(dtype).sigmoid()
            confidence, right = torch.maximum(share, 1 - share), (logits > 0) == (target > 0.5)
        else:
            confidence, predicted = classes_last(logits, self.args["axis"]).to(dtype).softmax(-1).max(-1)
            right = predicted == target
        confidence, right = confidence.flatten(), right.flatten()
        at = (confidence * bins).long().clamp(0, bins - 1)
        found = torch.zeros(3, bins, dtype=dtype, device=logits.device)
        rows = torch.stack((torch.ones_like(confidence), confidence, right.to(dtype)))
        return found.index_add_(1, at, rows)

    def result(self, total: Tensor) -> float:
        counts, confidence, right = total
        return float((confidence - right).abs().sum() / counts.sum()) if counts.sum() else math.nan
