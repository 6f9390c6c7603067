"""Metrics equal scikit-learn's, or the definition itself, in whatever batches they come."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from sklearn import metrics as sk

from dlc.runtime.training.metrics import accumulator

N, C = 203, 5
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(N, C, generator=GENERATOR)
TARGET = torch.randint(0, C - 1, (N,), generator=GENERATOR)  # the last class never occurs
SAID = LOGITS.argmax(-1)


def value(name: str, *inputs: torch.Tensor, batch: int = 64, **args: object) -> float:
    found = accumulator(name, {"axis": -1, "k": 1, "ignore": None, "average": "macro", **args})
    for start in range(0, len(inputs[0]), batch):
        found.update(*(part[start : start + batch] for part in inputs))
    return found.value()


@pytest.mark.parametrize("batch", [1, 64, 1000])
def test_accuracy(batch: int) -> None:
    assert value("accuracy", LOGITS, TARGET, batch=batch) == sk.accuracy_score(TARGET, SAID)
    top = sk.top_k_accuracy_score(TARGET, LOGITS, k=2, labels=range(C))
    assert value("accuracy", LOGITS, TARGET, batch=batch, k=2) == pytest.approx(top, abs=1e-12)


def test_accuracy_along_another_axis_and_without_what_is_ignored() -> None:
    logits = torch.randn(4, C, 3, 3, generator=GENERATOR)
    target = torch.randint(0, C, (4, 3, 3), generator=GENERATOR)
    said = logits.argmax(1)
    assert value("accuracy", logits, target, axis=1) == float((said == target).double().mean())
    counted = target != 2
    assert value("accuracy", logits, target, axis=1, ignore=2) == pytest.approx(
        float((said == target)[counted].double().mean())
    )


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize(
    ("name", "reference"), [("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)]
)
def test_ratios_of_classes(name: str, reference, average: str) -> None:
    expected = reference(TARGET, SAID, average=average, labels=range(C), zero_division=0)
    assert value(name, LOGITS, TARGET, average=average) == pytest.approx(expected, abs=1e-12)


def test_auroc_of_two_and_of_more_classes() -> None:
    scores = torch.randn(N, generator=GENERATOR).round(decimals=1)  # with ties
    answers = (torch.rand(N, generator=GENERATOR) < 0.3).float()
    assert value("auroc", scores, answers) == pytest.approx(sk.roc_auc_score(answers, scores), abs=1e-12)
    two = torch.stack((torch.zeros(N), scores), -1)
    assert value("auroc", two, answers.long()) == pytest.approx(sk.roc_auc_score(answers, scores), abs=1e-12)
    target = torch.arange(N) % C
    expected = sk.roc_auc_score(target, LOGITS.double().softmax(-1), multi_class="ovr")
    assert value("auroc", LOGITS, target) == pytest.approx(expected, abs=1e-9)


def test_iou() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        each = sk.jaccard_score(TARGET, SAID, average=None, labels=range(C))
    occurs = [c in TARGET.tolist() or c in SAID.tolist() for c in range(C)]
    assert value("iou", LOGITS, TARGET) == pytest.approx(float(np.mean(each[occurs])), abs=1e-12)


def test_perplexity_counts_targets_not_batches() -> None:
    logits, target = torch.randn(6, 7, C, generator=GENERATOR), torch.randint(0, C, (6, 7), generator=GENERATOR)
    target[0, :6] = 3
    nll = torch.nn.functional.cross_entropy(logits.double().flatten(0, 1), target.flatten(), ignore_index=3)
    assert value("perplexity", logits, target, batch=4, ignore=3) == pytest.approx(math.exp(nll), rel=1e-5)


def test_values() -> None:
    y = 1e4 + torch.randn(N, generator=GENERATOR)  # a variance far below the square of the mean
    pred = y + 0.5 * torch.randn(N, generator=GENERATOR)
    assert value("rmse", pred, y) == pytest.approx(sk.root_mean_squared_error(y.double(), pred.double()), rel=1e-9)
    assert value("mae", pred, y) == pytest.approx(sk.mean_absolute_error(y.double(), pred.double()), rel=1e-9)
    assert value("r2", pred, y) == pytest.approx(sk.r2_score(y.double(), pred.double()), rel=1e-6)


def test_bleu_by_hand() -> None:
    wanted = torch.tensor([[1, 2, 3, 4, 5, 0]])
    said = torch.nn.functional.one_hot(torch.tensor([[1, 2, 3, 4, 6, 6]]), 8).float()
    precision = (4 / 5) * (3 / 4) * (2 / 3) * (1 / 2)
    assert value("bleu", said, wanted, ignore=0) == pytest.approx(precision**0.25)
    assert value("bleu", torch.nn.functional.one_hot(wanted, 8).float(), wanted, ignore=0) == 1.0
