"""Metrics of predicted classes: each is computed from sums over a table of targets against predictions."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .accumulator import WIDE, Accumulator, classes_last


class Accuracy(Accumulator):
    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        if logits.dim() == target.dim():
            right = (logits > 0) == (target > 0.5)
        else:
            logits = classes_last(logits, self.args["axis"])
            if self.args["k"] == 1:
                right = logits.argmax(-1) == target
            else:
                right = (logits.topk(self.args["k"], -1).indices == target[..., None]).any(-1)
        counts = torch.ones_like(right) if self.args["ignore"] is None else target != self.args["ignore"]
        return torch.stack(((right & counts).sum(), counts.sum()))

    def result(self, total: Tensor) -> float:
        return int(total[0]) / int(total[1]) if int(total[1]) else math.nan


class _Table(Accumulator):
    """Sums a table of targets (rows) against predictions (columns). One logit an example makes a table of no (0) and yes (1)."""

    single = False

    def sums(self, *inputs: Tensor) -> Tensor:
        logits, target = inputs
        self.single = logits.dim() == target.dim()
        if self.single:
            classes, target, predicted = 2, (target > 0.5).long(), (logits > 0).long()
        else:
            logits = classes_last(logits, self.args["axis"])
            classes, predicted = logits.shape[-1], logits.argmax(-1)
        cells = (target * classes + predicted).flatten()
        table = torch.zeros(classes * classes, dtype=torch.int64, device=logits.device)
        return table.index_add_(0, cells, torch.ones_like(cells)).reshape(classes, classes)

    def result(self, total: Tensor) -> float:
        return self.of_table(total.to(WIDE))

    def of_table(self, table: Tensor) -> float:
        raise NotImplementedError


class _Ratio(_Table):
    """A ratio of each class. Of several labels an example, each of which may be there, it sums how often each is rightly found, wrongly
    found and missed."""

    def sums(self, *inputs: Tensor) -> Tensor:
        if not self.args.get("labels"):
            return super().sums(*inputs)
        logits, target = inputs
        said, there = (logits > 0).flatten(0, -2), (target > 0.5).flatten(0, -2)
        return torch.stack([(said & there).sum(0), (said & ~there).sum(0), (~said & there).sum(0)])

    def result(self, total: Tensor) -> float:
        return self.ratio(*total.to(WIDE)) if self.args.get("labels") else super().result(total)

    def of_table(self, table: Tensor) -> float:
        right = table.diagonal()
        counts = torch.stack((right, table.sum(0) - right, table.sum(1) - right))
        return self.ratio(*(counts[:, 1:] if self.single else counts))

    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        """From true positives, false positives and false negatives of each class."""
        raise NotImplementedError

    def averaged(self, numerator: Tensor, denominator: Tensor, support: Tensor) -> float:
        each = torch.where(denominator > 0, numerator / denominator.clamp(min=1e-300), torch.zeros_like(numerator))
        if self.args["average"] == "micro":
            return float(numerator.sum() / denominator.sum()) if denominator.sum() > 0 else 0.0
        if self.args["average"] == "weighted":
            return float((each * support).sum() / support.sum()) if support.sum() > 0 else 0.0
        return float(each.mean())


class F1(_Ratio):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        return self.averaged(2 * right, 2 * right + wrong + missed, right + missed)


class Precision(_Ratio):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        return self.averaged(right, right + wrong, right + missed)


class Recall(_Ratio):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        return self.averaged(right, right + missed, right + missed)


class Iou(_Ratio):
    def ratio(self, right: Tensor, wrong: Tensor, missed: Tensor) -> float:
        union = right + wrong + missed
        occurs = union > 0
        return float((right[occurs] / union[occurs]).mean())


class BalancedAccuracy(_Table):
    def of_table(self, table: Tensor) -> float:
        support = table.sum(1)
        occurs = support > 0
        return float((table.diagonal()[occurs] / support[occurs]).mean())


class Mcc(_Table):
    def of_table(self, table: Tensor) -> float:
        targets, predicted, count = table.sum(1), table.sum(0), table.sum()
        shared = table.trace() * count - targets @ predicted
        spread = (count**2 - targets @ targets) * (count**2 - predicted @ predicted)
        return float(shared / spread.sqrt()) if spread > 0 else 0.0


class CohenKappa(_Table):
    def of_table(self, table: Tensor) -> float:
        places = torch.arange(len(table), dtype=WIDE)
        apart = (places[:, None] - places).abs()
        cost = {"equal": (apart > 0).to(WIDE), "linear": apart, "quadratic": apart**2}[self.args["weights"]]
        by_chance = torch.outer(table.sum(1), table.sum(0)) / table.sum()
        expected = float((cost * by_chance).sum())
        return 1 - float((cost * table).sum()) / expected if expected else math.nan
