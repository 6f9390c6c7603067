"""Applies functions, layers, blocks and instances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..catalogue.ops.base import Layer, Op
from ..ir.model import CallNode
from ..messages import application as application_errors
from ..messages import lookup as lookup_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable, snake
from ..sizes.types import TensorType
from ..text import syntax, top_level
from . import foreign
from .arguments import bind_operator, evaluate_arguments, refuse_inputs
from .builder import RESERVED
from .instances import apply_block, block_signature, owns_weights, register, same_parameters, settle, take_inputs
from .nets import whole_net
from .nodes import as_tensor, operator_node
from .state import Context
from .values import POISON, Flow, Outputs, WeightOwner


def callee(context: Context, path: syntax.Path) -> Callable | WeightOwner:
    first, *rest = path.names
    if rest and not context.environment.knows(first.text):
        raise Failed(foreign.stage_of_module(path))
    if not context.environment.knows(first.text):
        labelled = context.builder.labelled(first.text)
        if labelled is not None:
            raise Failed(
                lookup_errors.label_as_name(
                    first.text, first.span, labelled.callable.spelled, labelled.path, labelled.span
                )
            )
    target = context.environment.callable(first.text, first.span)
    if rest and isinstance(target, WeightOwner) and len(rest) == 1:
        raise Failed(application_errors.instance_select(first.text, rest[0].text, path.span))
    if rest:
        raise Failed(application_errors.dotted_stage(path.text, path.span))
    return target


def pieces(flow: Flow) -> list[Any]:
    """What a pipe feeds: a tuple is several arguments."""
    return list(flow) if isinstance(flow, tuple) else [flow]  # pyright: ignore[reportUnknownArgumentType]


def place(context: Context, label: syntax.Path | str | None, spelled: str | None, span: Span) -> str | None:
    """The path of a stage: its label, else its number, else (layers, `spelled`) the name of its kind."""
    scope = context.scope
    inside = spelled is None and scope.arguments > 0
    number = scope.number() if scope.numbered and not inside and not isinstance(label, str) else None
    if label is not None:
        return scope.path(label if isinstance(label, str) else label.text)
    if number is not None or spelled is None:
        return number
    kind = snake(spelled)
    return scope.name(f"{kind}_" if kind in RESERVED else kind)


def apply(
    context: Context,
    target: Callable,
    flow: Flow,
    span: Span,
    *,
    label: syntax.Path | str | None = None,
    select: syntax.Name | None = None,
    args: syntax.Args | None = None,
) -> Any:
    """Applies a function, or makes a fresh layer or block and applies it."""
    context.scope.arguments += 1
    try:
        positional, keyword, spans = evaluate_arguments(context, target, args)
    finally:
        context.scope.arguments -= 1
    refuse_inputs(target, args, positional, span, len(pieces(flow)))
    keyword = {**dict(target.keyword), **keyword}
    positional = [*target.positional, *positional]
    if POISON in pieces(flow):
        raise Abandoned
    operator = target.target if isinstance(target.target, type) else None
    if operator is not None and not issubclass(operator, Layer):
        values = [*pieces(flow), *positional]
        if operator.takes_net:
            return selected(whole_net(context, operator, values, keyword, span), select)
        arguments, tensors = bind_operator(context, operator, values, keyword, target.spelled, span, spans)
        path = place(context, label, None, span)
        result = operator_node(context, operator, arguments, tensors, span, path=path, spelled=target.spelled)
        return selected(result, select)
    path = place(context, label, target.spelled, span)
    assert path is not None
    label_span = label.span if isinstance(label, syntax.Path) else span
    instance = WeightOwner(
        context.builder, path, Callable(target.target, target.spelled, tuple(positional), tuple(keyword.items())), span
    )
    if label is None and not context.scope.numbered:
        context.state.unlabelled.add(span)
    inputs = take_inputs(context, instance, span, spans)
    register(context, instance, label_span)
    made = apply_made(context, instance, flow, inputs, span)
    if label is None and not context.scope.numbered and owns_weights(context.state, instance):
        first = context.scope.first.setdefault(snake(target.spelled), span)
        if first != span:
            context.state.numbered_by_order(target.spelled, first, span)
    return selected(made, select)


def warn_of_order(
    context: Context, operator: type[Op], target: Callable, types: Sequence[Any] | None, span: Span
) -> None:
    """W0418 for positional arguments in another library's order."""
    looks = operator.misread(target.positional, types[0]) if target.positional and types else ""
    if looks:
        ours = [name for name, _, _ in operator.arguments]
        context.state.report.add(application_errors.other_order(target.spelled, target.positional, ours, looks, span))


def selected(result: Any, select: syntax.Name | None) -> Any:
    if select is None:
        return result
    if isinstance(result, Outputs):
        if select.text in result.tensors:
            return result.tensors[select.text]
        known = list(result.tensors)
        raise Failed(
            lookup_errors.unknown_output(result.of, select.text, known, select.span, nearest(select.text, known))
        )
    raise Failed(lookup_errors.nothing_to_select(select.text, select.span))


def apply_instance(
    context: Context, instance: WeightOwner, flow: Flow, unit: syntax.Apply, label: syntax.Path | None
) -> Any:
    """A stage that names an instance shares its weights; in a numbered scope it spends a number."""
    if label is not None:
        raise Failed(application_errors.instance_labelled(unit.callee.text, label.span))
    if context.scope.numbered:
        context.scope.number()
    if unit.select is not None:
        raise Failed(application_errors.instance_select(unit.callee.text, unit.select.text, unit.span))
    inputs: dict[str, Any] = {}
    for item in unit.args.items if unit.args is not None else ():
        if not isinstance(item, syntax.Kwarg):
            raise Failed(application_errors.instance_arguments(unit.callee.text, unit.span))
        inputs[item.name.text] = context.evaluate(item.value)
    context.state.count_application(unit.span)
    return apply_made(context, instance, flow, inputs, unit.span)


def apply_made(context: Context, instance: WeightOwner, flow: Flow, inputs: dict[str, Any], span: Span) -> Any:
    """Applies an instance whose statics are bound."""
    instance.used = True
    settle(context, instance)
    target = instance.callable
    if isinstance(target.target, type):
        operator = target.target
        assert instance.args is not None
        slots = [name for name, kind in operator.tensors if kind != "many"]
        for name in inputs:
            if name not in slots:
                raise Failed(
                    application_errors.unknown_argument(target.spelled, name, slots, span, nearest(name, slots))
                )
        tensors: dict[str, Any] = dict(inputs)
        piped = pieces(flow)
        free = [name for name in slots if name not in tensors]
        if len(piped) > len(free):
            raise Failed(application_errors.too_many_inputs(target.spelled, len(free), len(piped), span))
        tensors.update(zip(free, piped, strict=False))
        ordered = [tensors.get(name) for name in slots]
        made = operator_node(context, operator, instance.args, ordered, span, instance=instance, spelled=target.spelled)
        warn_of_order(context, operator, target, instance.types, instance.span)
        return made
    definition = target.target
    signature = block_signature(definition)
    piped = pieces(flow)
    if isinstance(definition.node, top_level.BlockSeq):
        values = piped
    else:
        names = signature.input_names
        for name in inputs:
            if name not in names:
                raise Failed(
                    application_errors.unknown_argument(target.spelled, name, list(names), span, nearest(name, names))
                )
        free = [name for name in names if name not in inputs]
        if len(piped) > len(free):
            raise Failed(application_errors.too_many_inputs(target.spelled, len(free), len(piped), span))
        given = {**inputs, **dict(zip(free, piped, strict=False))}
        for decl in signature.inputs:
            if decl.name.text not in given:
                if decl.default is not None:
                    given[decl.name.text] = None
                    continue
                raise Failed(application_errors.input_missing(target.spelled, decl.name.text, span))
        values = [given[name] for name in names]
    tensors_in = [None if value is None else as_tensor(context, value, span) for value in values]
    types: list[TensorType | None] = [None if tensor is None else tensor.type for tensor in tensors_in]
    assert instance.statics is not None
    checked = apply_block(context.state, definition, instance.statics, types, span, instance.path)
    if instance.body is None:
        instance.body = checked.body
    elif instance.body != checked.body:
        same_parameters(context, instance, checked.body, span)
    declared = len(checked.outputs)
    if not declared:  # its signature has a message
        raise Abandoned
    if instance.emits is not None:
        checked = instance.emits.widen(checked)
    outputs = context.builder.node(
        CallNode,
        [type for _, type in checked.outputs],
        inputs=tuple(None if tensor is None else context.builder.use(tensor) for tensor in tensors_in),
        instance=context.builder.reference(instance),
        body=checked.body,
        instances={name: context.builder.reference(inner) for name, inner in checked.instances.items()},
        span=span,
    )
    given = [(name, tensor) for (name, _), tensor in zip(checked.outputs, outputs, strict=True)]
    if instance.emits is not None:
        instance.emits.applied(given[declared:])
    outputs, named = outputs[:declared], dict(given[:declared])
    if len(outputs) == 1 and "" in named:
        return outputs[0]
    if all(name == "" for name in named):
        return tuple(outputs)
    return outputs[0] if len(outputs) == 1 else Outputs(named, target.spelled)
