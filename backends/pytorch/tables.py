"""Tensors that no input changes: a class makes them once, in its constructor, as buffers that no checkpoint holds.

    block TimeEmbedding(width: int)(t: i64[B]) -> ... {                          the spec
      rate  = exp(-log(10000.0) * cast(arange(width / 2), f32) / (width / 2))
      angle = cast(t, f32)[:, none] * rate

    self.register_buffer("rate", torch.exp(...), persistent=False)               the constructor
    angle = t.float()[:, None] * self.rate                                       `forward`

Position codes whose length depends on the input, but has a bound, are made up to the bound and cut:
`self.positions[:T]`. Rotary tables are not: each layer would hold its own, 4 MiB for 8192 positions and heads of 128.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ...compiler.catalogue.ops import find
from ...compiler.ir.model import AnyNode, OpNode, Scalar
from ...compiler.ir.model import Operand as IrOperand
from ...compiler.sizes.dims import Dim
from .bodies import uses
from .constants import Number, is_mark
from .group import Group
from .lowering import Application, Operand, lowering
from .python import ATOM, SUM, UNARY, Expr, literal
from .variables import operands


class Tables:
    """What of a class's body is fixed: `positions` of nodes that `forward` needs not run, and by value the `texts` that make
    what the other nodes read of them, with a `wanted` name each. `cut` are position codes that are cut: their table's text."""

    def __init__(self, group: Group, live: Collection[int], bounds: Mapping[int, Number]) -> None:
        self.group = group
        self.positions: set[int] = set()
        self.texts: dict[int, str] = {}
        self.wanted: dict[int, str] = {}
        self.cut: dict[int, Number] = {}
        self._made: dict[int, Expr] = {}
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
        for position, node in enumerate(nodes):
            if position in live and isinstance(node, OpNode) and position in bounds:
                counts = _cut(node)
                number: Any = self._use(position, **{counts: bounds[position]})
                self.texts[node.outputs[0].id] = _forward(node, number).text
                self.wanted[node.outputs[0].id] = "positions"
                self.cut[node.outputs[0].id] = group.number([n.args[counts] for n in group.nodes(position)])

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
        scalars = [o.value for n in self.group.nodes(position) for o in n.inputs if isinstance(o, Scalar)]
        plain = (operator.elementwise or operator.view is not None) and not operator.random and not operator.has_mode
        return plain and bool(read) and all(value in fixed for value in read) and not any(map(_symbolic, scalars))

    @staticmethod
    def _shape(type: Any) -> tuple[Any, ...]:
        return type.shape

    def _name(self, position: int) -> str:
        node = self.group.first.nodes[position]
        operator = find(node.op) if isinstance(node, OpNode) else None
        return node.outputs[0].name or (operator.called if operator is not None else "") or "table"

    def _expression(self, position: int) -> Expr:
        node = self.group.first.nodes[position]
        assert isinstance(node, OpNode)
        expr = _forward(node, self._use(position))
        self._made[node.outputs[0].id] = expr
        return expr

    def _use(self, position: int, **args: Any) -> Application:
        """A node with the numbers of the constructor."""
        nodes = self.group.nodes(position)
        return Application(
            nodes[0].op,
            {**self.group.args([node.args for node in nodes]), **args},
            [self._operand(values) for values in zip(*(node.inputs for node in nodes), strict=True)],
            [self.group.type(output.id) for output in nodes[0].outputs],
            str,
            None,
            [True],
        )

    def _operand(self, values: tuple[IrOperand, ...]) -> Operand | None:
        first = values[0]
        if isinstance(first, Scalar):
            number = self.group.arg([v.value for v in values if isinstance(v, Scalar)])
            text = str(number) if isinstance(number, Number) else literal(number)
            level = ATOM if is_mark(text) else UNARY if text.startswith("-") else SUM if "e-" in text else ATOM
            return Operand(Expr(text, level), None, number)
        return None if first is None else Operand(self._made[first], self.group.type(first))


def _cut(node: AnyNode) -> str:
    """The argument by which a table is cut from a longer one; "" for a node that is not."""
    operator = find(node.op) if isinstance(node, OpNode) else None
    return operator.cut if operator is not None else ""


def cut_positions(
    group: Group, bounds: Mapping[int, Mapping[str, tuple[int, int | None]]]
) -> Iterator[tuple[int, Number]]:
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
