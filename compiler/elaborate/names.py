"""The names of a statement that evaluation left, because it reads a value whose own mistake was reported.

    h = x -> Lineer(8)                     # the mistake that is reported
    y = h -> rellu -> scale(factr = 2)     # left at `h`; `rellu` and `factr` are reported all the same

Only what no value decides is looked at: whether a name means anything here, and whether a layer, function or block has an
argument of that name.
"""

from __future__ import annotations

from typing import Any

from ..catalogue.ops.base import Layer
from ..messages import application as application_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..resolve.definitions import Callable, Definition
from ..sizes.static_functions import STATIC_FUNCTIONS
from ..sizes.types import DTYPES
from ..text import syntax, top_level
from ..text.node import Node, children
from .arguments import argument_kinds
from .bindings import names_of
from .builder import Builder, Scope
from .environment import Environment
from .signatures import signature_of
from .state import Context
from .values import POISON

#: Words with a meaning of their own in some argument lists.
_WORDS = frozenset({"carry", *STATIC_FUNCTIONS})


def check_names(context: Context, node: Node) -> None:
    """Reports the names that mean nothing where this node is."""
    _Names(context, frozenset()).visit(node)


def check_blocks(context: Context, node: Node) -> None:
    """The same in the blocks that a statement with a mistake of its own would have run; sizes that it would have named are known."""
    names = _Names(context, frozenset())
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, syntax.Apply):
            names.used(part.callee.text)
        elif isinstance(part, syntax.Rearrange):
            names.sizes(part.before)
        stack += children(part)


class _Names:
    """`own`: names that parts of the node bind, for the parts that may read them."""

    def __init__(self, context: Context, own: frozenset[str]) -> None:
        self.context, self.own = context, own

    def visit(self, node: Any) -> None:
        match node:
            case syntax.Ref():
                self._value(node)
            case syntax.Rearrange(before=before):
                self.sizes(before)
            case syntax.Attr(value=syntax.Ref()) | syntax.Shape() | syntax.Ascribe():
                pass  # a part of something, or sizes, which the shape itself may name
            case syntax.Gap():
                pass  # what it may define is known to the file
            case syntax.Init():
                pass  # its selectors are paths
            case syntax.Call(callee=syntax.Ref() as callee):
                self._arguments(self._stage(callee.name, callee.span), node.args)
            case syntax.Call():
                self._arguments(None, node.args)
            case syntax.Apply():
                whole = len(node.callee.names) == 1
                self._arguments(self._stage(node.callee.text, node.callee.span) if whole else None, node.args)
            case syntax.Labelled() | syntax.LabelledValue():
                self.visit(node.unit)
            case syntax.Bind() | syntax.Accum():
                self.visit(node.value)
            case syntax.Kwarg():
                self.visit(node.value)
            case syntax.For():
                self.visit(node.items)
                self._with({name.text for name in node.targets}).visit(node.body)
            case syntax.Scan():
                self._scan(node)
            case syntax.If() | syntax.Body():
                inner = self._with(bound_in(node))
                for part in children(node):
                    inner.visit(part)
            case Node():
                for part in children(node):
                    self.visit(part)
            case _:
                pass

    def _with(self, names: set[str]) -> _Names:
        return _Names(self.context, self.own | names)

    def _scan(self, node: syntax.Scan) -> None:
        items = node.value.args.items if isinstance(node.value, syntax.Call) else ()
        for item in items:
            self.visit(item)
        self._with({item.name.text for item in items if isinstance(item, syntax.Kwarg)}).visit(node.body)

    def _value(self, node: syntax.Ref) -> None:
        if node.name in self.own or node.name in DTYPES or node.name == "training":
            return
        with self.context.state.reporting():
            self.context.environment.lookup(node.name, node.span)

    def sizes(self, shape: Node) -> None:
        """The sizes that the left of `=>` would have named, where nothing else does."""
        environment = self.context.environment
        for name in _names_in(shape):
            unknown = environment.binding(name.name) is None and not environment.static(name.name)[0]
            if name.name[:1].isupper() and unknown:
                environment.bind(name.name, POISON, name.span)

    def _stage(self, name: str, span: Any) -> Callable | None:
        """What is applied, if it is known."""
        if name in self.own or name in _WORDS:
            return None
        try:
            found = self.context.environment.callable(name, span)
        except Failed as failure:
            self.context.state.report.add(self.context.state.located(failure.diagnostic))
            return None
        except Abandoned:
            return None
        if not isinstance(found, Callable):
            return None
        if isinstance(found.target, Definition):
            self._block(found.target)
        return found

    def _arguments(self, target: Callable | None, args: syntax.Args | None) -> None:
        kinds = argument_kinds(target) if target is not None else {}
        known = _arguments_of(target) if target is not None else []
        for item in args.items if args is not None else ():
            if not isinstance(item, syntax.Kwarg):
                self.visit(item)
                continue
            name = item.name.text
            kind = "Init" if name == "init" else kinds.get(name, "")
            if target is not None and name not in known:
                near = nearest(name, known)
                wrong = application_errors.unknown_argument(target.spelled, name, known, item.span, near)
                self.context.state.report.add(self.context.state.located(wrong))
            elif kind in ("fn", "layer") and isinstance(item.value, syntax.Ref):
                self._stage(item.value.name, item.value.span)
            elif not kind.startswith(("DType", "Init")):
                self.visit(item.value)

    def used(self, name: str) -> None:
        found = self.context.environment.file.definitions.get(name)
        if isinstance(found, Definition) and found.kind == "block":
            self._block(found)

    def _block(self, definition: Definition) -> None:
        """The names in a block that nothing could run so far."""
        state, node = self.context.state, definition.node
        if state.versions.get(id(node)) or id(node) in state.passed or isinstance(node, top_level.Model):
            return
        state.passed.add(id(node))
        environment = Environment(definition.scope)
        builder = Builder(state.report, definition.name, "block", node.span)
        inner = _Names(Context(state, builder, environment, Scope()), frozenset())
        signature = signature_of(node)
        for decl in (*signature.statics, *signature.inputs):
            environment.bind(decl.name.text, POISON, decl.span, is_input=True)
            for name in sizes_of(decl.type):
                environment.bind(name, POISON, decl.span)
        if isinstance(node, top_level.BlockSeq):
            for stage in node.stages:
                inner.visit(stage)
        else:
            inner.visit(node.body)


def sizes_of(type: syntax.Type | None) -> list[str]:
    """The names in the shape of a declared type."""
    return [ref.name for ref in _names_in(type.shape)] if type is not None and type.shape is not None else []


def _names_in(shape: Node) -> list[syntax.Ref]:
    found: list[syntax.Ref] = []
    stack = [shape]
    while stack:
        node = stack.pop()
        if isinstance(node, syntax.Ref):
            found.append(node)
        stack += children(node)
    return found


def _arguments_of(target: Callable) -> list[str]:
    if isinstance(target.target, type):
        operator = target.target
        groups: dict[str, tuple[str, ...]] = getattr(operator, "tensor_groups", {})
        names = [*(name for name, _, _ in operator.arguments), *(name for name, _ in operator.tensors), *groups]
        return [*names, "init"] if issubclass(operator, Layer) else names
    signature = signature_of(target.target.node)
    return [decl.name.text for decl in (*signature.statics, *signature.inputs)]


def bound_in(node: Node) -> set[str]:
    """The names that statements bind, at any depth."""
    found: set[str] = set()
    stack = [node]
    while stack:
        part = stack.pop()
        if isinstance(part, (syntax.Bind, syntax.Accum, syntax.Scan, syntax.Gap)):
            found.update(names_of(part.target))
        stack += children(part)
    return found
