"""Segments of a schedule, and what else is written as a call in `train`. Time is updates completed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from .arguments import Count, Names, NotNegative, Path, Positive, Time, Watch
from .entry import Entry


class Segment(Entry):
    """Base: a part of a schedule, written after `->`."""

    #: Its length is a period: it starts again after each, until the end.
    repeats: ClassVar[bool] = False


class Linear(Segment):
    """Changes linearly to `to` over `for`."""

    to: NotNegative
    for_: Time

    example = "optimizer = AdamW(lr = 0 -> linear(1e-3, 100 steps) -> hold(rest))"


class Cosine(Segment):
    """Changes to `to` along half a cosine over `for`."""

    to: NotNegative
    for_: Time

    example = "optimizer = AdamW(lr = 1e-3 -> cosine(1e-5, rest))"


class Hold(Segment):
    """Keeps the value constant over `for`."""

    for_: Time

    example = "optimizer = AdamW(lr = 1e-3 -> hold(5 epochs) -> linear(0, rest))"


class Decay(Segment):
    """Multiplies by `factor` after every `every`, until the end."""

    factor: Positive
    every: Time

    repeats = True
    example = "optimizer = SGD(lr = 0.1 -> decay(0.5, every = 4 epochs))"


class InverseSqrt(Segment):
    """Decays with the inverse square root of the time since the start of the schedule, over `for`."""

    for_: Time

    example = "optimizer = Adam(lr = 0 -> linear(1e-3, 100 steps) -> inverse_sqrt(rest))"


class Jump(Segment):
    """Changes to `to` immediately."""

    to: NotNegative

    example = "optimizer = SGD(lr = 0.1 -> hold(8 epochs) -> jump(0.01) -> hold(rest))"


class Clipping(Entry):
    """Base: how gradients are kept small."""


class Norm(Clipping):
    """Scales all gradients so that their total norm is at most `limit`."""

    limit: Positive

    example = "clip = norm(1.0)"


class Value(Clipping):
    """Clips each element of the gradients to [-limit, limit]."""

    limit: Positive

    example = "clip = value(0.5)"


class Keep(Entry):
    """Base: which weights a run keeps."""


class Best(Keep):
    """The weights with the best value of a metric or loss, such as `val.acc`."""

    metric: Watch

    example = "keep = best(val.acc)"


class Last(Keep):
    """The weights at the end."""

    example = "keep = last"


class Average(Keep):
    """The average of the last weights, one at each validation."""

    last: Count = 5

    example = "keep = average(last = 3)"


class Stop(Entry):
    """Base: when a run ends before its duration."""


class Plateau(Stop):
    """Stops when a metric or loss has not improved for `patience`."""

    metric: Watch
    patience: Time

    example = "stop = plateau(val.loss, patience = 3 epochs)"


class Validation(Entry):
    """Base: how often a run validates."""


class Every(Validation):
    """Validates after every `n`, on the first `batches` batches (default: all)."""

    n: Time
    batches: Count | None = None

    example = "validate = every(50 steps, batches = 4)"


class WeightSource(Entry):
    """Base: where weights come from."""

    #: Holds the names of another library, which the labels of the model must agree with.
    foreign: ClassVar[bool] = True

    @classmethod
    def shown(cls, args: Mapping[str, Any]) -> str:
        """It in a few words: the repository, the path as written."""
        raise NotImplementedError(cls.name)


class Torchvision(WeightSource):
    """Weights of torchvision by model and weights name."""

    model: str
    weights: str
    skip: Names = ()

    example = 'weights = torchvision("resnet18", "IMAGENET1K_V1", skip = ["fc.**"])'

    @classmethod
    def shown(cls, args: Mapping[str, Any]) -> str:
        return f"{args['model']} {args['weights']}"


class Hf(WeightSource):
    """The safetensors of a Hugging Face repository."""

    repo: str
    skip: Names = ()

    example = 'weights = hf("openai-community/gpt2")'

    @classmethod
    def shown(cls, args: Mapping[str, Any]) -> str:
        return args["repo"]


class File(WeightSource):
    """A safetensors file (or a PyTorch checkpoint that holds tensors only)."""

    path: Path
    skip: Names = ()

    foreign = False
    example = 'weights = file("weights.safetensors")'

    @classmethod
    def shown(cls, args: Mapping[str, Any]) -> str:
        return args["path"]
