"""Sizes as text: `2*⌊H/16⌋ + 1` for people, `2*floor(H/16) + 1` for JSON, and back.

This file knows how a size is built (`Polynomial`) but makes none: `dims.py`, which writes its sizes by it, hands the
reader what makes a variable and a floor.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, TypeAlias


class Polynomial(Protocol):
    """A sum of terms: powers of variables and floors, and their coefficient (`dims.Dim`)."""

    @property
    def terms(self) -> tuple[tuple[Monomial, Number], ...]: ...


class Floored(Protocol):
    """⌊numerator / divisor⌋ (`dims.Floor`)."""

    @property
    def numerator(self) -> Polynomial: ...
    @property
    def divisor(self) -> int: ...


Number: TypeAlias = "int | Fraction"
Monomial: TypeAlias = "tuple[tuple[str | Floored, int], ...]"


def write(dim: Polynomial, opening: str, closing: str) -> str:
    parts: list[str] = []
    for monomial, coefficient in dim.terms:
        sign = "-" if coefficient < 0 else "+"
        text = write_term(monomial, abs(coefficient), opening, closing)
        parts.append(f" {sign} {text}" if parts else text if sign == "+" else f"-{text}")
    return "".join(parts)


def write_term(monomial: Monomial, coefficient: Number, opening: str, closing: str) -> str:
    factors = [
        (atom if isinstance(atom, str) else write_floor(atom, opening, closing)) + (f"^{power}" if power > 1 else "")
        for atom, power in monomial
    ]
    if coefficient.numerator != 1 or not factors:
        factors.insert(0, str(coefficient.numerator))
    text = "*".join(factors)
    return text if coefficient.denominator == 1 else f"{text}/{coefficient.denominator}"


def write_floor(floor: Floored, opening: str, closing: str) -> str:
    inner = write(floor.numerator, opening, closing)
    if len(floor.numerator.terms) > 1:
        inner = f"({inner})"
    return f"{opening}{inner}/{floor.divisor}{closing}"


_TOKEN = re.compile(r"\s*(?:(\d+)|([^\W\d]\w*)|(.))")


def read(text: str, variable: Callable[[str], Any], floor: Callable[[Any, int], Any]) -> Any:
    """The size that `dims.to_text` wrote, made by `variable(name)` and `floor(size, divisor)`; ValueError for other text."""
    reader = _Reader(text, variable, floor)
    size = reader.sum()
    if reader.position != len(reader.tokens) or (isinstance(size, Fraction) and size.denominator != 1):
        raise reader.mistake()
    return int(size) if isinstance(size, Fraction) else size


class _Reader:
    """Recursive descent over `+ - * / ^ ( ) floor( )`. Parts may be fractions; the whole is a size."""

    def __init__(self, text: str, variable: Callable[[str], Any], floor: Callable[[Any, int], Any]) -> None:
        self.variable, self.floor = variable, floor
        self.tokens: list[tuple[str, str, str]] = _TOKEN.findall(text.strip())
        self.text, self.position, self.depth = text, 0, 0

    def mistake(self) -> ValueError:
        return ValueError(f"not a size: {self.text[:60]!r}")

    def take(self, sign: str) -> bool:
        if self.position < len(self.tokens) and self.tokens[self.position][2] == sign:
            self.position += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.mistake()

    def integer(self) -> int:
        if self.position < len(self.tokens) and self.tokens[self.position][0]:
            self.position += 1
            value = int(self.tokens[self.position - 1][0])
            if 0 < value <= 2**63:
                return value
        raise self.mistake()

    def sum(self) -> Any:
        self.depth += 1
        if self.depth > 50:
            raise self.mistake()
        result = self.product() * -1 if self.take("-") else self.product()
        while True:
            if self.take("+"):
                result = result + self.product()
            elif self.take("-"):
                result = result - self.product()
            else:
                self.depth -= 1
                return result

    def product(self) -> Any:
        result = self.power()
        while True:
            if self.take("*"):
                result = result * self.power()
            elif self.take("/"):
                result = result * Fraction(1, self.integer())
            else:
                return result

    def power(self) -> Any:
        base = self.atom()
        result = base
        for _ in range(min(self.integer(), 20) - 1 if self.take("^") else 0):
            result = result * base
        return result

    def atom(self) -> Any:
        if self.take("("):
            inner = self.sum()
            self.expect(")")
            return inner
        if self.position >= len(self.tokens):
            raise self.mistake()
        number, name, _ = self.tokens[self.position]
        if number:
            return self.integer()
        if not name:
            raise self.mistake()
        self.position += 1
        if name == "floor" and self.take("("):
            inner = self.sum()
            self.expect(")")
            return self.floor(inner, 1)
        return self.variable(name)
