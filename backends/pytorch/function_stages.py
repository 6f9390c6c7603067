"""Functions as stages of an `nn.Sequential`: `nn.ReLU()` for `relu`, `act()` for one that a block takes as an argument."""

from __future__ import annotations

from collections.abc import Sequence

from ...compiler.ir.model import OpNode
from .constants import ModuleClass, Symbolic, Varies
from .group import BodyGroup
from .lowering import Application, Operand, SharedType, lowering, module_class
from .python import Expr


def function_stage(group: BodyGroup, nodes: Sequence[OpNode]) -> str | None:
    """A function as a stage of an `nn.Sequential`; None where it has no module."""
    first = nodes[0]
    if any(node.op != first.op or node.args.keys() != first.args.keys() for node in nodes):
        return _activation(group, nodes)
    form = lowering(first.op, first.span).module
    return None if form is None else form(_use(group, nodes))


def _activation(group: BodyGroup, nodes: Sequence[OpNode]) -> str:
    """`act()` for functions that differ: their module's class is an argument of the constructor."""
    classes = [module_class(node) for node in nodes]
    if not all(classes):
        raise Varies
    number = group.number([ModuleClass(name) for name in classes if name is not None])
    named = (
        name
        for body, node in zip(group.bodies, nodes, strict=True)
        for name, value in body.statics.items()
        if value == node.op
    )
    group.constants.hints.setdefault(number.values, next(named, "act"))
    return f"{number}()"


def _use(group: BodyGroup, nodes: Sequence[OpNode]) -> Application:
    """A function as a stage: its numbers are those of the constructor."""
    first = nodes[0]
    inputs: list[Operand | None] = []
    for at in range(len(first.inputs)):
        operand = first.inputs[at]
        if not isinstance(operand, int):
            raise Symbolic
        types = [b.value(n.inputs[at]).type for b, n in zip(group.bodies, nodes, strict=True)]  # pyright: ignore[reportArgumentType]
        inputs.append(Operand(Expr("x"), group.tensor(types)))
    outputs: list[SharedType] = [group.tensor([b.value(o.id).type for b in group.bodies]) for o in first.outputs]
    return Application(first.op, group.args([n.args for n in nodes], first.span), inputs, outputs, str, None, [True])


__all__ = ["function_stage"]
