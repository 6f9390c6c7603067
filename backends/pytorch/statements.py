"""Statements of single nodes: an operator, a block, an `nn.Sequential` in the place of its stages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ...compiler.ir.model import CallNode, OpNode, Scalar
from ...compiler.ir.model import Operand as IrOperand
from ...compiler.sizes.dims import Dim
from .chains import Chain
from .constants import ClassNumber, Varies, is_mark
from .group import BodyGroup
from .lowering import Application, Operand, lowering
from .python import ATOM, SUM, TERNARY, UNARY, Expr, literal
from .scopes import Scopes
from .shared_tables import ClassTables
from .sizes import Sizes
from .variables import Region, Unnamed, Variables

#: A function that replaces a block: its name, and the numbers that it takes.
Called: TypeAlias = "tuple[str, Sequence[tuple[str, ClassNumber]]]"

_CALL = re.compile(r"[\w.]+\([^()]*\)")

#: Letters of axes of positions: rows, columns, steps of a sequence.
SIDES = ("H", "W", "T", "S")


class Statements(Variables):
    """Writes nodes that hold no region."""

    #: Source of the condition that the function is training.
    training = "self.training"

    def __init__(
        self,
        scopes: Scopes | None,
        sizes: Sizes,
        reserved: set[str],
        emitting: Callable[[int], Sequence[str]],
        emits: Mapping[str, str],
        called: Callable[[Sequence[int], BodyGroup], Called | None],
    ) -> None:
        super().__init__(sizes, reserved)
        self.scopes = scopes
        #: The wanted `emit` names that a body gives values for, and the list that collects the values of each.
        self.emitting, self.emits = emitting, dict(emits)
        self.called = called
        #: The operators' tables that the class is given or makes.
        self.shared: ClassTables | None = None
        #: A variable that always holds a tensor; new tensors are made on its device.
        self.home = sizes.inputs[0] if sizes.inputs else ""

    def operand(self, region: Region, values: Sequence[IrOperand]) -> Operand | None:
        first = values[0]
        if first is None:
            return None
        if isinstance(first, Scalar):
            number = region.group.arg([v.value for v in values if isinstance(v, Scalar)])
            if isinstance(number, ClassNumber):
                text = self.size(region, number)
                negative = text.startswith("-")
                atom = is_mark(text) or text.replace("self.", "").isidentifier() or _plain(text)
                level = ATOM if atom else UNARY if negative else SUM
                return Operand(Expr(text, level), None, number)
            return Operand(Expr(literal(number)), None, number)
        return Operand(region.env[first], self.type(region, first))

    def size(self, region: Region, number: ClassNumber, before: int | None = None) -> str:
        """Source of a number in `forward`; `before` as in `Sizes.code`."""
        if number.same and not isinstance(number.values[0], Dim):
            return number.in_forward()
        if number.written is not None:
            if set(number.written.names) <= set(number.constants.statics):
                return number.in_forward()
            number = ClassNumber(number.values, number.constants)  # `C // 2` is read from a tensor here
        values: Any = number.values
        text = self.sizes.code(values, before) if not all(isinstance(v, float) for v in values) else None
        if text is not None:
            return text
        if number.concrete:
            return self._side(number, before) or number.in_forward()
        searched: Region | None = region
        while searched is not None:
            for value, expr in searched.env.items():
                if expr.weight == 0 and expr.text.isidentifier():
                    for axis, have in enumerate(self.type(searched, value).sizes):
                        if have.values == number.values:
                            return f"{expr.text}.shape[{axis}]"
            searched = searched.parent
        for value in region.env:
            if any(have.values == number.values for have in self.type(region, value).sizes):
                raise Unnamed(value)
        text = self.sizes.derived(values, lambda row: ClassNumber(row, number.constants).in_forward())
        if text is not None:
            return text
        if len(number.values) > 1:
            raise Varies  # a class for each body may know it
        raise AssertionError(f"no input of the class carries the size {number.sample}")

    def _side(self, number: ClassNumber, before: int | None) -> str | None:
        """`H // self.window`, for the side of an image or the length of a sequence."""
        statics = number.constants.statics
        found = [
            (axis, static)
            for axis in self.sizes.axes
            for static in statics.values()
            if axis.letter in SIDES and all(map(_parts, number.values, axis.values, static))
        ]
        if not found:
            return None
        axis, static = found[min(before or 0, len(found) - 1)]
        axis.used = True
        return f"{axis.letter} // {ClassNumber(static, number.constants).in_forward()}"

    def use(self, region: Region, nodes: Sequence[OpNode]) -> Application:
        first = nodes[0]
        if any(node.op != first.op for node in nodes):
            raise Varies
        module = region.locate(first.instance) if first.instance is not None else None
        return Application(
            first.op,
            region.group.args([node.args for node in nodes], first.span),
            [self.operand(region, values) for values in zip(*(node.inputs for node in nodes), strict=True)],
            [self.type(region, output.id) for output in first.outputs],
            lambda number: self.size(region, number),
            module,
            [region.count.get(output.id, 0) > 0 for output in first.outputs],
            self.device(region),
            lambda number, before: self.size(region, number, before),
            self.table if self.scopes is not None and self.scopes.root.kind == "module" else None,
            self.named,
            self.held(region, nodes),
            self.training,
        )

    def held(self, region: Region, nodes: Sequence[OpNode]) -> str | None:
        """The module with the table of an operator, for the class to hold."""
        if self.scopes is None or self.shared is None or self.scopes.root.kind != "module":
            return None
        found = self.shared.of_nodes(nodes, region.group)
        return None if found is None else f"self.{self.scopes.held(*found)}"

    def named(self, number: ClassNumber) -> bool:
        """Whether a size is a number that all bodies share, or that of an axis."""
        literal = number.same and not isinstance(number.values[0], Dim)
        return literal or any(axis.values == number.values for axis in self.sizes.axes)

    def table(self, name: str, text: str) -> str:
        """A tensor that the constructor makes by the expression `text`."""
        assert self.scopes is not None
        return f"self.{self.scopes.buffer(name, text)}"

    def device(self, region: Region) -> str:
        """Where a tensor that the function makes belongs: with the first variable that is one."""
        return f"{self.home}.device" if self.home else "next(self.parameters()).device"

    def operator(self, region: Region, node: OpNode, position: int) -> None:
        nodes = region.group.nodes(position)
        lowered = lowering(node.op, node.span)

        def make() -> Expr:
            use = self.use(region, nodes)
            if lowered.forward is not None:
                expr = lowered.forward(use)
            else:
                assert use.module is not None
                expr = use.call(use.module, *(use[i] for i in range(len(use)) if use.has(i)))
            if node.instance is None or not use.has(0):
                return expr
            return self.optional(region, node.instance, use.operand(0).expr, expr)

        expr = self.residual(region, position, self.lighten(region, node, make))
        if len(node.outputs) == 1:
            self.finish(region, node, expr)
            return
        use = self.use(region, nodes)
        targets = lowered.targets
        self.several(region, node, expr, lambda names: targets(use, names) if targets else ", ".join(names))

    def residual(self, region: Region, position: int, expr: Expr) -> Expr:
        """An addition that is not made everywhere."""
        if self.scopes is None or region.group is not self.scopes.group or position not in self.scopes.residuals:
            return expr
        residual, name = self.scopes.residuals[position]
        kept = region.env[residual.kept]
        if not kept.text.isidentifier() or any(region.env[v].text.isidentifier() for v in residual.inner):
            raise Varies  # its operands would be computed even where the addition is skipped
        text = f"{expr.text} if self.{name} else {kept.text}"
        return Expr(text, TERNARY, expr.names | kept.names, expr.weight + 1)

    def optional(self, region: Region, path: str, start: Expr, call: Expr) -> Expr:
        """A call of something that may not be there: then what would go in comes out."""
        if self.scopes is None or region.group is not self.scopes.group or path not in self.scopes.optional:
            return call
        module = self.scopes.access("self", path)
        text = f"{start.text} if {module} is None else {call.text}"
        return Expr(text, TERNARY, call.names, call.weight + 1)

    def block(self, region: Region, node: CallNode, position: int) -> None:
        nodes = region.group.nodes(position)
        function = self.called([n.body for n in nodes], region.group)
        name = region.locate(node.instance) if function is None else function[0]
        instances = [region.locate(reference) for reference in node.instances.values()]
        if self.emits:
            instances += [self.emits[name] for name in self.emitting(node.body)]

        def make() -> Expr:
            inputs = [self.operand(region, values) for values in zip(*(n.inputs for n in nodes), strict=True)]
            given = [operand.expr for operand in inputs if operand is not None]
            names = frozenset[str]().union(*(e.names for e in given))
            arguments = [*(e.text for e in given), *instances]
            for key, number in () if function is None else function[1]:
                switch = isinstance(number.values[0], bool)
                arguments.append(f"{key}={number.in_forward() if switch else self.size(region, number)}")
            call = Expr(f"{name}({', '.join(arguments)})", ATOM, names, 2 + sum(e.weight for e in given))
            return self.optional(region, node.instance, given[0], call) if node.instance and given else call

        expr = self.lighten(region, node, make)
        if len(node.outputs) == 1:
            self.finish(region, node, expr)
        else:
            self.several(region, node, expr, lambda names: ", ".join(names))

    def sequential(self, region: Region, chain: Chain) -> None:
        assert self.scopes is not None
        module = self.scopes.access("self", chain.path)
        first = region.group.first.nodes[chain.positions[0]]
        last = region.group.first.nodes[chain.positions[-1]]

        def make() -> Expr:
            start = region.env[chain.start]
            call = Expr(f"{module}({start.text})", ATOM, start.names, 2 + start.weight)
            return self.optional(region, chain.path, start, call)

        self.finish(region, last, self.lighten(region, first, make))


def _parts(count: Any, side: Any, size: Any) -> bool:
    whole = all(type(value) is int and value > 1 for value in (count, side, size))
    return whole and count * size == side


def _plain(text: str) -> bool:
    return text.replace(".", "", 1).replace("e-", "", 1).isalnum() or _CALL.fullmatch(text) is not None


__all__ = ["Called", "Statements"]
