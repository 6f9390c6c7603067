"""Sizes of axes: ints where known, polynomials over the input's dimensions where not.

A `Dim` is a polynomial with rational coefficients whose atoms are variables (`T`) and floors (`⌊(H + 1)/2⌋`). It is
kept in one normal form, so that equal terms are equal objects for `==` and `hash`; whole constants are plain ints.
There is no solver: two sizes are equal when their normal forms are, different when the difference is provably not
zero, and otherwise unknown. Every atom is a whole number and every variable is at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Any, NamedTuple, TypeAlias, overload

from .size_text import read, write, write_floor

Number: TypeAlias = "int | Fraction"

MAX_DEGREE = 16
MAX_WEIGHT = 500
MAX_DEPTH = 24
MAX_COEFFICIENT = 2**63


class DimOverflow(OverflowError):
    """A size grew beyond what any model needs (E0105)."""


class Floor(NamedTuple):
    """The atom ⌊numerator / divisor⌋: whole coefficients in [0, divisor), reduced."""

    numerator: Dim
    divisor: int


Atom: TypeAlias = "str | Floor"
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
                if isinstance(atom, Floor):
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
        return _make(_sum(_terms(self), _terms(other)))

    __radd__ = __add__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size | Fraction) -> Size:
        return _make(_sum(_terms(self), _scaled(_terms(other), -1)))

    def __rsub__(self, other: int | Fraction) -> Size:
        return _make(_sum(_terms(other), _scaled(_terms(self), -1)))

    def __mul__(self, other: Size | Fraction) -> Size:
        return _make(_product(_terms(self), _terms(other)))

    __rmul__ = __mul__

    def __str__(self) -> str:
        return write(self, "⌊", "⌋")

    def __repr__(self) -> str:
        return f"Dim({to_text(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(
            _from_json, serialization=core_schema.plain_serializer_function_ser_schema(to_text)
        )


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


def _terms(size: Number | Dim) -> Terms:
    if isinstance(size, Dim):
        return dict(size.terms)
    return {(): size} if size else {}


def _sum(left: Terms, right: Terms) -> Terms:
    result = dict(left)
    for monomial, coefficient in right.items():
        result[monomial] = result.get(monomial, 0) + coefficient
    return result


def _scaled(terms: Terms, factor: Number) -> Terms:
    return {monomial: coefficient * factor for monomial, coefficient in terms.items()}


def _product(left: Terms, right: Terms) -> Terms:
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


def _make(terms: Terms) -> Size:
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


def _scale(size: Size, factor: Number) -> Size:
    return _make(_scaled(_terms(size), factor))


# ---- building --------------------------------------------------------------------------------------------------------


def var(name: str) -> Dim:
    """The dimension `name`."""
    return Dim(((((name, 1),), 1),))


def floordiv(size: Size, divisor: int) -> Size:
    """⌊size / divisor⌋ for a positive divisor, whole multiples pulled out and nested floors merged."""
    if isinstance(size, int):
        return size // divisor
    assert divisor > 0, "the divisor of a size is positive"
    return _make(_floor(_terms(size), divisor))


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
        inner = next((m for m, c in rest.items() if c == 1 and len(m) == 1 and _is_floor(m[0])), None)
        if inner is None:
            numerator = _make(dict(rest))
            assert isinstance(numerator, Dim)
            return _sum(out, {((Floor(numerator, divisor), 1),): 1})
        # ⌊(⌊p/a⌋ + q)/b⌋ = ⌊(p + a*q)/(a*b)⌋ for whole q
        del rest[inner]
        floor = inner[0][0]
        assert isinstance(floor, Floor)
        merged = _sum(_terms(floor.numerator), _scaled(dict(rest), floor.divisor))
        whole = {m: int(c) for m, c in merged.items()}
        divisor *= floor.divisor
        if divisor > MAX_COEFFICIENT:
            raise DimOverflow("a size divided by more than 2^63")


def _is_floor(pair: tuple[Atom, int]) -> bool:
    return pair[1] == 1 and isinstance(pair[0], Floor)


def mod(size: Size, divisor: int) -> Size:
    """size - divisor * ⌊size / divisor⌋."""
    return size % divisor if isinstance(size, int) else size - divisor * floordiv(size, divisor)


# ---- facts -----------------------------------------------------------------------------------------------------------


class Facts:
    """What is known about dimensions beside that they are at least 1. Immutable; `with_*` give larger sets.

    `divisors`: {"H": 16} says that H is a multiple of 16. `bounds`: {"T": (1, 1024)}.
    `claims`: bounds on sizes that are no single variable.
    """

    __slots__ = ("bounds", "claims", "divisors")

    divisors: Mapping[str, int]
    bounds: Mapping[str, tuple[int, int | None]]
    claims: Mapping[Dim, tuple[int | None, int | None]]

    def __init__(
        self,
        divisors: Mapping[str, int] | None = None,
        bounds: Mapping[str, tuple[int, int | None]] | None = None,
        claims: Mapping[Dim, tuple[int | None, int | None]] | None = None,
    ) -> None:
        self.divisors = {name: n for name, n in (divisors or {}).items() if n > 1}
        self.bounds = dict(bounds or {})
        self.claims = dict(claims or {})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and (self.divisors, self.bounds, self.claims) == (
            other.divisors, other.bounds, other.claims
        )  # fmt: skip

    def __hash__(self) -> int:
        return hash((frozenset(self.divisors.items()), frozenset(self.bounds.items()), frozenset(self.claims.items())))

    def multiple(self, name: str, n: int) -> Facts:
        """With the fact that variable `name` is a multiple of `n`."""
        return Facts({**self.divisors, name: lcm(self.divisors.get(name, 1), n)}, self.bounds, self.claims)

    def bound(self, size: Size, low: int | None = None, high: int | None = None) -> Facts:
        """With the fact low <= size <= high (either side may be open)."""
        if isinstance(size, int):
            return self
        monomial, coefficient = size.terms[0]
        if len(size.terms) == 1 and coefficient == 1 and len(monomial) == 1 and monomial[0][1] == 1:
            name = monomial[0][0]
            if isinstance(name, str):
                old_low, old_high = self.bounds.get(name, (1, None))
                new_low = max(old_low, low) if low is not None else old_low
                new_high = high if old_high is None else old_high if high is None else min(old_high, high)
                return Facts(self.divisors, {**self.bounds, name: (new_low, new_high)}, self.claims)
        old = self.claims.get(size, (None, None))
        merged = (_tighter(max, old[0], low), _tighter(min, old[1], high))
        return Facts(self.divisors, self.bounds, {**self.claims, size: merged})

    def normalize(self, size: Size) -> Size:
        """The normal form under the divisibility facts: with H % 16 == 0, ⌊H/8⌋ is H/8."""
        if isinstance(size, int) or not self.divisors:
            return size
        names = [name for name in self.divisors if name in variables(size)]
        if not names:
            return size
        return _unstretch(_stretch(size, self.divisors, names), self.divisors, names)

    def range(self, size: Size) -> tuple[Number | None, Number | None]:
        """Bounds of a size; None is unbounded or unknown."""
        size = self.normalize(size)
        if isinstance(size, int):
            return size, size
        low, high = self._range(size.terms)
        if size.depth:
            relaxed = self._relaxed(size, upper=False)
            low = _tighter(max, low, self._range(relaxed)[0])
            relaxed = self._relaxed(size, upper=True)
            high = _tighter(min, high, self._range(relaxed)[1])
        for claim, (claim_low, claim_high) in self.claims.items():
            difference = size - self.normalize(claim)
            if isinstance(difference, int):
                low = _tighter(max, low, None if claim_low is None else claim_low + difference)
                high = _tighter(min, high, None if claim_high is None else claim_high + difference)
        return low, high

    def _range(self, terms: Iterable[tuple[Monomial, Number]]) -> tuple[Number | None, Number | None]:
        low: Number | None = 0
        high: Number | None = 0
        for monomial, coefficient in terms:
            term_low, term_high = self._monomial_range(monomial)
            if coefficient < 0:
                term_low, term_high = term_high, term_low
            low = None if low is None or term_low is None else low + coefficient * term_low
            high = None if high is None or term_high is None else high + coefficient * term_high
        return low, high

    def _monomial_range(self, monomial: Monomial) -> tuple[Number | None, Number | None]:
        low: Number = 1
        high: Number | None = 1
        for atom, power in monomial:
            atom_low, atom_high = self._atom_range(atom)
            if atom_low is None or atom_low < 0:
                return (atom_low, atom_high) if monomial == ((atom, 1),) else (None, None)
            low *= atom_low**power
            high = None if high is None or atom_high is None else high * atom_high**power
        return low, high

    def _atom_range(self, atom: Atom) -> tuple[Number | None, Number | None]:
        if isinstance(atom, str):
            low, high = self.bounds.get(atom, (1, None))
            step = self.divisors.get(atom, 1)
            low = -(-low // step) * step
            return low, None if high is None else high // step * step
        low, high = self.range(atom.numerator)
        return None if low is None else low // atom.divisor, None if high is None else high // atom.divisor

    def _relaxed(self, size: Dim, *, upper: bool) -> Iterable[tuple[Monomial, Number]]:
        """A polynomial that bounds `size` from above (or below): single floors lie in [(p - d + 1)/d, p/d]."""
        result: Terms = {}
        for monomial, coefficient in size.terms:
            if len(monomial) == 1 and _is_floor(monomial[0]):
                floor = monomial[0][0]
                assert isinstance(floor, Floor)
                bound = _terms(floor.numerator)
                if (coefficient > 0) != upper:
                    bound = _sum(bound, {(): 1 - floor.divisor})
                result = _sum(result, _scaled(bound, Fraction(coefficient) / floor.divisor))
            else:
                result = _sum(result, {monomial: coefficient})
        return [(monomial, coefficient) for monomial, coefficient in result.items() if coefficient]

    def at_least(self, size: Size, n: int) -> bool | None:
        """Whether size >= n: True, False, or None when it depends."""
        if isinstance(size, int):
            return size >= n
        low, high = self.range(size)
        return True if low is not None and low >= n else False if high is not None and high < n else None

    def at_most(self, size: Size, n: int) -> bool | None:
        """Whether size <= n: True, False, or None when it depends."""
        if isinstance(size, int):
            return size <= n
        low, high = self.range(size)
        return True if high is not None and high <= n else False if low is not None and low > n else None

    def is_whole(self, size: Size) -> bool:
        """Whether a size is provably a whole number."""
        if isinstance(size, int):
            return True
        stretched = _stretch(size, self.divisors, [name for name in self.divisors if name in variables(size)])
        return isinstance(stretched, int) or all(isinstance(coefficient, int) for _, coefficient in stretched.terms)


@overload
def _tighter(choose: Any, a: int | None, b: int | None) -> int | None: ...
@overload
def _tighter(choose: Any, a: Number | None, b: Number | None) -> Number | None: ...
def _tighter(choose: Any, a: Number | None, b: Number | None) -> Number | None:
    return b if a is None else a if b is None else choose(a, b)


def _stretch(size: Size, divisors: Mapping[str, int], names: Iterable[str]) -> Size:
    """Write each known multiple H of n as n*H: then what is divisible shows in the coefficients."""
    return substitute(size, {name: divisors[name] * var(name) for name in names})


def _unstretch(size: Size, divisors: Mapping[str, int], names: Iterable[str]) -> Size:
    return substitute(size, {name: _scale(var(name), Fraction(1, divisors[name])) for name in names})


NO_FACTS = Facts()


# ---- questions -------------------------------------------------------------------------------------------------------


def equal(a: Size, b: Size, facts: Facts = NO_FACTS) -> bool | None:
    """Whether two sizes are equal: True, False, or None when it cannot be proved either way."""
    if a == b:
        return True
    if isinstance(a, int) and isinstance(b, int):
        return False
    difference = facts.normalize(a - b)
    if isinstance(difference, int):
        return difference == 0
    low, high = facts.range(difference)
    if (low is not None and low > 0) or (high is not None and high < 0):
        return False
    # whole multiples of g plus a constant that is none: never 0
    names = [name for name in facts.divisors if name in variables(difference)]
    stretched = _terms(_stretch(difference, facts.divisors, names))
    constant = stretched.pop((), 0)
    if constant and stretched:
        scale = lcm(*(c.denominator for c in stretched.values()))
        whole = [int(c * scale) for c in stretched.values()]
        if (constant * scale) % gcd(*whole):
            return False
    return None


def missing_fact(a: Size, b: Size, facts: Facts = NO_FACTS) -> str | None:
    """The divisibility that would make two sizes equal, in the language (`H % 16 == 0`); None if there is none."""
    return _missing(facts, lambda extended: equal(a, b, extended) is True, variables(a) | variables(b), (a, b))


def missing_divisor(size: Size, divisor: int, facts: Facts = NO_FACTS) -> str | None:
    """The divisibility that would make `size / divisor` whole, in the language."""
    if isinstance(size, int):
        return None
    return _missing(
        facts, lambda extended: exact_div(size, divisor, extended) is not None, variables(size), (), divisor
    )


def _missing(
    facts: Facts, holds: Callable[[Facts], bool], names: Iterable[str], sizes: Iterable[Size], divisor: int = 1
) -> str | None:
    wanted: dict[str, int] = {}
    for size in sizes:
        for floor in _floors(size):
            for name in variables(floor.numerator):
                wanted[name] = lcm(wanted.get(name, 1), floor.divisor)
    for name in names if divisor > 1 else ():
        wanted[name] = lcm(wanted.get(name, 1), divisor)

    def extended(divisors: Mapping[str, int]) -> Facts:
        result = facts
        for name, n in divisors.items():
            result = result.multiple(name, n)
        return result

    if not wanted or max(wanted.values()) > 1 << 20 or not holds(extended(wanted)):
        return None
    for name in sorted(wanted):  # the weakest fact that does
        for smaller in _divisors(wanted[name]):
            if holds(extended({**wanted, name: smaller})):
                wanted[name] = smaller
                break
    known = facts.divisors
    parts = [f"{name} % {n} == 0" for name, n in sorted(wanted.items()) if known.get(name, 1) % n]
    return " and ".join(parts) or None


def _divisors(n: int) -> list[int]:
    small = [d for d in range(1, int(n**0.5) + 1) if n % d == 0]
    return sorted({*small, *(n // d for d in small)})


def _floors(size: Size) -> Iterable[Floor]:
    if isinstance(size, Dim):
        for monomial, _ in size.terms:
            for atom, _ in monomial:
                if isinstance(atom, Floor):
                    yield atom
                    yield from _floors(atom.numerator)


def exact_div(a: Size, b: Size, facts: Facts = NO_FACTS) -> Size | None:
    """a / b when it is provably whole, else None. b is not 0."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if a % b == 0 else None
    quotient = _scale(a, Fraction(1, b)) if isinstance(b, int) else _quotient(facts.normalize(a), facts.normalize(b))
    if quotient is None or not facts.is_whole(quotient):
        return None
    return facts.normalize(quotient)


def _quotient(a: Size, b: Size) -> Size | None:
    """Exact division of polynomials; None when there is a rest."""
    if isinstance(b, int):
        return _scale(a, Fraction(1, b))
    rest, divisor = _terms(a), _terms(b)
    lead = max(divisor, key=_lead_order)
    quotient: Terms = {}
    for _ in range(MAX_WEIGHT):
        rest = {m: c for m, c in rest.items() if c}
        if not rest:
            return _make(quotient)
        top = max(rest, key=_lead_order)
        monomial = _over(top, lead)
        if monomial is None:
            return None
        factor = Fraction(rest[top]) / divisor[lead]
        quotient[monomial] = quotient.get(monomial, 0) + factor
        rest = _sum(rest, _scaled(_product({monomial: 1}, divisor), -factor))
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
            if isinstance(atom, Floor):
                factor = _floor(_terms(substitute(atom.numerator, values)), atom.divisor)
            elif atom in values:
                factor = _terms(values[atom])
            else:
                factor = _terms(var(atom))
            for _ in range(power):
                product = _product(product, factor)
        result = _sum(result, product)
    return _make(result)


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


def from_text(text: int | str) -> Size:
    """Reads what `to_text` wrote; ValueError for anything else."""
    return text if isinstance(text, int) else read(text)
