"""Tables that many layers read: made once, by the constructor of the model, and given to every block that reads them.

    q = x -> q_proj: Linear(D) -> split_heads(heads) -> rope(theta)      the spec, in a block of every layer

    rope = Rope(ctx, d // heads, theta)                                  the source: in the model's constructor,
    Layer(d, heads, rope=rope)                                           handed on by those of the layers,
    q = self.rope(y)                                                     and read in `forward`

Each layer would hold its own otherwise: 4 MiB for 8192 positions and heads of 128. A model with two tables of one kind (another
`theta`) makes them where it makes the blocks that read them. A length without a bound has no table: the operator computes
it in `forward`, as one that grows there would be made again under `inference_mode` and break a compiled graph.

A causal mask that is merged with another mask, or lies over other columns than rows, is such a table too. A class whose bodies do not all read it is given
`causal_mask=None` by default.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ...compiler.dataclass import dataclass
from ...compiler.ir.model import AnyNode, Body, Model, OpNode, Spec
from ...compiler.sizes.dims import Size
from ...compiler.sizes.facts import Facts
from .bodies import regions_of
from .constants import Scalar, Varies
from .group import BodyGroup
from .lowering import lowering
from .python import identifier, snake
from .support import support


@dataclass(frozen=True)
class SharedTable:
    """What a table is made from: the supporting class that holds it, and the arguments of its constructor. `longest` are the
    first ones, in each model that the body belongs to."""

    kind: str
    longest: tuple[tuple[int, ...], ...]
    rest: tuple[Scalar, ...]


@dataclass
class Given:
    """A table that the constructor of a class is given, as the argument `name`; by default None where it is `optional`."""

    kind: str
    name: str
    optional: bool

    @property
    def mark(self) -> str:
        """What the constructor calls it until all other names are known."""
        return f"\x0e{self.kind}\x0f"


class SharedTables:
    """Which tables the bodies of some models read."""

    def __init__(self, spec: Spec, models: Sequence[Model]) -> None:
        self.spec = spec
        self._facts: dict[int, list[Facts]] = {}  # of the models that a body belongs to
        facts = [Facts(model.divisors, model.bounds) for model in models]
        self._own = facts[0]
        for model, known in zip(models, facts, strict=True):
            for index in self._inside(model.body):
                self._facts.setdefault(index, []).append(known)
        self._found: dict[int, frozenset[SharedTable]] = {}

    def of_node(self, node: AnyNode, body: Body, owner: int) -> SharedTable | None:
        """The table that a node in the body `owner`, or in what that runs, reads; None for a node that reads none, or one of
        unknown length."""
        form = table_form(node, body)
        if form is None or not isinstance(node, OpNode):
            return None
        kind, lengths, rest = form
        longest: list[tuple[int, ...]] = []
        for facts in self._facts[owner]:
            bounds = [bound for bound in (facts.range(length)[1] for length in lengths) if isinstance(bound, int)]
            if len(bounds) < len(lengths):
                return None
            if facts is self._own and max(bounds) > lowering(node.op, node.span).longest:
                return None
            longest.append(tuple(bounds))
        return SharedTable(kind, tuple(longest), rest)

    def of_body(self, owner: int) -> frozenset[SharedTable]:
        """What a body reads, itself or in what it runs."""
        if owner not in self._found:
            bodies = [self.spec.bodies[index] for index in self._inside(owner)]
            found = (self.of_node(node, body, owner) for body in bodies for node in body.nodes)
            self._found[owner] = frozenset(table for table in found if table is not None)
        return self._found[owner]

    def of_kind(self, kind: str, bodies: Sequence[int]) -> list[SharedTable | None]:
        """For each body the table of this kind that it reads; Varies where one reads several."""
        found = [[table for table in self.of_body(index) if table.kind == kind] for index in bodies]
        if any(len(tables) > 1 for tables in found):
            raise Varies
        return [next(iter(tables), None) for tables in found]

    def _inside(self, index: int) -> Iterator[int]:
        """A body and all that it runs, each once."""
        waiting, seen = [index], set[int]()
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                yield at
                waiting += [inner for node in self.spec.bodies[at].nodes for inner in regions_of(node)]


class ClassTables:
    """The tables of one class: those that its constructor is given, and those that it makes."""

    def __init__(self, known: SharedTables, bodies: Sequence[int]) -> None:
        self.known, self.bodies = known, bodies
        #: By kind: the table of each body, for kinds of which no body reads two.
        self.single: dict[str, list[SharedTable | None]] = {}
        #: The tables that the class is given, by kind.
        self.given: dict[str, Given] = {}
        for kind in sorted({table.kind for index in bodies for table in known.of_body(index)}):
            with suppress(Varies):
                self.single[kind] = known.of_kind(kind, bodies)

    def of_nodes(self, nodes: Sequence[AnyNode], group: BodyGroup) -> tuple[str, str] | None:
        """The attribute that holds the table of these nodes, one for each body, and its source in the constructor."""
        tables: list[SharedTable | None] = []
        for node, body, owner in zip(nodes, group.bodies, self.bodies, strict=True):
            table = self.known.of_node(node, body, owner)
            if table is None and table_form(node, body) is not None:
                return None
            tables.append(table)
        kinds = {table.kind for table in tables if table is not None}
        if len(kinds) != 1:
            return None
        (kind,) = kinds
        if None in tables and kind not in self.single:
            return None
        return identifier(snake(kind)), self.source(kind, tables, group)

    def of_blocks(self, kind: str, bodies: Sequence[int], group: BodyGroup) -> str | None:
        """Source of the table of this kind that a block is given, by its bodies; None where they read none."""
        tables = self.known.of_kind(kind, [int(index) for index in bodies])
        if not any(tables):
            return None
        return self.source(kind, tables, group)

    def source(self, kind: str, tables: Sequence[SharedTable | None], group: BodyGroup) -> str:
        """Source of a table in the constructor."""
        if kind not in self.single:
            return made(tables, group)
        if kind not in self.given:
            self.given[kind] = Given(kind, identifier(snake(kind)), None in self.single[kind])
        return self.given[kind].mark


def table_form(node: AnyNode, body: Body) -> tuple[str, tuple[Size, ...], tuple[int | float, ...]] | None:
    """What the table of a node is made from; None for a node that reads none."""
    form = lowering(node.op, node.span).table if isinstance(node, OpNode) else None
    if form is None or not isinstance(node, OpNode):
        return None
    return form(node.args, [body.value(v).type if isinstance(v, int) else None for v in node.inputs])


def made(tables: Sequence[SharedTable | None], group: BodyGroup) -> str:
    """The call that makes a table, one for each body of the group."""
    known = [table for table in tables if table is not None]
    if len(known) < len(tables) or any(len(set(table.longest)) > 1 for table in known):
        raise Varies
    rows = [(*table.longest[0], *table.rest) for table in known]
    numbers = [str(group.number(column)) for column in zip(*rows, strict=True)]
    return f"{support(known[0].kind)}({', '.join(numbers)})"


__all__ = ["ClassTables", "Given", "SharedTable", "SharedTables", "made"]
