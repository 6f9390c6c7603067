"""What a `search` section may contain: methods, pruners, and the distributions that settings are drawn from."""

from __future__ import annotations

from typing import Any, ClassVar

from .arguments import Count, Natural, Static, Statics, Time
from .entry import Entry


class Method(Entry):
    """Base: how settings are chosen."""

    #: Goes through all values, so that each draw must be of a few.
    exhausts: ClassVar[bool] = False


class Grid(Method):
    """Every combination of the values; all draws are `choice` or `fixed`."""

    exhausts = True
    example = "method = grid"


class Random(Method):
    """`trials` independent draws."""

    trials: Count
    seed: Natural = 0

    example = "method = random(trials = 50)"


class Bayes(Method):
    """`trials` draws that learn from those before (tree-structured Parzen estimators)."""

    trials: Count
    seed: Natural = 0

    example = "method = bayes(trials = 100, seed = 1)"


class Pruner(Entry):
    """Base: which trials end early."""


class Asha(Pruner):
    """Successive halving: after `min`, and ever longer, only the best 1/`factor` of the trials continue."""

    min: Time
    factor: Count = 3

    example = "prune = asha(min = 2 epochs)"


class Median(Pruner):
    """Stops trials that are worse than the median of the others, from `min` on."""

    min: Time

    example = "prune = median(min = 5 epochs)"


def _ordered(args: dict[str, Any]) -> str | None:
    return "`low` is above `high`" if args["low"] > args["high"] else None


class Distribution(Entry):
    """Base: a distribution, written after `~`."""

    #: Draws one of a few values, of any type: all that `grid` can go through.
    finite: ClassVar[bool] = False
    #: Draws whole numbers alone.
    whole: ClassVar[bool] = False

    @classmethod
    def values_of(cls, args: dict[str, Any]) -> list[Any]:
        """All that it may draw where that is a few values, else the ends of the range."""
        return [args["low"], args["high"]]


class Choice(Distribution):
    """One of the values, each alike."""

    values: Statics

    variadic = "values"
    finite = True
    example = "batch ~ choice(32, 64)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return None if args["values"] else "the list of choices is empty"

    @classmethod
    def values_of(cls, args: dict[str, Any]) -> list[Any]:
        return list(args["values"])


class Uniform(Distribution):
    """A number from `low` to `high`."""

    low: float
    high: float

    example = "lr ~ uniform(1e-4, 1e-2)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return _ordered(args)


class LogUniform(Distribution):
    """A number from `low` to `high`, whose logarithm is uniform."""

    low: float
    high: float

    example = "lr ~ log_uniform(1e-5, 1e-1)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return "`low` must be above 0" if args["low"] <= 0 else _ordered(args)


class IntUniform(Distribution):
    """A whole number from `low` to `high`, both included."""

    low: int
    high: int

    whole = True
    example = "hidden ~ int_uniform(8, 64)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return _ordered(args)


class Fixed(Distribution):
    """Always this value."""

    value: Static

    finite = True
    example = "batch ~ fixed(32)"

    @classmethod
    def values_of(cls, args: dict[str, Any]) -> list[Any]:
        return [args["value"]]
