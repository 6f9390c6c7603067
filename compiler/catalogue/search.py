"""What a `search` section may say: methods, pruners, and the distributions that settings are drawn from."""

from __future__ import annotations

from typing import Any

from .entry import Constant, Constants, Count, Entry, Float, Int, Natural, Table, Time


class Grid(Entry):
    """Every combination of the values; all draws are `choice` or `fixed`."""


class RandomSearch(Entry):
    """`trials` independent draws."""

    name = "random"
    trials: Count
    seed: Natural = 0


class Bayes(Entry):
    """`trials` draws that learn from those before (tree-structured Parzen estimators)."""

    trials: Count
    seed: Natural = 0


METHODS = Table("a search method", Grid, RandomSearch, Bayes)


class Asha(Entry):
    """Successive halving: after `min`, and ever longer, only the best 1/`factor` of the trials go on."""

    min: Time
    factor: Count = 3


class Median(Entry):
    """Stops trials that are worse than the median of the others, from `min` on."""

    min: Time


PRUNERS = Table("a way to prune", Asha, Median)


def _ordered(args: dict[str, Any]) -> str | None:
    return "`low` is above `high`" if args["low"] > args["high"] else None


class Choice(Entry):
    """One of the values, each alike."""

    variadic = "values"
    values: Constants

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return None if args["values"] else "the list of choices is empty"


class Uniform(Entry):
    """A number from `low` to `high`."""

    low: Float
    high: Float

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return _ordered(args)


class LogUniform(Entry):
    """A number from `low` to `high`, whose logarithm is uniform."""

    low: Float
    high: Float

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return "`low` must be above 0" if args["low"] <= 0 else _ordered(args)


class IntUniform(Entry):
    """A whole number from `low` to `high`, both included."""

    low: Int
    high: Int

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return _ordered(args)


class Fixed(Entry):
    """Always this value."""

    value: Constant


DRAWS = Table("a distribution", Choice, Uniform, LogUniform, IntUniform, Fixed)
