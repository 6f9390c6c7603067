"""Losses: functions that may be used in `loss` (and in lets and metrics), with the pairing rule of each.

A loss is a sum and a count (`counted`): over micro-batches and devices a step's loss is total sum / total count. One that
joins examples (`across`) is computed a micro-batch and averaged.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, TypeAlias

from ..sizes.dims import Size
from ..sizes.facts import Facts, equal, missing_fact
from ..sizes.types import TensorType, is_float, is_integer, shape_text
from .arguments import Constant
from .ops.base import Function, Outputs, Rejected
from .ops.rules import need_some

SCALAR = TensorType("f32", ())

#: What the target of a loss or metric means.
Target: TypeAlias = Literal["class", "share", "value"] | None


class Loss(Function):
    """Base of all losses. Input `prediction` is compared with input `against`, where there is a target."""

    counted: ClassVar[bool] = True
    across: ClassVar[bool] = False
    #: What the prediction is; a probability where a loss reads logits is W0401.
    reads: ClassVar[Literal["logits", "log_probs", "values"]] = "values"
    #: What the target means: "class" - class numbers, one for each vector of scores along `axis` (the last where a loss
    #: has no such argument); "value" - what the prediction is too, in the same units, so that a prediction is read as the
    #: target is; "share" - numbers from 0 to 1, which the sigmoid of the prediction estimates; None - none of these (a
    #: teacher, a second view).
    target: ClassVar[Target]
    #: Places of the prediction and of its target among the inputs.
    prediction: ClassVar[int] = 0
    against: ClassVar[int] = 1
    numbers = ()
    #: The argument that selects parameters by a glob, where the loss is of parameters and not of values.
    selects: ClassVar[str | None] = None

    def positions(self, *inputs: TensorType | None) -> tuple[int, Size] | None:
        scores, target = (inputs[at] if at < len(inputs) else None for at in (self.prediction, self.against))
        if self.target != "class" or scores is None or target is None or not is_integer(target.dtype):
            return None
        return self.against, scores.shape[class_axis(scores, self.values.get("axis", -1))]


# ---- pairing rules -----------------------------------------------------------------------------------------------------


def class_axis(logits: TensorType, axis: int) -> int:
    """The class axis counted from the front; E0202 when there is none."""
    if not -logits.rank <= axis < logits.rank:
        raise Rejected("E0202", f"there is no axis {axis} in `{logits}`", f"`{logits}` has {logits.rank} axes")
    return axis % logits.rank


def same_sizes(left: tuple[Size, ...], right: tuple[Size, ...], facts: Facts) -> bool | None:
    """Whether two shapes are equal, axis by axis; None if it cannot be decided."""
    if len(left) != len(right):
        return False
    answers = [equal(a, b, facts) for a, b in zip(left, right, strict=True)]
    return False if False in answers else None if None in answers else True


def pair_classes(logits: TensorType, target: TensorType, axis: int, facts: Facts, *, word: str = "logits") -> None:
    """Targets are class numbers, one for each vector of logits: the shape without the class axis."""
    if not is_float(logits.dtype):
        raise Rejected("E0204", f"the {word} are `{logits.dtype}`, not floating point", f"`{logits}`")
    need_some(logits, range(logits.rank), f"the {word} are")
    if is_float(target.dtype) and target.shape == logits.shape:
        raise Rejected(
            "E0204",
            "the target holds floating-point numbers, not class numbers",
            f"`{target}`",
            helps=("class numbers are `i64`; for shares of several classes use `kl_divergence`, for yes and no `bce`",),
        )
    if not is_integer(target.dtype):
        raise Rejected(
            "E0204",
            f"the target is `{target.dtype}`, not class numbers",
            f"`{target}`",
            helps=("class numbers are `i64`",),
        )
    if logits.rank == 0:
        raise Rejected("E0203", f"the {word} have no class axis", f"`{logits}`")
    position = class_axis(logits, axis)
    rest = logits.shape[:position] + logits.shape[position + 1 :]
    answer = same_sizes(rest, target.shape, facts)
    if answer:
        return
    if answer is None:
        raise unproved(rest, target.shape, facts)
    helps: tuple[str, ...] = ()
    for other in range(logits.rank):
        if other != position and same_sizes(logits.shape[:other] + logits.shape[other + 1 :], target.shape, facts):
            helps = (f"name the class axis: `axis = {other}`",)
            break
    if not helps and target.rank == logits.rank and target.shape[-1] == 1:
        helps = ("drop the last axis of the target: `squeeze(-1)`",)
    if not helps and same_sizes(logits.shape, target.shape, facts):
        helps = ("class numbers have no class axis; for yes and no a class use `bce`",)
    raise Rejected(
        "E0203",
        f"targets do not line up with the {word}",
        f"{word} `{logits}` without axis {axis}: {shape_text(rest)}; target `{target}`",
        helps=helps,
    )


def unproved(left: tuple[Size, ...], right: tuple[Size, ...], facts: Facts) -> Rejected:
    for axis, (a, b) in enumerate(zip(left, right, strict=True)):
        if equal(a, b, facts) is None:
            fact = missing_fact(a, b, facts)
            helps = (f"if this always holds, state it: `require {fact}`",) if fact else ()
            return Rejected(
                "E0207", f"`{a}` and `{b}` cannot be shown equal", f"axis {axis} of the target", helps=helps
            )
    raise AssertionError("all axes are equal")


def pair_equal(
    pred: TensorType,
    target: TensorType,
    facts: Facts,
    *,
    word: str = "prediction",
    other: str = "target",
    number: bool = True,
) -> None:
    """Both have one shape; with `number` one number may be used for the whole target. Nothing broadcasts."""
    if not is_float(pred.dtype):
        raise Rejected("E0204", f"the {word} is `{pred.dtype}`, not floating point", f"`{pred}`")
    need_some(pred, range(pred.rank), f"the {word} is")
    if number and target.rank == 0:
        return
    if target.dtype != pred.dtype:
        raise Rejected(
            "E0204",
            f"the {other} is `{target.dtype}`, the {word} `{pred.dtype}`",
            f"`{pred}` and `{target}`",
            helps=(f"`cast({pred.dtype})` converts",),
        )
    answer = same_sizes(pred.shape, target.shape, facts)
    if answer:
        return
    if answer is None:
        raise unproved(pred.shape, target.shape, facts)
    if pred.rank == target.rank:
        raise Rejected("E0203", f"{word} and {other} have different shapes", f"`{pred}` and `{target}`")
    longer, shorter = (pred, target) if pred.rank > target.rank else (target, pred)
    if same_sizes(longer.shape[: shorter.rank], shorter.shape, facts) and longer.shape[shorter.rank :] == (1,):
        joined = shape_text((*shorter.shape, *shorter.shape[-1:]))
        raise Rejected(
            "E0203",
            f"{word} and {other} have different ranks",
            f"`{pred}` and `{target}` would broadcast to {joined}",
            helps=("make them equal, e.g. with `squeeze(-1)`",),
        )
    raise Rejected("E0203", f"{word} and {other} have different ranks", f"`{pred}` and `{target}`")


def scalar(pred: TensorType) -> TensorType:
    return TensorType("f32" if pred.dtype in ("f16", "bf16") else pred.dtype, ())


# ---- losses -------------------------------------------------------------------------------------------------------------


class CrossEntropy(Loss):
    """Mean negative log-likelihood of the target classes under softmax(logits), along `axis`.

    `target`: class numbers (`i64`) of the shape of the logits without the class axis. `smoothing` is label smoothing,
    `ignore` is a class number that is left out, `weight` has one factor per class (the mean is then weighted), in the order of
    their numbers. `weight = "balanced"` makes classes count equally: that of a class is N / (K n) for n of N records of the train
    split in K classes, as in scikit-learn; `dlc build` prints them.
    """

    axis: int = -1
    smoothing: float = 0.0
    ignore: int | None = None
    weight: Constant | Literal["balanced"] | None = None

    reads = "logits"
    target = "class"
    refuses = "outside"
    example = 'loss = cross_entropy(logits, label, smoothing = 0.1, weight = "balanced")'

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        if not 0 <= self.smoothing < 1:
            raise Rejected(
                "E0304",
                "`smoothing` is a share of at least 0 and below 1",
                f"it is {self.smoothing}",
                helps=("usual is `smoothing = 0.1`",),
            )
        classes = logits.shape[class_axis(logits, self.axis)]
        if self.weight is not None and self.weight != "balanced":
            weights: Any = self.weight
            count = len(weights) if isinstance(self.weight, tuple) else 1
            if isinstance(classes, int) and count != classes:
                raise Rejected(
                    "E0201",
                    f"{count} weights for {classes} classes",
                    "one weight per class",
                    helps=(f"give {classes} weights, in the order of the classes",),
                )
        return scalar(logits)


class Bce(Loss):
    """Mean binary cross-entropy of sigmoid(logits) with targets of the same shape (numbers from 0 to 1)."""

    reads = "logits"
    numbers = ("target",)
    target = "share"
    example = "loss = bce(logits, yes)"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_equal(logits, target, facts, word="logits")
        return scalar(logits)


class Nll(Loss):
    """Mean negative log-likelihood: as `cross_entropy`, but of log-probabilities."""

    axis: int = -1

    reads = "log_probs"
    target = "class"
    refuses = "outside"
    example = "loss = nll(log_softmax(logits), label)"

    def infer(self, facts: Facts, log_probs: TensorType, target: TensorType) -> Outputs:
        pair_classes(log_probs, target, self.axis, facts, word="log-probabilities")
        return scalar(log_probs)


class Focal(Loss):
    """Focal loss (Lin et al., 2017): cross-entropy that down-weights well-classified examples.

    With `i64` targets over classes (class axis last), with float targets of the same shape binary (`alpha` weighs the ones).
    """

    gamma: float = 2.0
    alpha: float | None = None

    reads = "logits"
    target = "class"
    refuses = "outside"
    example = "loss = focal(logits, label, gamma = 1.5)"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        if is_integer(target.dtype):
            pair_classes(logits, target, -1, facts)
        else:
            pair_equal(logits, target, facts, word="logits", number=False)
        return scalar(logits)


class KlDivergence(Loss):
    """KL(softmax(teacher) || softmax(student)) along `axis`, mean over everything else."""

    axis: int = -1

    reads = "logits"
    target = None
    example = "loss = kl_divergence(logits, stop_grad(logits))"

    def infer(self, facts: Facts, student: TensorType, teacher: TensorType) -> Outputs:
        pair_equal(student, teacher, facts, word="student", other="teacher", number=False)
        class_axis(student, self.axis)
        return scalar(student)


class Mse(Loss):
    """Mean squared error of equal shapes."""

    numbers = ("y",)
    target = "value"
    example = "loss = mse(value, y)"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        pair_equal(pred, y, facts)
        return scalar(pred)


class L1Loss(Loss):
    """Mean absolute error of equal shapes."""

    numbers = ("y",)
    target = "value"
    example = "loss = l1_loss(value, y)"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        pair_equal(pred, y, facts)
        return scalar(pred)


class Huber(Loss):
    """Mean Huber loss: squared below `delta`, absolute above."""

    delta: float = 1.0

    numbers = ("y",)
    target = "value"
    example = "loss = huber(value, y, delta = 0.5)"

    def infer(self, facts: Facts, pred: TensorType, y: TensorType) -> Outputs:
        pair_equal(pred, y, facts)
        if self.delta <= 0:
            raise Rejected("E0304", "`delta` is above 0", f"it is {self.delta}")
        return scalar(pred)


class PoissonNll(Loss):
    """Mean negative log-likelihood of counts under a Poisson distribution, of equal shapes: exp(log_rate) - y * log_rate, without
    the term that only depends on `y`. With `log = false` the prediction is the rate itself, which must be positive."""

    log: bool = True

    numbers = ("y",)
    target = None
    example = "loss = poisson_nll(value, y)"

    def infer(self, facts: Facts, log_rate: TensorType, y: TensorType) -> Outputs:
        pair_equal(log_rate, y, facts)
        return scalar(log_rate)


class DiceLoss(Loss):
    """1 - the mean Dice overlap of softmax(logits) with the target classes along `axis`, over the micro-batch."""

    axis: int = -1

    reads = "logits"
    counted = False
    across = True
    target = "class"
    refuses = "outside"
    example = "loss = dice_loss(pixels, area, axis = 1)"

    def infer(self, facts: Facts, logits: TensorType, target: TensorType) -> Outputs:
        pair_classes(logits, target, self.axis, facts)
        return scalar(logits)


class Triplet(Loss):
    """Mean of max(0, |anchor - positive| - |anchor - negative| + margin), over vectors on the last axis."""

    margin: float = 1.0

    counted = False
    across = True
    target = None
    example = "loss = triplet(h, near, far, margin = 0.5)"

    def infer(self, facts: Facts, anchor: TensorType, positive: TensorType, negative: TensorType) -> Outputs:
        pair_equal(anchor, positive, facts, word="anchor", other="positive", number=False)
        pair_equal(anchor, negative, facts, word="anchor", other="negative", number=False)
        if anchor.rank == 0:
            raise Rejected("E0202", "the anchor is one number, not a vector", f"`{anchor}`")
        return scalar(anchor)


class Contrastive(Loss):
    """InfoNCE of two views `[B, D]`: each example against its counterpart and all others in the micro-batch."""

    temperature: float = 0.07

    counted = False
    across = True
    target = None
    example = "loss = contrastive(h, near, temperature = 0.1)"

    def infer(self, facts: Facts, a: TensorType, b: TensorType) -> Outputs:
        pair_equal(a, b, facts, word="first view", other="second view", number=False)
        if a.rank != 2:
            raise Rejected("E0202", "the views are vectors, one an example", f"`{a}` has {a.rank} axes, not 2")
        return scalar(a)


class GradientPenalty(Loss):
    """(|gradient of the net's output| - 1)^2 at random points between `real` and `fake` (Gulrajani et al., 2017), mean
    over the batch. Pass the net itself: `gradient_penalty(critic, real, fake)`."""

    counted = False
    takes_net = True
    target = None
    example = "loss = mean(other -> critic) - mean(x -> critic) + 10 * gradient_penalty(critic, x, other)"

    def infer(self, facts: Facts, real: TensorType, fake: TensorType) -> Outputs:
        pair_equal(real, fake, facts, word="real example", other="generated one", number=False)
        return scalar(real)


class L1(Loss):
    """The sum of the absolute values of all parameters selected by a glob, as a penalty: `1e-5 * l1("**.weight")`."""

    pattern: str

    counted = False
    target = None
    selects = "pattern"
    example = 'loss = cross_entropy(logits, label) + 1e-5 * l1("**.weight")'

    def infer(self, facts: Facts) -> Outputs:
        return SCALAR
