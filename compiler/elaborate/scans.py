"""`scan`: a body run along an axis with explicit carries.

For `y = scan(axis = 1, t = x, c = carry(zeros([B, 8]))) { c = c + t; c }`, where `x` is the `f32[B, T, 8]` with the id 0:

    body 0    role scan, inputs t: f32[B, 8] (x without the axis) and c: f32[B, 8]; plus, whose output is the new c
    body 1    zeros, whose output is the tensor 1: what c begins with
              ScanNode(inputs=(0, 1), body=0, axis=1, carries=1): y: f32[B, T, 8], each result along the axis, and the last c

What the body captures from around it becomes a further input. A carry keeps its type: a turn that gives another one is E0201.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Sequence
from typing import Any, TypeAlias

from ..ir.model import ScanNode
from ..messages import application as application_errors
from ..messages import bodies as bodies_errors
from ..messages import control as control_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.source import Span
from ..sizes.dims import Size
from ..sizes.statics import as_int
from ..sizes.types import TensorType
from ..text import syntax
from .bindings import names_of, rebind
from .builder import Builder
from .nodes import as_tensor, guarded, name_value
from .state import Context
from .values import POISON, SymbolicTensor

#: `statements.run_statement`, which runs the statements of the body.
RunStatement: TypeAlias = Function[..., Any]


def run(context: Context, statement: syntax.Scan, run_statement: RunStatement) -> Any:
    """`y = scan(axis = n, x_t = x, h = carry(start)) { .. }` and `[y, h] = scan(..) { .. }`."""
    try:
        return _run(context, statement, run_statement)
    except (Failed, Abandoned):
        for name in names_of(statement.target):
            context.environment.bind(name, POISON, statement.target.span)
        raise


class _Fed:
    """The arguments of a scan: its axis, what it slices, what it carries."""

    def __init__(self) -> None:
        self.axis = 0
        self.given: set[str] = set()
        self.sequences: dict[str, SymbolicTensor] = {}
        self.carries: dict[str, SymbolicTensor] = {}

    def read(self, context: Context, item: Any) -> None:
        if not isinstance(item, syntax.Kwarg):
            raise Failed(control_errors.scan_argument(item.span))
        name, node = item.name.text, item.value
        if name in self.given:
            raise Failed(application_errors.argument_twice("scan", name, item.name.span))
        self.given.add(name)
        if name == "axis":
            self.axis = guarded(node.span, as_int, context.evaluate(node), "`axis`")
        elif isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref) and node.callee.name == "carry":
            if len(node.args.items) != 1 or isinstance(node.args.items[0], syntax.Kwarg):
                raise Failed(control_errors.carry_argument(node.span))
            start = context.evaluate(node.args.items[0])
            self.carries[name] = as_tensor(context, start, node.span)
        else:
            self.sequences[name] = as_tensor(context, context.evaluate(node), node.span)

    def length(self, span: Span) -> Size:
        """The size of all sequences along the axis."""
        lengths: list[Size] = []
        for name, tensor in self.sequences.items():
            if not -tensor.type.rank <= self.axis < tensor.type.rank:
                raise Failed(control_errors.scan_axis(self.axis, name, tensor.type, span))
            lengths.append(tensor.type.shape[self.axis])
            if lengths[-1] != lengths[0]:
                raise Failed(control_errors.scan_lengths(lengths[0], lengths[-1], name, span))
        if not lengths:
            raise Failed(control_errors.scan_without_sequence(span))
        return lengths[0]

    def input_types(self) -> dict[str, TensorType]:
        """What the body gets: a slice of each sequence, without its axis, and the carries."""
        found: dict[str, TensorType] = {}
        for name, tensor in self.sequences.items():
            at, shape = self.axis % tensor.type.rank, tensor.type.shape
            found[name] = TensorType(tensor.type.dtype, (*shape[:at], *shape[at + 1 :]))
        return found | {name: tensor.type for name, tensor in self.carries.items()}


def _statements(inner: Context, body: syntax.Body, run_statement: RunStatement) -> Any:
    """Runs the body's statements, each reported on its own; the value of the last one."""
    last: Any = None
    for position, part in enumerate(body.statements):
        with inner.attempt(part, part.span):
            if isinstance(part, (syntax.Emit, syntax.Init)):
                raise Failed(control_errors.not_in_scan(part.span))
            last = run_statement(inner, part, final=position == len(body.statements) - 1)
    return last


def _run(context: Context, statement: syntax.Scan, run_statement: RunStatement) -> Any:
    value = statement.value
    assert isinstance(value, syntax.Call), "the parser refuses other bodies"
    before = context.state.failures
    builder = Builder(context.builder.report, "scan", "scan", statement.body.span, context.builder)
    inner = Context(context.state, builder, context.environment.inner(own_body=True), context.scope)
    fed = _Fed()
    for item in value.args.items:
        if isinstance(item, syntax.Kwarg) and item.name.text != "axis":
            inner.environment.bind(item.name.text, POISON, value.span, is_input=True)
        with context.attempt(item, item.span):
            fed.read(context, item)
    if context.state.failures > before:
        _statements(inner, statement.body, run_statement)  # for mistakes that do not depend on these
        raise Abandoned
    length = fed.length(value.span)
    for name, type in fed.input_types().items():
        inner.environment.bind(name, builder.input(type, name), value.span, is_input=True)
    last = _statements(inner, statement.body, run_statement)
    if context.state.failures > before:
        raise Abandoned
    if last is None:
        raise Failed(bodies_errors.no_result(statement.body.span))
    carried = [_carried(inner, name, start, statement.body) for name, start in fed.carries.items()]
    stacked = as_tensor(inner, last, statement.body.statements[-1].span)
    outputs = [*zip(fed.carries, carried, strict=True), ("", stacked)]
    for _, tensor in outputs:
        builder.use(tensor)
    body = builder.finish(outputs, statics={}, dims={})
    captured = builder.captured()
    place = min(fed.axis % (stacked.type.rank + 1), stacked.type.rank)
    shape = (*stacked.type.shape[:place], length, *stacked.type.shape[place:])
    made = context.builder.node(
        ScanNode,
        [TensorType(stacked.type.dtype, shape), *(tensor.type for tensor in fed.carries.values())],
        inputs=(
            *(context.builder.use(tensor) for tensor in fed.sequences.values()),
            *(context.builder.use(tensor) for tensor in fed.carries.values()),
            *captured,
        ),
        axis=fed.axis,
        body=context.state.add_body(body),
        sequences=len(fed.sequences),
        carries=len(fed.carries),
        instances=builder.instance_arguments(),
        span=value.span,
    )
    _name_results(context, statement.target, made)
    return made[0]


def _carried(inner: Context, name: str, start: SymbolicTensor, body: syntax.Body) -> SymbolicTensor:
    """What a step hands to the next one: it was assigned, and has the type that the first step gets."""
    binding = inner.environment.bindings[name]
    tensor = as_tensor(inner, binding.value, binding.span)
    if binding.is_input:
        raise Failed(control_errors.carry_not_assigned(name, body.span))
    if tensor.type != start.type:
        raise Failed(control_errors.carry_changes(name, start.type, tensor.type, binding.span))
    return tensor


def _name_results(context: Context, target: Any, made: Sequence[SymbolicTensor]) -> None:
    """`y = scan(..)` names the stacked values; `[y, h] = scan(..)` also the last carries, of which `_` names none."""
    if not isinstance(target, syntax.List):
        assert isinstance(target, syntax.Ref), "the parser refuses other targets"
        name_value(made[0], target.name)
        rebind(context, target.name, made[0], target.span)
        return
    names = names_of(target)
    if len(names) != len(made):
        raise Failed(bodies_errors.unpack_count(len(names), len(made), target.span))
    for name, item, place in zip(names, made, target.items, strict=True):
        if name != "_":
            name_value(item, name)
            rebind(context, name, item, place.span)
