"""Metrics: each gathers over the whole split, however it is batched, and knows which direction is better."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..sizes.facts import Facts
from ..sizes.types import TensorType, is_integer
from .losses import Target, class_axis, pair_classes, pair_equal, scalar
from .ops.base import Function, Outputs, Rejected


class Metric(Function):
    """Base of all metrics."""

    numbers = ()
    direction: ClassVar[Literal["max", "min"]] = "max"
    #: What the first input is: order is all that matters (`scores`), or the values themselves.
    reads: ClassVar[Literal["scores", "logits", "values"]] = "values"
    #: As of a loss.
    target: ClassVar[Target]
    #: The figure is in the units of the values: ten times the values, ten times the figure.
    in_units: ClassVar[bool] = False


class _OfClasses(Metric):
    """Class numbers against logits along `axis`."""

    refuses = "outside"
    reads = "scores"
    target = "class"


class Accuracy(_OfClasses):
    """The fraction of targets among the `k` highest logits; `ignore` is a class number that is left out."""

    k: int = 1
    axis: int = -1
    ignore: int | None = None

    example = "metrics { top2 = accuracy(logits, label, k = 2) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        classes = logits.shape[class_axis(logits, self.axis)]
        if self.k < 1 or (isinstance(classes, int) and self.k > classes):
            raise Rejected("E0304", f"`k` is from 1 to the number of classes, {classes}", f"it is {self.k}")
        return scalar(logits)


class F1(_OfClasses):
    """The harmonic mean of precision and recall. `average`: over classes (`macro`, equally; `weighted`, by their
    number of targets) or over all predictions (`micro`). A class that occurs in neither counts 0, as in scikit-learn."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    axis: int = -1

    example = 'metrics { f1 = f1(logits, label, average = "weighted") }'

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class Precision(_OfClasses):
    """The fraction of predictions of a class that are correct; `average` as in `f1`."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    axis: int = -1

    example = "metrics { precise = precision(logits, label) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class Recall(_OfClasses):
    """The fraction of a class that is found; `average` as in `f1`."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    axis: int = -1

    example = "metrics { found = recall(logits, label) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class Auroc(Metric):
    """Area under the ROC curve. Logits `[..]` with targets 0 and 1 of the same shape, or `[.., classes]` with class
    numbers: two classes by the score of the second, more by the mean of one-versus-rest."""

    reads = "logits"
    target = "class"
    example = "metrics { auroc = auroc(logits, label) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        if logits.rank == target.rank:
            pair_equal(logits, target.with_dtype(logits.dtype), facts, word="logits", number=False)
            if logits.rank == 0:
                raise Rejected("E0202", "there is one score, of no examples", f"`{logits}`")
        else:
            pair_classes(logits, target, -1, facts)
        return scalar(logits)


class Iou(_OfClasses):
    """Intersection over union of each class, mean over the classes that occur."""

    axis: int = -1

    example = "metrics { iou = iou(pixels, area, axis = 1) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class Perplexity(Metric):
    """exp of the mean cross-entropy."""

    axis: int = -1
    ignore: int | None = None

    direction = "min"
    refuses = "outside"
    reads = "logits"
    target = "class"
    example = "metrics { ppl = perplexity(steps, words, ignore = 0) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class _OfValues(Metric):
    """Predictions against values of equal shape."""

    numbers = ("y",)
    target = "value"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        pair_equal(pred, y, facts)
        return scalar(pred)


class Rmse(_OfValues):
    """The root of the mean squared error."""

    direction = "min"
    in_units = True
    example = "metrics { rmse = rmse(value, y) }"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        return super().infer(facts, pred, y)


class Mae(_OfValues):
    """The mean absolute error."""

    direction = "min"
    in_units = True
    example = "metrics { mae = mae(value, y) }"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        return super().infer(facts, pred, y)


class R2(_OfValues):
    """The fraction of the variance that is explained; 1 is perfect, 0 is that of predicting the mean."""

    example = "metrics { r2 = r2(value, y) }"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        return super().infer(facts, pred, y)


class Bleu(Metric):
    """Corpus BLEU-4 of the highest logits against token numbers; `ignore` is padding."""

    ignore: int | None = None

    reads = "scores"
    target = "class"
    example = "metrics { bleu = bleu(steps, words, ignore = 0) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, -1, facts)
        if not is_integer(target.dtype) or target.rank != 2:
            raise Rejected("E0202", "BLEU compares sequences of tokens", f"target `{target}` is not `i64[B, T]`")
        return scalar(logits)
