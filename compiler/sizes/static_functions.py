"""Functions on static values: `sqrt(d)`, `max(a, b)`, `round_to(v, 8)`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..dataclass import dataclass
from ..messages import statics as errors
from .dims import Dim
from .statics import as_float, as_int, checked, describe


def _real(name: str, function: Callable[[float], float]) -> Callable[[Sequence[Any]], float]:
    def apply(args: Sequence[Any]) -> float:
        if len(args) != 1:
            raise errors.argument_count(name, "one number", len(args))
        value = as_float(args[0], f"the argument of `{name}`")
        what = f"`{name}({describe(args[0])})`"
        try:
            return checked(function(value), what)
        except OverflowError:
            raise errors.too_large(what) from None
        except ValueError:
            raise errors.not_real(what) from None

    return apply


def _floor(args: Sequence[Any]) -> int:
    if len(args) != 1:
        raise errors.argument_count("floor", "one number", len(args))
    return checked(math.floor(as_float(args[0], "the argument of `floor`")), f"`floor({describe(args[0])})`")


def _extreme(name: str, choose: Callable[[Any], Any]) -> Callable[[Sequence[Any]], Any]:
    def apply(args: Sequence[Any]) -> Any:
        if not args:
            raise errors.argument_count(name, "at least one number", 0)
        for value in args:
            as_float(value, f"an argument of `{name}`")
        return choose(args)

    return apply


def _round_to(args: Sequence[Any]) -> int:
    """The nearest multiple of `d`, at least `d`, and at least 0.9 of `v` (MobileNet's `_make_divisible`)."""
    if len(args) != 2:
        raise errors.argument_count("round_to", "a number and a divisor", len(args))
    value = as_float(args[0], "the number in `round_to(number, divisor)`")
    divisor = as_int(args[1], "the divisor in `round_to(number, divisor)`")
    if divisor <= 0:
        raise (
            errors.division_by_zero(describe(args[0]), "/")
            if divisor == 0
            else errors.too_small("the divisor", divisor, 1)
        )
    nearest = max(divisor, math.floor(value + divisor / 2) // divisor * divisor)
    return checked(
        nearest + divisor if nearest < 0.9 * value else nearest, f"`round_to({describe(args[0])}, {divisor})`"
    )


@dataclass(frozen=True)
class StaticFunction:
    """`evaluate` takes the arguments and gives the value, or raises a diagnostic. `python` is a function of Python that gives
    the same for numbers: a built-in one, one of `math`, or one that generated source defines."""

    evaluate: Callable[[Sequence[Any]], Any]
    python: str
    chooses: bool = False  #: its value is one of its arguments


def _of_math(name: str) -> StaticFunction:
    return StaticFunction(_real(name, getattr(math, name)), f"math.{name}")


FUNCTIONS: dict[str, StaticFunction] = {
    **{name: _of_math(name) for name in ("sqrt", "exp", "log", "sin", "cos")},
    "floor": StaticFunction(_floor, "math.floor"),
    "min": StaticFunction(_extreme("min", min), "min", chooses=True),
    "max": StaticFunction(_extreme("max", max), "max", chooses=True),
    "round_to": StaticFunction(_round_to, "round_to"),
}

STATIC_FUNCTIONS = frozenset(FUNCTIONS)


def call(name: str, args: Sequence[Any]) -> Any:
    """`name(args)` for a function of `STATIC_FUNCTIONS`."""
    function = FUNCTIONS.get(name)
    if function is None:
        raise errors.unknown_function(name, FUNCTIONS)
    for value in args:
        if isinstance(value, Dim):
            raise errors.symbolic(f"an argument of `{name}`", str(value))
    return function.evaluate(args)
