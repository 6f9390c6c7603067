"""Kinds of arguments of recipe entries and keys: a test, and what to say when it fails."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from ..sizes.statics import Quantity

#: Dimensions of quantities, by unit.
UNITS = {
    "epochs": "time", "steps": "time", "samples": "amount", "tokens": "amount",
    "s": "clock", "min": "clock", "h": "clock", "MiB": "memory", "GiB": "memory",
}  # fmt: skip


class Unfit(Exception):
    """A value is not of its kind; `expected` says what would be."""

    def __init__(self, expected: str) -> None:
        super().__init__(expected)
        self.expected = expected


@dataclass(frozen=True)
class Kind:
    """`read` gives the value as the IR holds it, or raises Unfit."""

    name: str
    read: Callable[[Any], Any]


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _tuple(value: Any) -> tuple[Any, ...]:
    return cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()


def _as_float(words: str, test: Callable[[float], bool] = lambda _: True) -> Callable[[Any], Any]:
    def read(value: Any) -> float:
        if not _number(value) or not test(value):
            raise Unfit(words)
        return float(value)

    return read


def _as_int(words: str, test: Callable[[int], bool] = lambda _: True) -> Callable[[Any], Any]:
    def read(value: Any) -> int:
        if not _integer(value) or not test(value):
            raise Unfit(words)
        return value

    return read


def _any_of(*readers: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        expected: list[str] = []
        for reader in readers:
            try:
                return reader(value)
            except Unfit as unfit:
                expected.append(unfit.expected)
        raise Unfit(", or ".join(expected))

    return read


def _none(value: Any) -> None:
    if value is not None:
        raise Unfit("`none`")


def _any(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unfit("a string")
    return value


def _path(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise Unfit("a path as a string")
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit("`true` or `false`")
    return value


def _one_of(*words: str) -> Callable[[Any], Any]:
    def read(value: Any) -> str:
        if value not in words or not isinstance(value, str):
            raise Unfit(" or ".join(f'`"{word}"`' for word in words))
        return value

    return read


def _many(reader: Callable[[Any], Any], words: str, count: int | None = None) -> Callable[[Any], Any]:
    def read(value: Any) -> tuple[Any, ...]:
        items = _tuple(value)
        if not isinstance(value, tuple) or (count is not None and len(items) != count):
            raise Unfit(words)
        try:
            return tuple(map(reader, items))
        except Unfit:
            raise Unfit(words) from None

    return read


def _ordered_pair(words: str, low: float, high: float) -> Callable[[Any], Any]:
    pair = _many(_as_float(""), words, 2)

    def read(value: Any) -> tuple[float, float]:
        a, b = pair(value)
        if not low <= a <= b <= high:
            raise Unfit(words)
        return a, b

    return read


_INT = _as_int("an int")
_FLOAT = _as_float("a number")
_POSITIVE = _as_float("a number above 0", lambda v: v > 0)
_SHARE = _as_float("a number from 0 to 1", lambda v: 0 <= v <= 1)
_CHANNELS = _any_of(_FLOAT, _many(_FLOAT, "a list of numbers, one per channel"))

KINDS: dict[str, Kind] = {
    name: Kind(name, reader)
    for name, reader in {
        "Int": _INT,
        "Count": _as_int("a whole number of at least 1", lambda v: v >= 1),
        "Natural": _as_int("a whole number of at least 0", lambda v: v >= 0),
        "MaybeCount": _any_of(_as_int("a whole number of at least 1", lambda v: v >= 1), _none),
        "MaybeInt": _any_of(_INT, _none),
        "Ints": _many(_INT, "a list of ints"),
        "Float": _FLOAT,
        "MaybeFloat": _any_of(_FLOAT, _none),
        "Positive": _POSITIVE,
        "NotNegative": _as_float("a number of at least 0", lambda v: v >= 0),
        "Share": _SHARE,
        "MaybeShare": _any_of(_SHARE, _none),
        "Momentum": _as_float("a number of at least 0 and below 1", lambda v: 0 <= v < 1),
        "Momenta": _many(_as_float("", lambda v: 0 <= v < 1), "two numbers of at least 0 and below 1", 2),
        "Hyper": _FLOAT,
        "Channels": _CHANNELS,
        "MeanOrName": _any_of(_one_of("imagenet"), _CHANNELS),
        "MaybeChannels": _any_of(_CHANNELS, _none),
        "Floats": _many(_FLOAT, "a list of numbers"),
        "MaybeFloats": _any_of(_many(_FLOAT, "a list of numbers"), _none),
        "Scale": _ordered_pair("two numbers (low, high) from 0 to 1", 0, 1),
        "Ratio": _ordered_pair("two numbers (low, high) above 0", 1e-9, math.inf),
        "MaybeFactors": _any_of(_ordered_pair("two numbers (low, high) above 0", 1e-9, math.inf), _none),
        "Odd": _as_int("an odd whole number", lambda v: v >= 1 and v % 2 == 1),
        "Jitter": _as_float("a number of at least 0", lambda v: v >= 0),
        "Bool": _bool,
        "Text": _text,
        "MaybeText": _any_of(_text, _none),
        "Path": _path,
        "Names": _many(_text, "names as strings"),
        "Fraction": _as_float("a fraction above 0 and at most 1", lambda v: 0 < v <= 1),
        "MaybeFraction": _any_of(_as_float("a fraction from 0 to 1", lambda v: 0 <= v <= 1), _none),
        "NameOrFraction": _any_of(_path, _as_float("a fraction above 0 and below 1", lambda v: 0 < v < 1), _none),
        "Unit": _one_of("char", "line"),
        "TokenType": _one_of("u8", "u16", "u32", "i32", "i64"),
        "SplitName": _one_of("train", "val", "test"),
        "Fill": _any_of(_one_of("mean", "median"), _FLOAT),
        "Constant": _any,
        "Constants": _many(_any, "values"),
        "Average": _one_of("macro", "micro", "weighted"),
    }.items()
}


def read(kind: str, value: Any) -> Any:
    """The value as an argument of this kind; raises Unfit."""
    return KINDS[kind].read(value)


def quantity(value: Any, *units: str) -> Quantity | None:
    """The value if it is a quantity in one of these units."""
    return value if isinstance(value, Quantity) and value.unit in units else None
