"""Initial values of weights: what is allowed after `init =`. `runtime/generated/initialize.py` draws them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from .arguments import NotNegative
from .entry import Entry


class Initializer(Entry):
    """Base of all initial values."""

    #: Draws random numbers; what does not is written without a generator.
    draws: ClassVar[bool] = True
    #: Fewest axes of a weight that it can fill: fans are counted from two.
    least_rank: ClassVar[int] = 0


class _Kaiming(Initializer):
    least_rank = 2

    mode: Literal["fan_in", "fan_out"] = "fan_in"
    act: Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"] = "leaky_relu"


class Normal(Initializer):
    """A normal distribution."""

    std: NotNegative
    mean: float = 0.0

    example = 'init "**.weight" = normal(0.02)'


class TruncNormal(Initializer):
    """A normal distribution, redrawn beyond two standard deviations."""

    std: NotNegative
    mean: float = 0.0

    example = 'init "**.weight" = trunc_normal(0.02)'


class Uniform(Initializer):
    """A uniform distribution from `low` to `high`."""

    low: float
    high: float

    example = 'init "**.weight" = uniform(-0.1, 0.1)'

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return "`low` is above `high`" if args["low"] > args["high"] else None


class Zeros(Initializer):
    """0 everywhere."""

    draws = False
    example = 'init "**.bias" = zeros'


class Ones(Initializer):
    """1 everywhere."""

    draws = False
    example = 'init "**.weight" = ones'


class Constant(Initializer):
    """`v` everywhere."""

    v: float

    draws = False
    example = 'init "**.bias" = constant(0.5)'


class XavierUniform(Initializer):
    """Uniform, with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    gain: float = 1.0

    least_rank = 2
    example = 'init "**.weight" = xavier_uniform'


class XavierNormal(Initializer):
    """Normal, with standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    gain: float = 1.0

    least_rank = 2
    example = 'init "**.weight" = xavier_normal(gain = 0.5)'


class KaimingUniform(_Kaiming):
    """Uniform, with standard deviation gain / sqrt(fan) and the gain of `act` (He et al., 2015)."""

    example = 'init "**.weight" = kaiming_uniform(act = "relu")'


class KaimingNormal(_Kaiming):
    """Normal, with standard deviation gain / sqrt(fan) and the gain of `act` (He et al., 2015)."""

    example = 'init "**.weight" = kaiming_normal(mode = "fan_out", act = "relu")'


class Orthogonal(Initializer):
    """An orthogonal matrix times `gain` (Saxe et al., 2013)."""

    gain: float = 1.0

    least_rank = 2
    example = 'init "**.weight" = orthogonal(gain = 1.4)'


class S4dReal(Initializer):
    """log 1, log 2, log 3, ... along the last axis: the decay rates of a state space (Gu et al., 2022)."""

    least_rank = 1
    draws = False
    example = 'init "**.weight" = s4d_real'
