"""`scan`: a body run along an axis with explicit carries."""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import Any, TypeAlias

from ..ir.model import ScanNode
from ..messages import application as application_errors
from ..messages import bodies as bodies_errors
from ..messages import control as control_errors
from ..messages.diagnostics import Abandoned, Failed
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
    environment = context.environment.inner()
    inner = Context(context.state, builder, environment, context.scope)
    fed = _Fed()
    for item in value.args.items:
        if isinstance(item, syntax.Kwarg) and item.name.text != "axis":
            environment.bind(item.name.text, POISON, value.span, is_input=True)
        with context.attempt(item, item.span):
            fed.read(context, item)
    if context.state.failures > before:
        _statements(inner, statement.body, run_statement)  # for mistakes that do not depend on these
        raise Abandoned
    axis, sequences, carries = fed.axis, fed.sequences, fed.carries
    if not sequences:
        raise Failed(control_errors.scan_without_sequence(value.span))
    length = None
    for name, tensor in sequences.items():
        if not -tensor.type.rank <= axis < tensor.type.rank:
            raise Failed(control_errors.scan_axis(axis, name, tensor.type, value.span))
        size = tensor.type.shape[axis]
        if length is not None and length != size:
            raise Failed(control_errors.scan_lengths(length, size, name, value.span))
        length = size
    assert length is not None
    for name, tensor in sequences.items():
        position = axis % tensor.type.rank
        shape = (*tensor.type.shape[:position], *tensor.type.shape[position + 1 :])
        environment.bind(name, builder.input(TensorType(tensor.type.dtype, shape), name), value.span, is_input=True)
    for name, tensor in carries.items():
        environment.bind(name, builder.input(tensor.type, name), value.span, is_input=True)
    last = _statements(inner, statement.body, run_statement)
    if context.state.failures > before:
        raise Abandoned
    if last is None:
        raise Failed(bodies_errors.no_result(statement.body.span))
    outputs: list[tuple[str, SymbolicTensor]] = []
    for name, start in carries.items():
        binding = environment.bindings[name]
        tensor = as_tensor(inner, binding.value, binding.span)
        if binding.is_input:
            raise Failed(control_errors.carry_not_assigned(name, statement.body.span))
        if tensor.type != start.type:
            raise Failed(control_errors.carry_changes(name, start.type, tensor.type, binding.span))
        outputs.append((name, tensor))
    stacked = as_tensor(inner, last, statement.body.statements[-1].span)
    outputs.append(("", stacked))
    for _, tensor in outputs:
        builder.use(tensor)
    body = builder.finish(outputs, statics={}, dims={})
    captured = builder.captured()
    place = min(axis % (stacked.type.rank + 1), stacked.type.rank)
    shape = (*stacked.type.shape[:place], length, *stacked.type.shape[place:])
    made = context.builder.node(
        ScanNode,
        [TensorType(stacked.type.dtype, shape), *(tensor.type for tensor in carries.values())],
        inputs=(
            *(context.builder.use(tensor) for tensor in sequences.values()),
            *(context.builder.use(tensor) for tensor in carries.values()),
            *captured,
        ),
        axis=axis,
        body=context.state.add_body(body),
        sequences=len(sequences),
        carries=len(carries),
        instances=builder.instance_arguments(),
        span=value.span,
    )
    result: Any = made[0]
    if isinstance(statement.target, syntax.List):
        names = names_of(statement.target)
        if len(names) != len(made):
            raise Failed(bodies_errors.unpack_count(len(names), len(made), statement.target.span))
        for name, item, target in zip(names, made, statement.target.items, strict=True):
            if name != "_":
                name_value(item, name)
                rebind(context, name, item, target.span)
        return result
    assert isinstance(statement.target, syntax.Ref), "the parser refuses other targets"
    name_value(result, statement.target.name)
    rebind(context, statement.target.name, result, statement.target.span)
    return result
