"""Metrics equal scikit-learn's, or the definition itself, in whatever batches they come."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn import metrics as sk

from dlc.compiler.catalogue import METRICS
from dlc.runtime.training.metrics import accumulator
from dlc.runtime.training.score_metrics import BitsPerByte

DEFAULTS = {"axis": -1, "k": 1, "ignore": None, "average": "macro", "weights": "equal", "bins": 10, "q": 0.5}
N, C = 203, 5
GENERATOR = torch.Generator().manual_seed(0)
LOGITS = torch.randn(N, C, generator=GENERATOR)
TARGET = torch.randint(0, C - 1, (N,), generator=GENERATOR)  # the last class never occurs
SAID = LOGITS.argmax(-1)


def value(name: str, *inputs: torch.Tensor, batch: int = 64, **args: object) -> float:
    found = accumulator(name, {**DEFAULTS, **args})
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


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize(
    ("name", "reference"), [("f1", sk.f1_score), ("precision", sk.precision_score), ("recall", sk.recall_score)]
)
def test_ratios_of_labels(name: str, reference, average: str) -> None:
    """Several labels an example; of the last one none is there."""
    tags = torch.rand(N, C, generator=torch.Generator().manual_seed(2)) < torch.tensor([0.5, 0.1, 0.3, 0.9, 0.0])
    expected = reference(tags, LOGITS > 0, average=average, zero_division=0)
    assert value(name, LOGITS, tags.float(), average=average, labels=True) == pytest.approx(expected, abs=1e-12)


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


def test_bits_per_byte_are_those_of_the_text() -> None:
    logits, target = torch.randn(6, 7, C, generator=GENERATOR), torch.randint(0, C, (6, 7), generator=GENERATOR)
    lengths = [0, 1, 2, 3, 5]  # of 0, a mark, its bits count and no bytes
    found = accumulator("bits_per_byte", {**DEFAULTS, "ignore": 3})
    assert isinstance(found, BitsPerByte)
    found.lengths = torch.tensor(lengths)
    for part in (slice(0, 2), slice(2, 6)):
        found.update(logits[part], target[part])
    counted = target != 3
    bits = -logits.double().log_softmax(-1).gather(-1, target[..., None])[..., 0][counted].sum() / math.log(2)
    assert found.value() == pytest.approx(float(bits / torch.tensor(lengths)[target][counted].sum()), rel=1e-6)


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


# ---- random cases, among them ties, one class only, classes that do not occur, constant values -----------------------------


def quiet(reference: Any, *args: Any, **options: Any) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(reference(*args, **options))


def cases_of_classes() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Logits in tenths, and class numbers of which some may not occur."""
    generator = torch.Generator().manual_seed(1)
    for case in range(12):
        classes, count = 2 + case % 4, 1 + (case * 7) % 60
        logits = (2 * torch.randn(count, classes, generator=generator)).round(decimals=1)
        highest = 1 if case % 6 == 0 else max(1, classes - case % 2)
        yield logits, torch.randint(0, highest, (count,), generator=generator)


def shares_of(logits: torch.Tensor) -> np.ndarray:
    return logits.double().softmax(-1).numpy()


def brier(target: torch.Tensor, logits: torch.Tensor) -> float:
    squares = (shares_of(logits) - np.eye(logits.shape[1])[target]) ** 2
    return float(squares[:, 1:].sum(-1).mean() if logits.shape[1] == 2 else squares.sum(-1).mean())


def calibration(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    found = 0.0
    for at in range(bins):
        inside = (confidence >= at / bins) & ((confidence < (at + 1) / bins) | (at == bins - 1))
        if inside.any():
            found += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    return found


def versus_rest(reference: Any, target: torch.Tensor, logits: torch.Tensor, others: bool) -> float:
    """The mean over the classes that occur (and leave others, where a figure needs them); of two by the score of the second."""
    if logits.shape[1] == 2:
        columns = [(target.numpy() == 1, (logits.double()[:, 1] - logits.double()[:, 0]).numpy())]
    else:
        columns = [(target.numpy() == c, shares_of(logits)[:, c]) for c in range(logits.shape[1])]
    known = [quiet(reference, yes, score) for yes, score in columns if yes.any() and not (others and yes.all())]
    return float(np.mean(known)) if known else math.nan


def test_classes_against_the_reference() -> None:
    for logits, target in cases_of_classes():
        said, labels = logits.argmax(-1), range(logits.shape[1])
        right = (said == target).numpy()
        expected = {
            "balanced_accuracy": quiet(sk.balanced_accuracy_score, target, said),
            "mcc": quiet(sk.matthews_corrcoef, target, said),
            "log_loss": quiet(sk.log_loss, target, shares_of(logits), labels=labels),
            "brier": brier(target, logits),
            "ece": calibration(shares_of(logits).max(-1), right, 10),
            "auroc": versus_rest(sk.roc_auc_score, target, logits, True),
            "average_precision": versus_rest(sk.average_precision_score, target, logits, False),
        }
        for name, figure in expected.items():
            assert value(name, logits, target, batch=13) == pytest.approx(figure, abs=1e-6, nan_ok=True), name
        for weights in ("equal", "linear", "quadratic"):
            kind = None if weights == "equal" else weights
            figure = quiet(sk.cohen_kappa_score, target, said, labels=labels, weights=kind)
            assert value("cohen_kappa", logits, target, weights=weights) == pytest.approx(figure, abs=1e-9, nan_ok=True)
        if logits.shape[1] == 2 and len(target) > 1:
            assert value("brier", logits, target) == pytest.approx(
                quiet(sk.brier_score_loss, target, shares_of(logits)[:, 1], labels=[0, 1]), abs=1e-9
            )


@pytest.mark.parametrize("column", [False, True])
def test_one_logit_an_example(column: bool) -> None:
    for logits, target in cases_of_classes():
        score, yes = (
            (logits[:, :1], (target == 0).float()[:, None]) if column else (logits[:, 0], (target == 0).float())
        )
        flat, labels = yes.flatten().numpy(), (score > 0).float().flatten().numpy()
        share = score.double().sigmoid().flatten().numpy()
        expected = {
            "accuracy": quiet(sk.accuracy_score, flat, labels),
            "balanced_accuracy": quiet(sk.balanced_accuracy_score, flat, labels),
            "f1": quiet(sk.f1_score, flat, labels, zero_division=0),
            "precision": quiet(sk.precision_score, flat, labels, zero_division=0),
            "recall": quiet(sk.recall_score, flat, labels, zero_division=0),
            "mcc": quiet(sk.matthews_corrcoef, flat, labels),
            "log_loss": quiet(sk.log_loss, flat, share, labels=[0, 1]),
            "brier": float(((share - flat) ** 2).mean()),
            "ece": calibration(np.maximum(share, 1 - share), flat == labels, 10),
            "average_precision": quiet(sk.average_precision_score, flat, share) if flat.any() else math.nan,
        }
        for name, figure in expected.items():
            assert value(name, score, yes, batch=9) == pytest.approx(figure, abs=1e-6, nan_ok=True), name


def test_values_against_the_reference() -> None:
    generator = torch.Generator().manual_seed(2)
    for case in range(12):
        count = 2 + (case * 5) % 50
        y = (3 * torch.randn(count, 2, generator=generator) + 1).round(decimals=1)
        pred = (y + torch.randn(count, 2, generator=generator)).round(decimals=1)
        if case % 8 == 1:
            y = torch.full_like(y, 0.1)
        if case % 8 == 2:
            pred = y.clone()
        one, other = y.double().flatten().numpy(), pred.double().flatten().numpy()
        expected = {
            "mape": quiet(sk.mean_absolute_percentage_error, one, other),
            "smape": float(
                np.mean(
                    [2 * abs(a - b) / (abs(a) + abs(b)) if a or b else 0.0 for a, b in zip(one, other, strict=True)]
                )
            ),
            "median_absolute_error": quiet(sk.median_absolute_error, one, other),
            "max_error": quiet(sk.max_error, one, other),
            "explained_variance": quiet(sk.explained_variance_score, one, other),
            "r2": quiet(sk.r2_score, one, other),
            "pearson": quiet(lambda a, b: scipy.stats.pearsonr(a, b).statistic, one, other),
            "spearman": quiet(lambda a, b: scipy.stats.spearmanr(a, b).statistic, one, other),
        }
        for name, figure in expected.items():
            found = value(name, pred, y, batch=7)
            assert found == pytest.approx(figure, rel=1e-6, abs=1e-9, nan_ok=True), (name, case)
        for q in (0.1, 0.5, 0.9):
            figure = quiet(sk.mean_pinball_loss, one, other, alpha=q)
            assert value("pinball", pred, y, q=q) == pytest.approx(figure, rel=1e-9)


def test_records_of_several_lengths() -> None:
    """Padding is to the longest record of a batch, so batches differ in their axes."""
    generator = torch.Generator().manual_seed(3)
    parts = [torch.randn(4, length, generator=generator) for length in (3, 7)]
    for name in ("spearman", "pearson", "median_absolute_error", "auroc", "average_precision"):
        found = accumulator(name, DEFAULTS)
        for part in parts:
            found.update(part, (part > 0).float())
        assert math.isfinite(found.value())


def test_every_metric_of_the_catalogue_is_compared() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [name for name in METRICS if f'"{name}"' not in text] == []
