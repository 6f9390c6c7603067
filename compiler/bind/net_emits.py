"""Emits of a net that a `let` makes: `gen.load` in losses, metrics and further lets (reference 3.13)."""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import Any

from ..catalogue.ops import find
from ..elaborate.names import bound_in
from ..elaborate.nodes import operator_node
from ..elaborate.signatures import signature_of
from ..elaborate.state import Context
from ..elaborate.values import CheckedBody, SymbolicTensor
from ..messages import training as errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Definition
from ..text import syntax
from ..text.node import Node, children
from .expression_values import with_emits


class NetEmits:
    """What the applications of one net in one body emit, as `Instance.emits`.

    `elsewhere` gives a value where this body does not apply the net: it computes the lets that do, or takes the value from
    the body of the shared lets. `began`: which applications belong to the current expression: when there are several,
    `net.name` holds those. `names` are the emits that the section reads, `known` all that the net has.
    """

    def __init__(
        self,
        context: Context,
        net: str,
        names: tuple[str, ...],
        known: tuple[str, ...],
        widened: dict[int, CheckedBody],
        elsewhere: Function[[str, Span], SymbolicTensor | None],
    ) -> None:
        self.context, self.net, self.names, self.known = context, net, names, known
        self.widened, self.elsewhere = widened, elsewhere
        self.made: dict[str, list[SymbolicTensor]] = {name: [] for name in names}
        self.began = 0

    def widen(self, checked: CheckedBody) -> CheckedBody:
        if checked.body not in self.widened:
            state = self.context.state
            body = with_emits(state.bodies, state.bodies[checked.body], self.names)
            more = [(result.name, body.value(result.value).type) for result in body.outputs[len(checked.outputs) :]]
            self.widened[checked.body] = CheckedBody(state.add_body(body), (*checked.outputs, *more), checked.instances)
        return self.widened[checked.body]

    def applied(self, outputs: list[tuple[str, SymbolicTensor]]) -> None:
        for name, tensor in outputs:
            tensor.builder.names[tensor.id] = name
            if tensor.builder is self.context.builder:
                self.made[name].append(tensor)

    def read(self, name: str, span: Span) -> SymbolicTensor | None:
        if name not in self.names:
            near = nearest(name, self.known)
            body = self.context.builder.instances[self.net].body
            if near is None or body is None or self._has_layer(body, name):
                return None
            raise Failed(errors.unknown_emit(span, self.net, name, near))
        if not self.made[name]:
            found = self.elsewhere(name, span)
            if found is not None:
                return found
        made = [tensor for tensor in self.made[name] if tensor.id >= self.began] or self.made[name]
        if not made:
            raise Failed(errors.emit_without_use(span, self.net, name))
        if len(made) == 1:
            return made[0]
        concat = find("concat")
        assert concat is not None
        return operator_node(self.context, concat, {"axis": 0}, list(made), span)

    def _has_layer(self, body: int, name: str) -> bool:
        paths = [instance.path for instance in self.context.state.bodies[body].instances]
        return any(path == name or path.startswith(f"{name}.") for path in paths)


def mentions(node: Any, name: str) -> bool:
    """Whether an expression names something, as a value or as a stage."""
    match node:
        case syntax.Ref():
            return node.name == name
        case syntax.Path():
            return node.names[0].text == name
        case Node():
            return any(mentions(getattr(node, part), name) for part in node.__match_args__)
        case tuple():
            return any(mentions(part, name) for part in node)  # pyright: ignore[reportUnknownVariableType]
        case _:
            return False


def mentioned(definition: Definition) -> set[str]:
    """The names that a model may give a recipe: its outputs, inputs, what its statements bind, and what blocks emit."""
    node = definition.node
    found = {decl.name.text for decl in signature_of(node).inputs}
    if isinstance(node.outs, syntax.Decls):
        found |= {decl.name.text for decl in node.outs.items}
    scope = definition.scope
    blocks = [each for each in (*scope.definitions.values(), *scope.imported.values()) if isinstance(each, Definition)]
    stack: list[Node] = [node, *(each.node for each in blocks if each.kind == "block")]
    while stack:
        part = stack.pop()
        if isinstance(part, syntax.Emit):
            found.add(part.name.text)
        stack += children(part)
    return found | bound_in(node.body)
