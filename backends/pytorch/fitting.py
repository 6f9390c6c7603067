"""Numbers that vary together as short expressions: `4 * d`, `d // heads`, `(224 // patch) ** 2 + 1`.

What is known of a number is its value in each body of a class, and in the bodies of the same model at other sizes:

    Linear(3 * D)           the spec
    2304, 2880, 576, ..     the number, at d = 768, 960, 192, ..
    3 * d                   the source

Few values agree by chance; so a form is tried only where enough of them differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction
from math import isclose, isqrt, sqrt
from typing import Any, Literal, TypeAlias

#: A number in each body.
Column: TypeAlias = "tuple[Any, ...]"
#: The largest factor by which an image may shrink.
LESS = 64
#: `plain`: at most a multiple of one argument.
Style: TypeAlias = Literal["any", "plain"]


class Absent:
    """An argument of a layer that is not there: nothing depends on it, and it equals every other."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


class Free(Absent, int):
    """A number, or the index of a body, that nothing depends on."""

    def __hash__(self) -> int:
        return int.__hash__(self)

    def __mul__(self, other: Any) -> Free:
        return Free(int(self) * int(other))

    __rmul__ = __mul__


class FreeFloat(Absent, float):
    """The same for a float."""


def equal(a: object, b: object) -> bool:
    if isinstance(a, Absent) or isinstance(b, Absent):
        return True
    return a == b and isinstance(a, float) == isinstance(b, float) and isinstance(a, bool) == isinstance(b, bool)


def alike(one: Column, two: Column) -> bool:
    return one == two and all(map(equal, one, two))


def express(
    values: Column, named: Mapping[str, Column], style: Style = "any", literals: Sequence[int] = ()
) -> str | None:
    """`values` as a short expression of the named columns, the plainest first.

    Where the layer with this number is absent any value will do; where it is there, an argument that belongs to an
    absent layer gives no evidence.
    """
    rows = [at for at, value in enumerate(values) if not isinstance(value, Absent)]
    if len(rows) < len(values):
        values = tuple(values[at] for at in rows)
        named = {name: tuple(have[at] for at in rows) for name, have in named.items()}
    named = {name: have for name, have in named.items() if not any(isinstance(value, Absent) for value in have)}
    return next(_expressions(values, named, style, literals), None)


def _expressions(values: Column, named: Mapping[str, Column], style: Style, literals: Sequence[int]) -> Iterator[str]:
    for name, have in named.items():
        if alike(have, values):
            yield name
    if all(type(value) is float for value in values):
        if style == "any":
            yield from _of_floats(values, named)
        return
    if not _whole(values):
        return
    known = {name: have for name, have in named.items() if _whole(have)}
    for name, have in known.items():
        # A multiple of a stride or a count is probably a coincidence; a multiple of a width is not.
        factor = values[0] // have[0] if have[0] and (min(have) >= 4 or _varied(have)) else 0
        if 1 < factor <= (16 if not _varied(have) else 1024) and _all(values, lambda h, f=factor: f * h, have):
            yield f"{factor} * {name}"
        step = values[0] - have[0]
        if 0 < abs(step) <= 2 and _all(values, lambda h, s=step: h + s, have):
            yield f"{name} {'+' if step > 0 else '-'} {abs(step)}"
        if _all(values, lambda h: (h - 1) // 2, have):
            yield f"({name} - 1) // 2"
    if style == "plain":
        return
    yield from _of_one(values, known, literals)
    yield from _of_two(values, known)
    yield from _of_three(values, known)
    yield from _of_grids(values, known)
    for name, have in known.items():
        if _varied(have):
            yield from _sums(values, name, have, {n: h for n, h in known.items() if n != name}, literals)


def _of_one(values: Column, known: Mapping[str, Column], literals: Sequence[int]) -> Iterator[str]:
    for name, have in known.items():
        factor = have[0] // values[0] if values[0] else 0
        if factor > 1 and _all(values, lambda h, f=factor: h // f, have):
            yield f"{name} // {factor}"
        if not _varied(have):
            continue
        for up in (factor, factor + 1):
            if up > 1 and _all(values, lambda h, u=up: (h + u - 1) // u, have):
                yield f"({name} + {up - 1}) // {up}"
        if _all(values, lambda h: h * h, have):
            yield f"{name} ** 2"
        square = have[0] * have[0]
        if square and values[0] % square == 0 and _all(values, lambda h, k=values[0] // square: k * h * h, have):
            yield f"{values[0] // square} * {name} ** 2"
        for whole in literals:
            if min(have) > 0:
                yield from _shares(values, name, have, whole)
        ratio = Fraction(values[0], have[0]) if have[0] else Fraction(0)
        up, down = ratio.numerator, ratio.denominator
        if up > 1 and 1 < down <= 16 and up <= 256 and _all(values, lambda h, u=up, d=down: u * h // d, have):
            yield f"{up} * {name} // {down}"
        yield from _affine(values, name, have)


def _shares(values: Column, name: str, have: Column, whole: int) -> Iterator[str]:
    """Parts of a fixed size: `224 // patch`, and how many patches an image has."""
    part = f"{whole} // {name}"
    if _all(values, lambda h: whole // h, have):
        yield part
    for more in (0, 1):
        root = isqrt(max(0, values[0] - more))
        if root * root == values[0] - more and _all(values, lambda h, m=more: (whole // h) ** 2 + m, have):
            yield f"({part}) ** 2" + (f" + {more}" if more else "")


def _affine(values: Column, name: str, have: Column) -> Iterator[str]:
    other = next((at for at, h in enumerate(have) if h != have[0]), None)
    if other is None or len(set(have)) < 4:
        return
    slope = Fraction(values[other] - values[0], have[other] - have[0])
    rest = values[0] - slope * have[0]
    if slope.denominator != 1 or slope < 1 or rest.denominator != 1 or not rest:
        return
    if _all(values, lambda h: int(slope) * h + int(rest), have):
        scaled = name if slope == 1 else f"{slope} * {name}"
        yield f"{scaled} {'+' if rest > 0 else '-'} {abs(int(rest))}"


def _of_two(values: Column, known: Mapping[str, Column]) -> Iterator[str]:
    for first, one in known.items():
        for second, two in known.items():
            if first == second:
                continue
            if first < second and _both(values, lambda a, b: a * b, one, two):
                yield f"{first} * {second}"
            even = all(b and a % b == 0 for a, b in zip(one, two, strict=True))
            if min(two) > 0 and (even or (_varied(one) and _varied(two))):
                if _both(values, lambda a, b: a // b, one, two):
                    yield f"{first} // {second}"
                share = one[0] // two[0]
                factor = values[0] // share if share else 0
                if factor > 1 and _varied(one) and _both(values, lambda a, b, f=factor: f * (a // b), one, two):
                    yield f"{factor} * ({first} // {second})"
            if (
                min(two) > 0 and _varied(one) and _varied(two)
            ):  # patches of a square image, with or without a class token
                for more in (0, 1):
                    if _both(values, lambda a, b, m=more: (a // b) ** 2 + m, one, two):
                        yield f"({first} // {second}) ** 2" + (f" + {more}" if more else "")
            product = one[0] * two[0]
            factor = values[0] // product if product else 0
            if (
                first < second
                and factor > 1
                and _varied(one)
                and _varied(two)
                and _both(values, lambda a, b, f=factor: f * a * b, one, two)
            ):
                yield f"{factor} * {first} * {second}"


def _of_three(values: Column, known: Mapping[str, Column]) -> Iterator[str]:
    """`kv_heads * (d // heads)`."""
    for first, one in known.items():
        for second, two in known.items():
            if first == second or min(two) <= 0 or any(a % b for a, b in zip(one, two, strict=True)):
                continue
            for third, three in known.items():
                shares = tuple(a // b for a, b in zip(one, two, strict=True))
                if third not in (first, second) and _both(values, lambda c, share: c * share, three, shares):
                    yield f"{third} * ({first} // {second})"


def _of_grids(values: Column, known: Mapping[str, Column]) -> Iterator[str]:
    """Elements of a square image that was made smaller: `8 * width * (size // 32) ** 2`."""
    for side, sizes in known.items():
        if not _varied(sizes) or min(sizes) <= 0:
            continue
        for less in range(2, LESS + 1):
            for part, up in ((f"{side} // {less}", 0), (f"({side} + {less - 1}) // {less}", less - 1)):
                cells = tuple(((size + up) // less) ** 2 for size in sizes)
                if not all(cells) or any(value % cell for value, cell in zip(values, cells, strict=True)):
                    continue
                each = tuple(value // cell for value, cell in zip(values, cells, strict=True))
                for name, have in ("", (1,) * len(each)), *known.items():
                    factor = each[0] // have[0] if have[0] else 0
                    if name == side or factor < 1 or not _all(each, lambda h, f=factor: f * h, have):
                        continue
                    terms = [*([str(factor)] if factor > 1 else []), *([name] if name else []), f"({part}) ** 2"]
                    yield " * ".join(terms)


def _sums(
    values: Column, name: str, have: Column, others: Mapping[str, Column], literals: Sequence[int]
) -> Iterator[str]:
    """A multiple of one argument plus an expression of another: `(d + 15) // 16 + 2 * state`."""
    if not any(map(_varied, others.values())):
        return
    for factor in (1, 2, 3, 4):
        rest = tuple(value - factor * h for value, h in zip(values, have, strict=True))
        if min(rest) <= 0 or len(set(rest)) < 3:
            continue
        for other, column in others.items():
            term = express(rest, {other: column}, "plain") or next(_of_one(rest, {other: column}, literals), None)
            if term is not None:
                yield f"{term} + {name if factor == 1 else f'{factor} * {name}'}"


def _of_floats(values: Column, named: Mapping[str, Column]) -> Iterator[str]:
    for name, have in named.items():
        if not all(isinstance(h, (int, float)) and h > 0 for h in have) or len(set(have)) < 3:
            continue
        for form, text in _POWERS:
            if _all(values, form, have):
                yield text.format(name)
        yield from _under_a_root(values, name, have)
        if all(type(h) is float for h in have):
            share = Fraction(values[0] / have[0]).limit_denominator(128)
            for scale in range(1, 17):
                up, down = share.numerator * scale, share.denominator * scale
                if down > 128:
                    break
                if _all(values, lambda h, u=up, d=down: h * u / d, have):
                    yield (
                        f"{name} / {down}" if up == 1 else f"{name} * {up}" if down == 1 else f"{name} * {up} / {down}"
                    )


def _under_a_root(values: Column, name: str, have: Column) -> Iterator[str]:
    """`0.02 / (2 * depth) ** 0.5`, the spread of a first value; to the last digits but one."""
    for count in (1, 2, 3, 4, 6, 8):
        above = float(f"{values[0] * sqrt(count * have[0]):.4g}")
        if all(isclose(v, above / sqrt(count * h), rel_tol=1e-12) for v, h in zip(values, have, strict=True)):
            scaled = name if count == 1 else f"({count} * {name})"
            yield f"{int(above) if above.is_integer() else above} / {scaled}{'**' if count == 1 else ' ** '}0.5"


_POWERS: tuple[tuple[Callable[[float], float], str], ...] = (
    (lambda h: h**0.5, "{}**0.5"),
    (lambda h: h**-0.5, "{}**-0.5"),
    (lambda h: 1 / h, "1 / {}"),
    (lambda h: float(h), "float({})"),
)


def _all(values: Column, form: Callable[[Any], Any], have: Column) -> bool:
    return all(value == form(h) for value, h in zip(values, have, strict=True))


def _both(values: Column, form: Callable[[Any, Any], Any], one: Column, two: Column) -> bool:
    return all(value == form(a, b) for value, a, b in zip(values, one, two, strict=True))


def _whole(values: Column) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) for value in values)


def _varied(have: Column) -> bool:
    """Whether agreement with a column is more than chance."""
    return len(set(have)) >= 3


__all__ = ["Absent", "Free", "FreeFloat", "Style", "alike", "equal", "express"]
