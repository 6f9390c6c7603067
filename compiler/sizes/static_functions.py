"""Functions on static values: `sqrt(d)`, `max(a, b)`, `round_to(v, 8)`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

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


_FUNCTIONS: dict[str, Callable[[Sequence[Any]], Any]] = {
    "sqrt": _real("sqrt", math.sqrt),
    "exp": _real("exp", math.exp),
    "log": _real("log", math.log),
    "sin": _real("sin", math.sin),
    "cos": _real("cos", math.cos),
    "floor": _floor,
    "min": _extreme("min", min),
    "max": _extreme("max", max),
    "round_to": _round_to,
}

STATIC_FUNCTIONS = frozenset(_FUNCTIONS)


def call(name: str, args: Sequence[Any]) -> Any:
    """`name(args)` for a function of `STATIC_FUNCTIONS`."""
    function = _FUNCTIONS.get(name)
    if function is None:
        raise errors.unknown_function(name)
    for value in args:
        if isinstance(value, Dim):
            raise errors.symbolic(f"an argument of `{name}`", str(value))
    return function(args)
