"""Tensors that no input changes: a class makes them once, in its constructor, as buffers that no checkpoint holds.

    block TimeEmbedding(width: int)(t: i64[B]) -> ... {                          the spec
      rate  = exp(-log(10000.0) * cast(arange(width / 2), f32) / (width / 2))
      angle = cast(t, f32)[:, none] * rate

    self.register_buffer("rate", torch.exp(...), persistent=False)               the constructor
    angle = t.float()[:, None] * self.rate                                       `forward`

Position codes whose length depends on the input, but has a bound, are made up to the bound and cut:
`self.positions[:T]`, with what is computed from each row alone. Tables that many layers read are in `shared_tables`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from ...compiler.catalogue.ops import find
from ...compiler.catalogue.ops.positions import NotPiecewise, Positions
from ...compiler.dataclass import dataclass
from ...compiler.ir.model import AnyNode, OpNode, Scalar
from ...compiler.ir.model import Operand as IrOperand
from ...compiler.sizes.dims import Dim, Size
from .bodies import uses
from .constants import ClassNumber, is_mark
from .group import BodyGroup
from .lowering import Application, Operand, SharedType, lowering
from .python import ATOM, SUM, UNARY, Expr, literal
from .variables import operands


@dataclass(frozen=True)
class _Rows:
    """Positions: how many there are in each body, and how many there may be."""

    lengths: Sequence[Size]
    bound: ClassNumber

    def longest(self, args: Mapping[str, Any], at: int) -> dict[str, Any]:
        """Arguments of one of the bodies with the bound in the place of the length."""

        def put(value: Any) -> Any:
            if isinstance(value, tuple):
                items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
                return tuple(map(put, items))
            return self.bound.values[at] if isinstance(value, Dim) and value == self.lengths[at] else value

        return {name: put(value) for name, value in args.items()}


class Tables:
    """What of a class's body is fixed: `positions` of nodes that `forward` needs not run, and by value the `texts` that make
    what the other nodes read of them, with a `wanted` name each. `cut` are position codes that are cut: their table's text."""

    def __init__(self, group: BodyGroup, live: Collection[int], bounds: Mapping[int, ClassNumber]) -> None:
        self.group = group
        self.positions: set[int] = set()
        self.texts: dict[int, str] = {}
        self.wanted: dict[int, str] = {}
        self.cut: dict[int, ClassNumber] = {}
        self._made: dict[int, Expr] = {}
        self._rows: dict[int, _Rows] = {}  # of values with a row for each position
        nodes = group.first.nodes
        fixed: dict[int, int] = {}
        for position, node in enumerate(nodes):
            if position in live and isinstance(node, OpNode) and self._is_fixed(position, node, fixed):
                fixed[node.outputs[0].id] = position
        self.positions = set(fixed.values())
        read = uses(group.first)
        outside = {v for at, node in enumerate(nodes) if at not in self.positions for v in operands(node)}
        outside |= {result.value for result in (*group.first.outputs, *group.first.emits)}
        for value, position in fixed.items():
            expr = self._expression(position)
            if value in outside or read[value] > 1:
                self.texts[value] = expr.text
                self.wanted[value] = self._name(position)
        self._cut_positions(live, bounds)

    def _cut_positions(self, live: Collection[int], bounds: Mapping[int, ClassNumber]) -> None:
        """Position codes up to their bound, and what is computed from them alone, row by row."""
        nodes = self.group.first.nodes
        found: dict[int, int] = {}
        for position, node in enumerate(nodes):
            if position not in live or not isinstance(node, OpNode):
                continue
            if position in bounds:
                lengths = [other.args[_cut(node)] for other in self.group.nodes(position)]
                rows = _Rows(lengths, bounds[position])
            else:
                rows = self._rows_of(position, node)
            if rows is not None:
                found[node.outputs[0].id] = position
                self._rows[node.outputs[0].id] = rows
                self._expression(position, rows)
        self.positions |= set(found.values())
        outside = {v for at, node in enumerate(nodes) if at not in self.positions for v in operands(node)}
        outside |= {result.value for result in (*self.group.first.outputs, *self.group.first.emits)}
        for value in outside & found.keys():
            self.texts[value], self.wanted[value] = self._made[value].text, "positions"
            self.cut[value] = self.group.number(self._rows[value].lengths)

    def _rows_of(self, position: int, node: OpNode) -> _Rows | None:
        """The rows that a node works on one by one, if all that it reads are position codes; None for any other node."""
        operator, read = find(node.op), [operand for operand in node.inputs if isinstance(operand, int)]
        rows = self._rows.get(read[0]) if len(read) == 1 else None
        if rows is None or operator is None or not self._is_plain(position, node):
            return None
        for at, (other, length) in enumerate(zip(self.group.nodes(position), rows.lengths, strict=True)):
            length_name = str(length)
            inside = [self.group.bodies[at].value(v).type if isinstance(v, int) else None for v in other.inputs]
            positions = Positions(length_name, tuple(inside))
            shape = other.outputs[0].type.shape
            if shape[:1] != (length,) or positions.axes(other.outputs[0].type) != (0,):
                return None
            if any(map(_symbolic, (*shape[1:], *rows.longest(other.args, at).values()))):
                return None
            try:
                operator(**other.args).piecewise(positions)
            except NotPiecewise:
                return None
        return rows

    def _is_plain(self, position: int, node: OpNode) -> bool:
        """Whether a node computes the same each time it is run, from numbers that the spec knows. A layer does not."""
        operator = find(node.op)
        if operator is None or node.instance is not None or node.path is not None or len(node.outputs) != 1:
            return False
        if any(other.op != node.op for other in self.group.nodes(position)):
            return False
        scalars = [o.value for n in self.group.nodes(position) for o in n.inputs if isinstance(o, Scalar)]
        plain = (operator.elementwise or operator.view is not None) and not operator.random and not operator.has_mode
        return plain and not any(map(_symbolic, scalars))

    def _is_fixed(self, position: int, node: OpNode, fixed: Mapping[int, int]) -> bool:
        operator = find(node.op)
        if operator is None or node.instance is not None or node.path is not None or len(node.outputs) != 1:
            return False
        for other in self.group.nodes(position):
            shape = [size for output in other.outputs for size in self._shape(output.type)]
            if other.op != node.op or any(map(_symbolic, (*other.args.values(), *shape))):
                return False
        if not operator.tensors and not operator.syntax and not operator.random:  # a function of sizes alone
            return True
        read = [operand for operand in node.inputs if isinstance(operand, int)]
        return self._is_plain(position, node) and bool(read) and all(value in fixed for value in read)

    @staticmethod
    def _shape(type: Any) -> tuple[Any, ...]:
        return type.shape

    def _name(self, position: int) -> str:
        node = self.group.first.nodes[position]
        operator = find(node.op) if isinstance(node, OpNode) else None
        return node.outputs[0].name or (operator.called if operator is not None else "") or "table"

    def _expression(self, position: int, rows: _Rows | None = None) -> Expr:
        node = self.group.first.nodes[position]
        assert isinstance(node, OpNode)
        expr = _forward(node, self._use(position, rows))
        self._made[node.outputs[0].id] = expr
        return expr

    def _use(self, position: int, rows: _Rows | None) -> Application:
        """A node with the numbers of the constructor."""
        nodes = self.group.nodes(position)
        args = [node.args if rows is None else rows.longest(node.args, at) for at, node in enumerate(nodes)]
        return Application(
            nodes[0].op,
            self.group.args(args, nodes[0].span),
            [self._operand(values) for values in zip(*(node.inputs for node in nodes), strict=True)],
            [self._type(output.id) for output in nodes[0].outputs],
            str,
            None,
            [True],
        )

    def _type(self, value: int) -> SharedType:
        """The type of a value in the constructor."""
        type, rows = self.group.type(value), self._rows.get(value)
        return type if rows is None else SharedType(type.dtype, (rows.bound, *type.sizes[1:]))

    def _operand(self, values: tuple[IrOperand, ...]) -> Operand | None:
        first = values[0]
        if isinstance(first, Scalar):
            number = self.group.arg([v.value for v in values if isinstance(v, Scalar)])
            text = str(number) if isinstance(number, ClassNumber) else literal(number)
            level = ATOM if is_mark(text) else UNARY if text.startswith("-") else SUM if "e-" in text else ATOM
            return Operand(Expr(text, level), None, number)
        return None if first is None else Operand(self._made[first], self._type(first))


def _cut(node: AnyNode) -> str:
    """The argument by which a table is cut from a longer one; "" for a node that is not."""
    operator = find(node.op) if isinstance(node, OpNode) else None
    return operator.cut if operator is not None else ""


def cut_positions(
    group: BodyGroup, bounds: Mapping[int, Mapping[str, tuple[int, int | None]]]
) -> Iterator[tuple[int, ClassNumber]]:
    """Position codes of the model's body whose length is a symbol with a bound, and the bound in each body. `bounds` are
    those of the models by the number of the body in the group."""
    for position, node in enumerate(group.first.nodes):
        counts = _cut(node)
        if not counts:
            continue
        highest: list[int] = []
        for at, other in enumerate(group.nodes(position)):
            rest = dict(other.args)
            n = rest.pop(counts)
            high = bounds[at].get(str(n), (1, None))[1] if isinstance(n, Dim) else None
            if high is not None and not any(map(_symbolic, rest.values())):
                highest.append(high)
        if len(highest) == len(group.bodies):
            yield position, group.number(highest)


def _forward(node: OpNode, use: Application) -> Expr:
    form = lowering(node.op, node.span).forward
    assert form is not None
    return form(use)


def _symbolic(value: Any) -> bool:
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return any(map(_symbolic, items))
    return isinstance(value, Dim)


__all__ = ["Tables", "cut_positions"]
