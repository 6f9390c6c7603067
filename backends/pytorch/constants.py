"""Numbers of a class that several bodies share: equal ones are literals, the others become constructor arguments.

A `ClassNumber` holds one value a body; the class of an activation that a block takes as a parameter counts as one. While a
class is written, its text has a marker for each varying number. When all of them are known, `fit` finds few arguments
that explain them (`width`, `4 * width`, `count - 1`), preferably the statics of the block under their own names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from math import pi
from typing import Any, TypeAlias

from ...compiler.dataclass import dataclass, field
from ...compiler.sizes.dims import Dim
from ...compiler.text.node import Node
from .expressions import Expression, KnownNames
from .fitting import Absent, Free, FreeFloat, Style, alike, equal, express
from .python import identifier, literal, unique


@dataclass(frozen=True)
class ModuleClass:
    """A module class in a number's place, as source: `nn.ReLU`."""

    text: str


class FreeClass(Absent, ModuleClass):
    """The class of an activation in a layer that is absent."""


Scalar: TypeAlias = "int | float | Dim | ModuleClass"

#: A call without another call in its arguments.
_CALL = re.compile(r"[\w.\x06\x07]+\([^()]*\)")

_MARK = re.compile("\x01([if])(\\d+)\x02")


class Varies(Exception):
    """What a lowering must know differs between the bodies of a class: they can't share it. `values` are the numbers that
    no argument explains, where it was that."""

    def __init__(self, values: tuple[Scalar, ...] = ()) -> None:
        super().__init__()
        self.values = values


class Symbolic(Exception):
    """A constructor needs a number, and the size depends on the input."""


class ClassNumber:
    """A static number or size at one place of a class: one value a body, in the order of the class's bodies.

    `written` is what the author wrote at this place: `kernel // 2`, though `stride` has the same values in all bodies.
    """

    __slots__ = ("constants", "values", "written")

    def __init__(self, values: tuple[Scalar, ...], constants: Constants, written: Expression | None = None) -> None:
        self.values, self.constants, self.written = values, constants, written

    @property
    def same(self) -> bool:
        return all(equal(value, self.sample) for value in self.values)

    @property
    def sample(self) -> Scalar:
        """The first value that something depends on."""
        return next((value for value in self.values if not isinstance(value, Absent)), self.values[0])

    @property
    def concrete(self) -> bool:
        return not any(isinstance(value, Dim) for value in self.values)

    @property
    def value(self) -> Scalar:
        """The value where all bodies agree; otherwise they can't share a class."""
        if not self.same:
            raise Varies
        return self.sample

    def is_(self, value: Scalar) -> bool:
        """Whether it is this value in all bodies."""
        return all(equal(mine, value) for mine in self.values)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClassNumber) and all(map(equal, self.values, other.values))

    def __hash__(self) -> int:
        return hash(self.values)

    def map(self, function: Callable[..., Scalar], *others: ClassNumber) -> ClassNumber:
        rows = zip(self.values, *(other.values for other in others), strict=True)
        return ClassNumber(
            tuple(
                free(function(*row)) if any(isinstance(value, Absent) for value in row) else function(*row)
                for row in rows
            ),
            self.constants,
        )

    def __str__(self) -> str:
        """Source text in the constructor."""
        return self.constants.text(self, "i")

    def in_forward(self) -> str:
        return self.constants.text(self, "f")


@dataclass(frozen=True)
class ClassArgument:
    """An argument of a class's constructor, with its value for each body."""

    name: str
    values: tuple[Scalar, ...]

    @property
    def is_switch(self) -> bool:
        """Whether it is true or false: such an argument defaults to false."""
        return isinstance(self.values[0], bool)


@dataclass
class Constants:
    """The varying numbers of one class.

    `statics` are the block's own, `sizes` those of its inputs that may become arguments, by a proposed name.
    """

    count: int
    statics: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict[str, tuple[Scalar, ...]])
    sizes: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict[str, tuple[Scalar, ...]])
    varying: list[tuple[Scalar, ...]] = field(default_factory=list[tuple[Scalar, ...]])
    #: What the author wrote for a varying number, by its index.
    at_place: dict[int, Expression] = field(default_factory=dict[int, Expression])
    hints: dict[tuple[Scalar, ...], str] = field(default_factory=dict[tuple[Scalar, ...], str])
    #: Fallbacks for `hints`: the argument of an operator, or the axis, that a number is.
    roles: dict[tuple[Scalar, ...], str] = field(default_factory=dict[tuple[Scalar, ...], str])
    #: Whether only statics may become arguments. True for a model, as its constructor has a default for each.
    closed: bool = False
    #: The syntax tree of the block, and what its names are.
    definition: Node | None = None
    scope: KnownNames = field(default_factory=lambda: KnownNames({}, {}, 0))
    #: Expressions and conditions in the definition of the block, by their value in each body.
    written: dict[tuple[Scalar, ...], Expression] = field(default_factory=dict[tuple[Scalar, ...], Expression])
    #: Numbers that the spec computes from other numbers alone: `math.log(10000.0)`.
    spelled: Mapping[float, str] = field(default_factory=dict[float, str])
    #: Numbers that are equal in all bodies and may be part of an expression, such as the side of an image in `(224 // patch) ** 2`.
    literals: Sequence[int] = ()

    @property
    def fixed(self) -> set[str]:
        """Statics of a model that are the same at all its sizes, as another value would need another class."""
        return {name for name, values in self.statics.items() if self.closed and len(set(values)) == 1}

    def text(self, number: ClassNumber, place: str) -> str:
        if number.same and number.written is None:
            return self._same(number.values)
        if not number.concrete:
            raise Symbolic
        absent = [isinstance(value, Absent) for value in number.values]
        at = next(
            (
                at
                for at, known in enumerate(self.varying)
                if alike(known, number.values)
                and [isinstance(value, Absent) for value in known] == absent
                and self.at_place.get(at) == number.written
            ),
            None,
        )
        if at is None:
            at = len(self.varying)
            self.varying.append(number.values)
            if number.written is not None:
                self.at_place[at] = number.written
        return f"\x01{place}{at}\x02"

    def _same(self, values: tuple[Scalar, ...]) -> str:
        """Source of a number that all bodies agree on."""
        value = ClassNumber(values, self).sample
        if isinstance(value, Dim):
            raise Symbolic
        return value.text if isinstance(value, ModuleClass) else self.literal(value)

    def literal(self, value: float) -> str:
        """Source of a number that is the same everywhere: as the author spells it where that is clearer than its digits."""
        text = {**self.spelled, pi: "math.pi"}.get(value) if isinstance(value, float) else None
        return text if text is not None and "math" not in {**self.statics, **self.sizes} else literal(value)

    def fit(self) -> tuple[list[ClassArgument], list[str]]:
        """The constructor's arguments, and each varying number as an expression of them."""
        order = {name: place for place, name in enumerate([*self.sizes, *self.statics])}
        # What is equal in all bodies is an argument only where another number makes it one.
        loose = {at: w for at, w in self.at_place.items() if ClassNumber(self.varying[at], self).same}
        chosen: list[ClassArgument] = []
        for name, values in self.statics.items():
            varies = any(alike(known, values) for at, known in enumerate(self.varying) if at not in loose)
            if varies and not any(alike(parameter.values, values) for parameter in chosen):
                chosen.append(ClassArgument(name, values))
        statics = [ClassArgument(name, values) for name, values in self.statics.items()]
        sizes = [ClassArgument(name, values) for name, values in self.sizes.items()]
        stated = {at: self.written[v] for at, v in enumerate(self.varying) if v in self.written and _is_bool(v)}
        stated |= self.at_place
        for written in (written for at, written in stated.items() if at not in loose):
            chosen += [p for p in (*statics, *sizes) if p.name in written.names and p not in chosen]
        # Numbers of an optional part come last: they often equal a number that is always needed.
        ordered = sorted(range(len(self.varying)), key=lambda at: _has_absent(self.varying[at]))
        for at in (at for at in ordered if at not in stated):
            values = self.varying[at]
            if self._twin(values) is not None or self._express(values, chosen, "plain") is not None:
                continue
            written = None if any(p.values == values for p in sizes) else self._written(values)
            if written is not None:
                stated[at] = written
                chosen += [p for p in (*statics, *sizes) if p.name in written.names and p not in chosen]
                continue
            found = (
                next((c for c in sizes if c.values == values), None)
                or next((c for c in [*statics, *sizes] if self._express(values, [c], "plain") is not None), None)
                or (None if self._express(values, chosen) is None else chosen[0])
                or next((c for c in [*statics, *sizes] if self._express(values, [c]) is not None), None)
                or next((c for c in [*statics, *sizes] if self._express(values, [*chosen, c]) is not None), None)
            )
            if found is None and self.closed:
                text = self._express(values, statics)
                if text is None:
                    raise Varies(values)
                words = set(re.findall(r"\w+", text))
                chosen += [static for static in statics if static.name in words and static not in chosen]
                continue
            if found is None:
                hint = self.hints.get(values) or self.roles.get(values) or "size"
                name = unique(identifier(hint), [*order, *(p.name for p in chosen)])
                found = ClassArgument(name, values)
            if found not in chosen:
                chosen.append(found)
        chosen.sort(key=lambda parameter: order.get(parameter.name, len(order)))
        for at in (at for at, written in loose.items() if not {p.name for p in chosen}.issuperset(written.names)):
            stated[at] = Expression(self._same(self.varying[at]), (), self.varying[at])
        texts: list[str] = []
        for at, values in enumerate(self.varying):
            text = stated[at].text if at in stated else self._express(self._twin(values) or values, chosen)
            assert text is not None
            texts.append(text)
        return chosen, texts

    def _written(self, values: tuple[Scalar, ...]) -> Expression | None:
        """What the author wrote for a number."""
        if _has_absent(values):  # they equal numbers with another hash, which a lookup would miss
            return next((found for found in self.written.values() if alike(found.values, values)), None)
        found = self.written.get(values)
        return found if found is not None and alike(found.values, values) else None

    def _twin(self, values: tuple[Scalar, ...]) -> tuple[Scalar, ...] | None:
        """For a number of a part that may be absent, one that is always there and equals it."""
        if not _has_absent(values):
            return None
        return next((known for known in self.varying if not _has_absent(known) and alike(known, values)), None)

    def _express(
        self, values: tuple[Scalar, ...], parameters: Sequence[ClassArgument], style: Style = "any"
    ) -> str | None:
        named = {parameter.name: parameter.values for parameter in parameters}
        return express(values, named, style, self.literals)


def _has_absent(values: tuple[Scalar, ...]) -> bool:
    return any(isinstance(value, Absent) for value in values)


def _is_bool(values: tuple[Scalar, ...]) -> bool:
    return all(isinstance(value, bool) for value in values)


def resolve(text: str, constructor: Sequence[str], forward: Sequence[str]) -> str:
    """Replaces the markers of varying numbers by expressions, in parentheses next to an operator."""

    def replace(match: re.Match[str]) -> str:
        expression = (constructor if match[1] == "i" else forward)[int(match[2])]
        if expression.replace("self.", "", 1).isidentifier() or _CALL.fullmatch(expression):
            return expression
        before = text[: match.start()].rstrip()[-1:]
        after = text[match.end() :].lstrip()[:1]
        free = before in "(,=[" and after in "),]" or text.lstrip() == f"if {match[0]}:"
        return expression if free else f"({expression})"

    return _MARK.sub(replace, text)


def is_mark(text: str) -> bool:
    """Whether a text is one varying number: it needs no parentheses, as `resolve` sets those of its expression."""
    return _MARK.fullmatch(text) is not None


def free(value: Any) -> Any:
    """A static argument or size with its numbers freed: that of a layer that is absent."""
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return tuple(map(free, items))
    match value:
        case bool() | Absent():
            return value
        case int():
            return Free(value)
        case float():
            return FreeFloat(value)
        case ModuleClass():
            return FreeClass(value.text)
        case _:
            return value


def length(text: str) -> int:
    """How long a text of `forward` will be about, with an attribute in the place of each varying number."""
    return len(_MARK.sub("self.number", text))


def marks(text: str) -> set[int]:
    """Which varying numbers a text of `forward` reads."""
    return {int(match[2]) for match in _MARK.finditer(text) if match[1] == "f"}
