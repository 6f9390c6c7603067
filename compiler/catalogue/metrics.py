"""Metrics: each gathers over the whole split, however it is batched, and knows which direction is better."""

from __future__ import annotations

from typing import ClassVar, Literal

from ..sizes.facts import Facts
from ..sizes.types import TensorType, is_float, is_integer
from .arguments import Count, Fraction
from .losses import Target, class_axis, pair_classes, pair_equal, scalar
from .ops.base import Function, Outputs, Rejected

#: What a figure is measured in: "target" - the units of the target: ten times the values, ten times the figure; "relative" - it
#: has no units, and is another where the values are shifted or transformed; the others are words for a person.
Unit = Literal[
    "target",
    "relative",
    "a share, from 0 to 1",
    "from -1 to 1",
    "nats",
    "bits per byte of text",
    "a number without units",
]

_SHARE: Unit = "a share, from 0 to 1"
_CORRELATION: Unit = "from -1 to 1"


class Metric(Function):
    """Base of all metrics."""

    numbers = ()
    direction: ClassVar[Literal["max", "min"]] = "max"
    #: What the first input is: order is all that matters (`scores`), or the values themselves.
    reads: ClassVar[Literal["scores", "logits", "values"]] = "values"
    #: As of a loss.
    target: ClassVar[Target]
    #: What the figure is measured in.
    unit: ClassVar[Unit]
    #: Counts the bytes of the text that its targets stand for, so that these must be tokens of a text.
    counts_bytes: ClassVar[bool] = False


def _pair(logits: TensorType, target: TensorType, axis: int, facts: Facts) -> bool:
    """Whether there is one logit an example, with targets 0 and 1 of the same shape, and not class numbers against logits along
    `axis`. One-hot rows have the shape of the logits too, and are refused."""
    if logits.rank and logits.rank == target.rank and (logits.rank == 1 or logits.shape[-1] == 1):
        pair_equal(logits, target.with_dtype(logits.dtype), facts, word="logits", number=False)
        return True
    if is_float(target.dtype) and target.shape == logits.shape:
        raise Rejected(
            "E0204",
            "the target holds floating-point numbers, not class numbers",
            f"`{target}`",
            helps=("of several labels an example: `f1`, `precision` or `recall` with `labels = true`",),
        )
    pair_classes(logits, target, axis, facts)
    return False


class _OfClasses(Metric):
    """Class numbers against logits along `axis`; or one logit an example against targets 0 and 1 of the same shape."""

    refuses = "outside"
    reads = "scores"
    target = "class"
    unit = _SHARE

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        if self.values.get("labels"):
            pair_equal(logits, target.with_dtype(logits.dtype), facts, word="logits", number=False)
        else:
            _pair(logits, target, self.values.get("axis", -1), facts)
        return scalar(logits)


class Accuracy(_OfClasses):
    """The fraction of targets among the `k` highest logits; `ignore` is a class number that is left out. Of one logit an example,
    with targets 0 and 1 of the same shape, the fraction on the right side of 0."""

    k: int = 1
    axis: int = -1
    ignore: int | None = None

    example = "metrics { top2 = accuracy(logits, label, k = 2) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        single = _pair(logits, target, self.axis, facts)
        classes = 1 if single else logits.shape[class_axis(logits, self.axis)]
        if self.k < 1 or (isinstance(classes, int) and self.k > classes):
            raise Rejected("E0304", f"`k` is from 1 to the number of classes, {classes}", f"it is {self.k}")
        return scalar(logits)


class BalancedAccuracy(_OfClasses):
    """The mean recall of the classes that occur among the targets: accuracy as if each class were equally frequent."""

    axis: int = -1

    example = "metrics { balanced = balanced_accuracy(logits, label) }"


class F1(_OfClasses):
    """The harmonic mean of precision and recall. `average`: over classes (`macro`, equally; `weighted`, by their
    number of targets) or over all predictions (`micro`). A class that occurs in neither counts 0, as in scikit-learn.
    Of one logit an example, with targets 0 and 1 of the same shape, it is that of the ones. With `labels = true` each number of the last
    axis is a class that may be there or not, as `multi_hot` gives them: targets 0 and 1 in the shape of the logits."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    axis: int = -1
    labels: bool = False

    example = 'metrics { f1 = f1(logits, label, average = "weighted") }'


class Precision(_OfClasses):
    """The fraction of predictions of a class that are correct; `average`, `labels` and one logit an example as in `f1`."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    axis: int = -1
    labels: bool = False

    example = "metrics { precise = precision(logits, label) }"


class Recall(_OfClasses):
    """The fraction of a class that is found; `average`, `labels` and one logit an example as in `f1`."""

    average: Literal["macro", "micro", "weighted"] = "macro"
    axis: int = -1
    labels: bool = False

    example = "metrics { found = recall(logits, label) }"


class Mcc(_OfClasses):
    """Matthews correlation coefficient, of any number of classes (Gorodkin, 2004): 1 is perfect, 0 is chance. 0
    where all targets, or all predictions, are of one class."""

    axis: int = -1

    unit = _CORRELATION
    example = "metrics { mcc = mcc(logits, label) }"


class CohenKappa(_OfClasses):
    """Agreement beyond chance (Cohen, 1960). `weights` counts a mistake by its distance, for classes with an order. Not a number
    where all targets and predictions are of one class."""

    weights: Literal["equal", "linear", "quadratic"] = "equal"
    axis: int = -1

    unit = _CORRELATION
    example = 'metrics { kappa = cohen_kappa(logits, label, weights = "quadratic") }'


class Iou(Metric):
    """Intersection over union of each class, mean over the classes that occur."""

    axis: int = -1

    refuses = "outside"
    reads = "scores"
    target = "class"
    unit = _SHARE
    example = "metrics { iou = iou(pixels, area, axis = 1) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class Auroc(Metric):
    """Area under the ROC curve. Logits `[..]` with targets 0 and 1 of the same shape, or `[.., classes]` with class
    numbers: two classes by the score of the second, more by the mean of one-versus-rest over the classes for which there are
    both targets and others. Not a number where there are none."""

    reads = "logits"
    target = "class"
    unit = _SHARE
    example = "metrics { auroc = auroc(logits, label) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        if logits.rank == target.rank:
            pair_equal(logits, target.with_dtype(logits.dtype), facts, word="logits", number=False)
            if logits.rank == 0:
                raise Rejected("E0202", "there is one score, of no examples", f"`{logits}`")
        else:
            pair_classes(logits, target, -1, facts)
        return scalar(logits)


class _OfProbabilities(Metric):
    """Class numbers against logits along `axis`, which give probabilities by softmax; or one logit an example, whose sigmoid is the
    probability of a one, against targets 0 and 1 of the same shape."""

    refuses = "outside"
    reads = "logits"
    target = "class"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        _pair(logits, target, self.values.get("axis", -1), facts)
        return scalar(logits)


class AveragePrecision(_OfProbabilities):
    """Area under the curve of precision over recall, as a sum of steps: the mean precision at each target that is found, ties
    together. Of one logit an example with targets 0 and 1, of two classes by the score of the second, of more the mean of
    one-versus-rest over the classes that occur. Not a number where none does."""

    unit = _SHARE
    example = "metrics { ap = average_precision(logits, label) }"


class LogLoss(_OfProbabilities):
    """The mean negative log-likelihood of the targets, in nats: `cross_entropy` without smoothing and weights, or `bce`. `ignore` is
    a class number that is left out."""

    axis: int = -1
    ignore: int | None = None

    direction = "min"
    unit = "nats"
    example = "metrics { nll = log_loss(logits, label) }"


class Brier(_OfProbabilities):
    """The mean squared difference of probabilities and targets, summed over the classes; of two classes or one logit it is that
    of the second class, as in scikit-learn."""

    axis: int = -1

    direction = "min"
    unit = "a number without units"
    example = "metrics { brier = brier(logits, label) }"


class Ece(_OfProbabilities):
    """Expected calibration error (Guo et al., 2017): how far the probability of the predicted class is from the fraction of correct
    predictions, in `bins` intervals of equal width, weighted by their number of predictions."""

    bins: Count = 10
    axis: int = -1

    direction = "min"
    unit = _SHARE
    example = "metrics { ece = ece(logits, label, bins = 15) }"


class Perplexity(Metric):
    """exp of the mean cross-entropy of a token. Another tokenizer has other tokens: `bits_per_byte` compares such models."""

    axis: int = -1
    ignore: int | None = None

    direction = "min"
    refuses = "outside"
    reads = "logits"
    target = "class"
    unit = "a number without units"
    example = "metrics { ppl = perplexity(steps, words, ignore = 0) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class BitsPerByte(Metric):
    """The cross-entropy of all targets in bits, over the bytes that their text has in UTF-8: figures of models with different
    tokenizers compare. The targets are tokens that give their text back: characters or lines of `text`, `bpe`, or `tokenizer`; marks
    such as `eos` have no bytes."""

    axis: int = -1
    ignore: int | None = None

    direction = "min"
    refuses = "outside"
    reads = "logits"
    target = "class"
    unit = "bits per byte of text"
    counts_bytes = True
    example = "metrics { bpb = bits_per_byte(steps, words, ignore = 0) }"

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
    unit = "target"
    example = "metrics { rmse = rmse(value, y) }"


class Mae(_OfValues):
    """The mean absolute error."""

    direction = "min"
    unit = "target"
    example = "metrics { mae = mae(value, y) }"


class MedianAbsoluteError(_OfValues):
    """The median of the absolute errors, which a few large ones do not move."""

    direction = "min"
    unit = "target"
    example = "metrics { typical = median_absolute_error(value, y) }"


class MaxError(_OfValues):
    """The largest absolute error."""

    direction = "min"
    unit = "target"
    example = "metrics { worst = max_error(value, y) }"


class Pinball(_OfValues):
    """The mean quantile loss: a value above the prediction costs `q` times the difference, one below it 1 - `q` times. Least where
    the prediction is that quantile of the values."""

    q: Fraction = 0.5

    direction = "min"
    unit = "target"
    example = "metrics { p90 = pinball(value, y, q = 0.9) }"


class Mape(_OfValues):
    """The mean absolute error relative to the value, as a fraction: 0.1 is a tenth. A value of 0 makes it huge, as in scikit-learn: use
    `smape` there."""

    direction = "min"
    unit = "relative"
    example = "metrics { mape = mape(value, y) }"


class Smape(_OfValues):
    """The mean of 2 |pred - y| / (|pred| + |y|), from 0 to 2; 0 where both are 0."""

    direction = "min"
    unit = "relative"
    example = "metrics { smape = smape(value, y) }"


class R2(_OfValues):
    """The fraction of the variance that is explained; 1 is perfect, 0 is that of predicting the mean."""

    unit = "relative"
    example = "metrics { r2 = r2(value, y) }"


class ExplainedVariance(_OfValues):
    """As `r2`, without what a constant shift of all predictions costs."""

    unit = "relative"
    example = "metrics { explained = explained_variance(value, y) }"


class Pearson(_OfValues):
    """The linear correlation of predictions and values. Not a number where one of both is constant."""

    unit = _CORRELATION
    example = "metrics { correlation = pearson(value, y) }"


class Spearman(_OfValues):
    """The correlation of the ranks of predictions and values, ties with their mean rank. Not a number where one of both is
    constant."""

    unit = _CORRELATION
    example = "metrics { order = spearman(value, y) }"


class Bleu(Metric):
    """Corpus BLEU-4 of the highest logits against token numbers; `ignore` is padding."""

    ignore: int | None = None

    reads = "scores"
    target = "class"
    unit = _SHARE
    example = "metrics { bleu = bleu(steps, words, ignore = 0) }"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, -1, facts)
        if not is_integer(target.dtype) or target.rank != 2:
            raise Rejected("E0202", "BLEU compares sequences of tokens", f"target `{target}` is not `i64[B, T]`")
        return scalar(logits)
