"""Bodies that share a class: equal up to numbers, looked at side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from ...compiler.ir.model import (
    AnyNode,
    Body,
    CallNode,
    Instance,
    ModeNode,
    OpNode,
    RepeatNode,
    RepeatRun,
    Scalar,
    ScanNode,
    Spec,
    Value,
    WeightNode,
)
from ...compiler.messages.source import Span
from ...compiler.sizes.dims import Dim
from ...compiler.sizes.facts import NO_FACTS, Facts
from ...compiler.sizes.types import TensorType
from ...compiler.text import syntax
from ...compiler.text.node import Node
from .constants import ClassNumber, Constants, Varies
from .expressions import stated
from .fitting import Absent, alike
from .lowering import Arg, SharedType, module_class
from .optional import freed


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, Dim)) and not isinstance(value, bool)


class BodyGroup:
    """Parallel bodies (or regions of them), and how their numbers combine."""

    def __init__(self, spec: Spec, bodies: Sequence[Body], constants: Constants, facts: Facts = NO_FACTS) -> None:
        self.spec, self.bodies, self.constants, self.facts = spec, tuple(bodies), constants, facts
        self._types: dict[int, SharedType] = {}

    @property
    def first(self) -> Body:
        return self.bodies[0]

    def region(self, indexes: Sequence[int]) -> BodyGroup:
        bodies = [self.spec.bodies[index] for index in indexes]
        bodies = [freed(body) if isinstance(at, Absent) else body for body, at in zip(bodies, indexes, strict=True)]
        return BodyGroup(self.spec, bodies, self.constants, self.facts)

    def nodes(self, position: int) -> tuple[Any, ...]:
        """The node at one position of every body; Varies where the bodies repeat something a different number of times."""
        found = self.loops(position)
        if isinstance(found[0], RepeatNode) and len({len(node.runs) for node in found}) > 1:
            raise Varies
        return found

    def loops(self, position: int) -> tuple[Any, ...]:
        """The same where a repeat may have more turns in one body than in another."""
        return tuple(body.nodes[position] for body in self.bodies)

    def aligned(self, position: int) -> tuple[RepeatNode, ...]:
        """The repeat at one position of every body with equally many runs: a body with fewer has its last one again."""
        nodes: tuple[RepeatNode, ...] = self.loops(position)
        most = max(len(node.runs) for node in nodes)
        return tuple(
            node if len(node.runs) == most else node.model_copy(update={"runs": _padded(node.runs, most)})
            for node in nodes
        )

    @cached_property
    def values(self) -> list[dict[int, Value]]:
        """The values of each body by their ids."""
        return [{value.id: value for value in body.values()} for body in self.bodies]

    def type(self, value: int) -> SharedType:
        """The type of a value, known in all bodies by the same id."""
        if value not in self._types:
            self._types[value] = self.tensor([values[value].type for values in self.values])
        return self._types[value]

    @cached_property
    def _owned(self) -> list[dict[str, Instance]]:
        return [{instance.path: instance for instance in body.instances} for body in self.bodies]

    def instances(self, path: str) -> tuple[Instance, ...]:
        return tuple(owned[path] for owned in self._owned)

    @cached_property
    def applied(self) -> dict[str, int]:
        """Where each layer is applied first, and where each instance is handed on first."""
        found: dict[str, int] = {}
        for position, node in enumerate(self.first.nodes):
            references = [node.instance] if isinstance(node, OpNode) else handed(node).values()
            for reference in references:
                if reference is not None:
                    found.setdefault(reference, position)
        return found

    def number(self, values: Sequence[Any]) -> ClassNumber:
        known = self.facts.normalize
        return ClassNumber(tuple(known(v) if isinstance(v, Dim) else v for v in values), self.constants)

    def arg(self, values: Sequence[Any]) -> Arg:
        """One argument as all bodies have it; Varies when they differ in more than numbers."""
        first = values[0]
        if all(map(_is_number, values)):
            return self.number(values)
        if all(isinstance(value, bool) for value in values) and len(set(values)) > 1:
            return ClassNumber(tuple(values), self.constants)
        if isinstance(first, tuple):
            if not all(isinstance(value, tuple) and len(value) == len(first) for value in values):  # pyright: ignore[reportUnknownArgumentType]
                raise Varies
            return tuple(map(self.arg, zip(*values, strict=True)))
        if any(value != first or type(value) is not type(first) for value in values):
            raise Varies
        return first

    def args(self, records: Sequence[dict[str, Any]], span: Span) -> dict[str, Arg]:
        """The arguments of the layers or functions at a place of the spec, one for each body."""
        found = {name: self.arg([record[name] for record in records]) for name in records[0] if name != "init"}
        for name, arg in found.items():
            if isinstance(arg, ClassNumber) and isinstance(arg.values[0], bool):
                self.constants.hints.setdefault(arg.values, name)
            elif isinstance(arg, ClassNumber):
                self.constants.roles.setdefault(arg.values, name)
        return self.as_written(span, found)

    def as_written(self, span: Span, args: Mapping[str, Arg], names: Sequence[str] = ()) -> dict[str, Arg]:
        """Arguments with what the author wrote for them: `kernel // 2`, and not a `stride` that equals it in all bodies; `stride`,
        and not the 2 that it is in all bodies that have the layer. `names` are all arguments that there are, in order; else
        those of `args`."""
        found = dict(args)
        for name, node in stated(self.constants.definition, span, list(names or args)):
            if name in args:
                found[name] = self._as_stated(args[name], node)
        return found

    def _as_stated(self, arg: Arg, node: Node) -> Arg:
        if isinstance(arg, tuple):
            items = node.items if isinstance(node, syntax.Tuple) and len(node.items) == len(arg) else len(arg) * (node,)
            return tuple(map(self._as_stated, arg, items))
        if not isinstance(arg, ClassNumber):
            return arg
        written = self.constants.scope.expression(node)
        if written is None or not written.names or not alike(written.values, arg.values):
            return arg
        fixed = self.constants.fixed
        if not fixed.isdisjoint(written.names) and len(set(written.values)) > 1:
            return arg  # such a static decides the structure: as an argument it would change this number alone
        return ClassNumber(written.values, self.constants, written)

    def tensor(self, types: Sequence[TensorType]) -> SharedType:
        first = types[0]
        if any(type.dtype != first.dtype or type.rank != first.rank for type in types):
            raise Varies
        return SharedType(
            first.dtype, tuple(self.number(sizes) for sizes in zip(*(t.shape for t in types), strict=True))
        )


def _padded(runs: tuple[RepeatRun, ...], count: int) -> tuple[RepeatRun, ...]:
    return (*runs, *(count - len(runs)) * runs[-1:])


def node_form(spec: Spec, node: AnyNode, class_of: Callable[[int], Any]) -> Any:
    """Everything of a node but its numbers and the values that it reads and makes."""
    inputs = tuple(operand if isinstance(operand, Scalar) else None for operand in node.inputs)
    outputs = tuple(value.model_copy(update={"id": at, "name": ""}) for at, value in enumerate(node.outputs))
    plain = node.model_copy(update={"inputs": inputs, "outputs": outputs})
    body = Body(name="", role="turn", inputs=(), nodes=(plain,), outputs=(), span=node.span)
    return structure(spec, body, class_of, activations=False)


def handed(node: AnyNode) -> dict[str, str]:
    """Instances that a node hands to the bodies in it: their names there, and the references here."""
    if isinstance(node, RepeatNode):
        return {name: reference for run in node.runs for name, reference in run.instances.items()}
    return getattr(node, "instances", {})


# ---- what two bodies must agree on -----------------------------------------------------------------------------------


def structure(spec: Spec, body: Body, class_of: Callable[[int], Any], *, activations: bool = True) -> Any:
    """Everything of a body but its numbers: bodies of one name with equal structure share a class.

    Without `activations` those that are stages of a numbered group are left out too, and so are switches (`causal`).
    """

    def arguments(args: dict[str, Any]) -> Any:
        return tuple((name, argument(value, switches=activations)) for name, value in args.items() if name != "init")

    def value(identifier: Any) -> Any:
        if isinstance(identifier, Scalar):
            return ("scalar", argument(identifier.value))
        return identifier

    def type_of(type: TensorType) -> Any:
        return type.dtype, type.rank

    def node(n: AnyNode) -> Any:
        shared = (
            n.kind, tuple(map(value, n.inputs)), tuple((value(v.id), type_of(v.type), v.name) for v in n.outputs),
        )  # fmt: skip
        match n:
            case OpNode() if not activations and n.path is not None and module_class(n) is not None:
                return (*shared, "activation", n.path)
            case OpNode():
                return (*shared, n.op, arguments(n.args), n.instance, n.path)
            case WeightNode():
                return (*shared, n.instance, n.name)
            case CallNode():
                return (*shared, n.instance, class_of(n.body), tuple(n.instances.items()))
            case RepeatNode() if not activations and (turn := alike_turns(n)) is not None:
                return (*shared, n.scope, "turns", turn)
            case RepeatNode():
                return (
                    *shared,
                    n.scope,
                    tuple(
                        (
                            region(run.body),
                            tuple(run.offsets.items()),
                            tuple(run.strides.items()),
                            tuple(map(value, run.captures)),
                            tuple(run.instances.items()),
                        )
                        for run in n.runs
                    ),
                )
            case ModeNode():
                return (*shared, region(n.training), region(n.evaluation), tuple(n.instances.items()))
            case ScanNode():
                return (*shared, n.axis, region(n.body), n.sequences, n.carries, tuple(n.instances.items()))

    def region(index: int) -> Any:
        return structure(spec, spec.bodies[index], class_of, activations=activations)

    def alike_turns(n: RepeatNode) -> Any:
        """What all turns have in common, where they differ in numbers alone: there may be more or fewer of them then."""
        forms = [
            (
                region(run.body),
                tuple(run.strides.items()),
                tuple(map(value, run.captures)),
                tuple(run.instances.items()),
            )
            for run in n.runs
        ]
        return forms[0] if forms and all(form == forms[0] for form in forms) else None

    def instance(i: Instance) -> Any:
        weights = tuple((p.name, len(p.shape), p.dtype, p.buffer) for p in i.parameters)
        return i.path, i.op, arguments(i.args), weights, None if i.body is None else class_of(i.body)

    return (
        body.role,
        tuple((value(v.id), type_of(v.type), v.name) for v in body.inputs),
        body.instance_inputs,
        tuple(map(node, body.nodes)),
        tuple(map(instance, body.instances)),
        tuple((result.name, value(result.value)) for result in body.outputs),
        tuple((result.name, value(result.value)) for result in body.emits),
        tuple((r.op, r.message) for r in body.requirements),
    )


def argument(value: Any, *, switches: bool = True) -> Any:
    if _is_number(value):
        return "#"
    if isinstance(value, bool) and not switches:
        return "switch"
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return tuple(argument(item, switches=switches) for item in items)
    return (type(value).__name__, value)
