"""Static arguments of operators: a test for each annotation that a field may have, and what should have been there."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from functools import cache
from typing import Any, cast

from ...messages import statics as errors
from ...sizes.dims import Dim
from ...sizes.statics import Ratio
from ...sizes.types import DTYPES, is_dtype

#: Reads a value as the IR holds it; ValueError with what was expected, StaticError for what has a code of its own.
Reader = Callable[[Any], Any]


def check_argument(annotation: str, value: Any) -> Any:
    """The value as an operator takes it: unchanged but for int -> float.

    ValueError carries what was expected (`an int of at least 1`); StaticError is E0206 for a quotient that is not
    whole and E0208 for a size that depends on the input.
    """
    return _reader(annotation)(value)


@cache
def _reader(annotation: str) -> Reader:
    parts = [part.strip() for part in annotation.split("|")]
    optional = "None" in parts
    (kind,) = [part for part in parts if part != "None"]
    if kind.startswith("Literal["):
        read = _words(tuple(re.findall(r"""["']([^"']*)["']""", kind)))
    else:
        read = READERS[kind]
    return (lambda value: None if value is None else read(value)) if optional else read


def _words(allowed: tuple[str, ...]) -> Reader:
    expected = " or ".join(f'"{word}"' for word in allowed)
    if len(allowed) > 2:
        expected = "one of " + ", ".join(f'"{word}"' for word in allowed)

    def read(value: Any) -> str:
        if isinstance(value, str) and value in allowed:
            return value
        raise ValueError(expected)

    return read


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _whole(expected: str, test: Callable[[int], bool] = lambda _: True) -> Reader:
    def read(value: Any) -> int:
        if isinstance(value, Dim):
            raise errors.symbolic("this argument", str(value))
        if isinstance(value, Ratio):
            raise errors.not_whole("this argument", str(float(value)))
        if isinstance(value, bool) or not isinstance(value, int) or not test(value):
            raise ValueError(expected)
        return value

    return read


def _real(expected: str, test: Callable[[float], bool] = lambda _: True) -> Reader:
    def read(value: Any) -> float:
        if isinstance(value, Dim):
            raise errors.symbolic("this argument", str(value))
        if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value) or not test(value):
            raise ValueError(expected)
        return float(value)

    return read


def _number(value: Any) -> int | float:
    if isinstance(value, Dim):
        raise errors.symbolic("this argument", str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float)) or math.isnan(value):
        raise ValueError("a number")
    return value if isinstance(value, int) else float(value)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise ValueError("`true` or `false`")


def _str(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("a string")


# ---- several numbers -------------------------------------------------------------------------------------------------


def _items(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value)


def _list(expected: str, item: Reader, least: int = 1) -> Reader:
    def read(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, tuple) or len(_items(value)) < least:
            raise ValueError(expected)
        try:
            return tuple(map(item, _items(value)))
        except ValueError:
            raise ValueError(expected) from None

    return read


def _one_or_list(expected: str, item: Reader) -> Reader:
    several = _list(expected, item)

    def read(value: Any) -> Any:
        if isinstance(value, tuple):
            return several(value)
        try:
            return item(value)
        except ValueError:
            raise ValueError(expected) from None

    return read


def _pad(value: Any) -> Any:
    if isinstance(value, str):
        if value in ("same", "causal"):
            return value
        raise ValueError('a whole number, "same" or "causal"')
    try:
        return _naturals(value)
    except ValueError as error:
        raise ValueError(f'{error}, "same" or "causal"') from None


# ---- sizes and the rest ----------------------------------------------------------------------------------------------


def _extent(value: Any) -> Any:
    """A size; a symbolic one is proved whole by the operator, which knows the facts."""
    if isinstance(value, Dim):
        return value
    return _whole("a size")(value)


def _dtype(value: Any) -> str:
    if isinstance(value, str) and is_dtype(value):
        return value
    raise ValueError(f"a dtype, one of {' '.join(DTYPES)}")


def _constant(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_constant, _items(value)))
    if isinstance(value, bool):
        return value
    try:
        return _number(value)
    except ValueError as error:
        raise ValueError(f"{error}, or lists of them") from None


def _as_given(value: Any) -> Any:
    """Made by the elaborator, which has checked it: an init, the items of an index, a permutation."""
    return value


_count = _whole("an int of at least 1", lambda n: n >= 1)
_natural = _whole("an int of at least 0", lambda n: n >= 0)
_integer = _whole("an int")
_naturals = _one_or_list("an int of at least 0, or one for each spatial axis", _natural)
_shape = _list("a list of sizes", _extent, least=0)

READERS: dict[str, Reader] = {
    "int": _integer,
    "Count": _count,
    "Natural": _natural,
    "float": _real("a number"),
    "Share": _real("a number from 0 to 1", lambda x: 0 <= x <= 1),
    "Positive": _real("a number above 0", lambda x: x > 0),
    "Number": _number,
    "bool": _bool,
    "str": _str,
    "Ints": _one_or_list("an int of at least 1, or one for each spatial axis", _count),
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
    "Plain": lambda value: value if isinstance(value, bool) else _number(value),
    "Constant": _constant,
    "InitSpec": _as_given,
    "Items": _as_given,
    "Order": _as_given,
}


def words(annotation: str) -> str:
    """What an annotation takes, in the words of its error: `an int of at least 1`."""
    kind = annotation.removesuffix(" | None")
    if kind == "InitSpec":
        text = "an entry of the init table"
    else:
        try:
            check_argument(kind, _NOTHING)
        except ValueError as error:
            text = str(error)
        else:
            text = kind
    return f"{text}, or none" if kind != annotation else text


#: Of no kind: every reader refuses it and says what it wants.
_NOTHING = object()
