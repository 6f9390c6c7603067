"""Tables that many layers read: made once, by the constructor of the model, and given to every block that reads them.

    q = x -> q_proj: Linear(D) -> split_heads(heads) -> rope(theta)      the spec, in a block of every layer

    rope = Rope(ctx, d // heads, theta)                                  the source: in the model's constructor,
    Layer(d, heads, rope=rope)                                           handed on by those of the layers,
    q = self.rope(y)                                                     and read in `forward`

Each layer would hold its own otherwise: 4 MiB for 8192 positions and heads of 128. A model with two kinds (another `theta`)
makes them where it makes the blocks that read them. A length without a bound has no table: the operator computes it in
`forward`, as one that grows there would be made again under `inference_mode` and break a compiled graph.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ...compiler.ir.model import AnyNode, Body, Model, OpNode, Spec
from ...compiler.sizes.facts import Facts
from .bodies import regions_of
from .constants import Scalar, Varies
from .group import Group
from .lowering import lowering
from .python import identifier, snake
from .support import support

#: What the constructor of a class calls the tables that it is given; the name is known when all others are.
MARK = "\x0eshared\x0f"

#: Longer tables are not kept; counted at the model's own sizes.
LONGEST = 1 << 18


@dataclass(frozen=True)
class Table:
    """What a table is made from: the supporting class that holds it, and the arguments of its constructor. `longest` is the
    first one, in each model that the body belongs to."""

    kind: str
    longest: tuple[int, ...]
    rest: tuple[Scalar, ...]


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
        self._found: dict[int, frozenset[Table]] = {}

    def of_node(self, node: AnyNode, body: Body, owner: int) -> Table | None:
        """The table that a node in the body `owner`, or in what that runs, reads; None for a node that reads none, or one of
        unknown length."""
        form = lowering(node.op, node.span).table if isinstance(node, OpNode) else None
        if form is None or not isinstance(node, OpNode):
            return None
        kind, length, rest = form(node.args, [body.value(v).type if isinstance(v, int) else None for v in node.inputs])
        longest: list[int] = []
        for facts in self._facts[owner]:
            bound = facts.range(length)[1]
            if not isinstance(bound, int) or (facts is self._own and bound > LONGEST):
                return None
            longest.append(bound)
        return Table(kind, tuple(longest), rest)

    def of_body(self, owner: int) -> frozenset[Table]:
        """What a body reads, itself or in what it runs."""
        if owner not in self._found:
            bodies = [self.spec.bodies[index] for index in self._inside(owner)]
            found = (self.of_node(node, body, owner) for body in bodies for node in body.nodes)
            self._found[owner] = frozenset(table for table in found if table is not None)
        return self._found[owner]

    def _inside(self, index: int) -> Iterator[int]:
        """A body and all that it runs, each once."""
        waiting, seen = [index], set[int]()
        while waiting:
            at = waiting.pop()
            if at not in seen:
                seen.add(at)
                yield at
                waiting += [inner for node in self.spec.bodies[at].nodes for inner in regions_of(node)]


@dataclass
class ClassTables:
    """The tables of one class. `single`: the only one that each of its bodies reads, empty where there are several.
    `is_read`: whether the class is given it."""

    known: SharedTables
    bodies: Sequence[int]
    single: Sequence[Table] = field(init=False)
    is_read: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        found = [self.known.of_body(index) for index in self.bodies]
        self.single = [next(iter(tables)) for tables in found if len(tables) == 1]
        if len(self.single) < len(found) or len({table.kind for table in self.single}) > 1:
            self.single = []

    @property
    def name(self) -> str:
        """The argument of the constructor."""
        return identifier(snake(self.single[0].kind))

    def of_nodes(self, nodes: Sequence[AnyNode], group: Group) -> tuple[str, str] | None:
        """The attribute that holds the table of these nodes, one for each body, and its source in the constructor."""
        columns = zip(nodes, group.bodies, self.bodies, strict=True)
        tables = [self.known.of_node(node, body, owner) for node, body, owner in columns]
        found = [table for table in tables if table is not None]
        if not found or len(found) < len(tables):
            return None
        return identifier(snake(found[0].kind)), self.given(found, group)

    def of_blocks(self, bodies: Sequence[int], group: Group) -> str:
        """Source of the table that a block is given, by its bodies."""
        return self.given([next(iter(self.known.of_body(int(index)))) for index in bodies], group)

    def given(self, tables: Sequence[Table], group: Group) -> str:
        """Source of a table in the constructor."""
        if self.single:
            self.is_read = True
            return MARK
        return made(tables, group)


def made(tables: Sequence[Table], group: Group) -> str:
    """The call that makes a table, one for each body of the group."""
    if any(len(set(table.longest)) > 1 for table in tables):
        raise Varies
    rows = [(table.longest[0], *table.rest) for table in tables]
    numbers = [str(group.number(column)) for column in zip(*rows, strict=True)]
    return f"{support(tables[0].kind)}({', '.join(numbers)})"


__all__ = ["MARK", "ClassTables", "SharedTables", "Table", "made"]
