"""Kinds of arguments: the types that fields of entries are annotated with, a test for each, and the words for what it takes.

An annotation is a kind, `Literal["a", "b"]`, or several with `|` between; with `None` among them the argument may be
`none`. Kinds that are not plain values (`Time`, `Column`) are read where the expression is at hand, by the binder.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias, cast

from ..ir.model import Init
from ..messages import statics as errors
from ..sizes.dims import Dim, Size
from ..sizes.statics import Ratio
from ..sizes.types import DTYPES, is_dtype

# Numbers. `int`, `float` (finite), `bool` and `str` are kinds too.
Count: TypeAlias = int  # >= 1
Natural: TypeAlias = int  # >= 0
Least2: TypeAlias = int  # >= 2
Odd: TypeAlias = int
Share: TypeAlias = float  # 0 to 1
Fraction: TypeAlias = float  # between 0 and 1
Positive: TypeAlias = float  # > 0
NotNegative: TypeAlias = float
Momentum: TypeAlias = float  # 0 <= m < 1
Momenta: TypeAlias = "tuple[float, float]"
Number: TypeAlias = "int | float"  # kept as written, infinite too
Plain: TypeAlias = "int | float | bool"  # kept as written
Constant: TypeAlias = "Any"  # a number, a bool, or nested lists of them
# Several numbers.
Channels: TypeAlias = "float | tuple[float, ...]"
Range: TypeAlias = "tuple[float, float]"  # low, high; 0 to 1
Factors: TypeAlias = "tuple[float, float]"  # low, high; above 0
IntList: TypeAlias = "tuple[int, ...]"
Ints: TypeAlias = "int | tuple[int, ...]"  # >= 1, one for all spatial axes or one each
Naturals: TypeAlias = "int | tuple[int, ...]"  # >= 0, likewise
Pad: TypeAlias = "int | tuple[int, ...] | str"  # Naturals, or "same", "causal"
Axis: TypeAlias = int  # may be negative
Axes: TypeAlias = "int | tuple[int, ...] | None"  # None: all
Sizes: TypeAlias = "int | tuple[int, ...]"  # the size of every part, or of each
Offsets: TypeAlias = "int | tuple[int, ...]"  # any sign
Amounts: TypeAlias = "tuple[int, ...]"  # before and after, pairs from the last axis backwards
# Sizes and types.
Extent: TypeAlias = Size  # a size; symbolic too
Shape: TypeAlias = "tuple[Size, ...]"
ShapeLike: TypeAlias = "tuple[Size, ...]"  # in a spec also a tensor, for its shape
DType: TypeAlias = str
# Texts.
Path: TypeAlias = str
Names: TypeAlias = "tuple[str, ...]"
# Made by the elaborator, which has checked them. Of an init: defaults of layers use `zeros`, `ones`, `constant(v)`,
# `uniform(low, high)`, `xavier_uniform(gain)` and `normal(std, mean)`; the last may name a `zero_row` that stays zero (a
# table's padding).
InitSpec: TypeAlias = Init
Items: TypeAlias = "tuple[Any, ...]"  # of an index: a size (select), ("slice", start, stop), None (new axis), "..."
Order: TypeAlias = "tuple[int, ...]"  # a permutation
# Read by the binder.
Hyper: TypeAlias = float  # a number that may follow a schedule
Time: TypeAlias = "object"  # a duration: `3 epochs`, `rest`
Column: TypeAlias = "str"  # a field of the source
Field: TypeAlias = "str"  # a field of the data section, by name
Watch: TypeAlias = "object"  # a figure: `val.acc`
Chain: TypeAlias = "object"  # transforms of data: `hflip -> rotate(10)`
Static: TypeAlias = "object"  # any static value, or a layer or function
Statics: TypeAlias = "tuple[object, ...]"

#: Reads a value as the IR holds it; raises Unfit, or StaticError for what has a code of its own.
Reader = Callable[[Any], Any]


class Unfit(ValueError):
    """A value is not of its kind; `expected` names the kind."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


def read(annotation: str, value: Any) -> Any:
    """The value as an entry takes it: unchanged but for int -> float.

    Unfit carries what was expected (`a whole number of at least 1`); StaticError is E0206 for a quotient that is not whole
    and E0208 for a size that depends on the input.
    """
    return _reader(annotation)(value)


@cache
def _reader(annotation: str) -> Reader:
    parts = annotation.split(" | ")
    kinds = [_words_of(part) if part.startswith("Literal[") else READERS[part] for part in parts if part != "None"]
    read = kinds[0] if len(kinds) == 1 else _any_of(kinds)
    return (lambda value: None if value is None else read(value)) if "None" in parts else read


def _words_of(literal: str) -> Reader:
    allowed = tuple(re.findall(r"""["']([^"']*)["']""", literal))
    expected = " or ".join(f'"{word}"' for word in allowed)
    if len(allowed) > 2:
        expected = "one of " + ", ".join(f'"{word}"' for word in allowed)

    def read(value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise Unfit(expected)

    return read


def _any_of(kinds: list[Reader]) -> Reader:
    def read(value: Any) -> Any:
        expected: list[str] = []
        for kind in kinds:
            try:
                return kind(value)
            except Unfit as unfit:
                expected.append(unfit.expected)
        raise Unfit(", or ".join(expected))

    return read


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _whole(expected: str, test: Callable[[int], bool] = lambda _: True) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, Dim):
            raise errors.symbolic("this argument", str(value))
        if isinstance(value, Ratio):
            raise errors.not_whole("this argument", str(float(value)))
        if isinstance(value, bool) or not isinstance(value, int) or not test(value):
            raise Unfit(expected)
        return value

    return read


def _real(expected: str, test: Callable[[float], bool] = lambda _: True) -> Reader:
    def read(value: Any) -> float:
        if isinstance(value, Dim):
            raise errors.symbolic("this argument", str(value))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise Unfit(expected)
        if not test(value):
            raise Unfit(expected)
        return float(value)

    return read


def _number(value: Any) -> int | float:
    if isinstance(value, Dim):
        raise errors.symbolic("this argument", str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise Unfit("a number")
    return value if isinstance(value, int) else float(value)


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool) else _number(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise Unfit("`true` or `false`")


# ---- several ---------------------------------------------------------------------------------------------------------


def _items(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value)


def _list(expected: str, item: Reader, least: int = 1, count: int | None = None) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple) or len(_items(value)) < least or count not in (None, len(_items(value))):
            raise Unfit(expected)
        try:
            return tuple(map(item, _items(value)))
        except Unfit:
            raise Unfit(expected) from None

    return read


def _one_or_list(expected: str, item: Reader) -> Reader:
    several = _list(expected, item)

    def read(value: Any) -> Any:
        if isinstance(value, tuple):
            return several(value)
        try:
            return item(value)
        except Unfit:
            raise Unfit(expected) from None

    return read


def _ordered_pair(expected: str, low: float, high: float) -> Reader:
    pair = _list(expected, _real(expected), count=2)

    def read(value: Any) -> tuple[float, float]:
        a, b = pair(value)
        if not low <= a <= b <= high:
            raise Unfit(expected)
        return a, b

    return read


def _pad(value: Any) -> Any:
    if isinstance(value, str):
        if value in ("same", "causal"):
            return value
        raise Unfit('a whole number, "same" or "causal"')
    try:
        return _naturals(value)
    except Unfit as unfit:
        raise Unfit(f'{unfit.expected}, "same" or "causal"') from None


# ---- sizes, texts and the rest ---------------------------------------------------------------------------------------


def _extent(value: Any) -> Any:
    """A size; whether a symbolic one is whole is seen by the operator, which knows the facts."""
    if isinstance(value, Dim):
        return value
    return _whole("a size")(value)


def _dtype(value: Any) -> str:
    if isinstance(value, str) and is_dtype(value):
        return value
    raise Unfit(f"a dtype, one of {' '.join(DTYPES)}")


def _constant(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_constant, _items(value)))
    if isinstance(value, bool):
        return value
    try:
        return _number(value)
    except Unfit as unfit:
        raise Unfit(f"{unfit.expected}, or lists of them") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise Unfit("a string")


def _path(value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise Unfit("a path as a string")


def _as_given(value: Any) -> Any:
    return value


_count = _whole("a whole number of at least 1", lambda n: n >= 1)
_natural = _whole("a whole number of at least 0", lambda n: n >= 0)
_integer = _whole("an int")
_float = _real("a number")
_naturals = _one_or_list("a whole number of at least 0, or one for each spatial axis", _natural)
_shape = _list("a list of sizes", _extent, least=0)
_share = _real("a number from 0 to 1", lambda x: 0 <= x <= 1)
_momentum = _real("a number of at least 0 and below 1", lambda x: 0 <= x < 1)

READERS: dict[str, Reader] = {
    "int": _integer,
    "Count": _count,
    "Natural": _natural,
    "Least2": _whole("a whole number of at least 2", lambda n: n >= 2),
    "Odd": _whole("an odd whole number", lambda n: n >= 1 and n % 2 == 1),
    "float": _float,
    "Share": _share,
    "Fraction": _real("a fraction above 0 and below 1", lambda x: 0 < x < 1),
    "Positive": _real("a number above 0", lambda x: x > 0),
    "NotNegative": _real("a number of at least 0", lambda x: x >= 0),
    "Momentum": _momentum,
    "Momenta": _list("two numbers of at least 0 and below 1", _momentum, count=2),
    "Number": _number,
    "Plain": _plain,
    "Constant": _constant,
    "bool": _bool,
    "Channels": _one_or_list("a number, or a list of numbers, one per channel", _float),
    "Range": _ordered_pair("two numbers (low, high) from 0 to 1", 0, 1),
    "Factors": _ordered_pair("two numbers (low, high) above 0", 1e-9, math.inf),
    "IntList": _list("a list of ints", _integer, least=0),
    "Ints": _one_or_list("a whole number of at least 1, or one for each spatial axis", _count),
    "Naturals": _naturals,
    "Pad": _pad,
    "Axis": _integer,
    "Axes": lambda value: None if value is None else _one_or_list("an axis or a list of axes", _integer)(value),
    "Sizes": _one_or_list("a size of at least 1, or a list of them", _count),
    "Offsets": _one_or_list("an int or a list of ints", _integer),
    "Amounts": _list("a list of ints: before and after, in pairs from the last axis backwards", _integer),
    "Extent": _extent,
    "Shape": _shape,
    "ShapeLike": _shape,
    "DType": _dtype,
    "str": _text,
    "Path": _path,
    "Column": _text,
    "Field": _text,
    "Names": _list("names as strings", _text, least=0),
    "InitSpec": _as_given,
    "Items": _as_given,
    "Order": _as_given,
    "Hyper": _float,
    "Chain": _as_given,
    "Static": _as_given,
    "Statics": _list("values", _as_given, least=0),
}

#: Kinds whose reader does not name what it takes, or that the binder reads.
_WORDS = {
    "InitSpec": "an entry of the init table",
    "Hyper": "a number of at least 0, or a schedule",
    "Time": "a duration such as `3 epochs`",
    "Column": "a field of the source, such as `source.label`",
    "Field": "a field of the data section, such as `label`",
    "Watch": "a metric or loss, such as `val.acc`",
    "Chain": "transforms, such as `hflip -> rotate(10)`",
    "Static": "any value",
    "Statics": "values",
}


def words(annotation: str) -> str:
    """What an annotation takes, in the words of its error: `a whole number of at least 1`."""
    kind = annotation.removesuffix(" | None")
    text = _WORDS.get(kind) or expected(kind)
    return f"{text}, or none" if kind != annotation else text


def expected(annotation: str) -> str:
    """What a reader reports for a value of no kind."""
    try:
        read(annotation, object())
    except Unfit as unfit:
        return unfit.expected
    return annotation
