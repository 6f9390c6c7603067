"""Turns of a loop that differ by their number, as one comprehension.

    for i in 0..count { MBConv(.., drop * (first + i) / 16) }        the spec
    1 to 4 turns, each with a body of its own                        the IR, in each body of the class
    *[MBConv(.., drop=drop * (first + i) / 16) for i in range(1, count)]      the source, after the first turn

A number of a turn is one for each body of the class and each turn in it; it has to be the same in all turns, or an
expression of the author with the variable of the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any

from ...compiler.dataclass import dataclass, field
from ...compiler.ir.model import Body, RepeatNode
from .constants import ClassNumber, Constants, Scalar, Symbolic, Varies, free
from .expressions import Expression, KnownNames
from .fitting import alike
from .group import BodyGroup, structure
from .python import NAME

#: The fewest different turns for which a loop is tried.
LOOP = 3


@dataclass(frozen=True)
class Turn:
    """One turn: the body of the class that it belongs to, its number in the loop, and its own body."""

    owner: int
    number: int
    body: int


def turns_of(nodes: Sequence[RepeatNode]) -> list[Turn]:
    """All turns of a repeat in the bodies of a class."""
    found: list[Turn] = []
    for owner, node in enumerate(nodes):
        bodies = [run.body for run in node.runs for _ in range(run.count)]
        found += [Turn(owner, number, body) for number, body in enumerate(bodies)]
    return found


@dataclass
class TurnConstants(Constants):
    """The numbers of some turns of a loop, written with those of the class around it."""

    outer: Constants = field(default_factory=lambda: Constants(0))
    turns: Sequence[Turn] = ()
    variable: str = ""  # the loop variable
    expressions: Sequence[Expression] = ()
    is_read: bool = False  # whether a number depends on the variable

    def text(self, number: ClassNumber, place: str) -> str:
        if not number.concrete:
            raise Symbolic
        if number.written is not None and not number.same:
            return self._spelled(number.written, place)
        known = self._known(number)
        if known is not None:
            return self.outer.text(known, place)
        if number.same:
            return self._same(number.values)
        for expression in self.expressions:
            if alike(expression.values, number.values):
                return self._spelled(expression, place)
        return self.outer.text(self._of_owners(number), place)

    def _known(self, number: ClassNumber) -> ClassNumber | None:
        """The argument of the class that a number is, where only one is; arguments that never differ are none."""
        columns = {**self.outer.statics, **self.outer.sizes}
        found = [values for values in columns.values() if alike(self._spread(values), number.values)]
        found = [values for values in dict.fromkeys(found) if not ClassNumber(values, self.outer).same]
        return ClassNumber(found[0], self.outer) if len(found) == 1 or (found and not number.same) else None

    def _spread(self, values: Sequence[Scalar]) -> tuple[Scalar, ...]:
        return tuple(values[turn.owner] for turn in self.turns)

    def _of_owners(self, number: ClassNumber) -> ClassNumber:
        """The number as one of the class: it is the same in all turns of a body."""
        values: dict[int, Scalar] = {}
        for turn, value in zip(self.turns, number.values, strict=True):
            if values.setdefault(turn.owner, value) != value:
                raise Varies
        return ClassNumber(
            tuple(values[owner] if owner in values else free(number.sample) for owner in range(self.outer.count)),
            self.outer,
        )

    def _spelled(self, expression: Expression, place: str) -> str:
        columns = {**self.outer.sizes, **self.outer.statics}
        texts = {
            name: self.outer.text(ClassNumber(columns[name], self.outer), place)
            for name in expression.names
            if name != self.variable
        }
        self.is_read = self.is_read or self.variable in expression.names
        return NAME.sub(lambda match: texts.get(match[0], match[0]), expression.text)


def loop_variable(bodies: Sequence[Body], turns: Sequence[Turn]) -> tuple[str, int]:
    """The name that counts the turns, and its value in the first of them; no name where the loop has none."""
    for name in bodies[turns[0].body].statics:
        values: list[Any] = [bodies[turn.body].statics.get(name) for turn in turns]
        starts = {value - turn.number for value, turn in zip(values, turns, strict=True) if type(value) is int}
        if len(starts) == 1 and all(type(value) is int for value in values):
            return name, starts.pop()
    return "", 0


@contextmanager
def scratch(constants: Constants) -> Generator[list[bool]]:
    """Numbers that are written meanwhile are forgotten, as nothing will read them, unless the list gets an item."""
    base = constants
    while isinstance(base, TurnConstants):
        base = base.outer
    count, kept = len(base.varying), list[bool]()
    try:
        yield kept
    finally:
        if not kept:
            del base.varying[count:]
            base.at_place = {at: written for at, written in base.at_place.items() if at < count}


def by_turn(
    group: BodyGroup,
    nodes: Sequence[RepeatNode],
    class_of: Callable[[int], Any],
    make: Callable[[BodyGroup, Sequence[Turn]], Sequence[str]],
) -> list[str]:
    """The entries of a list for all turns of a repeat: one comprehension, or the first turn and one for the others; Varies
    where no comprehension explains their numbers. `make` writes the entries of a turn, for turns side by side."""
    turns = turns_of(nodes)
    for skipped in (0, 1) if all(any(run.count for run in node.runs) for node in nodes) else (0,):
        with scratch(group.constants) as kept:
            try:
                region, constants = side_by_side(group, [turn for turn in turns if turn.number >= skipped], class_of)
                entries = [comprehension(make(region, constants.turns), constants, group, skipped)]
                if skipped:
                    region, constants = side_by_side(group, [turn for turn in turns if turn.number == 0], class_of)
                    entries = [*make(region, constants.turns), *entries]
            except Varies:
                continue
            kept.append(True)
            return entries
    raise Varies


def side_by_side(
    group: BodyGroup, turns: Sequence[Turn], class_of: Callable[[int], Any]
) -> tuple[BodyGroup, TurnConstants]:
    """The bodies of turns as one group, and its numbers; Varies where they differ in more than numbers."""
    bodies, outer = group.spec.bodies, group.constants
    forms = {
        index: structure(group.spec, bodies[index], class_of, activations=False) for index in {t.body for t in turns}
    }
    first, *others = forms.values()
    if any(form != first for form in others):
        raise Varies
    variable, start = loop_variable(bodies, turns)
    numbers = [start + turn.number for turn in turns]
    known = {name: (text, [values[turn.owner] for turn in turns]) for name, (text, values) in outer.scope.known.items()}
    if variable:
        known[variable] = (variable if len(set(numbers)) > 1 else str(numbers[0]), numbers)
    scope = KnownNames.of(outer.definition, known, len(turns))
    constants = TurnConstants(
        len(turns),
        definition=outer.definition,
        scope=scope,
        outer=outer,
        turns=turns,
        variable=variable,
        expressions=scope.expressions(outer.definition),
    )
    return BodyGroup(group.spec, [bodies[turn.body] for turn in turns], constants, group.facts), constants


def comprehension(texts: Sequence[str], constants: TurnConstants, group: BodyGroup, skipped: int) -> str:
    """Entries of a list for all turns of each body but the first `skipped` ones."""
    bodies, turns = group.spec.bodies, constants.turns
    counts = [skipped + sum(turn.owner == owner for turn in turns) for owner in range(len(group.bodies))]
    if not constants.is_read:
        return repeated(texts, "_", str(group.number([count - skipped for count in counts])))
    start = loop_variable(bodies, turns)[1]
    first = "" if start + skipped == 0 else f"{start + skipped}, "
    return repeated(texts, constants.variable, f"{first}{group.number([start + count for count in counts])}")


def repeated(texts: Sequence[str], variable: str, span: str) -> str:
    """The entries of each turn, as items of a list."""
    if len(texts) == 1 and not texts[0].startswith("*"):
        return f"*[{texts[0]} for {variable} in range({span})]"
    stages = ", ".join(texts) if len(texts) > 1 else f"{texts[0]},"
    return f"*[m for {variable} in range({span}) for m in ({stages})]"


__all__ = ["LOOP", "Turn", "by_turn", "repeated", "scratch", "turns_of"]
