"""Sizes of axes: ints where known, polynomials over the input's dimensions where not.

A `Dim` is a polynomial with rational coefficients whose atoms are variables (`T`) and floors (`⌊(H + 1)/2⌋`). It is
kept in one normal form, so that equal terms are equal objects for `==` and `hash`; whole constants are plain ints.
There is no solver: two sizes are equal if their normal forms are, different if their difference is certainly not
zero, and otherwise unknown. Every atom is a whole number and every variable is at least 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import gcd, lcm
from typing import Any, NamedTuple, TypeAlias

from .size_text import read, write, write_floor

Number: TypeAlias = "int | Fraction"

MAX_DEGREE = 16
MAX_WEIGHT = 500
MAX_DEPTH = 24
MAX_COEFFICIENT = 2**63


class DimOverflow(OverflowError):
    """A size grew beyond what any model needs (E0105)."""


def need_countable(shape: Sequence[Size]) -> None:
    """DimOverflow for a shape of more numbers than a machine can count, whatever its symbolic sizes are."""
    count = 1
    for size in shape:
        if isinstance(size, int):
            count *= max(size, 1)
        else:
            count *= max(1, *(int(abs(coefficient)) for _, coefficient in size.terms))
        if count > MAX_COEFFICIENT:
            raise DimOverflow("a tensor of more than 2^63 numbers")


class FloorAtom(NamedTuple):
    """The atom ⌊numerator / divisor⌋: whole coefficients in [0, divisor), reduced."""

    numerator: Dim
    divisor: int


Atom: TypeAlias = "str | FloorAtom"
Monomial: TypeAlias = "tuple[tuple[Atom, int], ...]"


class Dim:
    """An immutable polynomial over dimensions, in normal form; never a whole constant (that is an int)."""

    __slots__ = ("_hash", "depth", "terms", "weight")

    terms: tuple[tuple[Monomial, Number], ...]
    depth: int  # how deep floors nest
    weight: int  # number of terms, those inside floors included

    def __init__(self, terms: tuple[tuple[Monomial, Number], ...]) -> None:
        depth, weight = 0, 0
        for monomial, coefficient in terms:
            degree = 0
            weight += 1
            for atom, power in monomial:
                degree += power
                if isinstance(atom, FloorAtom):
                    depth = max(depth, atom.numerator.depth + 1)
                    weight += atom.numerator.weight
            if degree > MAX_DEGREE:
                raise DimOverflow(f"a size of degree {degree} (at most {MAX_DEGREE})")
            if abs(coefficient.numerator) > MAX_COEFFICIENT or coefficient.denominator > MAX_COEFFICIENT:
                raise DimOverflow("a size with a coefficient above 2^63")
        if weight > MAX_WEIGHT or depth > MAX_DEPTH:
            raise DimOverflow(f"a size of more than {MAX_WEIGHT} terms, or floors nested over {MAX_DEPTH}")
        set_field = object.__setattr__
        set_field(self, "terms", terms)
        set_field(self, "depth", depth)
        set_field(self, "weight", weight)
        set_field(self, "_hash", hash(terms))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Dim does not change")

    def __reduce__(self) -> tuple[Any, ...]:
        return Dim, (self.terms,)

    def __hash__(self) -> int:
        return self._hash  # type: ignore[attr-defined]

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self.terms == other.terms)

    def __add__(self, other: Size | Fraction) -> Size:
        return size_of(sum_of(terms_of(self), terms_of(other)))

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size | Fraction) -> Size:
        return size_of(sum_of(terms_of(self), scaled(terms_of(other), -1)))

    def __rsub__(self, other: int | Fraction) -> Size:
        return size_of(sum_of(terms_of(other), scaled(terms_of(self), -1)))

    def __mul__(self, other: Size | Fraction) -> Size:
        return size_of(product_of(terms_of(self), terms_of(other)))

    __rmul__ = __mul__

    def __str__(self) -> str:
        return write(self, "⌊", "⌋")

    def __repr__(self) -> str:
        return f"Dim({to_text(self)!r})"

    def as_json(self) -> int | str:
        return to_text(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _from_json, serialization=core_schema.plain_serializer_function_ser_schema(Dim.as_json)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: Any) -> dict[str, Any]:
        return {"type": "string"}


#: A concrete size is a plain int everywhere.
Size: TypeAlias = int | Dim


def _from_json(value: Any) -> Dim:
    if isinstance(value, Dim):
        return value
    if isinstance(value, str):
        size = from_text(value)
        if isinstance(size, Dim):
            return size
    raise ValueError("not a symbolic size")


# ---- arithmetic on {monomial: coefficient} ---------------------------------------------------------------------------

Terms: TypeAlias = "dict[Monomial, Number]"


def terms_of(size: Number | Dim) -> Terms:
    if isinstance(size, Dim):
        return dict(size.terms)
    return {(): size} if size else {}


def sum_of(left: Terms, right: Terms) -> Terms:
    result = dict(left)
    for monomial, coefficient in right.items():
        result[monomial] = result.get(monomial, 0) + coefficient
    return result


def scaled(terms: Terms, factor: Number) -> Terms:
    return {monomial: coefficient * factor for monomial, coefficient in terms.items()}


def product_of(left: Terms, right: Terms) -> Terms:
    if len(left) * len(right) > MAX_WEIGHT:
        raise DimOverflow(f"a size of more than {MAX_WEIGHT} terms")
    result: Terms = {}
    for one, a in left.items():
        for two, b in right.items():
            monomial = _times(one, two)
            result[monomial] = result.get(monomial, 0) + a * b
    return result


def _times(one: Monomial, two: Monomial) -> Monomial:
    if not one:
        return two
    if not two:
        return one
    powers = dict(one)
    for atom, power in two:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=_atom_order))


def _atom_order(item: tuple[Atom, int]) -> tuple[int, str]:
    atom = item[0]
    return (0, atom) if isinstance(atom, str) else (1, write_floor(atom, "(", ")"))


def _term_order(item: tuple[Monomial, Number]) -> tuple[int, list[tuple[int, str, int]]]:
    monomial = item[0]
    return -sum(power for _, power in monomial), [(*_atom_order(pair), -pair[1]) for pair in monomial]


def size_of(terms: Terms) -> Size:
    kept: list[tuple[Monomial, Number]] = []
    for monomial, coefficient in terms.items():
        if coefficient:
            if isinstance(coefficient, Fraction) and coefficient.denominator == 1:
                coefficient = coefficient.numerator
            kept.append((monomial, coefficient))
    if not kept:
        return 0
    if len(kept) == 1:
        monomial, coefficient = kept[0]
        if not monomial and isinstance(coefficient, int):
            return coefficient
    else:
        kept.sort(key=_term_order)
    return Dim(tuple(kept))


def scaled_size(size: Size, factor: Number) -> Size:
    return size_of(scaled(terms_of(size), factor))


# ---- building --------------------------------------------------------------------------------------------------------


def var(name: str) -> Dim:
    """The dimension `name`."""
    return Dim(((((name, 1),), 1),))


def floordiv(size: Size, divisor: int) -> Size:
    """⌊size / divisor⌋ for a positive divisor, whole multiples pulled out and nested floors merged."""
    if isinstance(size, int):
        return size // divisor
    assert divisor > 0, "the divisor of a size is positive"
    return size_of(_floor(terms_of(size), divisor))


def _floor(terms: Terms, divisor: int) -> Terms:
    scale = lcm(*(c.denominator for c in terms.values()))
    whole = {m: int(c * scale) for m, c in terms.items() if c}
    divisor *= scale
    out: Terms = {}
    while True:
        rest: dict[Monomial, int] = {}
        for monomial, coefficient in whole.items():
            quotient, remainder = divmod(coefficient, divisor)
            if quotient:
                out[monomial] = out.get(monomial, 0) + quotient
            if remainder:
                rest[monomial] = remainder
        constant = rest.pop((), 0)
        if not rest:
            return out
        common = gcd(divisor, *rest.values())
        if common > 1:
            divisor //= common
            rest = {m: c // common for m, c in rest.items()}
            constant //= common
        if constant:
            rest[()] = constant
        inner = next((m for m, c in rest.items() if c == 1 and len(m) == 1 and is_floor(m[0])), None)
        if inner is None:
            numerator = size_of(dict(rest))
            assert isinstance(numerator, Dim)
            return sum_of(out, {((FloorAtom(numerator, divisor), 1),): 1})
        # ⌊(⌊p/a⌋ + q)/b⌋ = ⌊(p + a*q)/(a*b)⌋ for whole q
        del rest[inner]
        floor = inner[0][0]
        assert isinstance(floor, FloorAtom)
        merged = sum_of(terms_of(floor.numerator), scaled(dict(rest), floor.divisor))
        whole = {m: int(c) for m, c in merged.items()}
        divisor *= floor.divisor
        if divisor > MAX_COEFFICIENT:
            raise DimOverflow("a size divided by more than 2^63")


def is_floor(pair: tuple[Atom, int]) -> bool:
    return pair[1] == 1 and isinstance(pair[0], FloorAtom)


def mod(size: Size, divisor: int) -> Size:
    """size - divisor * ⌊size / divisor⌋."""
    return size % divisor if isinstance(size, int) else size - divisor * floordiv(size, divisor)


# ---- division and substitution -----------------------------------------------------------------------------------------


def divided(a: Size, b: Size) -> Size | None:
    """Exact division of polynomials; None when there is a rest."""
    if isinstance(b, int):
        return scaled_size(a, Fraction(1, b))
    rest, divisor = terms_of(a), terms_of(b)
    lead = max(divisor, key=_lead_order)
    quotient: Terms = {}
    for _ in range(MAX_WEIGHT):
        rest = {m: c for m, c in rest.items() if c}
        if not rest:
            return size_of(quotient)
        top = max(rest, key=_lead_order)
        monomial = _over(top, lead)
        if monomial is None:
            return None
        factor = Fraction(rest[top]) / divisor[lead]
        quotient[monomial] = quotient.get(monomial, 0) + factor
        rest = sum_of(rest, scaled(product_of({monomial: 1}, divisor), -factor))
    return None


class _Ascending:
    """Turns the order of texts round: in lexicographic order the first atom weighs most."""

    __slots__ = ("key",)

    def __init__(self, key: tuple[int, str]) -> None:
        self.key = key

    def __lt__(self, other: _Ascending) -> bool:
        return self.key > other.key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ascending) and self.key == other.key


def _lead_order(monomial: Monomial) -> list[tuple[_Ascending, int]]:
    return [(_Ascending(_atom_order(pair)), pair[1]) for pair in monomial]


def _over(top: Monomial, lead: Monomial) -> Monomial | None:
    powers = dict(top)
    for atom, power in lead:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return tuple(sorted(((atom, power) for atom, power in powers.items() if power), key=_atom_order))


def variables(size: Size) -> frozenset[str]:
    """The names of the dimensions in a size."""
    if isinstance(size, int):
        return frozenset()
    found: set[str] = set()
    for monomial, _ in size.terms:
        for atom, _ in monomial:
            if isinstance(atom, str):
                found.add(atom)
            else:
                found |= variables(atom.numerator)
    return frozenset(found)


def substitute(size: Size, values: Mapping[str, Size]) -> Size:
    """All dimensions replaced at once; those not named stay."""
    if isinstance(size, int) or not values:
        return size
    result: Terms = {}
    for monomial, coefficient in size.terms:
        product: Terms = {(): coefficient}
        for atom, power in monomial:
            if isinstance(atom, FloorAtom):
                factor = _floor(terms_of(substitute(atom.numerator, values)), atom.divisor)
            elif atom in values:
                factor = terms_of(values[atom])
            else:
                factor = terms_of(var(atom))
            for _ in range(power):
                product = product_of(product, factor)
        result = sum_of(result, product)
    return size_of(result)


def evaluate(size: Size, values: Mapping[str, int]) -> int:
    """The number for given dimensions; KeyError for a missing one, ValueError when it is not whole."""
    result = _evaluate(size, values)
    if result.denominator != 1:
        raise ValueError(f"{size} is not whole")
    return int(result)


def _evaluate(size: Size, values: Mapping[str, int]) -> Number:
    if isinstance(size, int):
        return size
    total: Number = 0
    for monomial, coefficient in size.terms:
        for atom, power in monomial:
            if isinstance(atom, str):
                coefficient *= values[atom] ** power
            else:
                coefficient *= (_evaluate(atom.numerator, values) // atom.divisor) ** power
        total += coefficient
    return total


# ---- text ------------------------------------------------------------------------------------------------------------


def to_text(size: Size) -> int | str:
    """ASCII form for JSON: ints stay ints, `2*floor(H/16) + 1`."""
    return size if isinstance(size, int) else write(size, "floor(", ")")


def from_text(text: object) -> Size:
    """Reads what `to_text` wrote; ValueError for anything else."""
    if isinstance(text, int) and not isinstance(text, bool):
        return text
    if not isinstance(text, str):
        raise ValueError(f"not a size: {text!r:.60}")  # noqa: TRY004 - pydantic reports it
    try:
        return read(text, var, floordiv)
    except DimOverflow as overflow:
        raise ValueError(str(overflow)) from None
