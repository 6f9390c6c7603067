"""Segments of a schedule, and what else is written as a call in `train`. Time is updates completed."""

from __future__ import annotations

from .entry import Count, Entry, Float, MaybeCount, Names, Path, Positive, Table, Text, Time, Watch


class Linear(Entry):
    """Goes to `to` in a straight line within `for`."""

    to: Float
    for_: Time


class Cosine(Entry):
    """Goes to `to` along half a cosine within `for`."""

    to: Float
    for_: Time


class Hold(Entry):
    """Keeps the value for `for`."""

    for_: Time


class Decay(Entry):
    """Multiplies by `factor` after `every`, again and again, to the end."""

    factor: Positive
    every: Time


class InverseSqrt(Entry):
    """Falls with the inverse square root of the time since the schedule began, for `for`."""

    for_: Time


class Jump(Entry):
    """Is `to` from here on."""

    to: Float


SEGMENTS = Table("a schedule segment", Linear, Cosine, Hold, Decay, InverseSqrt, Jump)


class Norm(Entry):
    """Scales all gradients so that their total norm is at most `limit`."""

    limit: Positive


class Value(Entry):
    """Cuts each element of the gradients to [-limit, limit]."""

    limit: Positive


CLIPS = Table("a way to clip", Norm, Value)


class Best(Entry):
    """The weights with the best value of a figure, such as `val.acc`."""

    metric: Watch


class Last(Entry):
    """The weights at the end."""


class AverageOf(Entry):
    """The average of the last weights, one at each validation."""

    name = "average"
    last: Count = 5


KEEPS = Table("what to keep", Best, Last, AverageOf)


class Plateau(Entry):
    """Stops when a figure has not improved for `patience`."""

    metric: Watch
    patience: Time


STOPS = Table("a reason to stop", Plateau)


class Every(Entry):
    """Validates after every `n`, on the first `batches` batches (all when not given)."""

    n: Time
    batches: MaybeCount = None


class Torchvision(Entry):
    """Weights of torchvision by model and weights name."""

    model: Text
    weights: Text
    skip: Names = ()


class Hf(Entry):
    """The safetensors of a Hugging Face repository."""

    repo: Text
    skip: Names = ()


class File(Entry):
    """A safetensors file (or a PyTorch checkpoint that holds tensors only)."""

    path: Path
    skip: Names = ()


WEIGHT_SOURCES = Table("a source of weights", Torchvision, Hf, File)
VALIDATIONS = Table("an interval of validation", Every)
