"""Sizes that follow from those of the inputs, where no axis has them: solved for, one body at a time.

    [(M, 5), C] => [M, (5, C)]      the spec, in a block that is applied to [10 * B, C] and to [15 * B, C]
    M = 2 * B, 3 * B                the size, in the two bodies that share the class
    x.reshape(N // 5, 5, C)         the source: `N` has a variable, and M = (1 * N + 0) / 5 in both

A size is looked for as a sum of few products of axes and a constant, over a whole number; the coefficients may differ
between the bodies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import combinations, combinations_with_replacement
from math import lcm
from typing import TypeAlias

from ...compiler.dataclass import dataclass
from ...compiler.sizes.dims import FloorAtom, Size, divided, floordiv, terms_of

#: A size in each body.
Column: TypeAlias = "tuple[Size, ...]"
#: A whole number in each body.
Whole: TypeAlias = "tuple[int, ...]"
#: Sizes of axes, by the source that reads them.
Axes: TypeAlias = "Mapping[str, Column]"
#: Gives the source of a number that may differ between bodies.
Write: TypeAlias = "Callable[[Whole], str]"

#: The most axes in a product, and the most products in a sum.
FACTORS, TERMS = 3, 2


@dataclass(frozen=True)
class DerivedSum:
    """`(a * P + b * Q + rest) // divisor`, where `products` are of axes, and each number is one for every body."""

    products: Sequence[tuple[str, ...]]
    factors: Sequence[Whole]
    rest: Whole
    divisor: Whole

    def text(self, write: Write) -> str:
        terms: list[str] = []
        for axes, factor in zip(self.products, self.factors, strict=True):
            terms.append(" * ".join([*([] if _all(factor, 1) else [write(factor)]), *axes]))
        text = " + ".join(terms)
        if all(number <= 0 for number in self.rest) and not _all(self.rest, 0):
            text += f" - {write(tuple(-number for number in self.rest))}"
        elif not _all(self.rest, 0):
            text += f" + {write(self.rest)}"
        if _all(self.divisor, 1):
            return text
        return f"{text if text.isidentifier() else f'({text})'} // {write(self.divisor)}"


def derived(size: Column, axes: Axes, write: Write) -> str | None:
    """Source of a size over those of the axes, by the plainest form that holds in all bodies; None where there is none."""
    products = list(_products({**axes, **_floors(size, axes, write)}))
    for count in range(1, TERMS + 1):
        for chosen in combinations(products, count):
            found = _solved(size, chosen)
            if found is not None:
                return found.text(write)
    return _quotient(size, axes)


def _quotient(size: Column, axes: Axes) -> str | None:
    """Two axes of which the size is the exact quotient."""
    for one, whole in axes.items():
        for two, part in axes.items():
            if one != two and all(divided(a, b) == v for v, a, b in zip(size, whole, part, strict=True)):
                return f"{one} // {two}"
    return None


def _floors(size: Column, axes: Axes, write: Write) -> dict[str, Column]:
    """Parts of a size that were rounded down, as further axes."""
    rows = [_rounded(value) for value in size]
    if len({len(row) for row in rows}) > 1:
        return {}
    found: dict[str, Column] = {}
    for floors in zip(*rows, strict=True):
        whole = tuple(floor.numerator for floor in floors)
        text = next((axis for axis, column in axes.items() if column == whole), None) or derived(whole, axes, write)
        if text is not None:
            inner = text if text.isidentifier() else f"({text})"
            column = tuple(floordiv(floor.numerator, floor.divisor) for floor in floors)
            found[f"({inner} // {write(tuple(floor.divisor for floor in floors))})"] = column
    return found


def _rounded(size: Size) -> list[FloorAtom]:
    atoms = [atom for monomial in terms_of(size) for atom, _ in monomial]
    return list(dict.fromkeys(atom for atom in atoms if isinstance(atom, FloorAtom)))


def _products(axes: Axes) -> Iterator[tuple[tuple[str, ...], Column]]:
    """Products of the axes that some input decides."""
    open_ = {axis: column for axis, column in axes.items() if any(not isinstance(size, int) for size in column)}
    for count in range(1, FACTORS + 1):
        for chosen in combinations_with_replacement(open_, count):
            column = open_[chosen[0]]
            for axis in chosen[1:]:
                column = tuple(a * b for a, b in zip(column, open_[axis], strict=True))
            yield chosen, column


def _solved(size: Column, chosen: Sequence[tuple[tuple[str, ...], Column]]) -> DerivedSum | None:
    systems = [_System(value, [column[at] for _, column in chosen]) for at, value in enumerate(size)]
    known = [system.solution for system in systems if system.solution is not None]
    # Where two axes are equal, several sums fit; take the one that the other bodies give.
    rows = [system.solution or next(filter(system.holds, known), None) for system in systems]
    if not all(rows):
        return None
    divisors = tuple(lcm(*(number.denominator for number in row or ())) for row in rows)
    whole = [
        tuple(int(row[at] * divisor) for row, divisor in zip(rows, divisors, strict=True) if row)
        for at in range(len(chosen) + 1)
    ]
    if any(_all(factor, 0) for factor in whole[:-1]):
        return None
    return DerivedSum([product for product, _ in chosen], whole[:-1], whole[-1], divisors)


class _System:
    """The numbers a, b, .., rest with value = a * P + b * Q + .. + rest in one body: an equation for each monomial."""

    def __init__(self, value: Size, products: Sequence[Size]) -> None:
        columns = [*map(terms_of, products), terms_of(1), terms_of(value)]
        monomials = dict.fromkeys(monomial for terms in columns for monomial in terms)
        self.equations = [[Fraction(terms.get(monomial, 0)) for terms in columns] for monomial in monomials]
        self.solution = self._only()

    def holds(self, numbers: Sequence[Fraction]) -> bool:
        return all(
            sum((a * x for a, x in zip(row, numbers, strict=False)), Fraction(0)) == row[-1] for row in self.equations
        )

    def _only(self) -> list[Fraction] | None:
        """The solution by elimination; None where there is none, or more than one."""
        rows = [*self.equations]
        count = len(rows[0]) - 1
        for at in range(count):
            pivot = next((row for row in rows[at:] if row[at]), None)
            if pivot is None:
                return None
            rows.remove(pivot)
            rows = [[a - row[at] / pivot[at] * b for a, b in zip(row, pivot, strict=True)] for row in rows]
            rows.insert(at, [number / pivot[at] for number in pivot])
        if any(row[-1] for row in rows[count:]):
            return None
        return [row[-1] for row in rows[:count]]


def _all(numbers: Whole, value: int) -> bool:
    return all(number == value for number in numbers)


__all__ = ["derived"]
