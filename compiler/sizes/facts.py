"""What is known about dimensions, and the questions that it answers: equal, divisible, at least, at most."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import gcd, lcm
from typing import Any, overload

from .dims import (
    Atom,
    Dim,
    FloorAtom,
    Monomial,
    Number,
    Size,
    Terms,
    divided,
    is_floor,
    scaled,
    scaled_size,
    substitute,
    sum_of,
    terms_of,
    var,
    variables,
)


class Facts:
    """What is known about dimensions, besides that they are at least 1. Immutable; `with_*` give larger sets.

    `divisors`: {"H": 16} means that H is a multiple of 16. `bounds`: {"T": (1, 1024)}.
    `claims`: bounds on sizes that are not a single variable.
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
            other.divisors,
            other.bounds,
            other.claims,
        )

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
            if len(monomial) == 1 and is_floor(monomial[0]):
                floor = monomial[0][0]
                assert isinstance(floor, FloorAtom)
                bound = terms_of(floor.numerator)
                if (coefficient > 0) != upper:
                    bound = sum_of(bound, {(): 1 - floor.divisor})
                result = sum_of(result, scaled(bound, Fraction(coefficient) / floor.divisor))
            else:
                result = sum_of(result, {monomial: coefficient})
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
    return substitute(size, {name: scaled_size(var(name), Fraction(1, divisors[name])) for name in names})


NO_FACTS = Facts()


# ---- questions -------------------------------------------------------------------------------------------------------


def equal(a: Size, b: Size, facts: Facts = NO_FACTS) -> bool | None:
    """Whether two sizes are equal: True, False, or None if it cannot be decided."""
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
    stretched = terms_of(_stretch(difference, facts.divisors, names))
    constant = stretched.pop((), 0)
    if constant and stretched:
        scale = lcm(*(c.denominator for c in stretched.values()))
        whole = [int(c * scale) for c in stretched.values()]
        if (constant * scale) % gcd(*whole):
            return False
    return None


def compare(left: Size, op: str, right: Size, facts: Facts = NO_FACTS) -> bool | None:
    """`left op right` for sizes: True, False, or None when it depends on the input."""
    difference = left - right
    same = equal(left, right, facts)
    if op == "==":
        return same
    if op == "!=":
        return None if same is None else not same
    if op in ("<", "<="):
        return facts.at_most(difference, -1 if op == "<" else 0)
    return facts.at_least(difference, 1 if op == ">" else 0)


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
        for floor in floors_of(size):
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


def floors_of(size: Size) -> Iterable[FloorAtom]:
    if isinstance(size, Dim):
        for monomial, _ in size.terms:
            for atom, _ in monomial:
                if isinstance(atom, FloorAtom):
                    yield atom
                    yield from floors_of(atom.numerator)


def exact_div(a: Size, b: Size, facts: Facts = NO_FACTS) -> Size | None:
    """a / b when it is provably whole, else None. b is not 0."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if a % b == 0 else None
    if isinstance(b, int):
        found = scaled_size(a, Fraction(1, b))
    else:
        found = divided(facts.normalize(a), facts.normalize(b))
    if found is None or not facts.is_whole(found):
        return None
    return facts.normalize(found)
