"""Arithmetic on static values: what a spec computes before anything runs.

A static value is an int, float, bool, str, None, tuple (lists and tuples alike), a symbolic `Dim`, a `Quantity`, or an
object that the elaborator defines (functions, layers, instances); those are only passed on and compared. Int to float
is the only conversion. Whatever has no result raises `StaticError`, to which the caller gives a place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any, cast

from ..dataclass import dataclass
from ..messages import statics as errors
from ..messages.statics import StaticError
from ..messages.wording import describe
from .dims import Dim, DimOverflow, Size, floordiv
from .facts import NO_FACTS, Facts, equal, exact_div, missing_divisor, missing_fact

LARGEST = 2**63
LONGEST_RANGE = 100_000

CONSTANTS: dict[str, float] = {"pi": math.pi}


@dataclass(frozen=True)
class Quantity:
    """A number with a unit, `5 epochs`; the key it is written for decides which units fit."""

    number: int | float
    unit: str

    def __str__(self) -> str:
        return f"{self.number} {self.unit}"


class Ratio(float):
    """The quotient of two ints that is not whole (`7 / 2`): a float that is called "not whole" where an int is needed."""


# ---- kinds and words -------------------------------------------------------------------------------------------------


def kind(value: Any) -> str:
    """What a value is, in words: `an int`."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "a bool"
    if isinstance(value, int):
        return "an int"
    if isinstance(value, float):
        return "a float"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, tuple):
        return "a list"
    if isinstance(value, Dim):
        return "a symbolic size"
    if isinstance(value, Quantity):
        return "a quantity"
    return "a layer or function"


def _told(value: Any) -> str:
    """Value and kind: ``the string `"a"` ``."""
    if value is None:
        return "`none`"
    shown = describe(value)
    return f"{kind(value)} (`{shown}`)" if len(shown) <= 40 else kind(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, Dim)) and not isinstance(value, bool)


def is_list(value: Any) -> bool:
    return isinstance(value, tuple)


# ---- operators -------------------------------------------------------------------------------------------------------


def binary(op: str, left: Any, right: Any, facts: Facts = NO_FACTS) -> Any:
    """`left op right` for `+ - * / // % ** == != < <= > >= ..`."""
    try:
        if op in ("==", "!="):
            answer = _equal(op, left, right, facts)
            return answer if op == "==" else not answer
        if op in ("<", "<=", ">", ">="):
            return _ordered(op, left, right, facts)
        if op == "..":
            return _range(left, right)
        if isinstance(left, Quantity) or isinstance(right, Quantity):
            return _with_unit(op, left, right, facts)
        if isinstance(left, Dim) or isinstance(right, Dim):
            return _on_sizes(op, left, right, facts)
        if not _is_number(left) or not _is_number(right):
            raise errors.wrong_operands(op, _told(left), _told(right))
        return _on_numbers(op, left, right)
    except DimOverflow:
        raise errors.too_large(f"this size, `{describe(left)} {op} {describe(right)}`,"[:200]) from None


def unary(op: str, value: Any) -> Any:
    """`-value` or `not value`."""
    if op == "not":
        return not truth(value)
    if isinstance(value, Quantity):
        return Quantity(-value.number, value.unit)
    if not (_is_number(value) or isinstance(value, Dim)):
        raise errors.wrong_operand(op, _told(value))
    return -value


def truth(value: Any) -> bool:
    """A condition, or an operand of `and`, `or`, `not`: a bool."""
    return as_bool(value, "a condition")


def _on_numbers(op: str, left: float, right: float) -> int | float:
    if op in ("/", "//", "%") and right == 0:
        raise errors.division_by_zero(describe(left), op)
    what = f"`{describe(left)} {op} {describe(right)}`"
    if op == "**":
        return _power(left, right, what)
    if op == "/" and isinstance(left, int) and isinstance(right, int):
        return left // right if left % right == 0 else Ratio(left / right)
    operation = _OPERATIONS.get(op)
    if operation is None:
        raise errors.wrong_operands(op, "an int", "an int")
    try:
        return checked(operation(left, right), what)
    except OverflowError:
        raise errors.too_large(what) from None


_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
}


def checked(value: Any, what: str) -> Any:
    """The number itself; E0105 for an int above 2^63 and a float that is not finite."""
    if abs(value) > LARGEST if isinstance(value, int) else not math.isfinite(value):
        raise errors.too_large(what)
    return value


def _power(left: float, right: float, what: str) -> int | float:
    if isinstance(left, int) and isinstance(right, int) and right >= 0:
        if abs(left) > 1 and right * (abs(left).bit_length() - 1) > 63:
            raise errors.too_large(what)
        return checked(left**right, what)
    if left == 0 and right < 0:
        raise errors.division_by_zero("1", "/")
    if left < 0 and right != int(right):
        raise errors.not_real(what)
    try:
        return checked(float(left) ** right, what)
    except OverflowError:
        raise errors.too_large(what) from None


def _on_sizes(op: str, left: Any, right: Any, facts: Facts) -> Any:
    if not _is_size(left) or not _is_size(right):
        if not (_is_number(left) or isinstance(left, Dim)) or not (_is_number(right) or isinstance(right, Dim)):
            raise errors.wrong_operands(op, _told(left), _told(right))
        size = left if isinstance(left, Dim) else right
        raise errors.symbolic(f"an operand of `{op}` with a float", str(size))
    if op == "+":
        return left + right
    if op == "-":
        return left - right
    if op == "*":
        return left * right
    if op == "**":
        return _size_power(left, right)
    if op in ("/", "//", "%"):
        if right == 0:
            raise errors.division_by_zero(describe(left), op)
        if op == "/":
            return _quotient(left, right, facts)
        whole = _floored(left, right, facts, op)
        return whole if op == "//" else left - right * whole
    raise errors.wrong_operands(op, _told(left), _told(right))


def _size_power(left: Size, right: Size) -> Size:
    if isinstance(right, Dim):
        raise errors.symbolic("an exponent", str(right))
    if right < 0:
        raise errors.symbolic("the base of a negative power", str(left))
    if right > 16:
        raise errors.too_large(f"`{left} ** {right}`")
    result: Size = 1
    for _ in range(right):
        result = result * left
    return result


def _quotient(left: Size, right: Size, facts: Facts) -> Size:
    exact = exact_div(left, right, facts)
    if exact is not None:
        return exact
    if isinstance(right, int):
        assert isinstance(left, Dim)
        return left * cast(int, Fraction(1, right))  # a polynomial with rational coefficients; `as_size` looks again
    raise errors.quotient_not_whole(str(left), str(right), None)


def _floored(left: Size, right: Size, facts: Facts, op: str) -> Size:
    if isinstance(right, int):
        return floordiv(left, right) if right > 0 else floordiv(-left, -right)
    exact = exact_div(left, right, facts)
    if exact is None:
        raise errors.symbolic(f"the divisor of `{op}`", str(right))
    return exact


def _with_unit(op: str, left: Any, right: Any, facts: Facts) -> Quantity:
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        if op not in ("+", "-"):
            raise errors.wrong_operands(op, _told(left), _told(right))
        if left.unit != right.unit:
            raise errors.different_units(op, str(left), str(right))
        return Quantity(_on_numbers(op, left.number, right.number), left.unit)
    if isinstance(left, Quantity) and _is_number(right) and op in ("*", "/", "//"):
        return Quantity(_on_numbers(op, left.number, right), left.unit)
    if isinstance(right, Quantity) and isinstance(left, (int, float)) and _is_number(left) and op == "*":
        return Quantity(_on_numbers(op, left, right.number), right.unit)
    raise errors.wrong_operands(op, _told(left), _told(right))


# ---- comparison ------------------------------------------------------------------------------------------------------


def _equal(op: str, left: Any, right: Any, facts: Facts) -> bool:
    if left is None or right is None:
        return left is right
    if _is_size(left) and _is_size(right):
        answer = equal(left, right, facts)
        if answer is None:
            fact = missing_fact(left, right, facts)
            raise errors.unknown_equality(describe(left), op, describe(right), fact)
        return answer
    if isinstance(left, Dim) or isinstance(right, Dim):
        if _is_number(left) or _is_number(right):
            raise errors.unknown_equality(describe(left), op, describe(right), None)
        raise errors.not_comparable(_told(left), _told(right))
    if _is_number(left) and _is_number(right):
        return left == right
    if isinstance(left, tuple) and isinstance(right, tuple):
        one, two = cast("tuple[Any, ...]", left), cast("tuple[Any, ...]", right)
        return len(one) == len(two) and all(_equal(op, a, b, facts) for a, b in zip(one, two, strict=True))
    if isinstance(left, Quantity) and isinstance(right, Quantity) and left.unit != right.unit:
        raise errors.different_units(op, str(left), str(right))
    if kind(left) != kind(right):
        raise errors.not_comparable(_told(left), _told(right))
    return bool(left == right)


def _ordered(op: str, left: Any, right: Any, facts: Facts) -> bool:
    if isinstance(left, Quantity) and isinstance(right, Quantity):
        if left.unit != right.unit:
            raise errors.different_units(op, str(left), str(right))
        return _ordered(op, left.number, right.number, facts)
    if _is_size(left) and _is_size(right):
        difference: Size = left - right
        answer = {
            "<": lambda: _not(facts.at_least(difference, 0)),
            ">=": lambda: facts.at_least(difference, 0),
            "<=": lambda: facts.at_most(difference, 0),
            ">": lambda: _not(facts.at_most(difference, 0)),
        }[op]()
        if answer is None:
            raise errors.unknown_order(describe(left), op, describe(right))
        return answer
    if _is_number(left) and _is_number(right):
        return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]
    if isinstance(left, Dim) and isinstance(right, float) or isinstance(right, Dim) and isinstance(left, float):
        raise errors.unknown_order(describe(left), op, describe(right))
    raise errors.not_comparable(_told(left), _told(right))


def _not(answer: bool | None) -> bool | None:
    return None if answer is None else not answer


def _range(left: Any, right: Any) -> tuple[int, ...]:
    start, stop = as_int(left, "the start of a range"), as_int(right, "the end of a range")
    if stop - start > LONGEST_RANGE:
        raise errors.too_many_items(stop - start, LONGEST_RANGE)
    return tuple(range(start, stop))


# ---- lists -----------------------------------------------------------------------------------------------------------


def item(values: tuple[Any, ...], position: Any) -> Any:
    """`values[position]`; a negative position counts from the end. E0202 outside."""
    index = as_int(position, "an index")
    if not -len(values) <= index < len(values):
        raise errors.index_outside(index, len(values))
    return values[index]


def cut(values: tuple[Any, ...], start: Any, stop: Any) -> tuple[Any, ...]:
    """`values[start:stop]`, either of them None when it is left out. E0202 for a bound outside, unlike in Python:
    a list that is silently shorter than what is written is a mistake."""
    for bound in (start, stop):
        if bound is not None and not -len(values) <= as_int(bound, "a bound") <= len(values):
            raise errors.index_outside(bound, len(values), "bound")
    return values[start:stop]


# ---- what a place needs ----------------------------------------------------------------------------------------------


def as_size(value: Any, facts: Facts, what: str) -> Size:
    """A size: an int, or a symbolic one that is provably whole (E0206)."""
    if not isinstance(value, Dim):
        return as_int(value, what)
    if facts.is_whole(value):
        return value
    whole = math.lcm(*(Fraction(coefficient).denominator for _, coefficient in value.terms))
    numerator = value * whole
    raise errors.not_whole(what, str(value), missing_divisor(numerator, whole, facts))


def as_int(value: Any, what: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, Dim):
        raise errors.symbolic(what, str(value))
    if isinstance(value, Ratio):
        raise errors.not_whole(what, describe(value))
    raise errors.wrong_type(what, "an int", _told(value), "write a whole number")


def as_float(value: Any, what: str) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, Dim):
        raise errors.symbolic(what, str(value))
    raise errors.wrong_type(what, "a number", _told(value), "write a number")


def as_bool(value: Any, what: str) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Dim):
        raise errors.symbolic(what, str(value))
    raise errors.wrong_type(what, "`true` or `false`", _told(value), "write a comparison, such as `n > 0`, or a bool")


def as_string(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    raise errors.wrong_type(what, "a string", _told(value), "strings are written in double quotes")


__all__ = [
    "CONSTANTS", "LONGEST_RANGE", "Quantity", "Ratio", "StaticError", "as_bool", "as_float", "as_int", "as_size", "as_string",
    "binary", "checked", "cut", "describe", "is_list", "item", "kind", "truth", "unary",
]  # fmt: skip
