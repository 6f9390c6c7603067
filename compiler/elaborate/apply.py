"""Applies functions, layers, blocks and instances."""

from __future__ import annotations

from typing import Any

from ..catalogue.ops import find
from ..catalogue.ops.base import Layer, Op, Rejected
from ..ir.expand import parameters
from ..ir.model import CallNode, Model, OpNode, Spec
from ..messages import elaborate as errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition, snake
from ..sizes.dims import DimOverflow
from ..sizes.types import TensorType
from ..text import syntax
from .arguments import bind_operator, bind_statics, evaluate_arguments
from .nodes import as_tensor, operator_node
from .signatures import Signature, signature_of
from .state import MAX_DEPTH, Context, Instantiation, State
from .values import POISON, Checked, Flow, Instance, Outputs


def callee(context: Context, path: syntax.Path) -> Callable | Instance:
    first, *rest = path.names
    if rest and not context.environment.knows(first.text) and find(rest[-1].text) is not None:
        raise Failed(errors.dotted_stage(path.text, path.span))
    target = context.environment.callable(first.text, first.span)
    if rest and isinstance(target, Instance) and len(rest) == 1:
        raise Failed(errors.instance_select(first.text, rest[0].text, path.span))
    if rest:
        raise Failed(errors.dotted_stage(path.text, path.span))
    return target


def pieces(flow: Flow) -> list[Any]:
    """What a pipe feeds: a tuple is several arguments."""
    return list(flow) if isinstance(flow, tuple) else [flow]  # pyright: ignore[reportUnknownArgumentType]


def place(context: Context, label: syntax.Path | str | None, spelled: str | None, span: Span) -> str | None:
    """The path of a stage: its label, else its number, else (layers, `spelled`) the name of its kind."""
    scope = context.scope
    number = scope.number() if scope.numbered and not isinstance(label, str) else None
    if label is not None:
        return scope.path(label if isinstance(label, str) else label.text)
    if number is not None or spelled is None:
        return number
    base = snake(spelled)
    first = scope.first.setdefault(base, span)
    if first != span and spelled[:1].isupper():
        context.state.numbered_by_order(spelled, first, span)
    return scope.name(base)


def apply(
    context: Context,
    target: Callable,
    flow: Flow,
    extra: dict[str, Any],
    span: Span,
    *,
    label: syntax.Path | str | None,
    select: syntax.Name | None,
    args: syntax.Args | None = None,
) -> Any:
    """Applies a function, or makes a fresh layer or block and applies it."""
    positional, keyword, spans = evaluate_arguments(context, target, args)
    keyword = {**dict(target.keyword), **keyword, **extra}
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
    instance = Instance(
        context.builder, path, Callable(target.target, target.spelled, tuple(positional), tuple(keyword.items())), span
    )
    if label is None and not context.scope.numbered:
        context.state.unlabelled.add(span)
    inputs = take_inputs(context, instance, span, spans)
    register(context, instance, label_span)
    return selected(apply_made(context, instance, flow, inputs, span), select)


def selected(result: Any, select: syntax.Name | None) -> Any:
    if select is None:
        return result
    if isinstance(result, Outputs):
        if select.text in result.tensors:
            return result.tensors[select.text]
        known = list(result.tensors)
        raise Failed(errors.unknown_output(result.of, select.text, known, select.span, nearest(select.text, known)))
    raise Failed(errors.nothing_to_select(select.text, select.span))


# ---- instances -----------------------------------------------------------------------------------------------------


def make_instance(context: Context, value: Callable, path: str, span: Span) -> Instance:
    """`name = Layer(..)`: placed now, sized at its first application."""
    instance = Instance(context.builder, path, value, span)
    register(context, instance, span)
    settle(context, instance)
    return instance


def register(context: Context, instance: Instance, span: Span) -> None:
    context.builder.place(instance.path, span)
    context.builder.instances[instance.path] = instance
    context.state.count_application(span)


def take_inputs(context: Context, instance: Instance, span: Span, spans: dict[str, Span]) -> dict[str, Any]:
    """Splits a constructor's arguments: binds the static ones on the instance, returns the tensor inputs by name."""
    target = instance.callable
    if isinstance(target.target, type):
        operator = target.target
        arguments, tensors = bind_operator(
            context, operator, list(target.positional), dict(target.keyword), target.spelled, span, spans
        )
        instance.args = arguments
        names = [name for name, kind in operator.tensors if kind != "many"]
        return {name: value for name, value in zip(names, tensors, strict=False) if value is not None}
    definition = target.target
    signature = block_signature(definition)
    inputs = {name: value for name, value in target.keyword if name in signature.input_names}
    rest = tuple((name, value) for name, value in target.keyword if name not in inputs)
    callable = Callable(definition, target.spelled, target.positional, rest)
    instance.statics = bind_statics(context, callable, signature, definition, span, spans)
    return inputs


def block_signature(definition: Definition) -> Signature:
    node = definition.node
    assert isinstance(node, (syntax.Block, syntax.BlockSeq, syntax.Model))
    return signature_of(node)


def settle(context: Context, instance: Instance) -> None:
    """Sizes what needs no input: an `Embedding` knows its weight before it is applied."""
    target = instance.callable
    if instance.args is None and instance.statics is None:
        take_inputs(context, instance, instance.span, {})
    if instance.parameters is not None or not isinstance(target.target, type):
        return
    assert instance.args is not None
    plain = {name: value for name, value in instance.args.items() if name != "init"}
    try:
        instance.parameters = target.target(**plain).parameters()
    except (TypeError, Rejected):
        pass  # depends on its input


def apply_instance(
    context: Context, instance: Instance, flow: Flow, unit: syntax.Apply, label: syntax.Path | None
) -> Any:
    """A stage that names an instance shares its weights; in a numbered scope it spends a number."""
    if label is not None:
        raise Failed(errors.instance_labelled(unit.callee.text, label.span))
    if context.scope.numbered:
        context.scope.number()
    if unit.select is not None:
        raise Failed(errors.instance_select(unit.callee.text, unit.select.text, unit.span))
    inputs: dict[str, Any] = {}
    for item in unit.args.items if unit.args is not None else ():
        if not isinstance(item, syntax.Kwarg):
            raise Failed(errors.instance_arguments(unit.callee.text, unit.span))
        inputs[item.name.text] = context.evaluate(item.value)
    context.state.count_application(unit.span)
    return apply_made(context, instance, flow, inputs, unit.span)


def apply_made(context: Context, instance: Instance, flow: Flow, inputs: dict[str, Any], span: Span) -> Any:
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
                raise Failed(errors.unknown_argument(target.spelled, name, slots, span, nearest(name, slots)))
        tensors: dict[str, Any] = dict(inputs)
        piped = pieces(flow)
        free = [name for name in slots if name not in tensors]
        if len(piped) > len(free):
            raise Failed(errors.too_many_inputs(target.spelled, len(free), len(piped), span))
        tensors.update(zip(free, piped, strict=False))
        ordered = [tensors.get(name) for name in slots]
        return operator_node(context, operator, instance.args, ordered, span, instance=instance, spelled=target.spelled)
    definition = target.target
    signature = block_signature(definition)
    piped = pieces(flow)
    if isinstance(definition.node, syntax.BlockSeq):
        values = piped
    else:
        names = signature.input_names
        for name in inputs:
            if name not in names:
                raise Failed(errors.unknown_argument(target.spelled, name, list(names), span, nearest(name, names)))
        free = [name for name in names if name not in inputs]
        if len(piped) > len(free):
            raise Failed(errors.too_many_inputs(target.spelled, len(free), len(piped), span))
        given = {**inputs, **dict(zip(free, piped, strict=False))}
        for decl in signature.inputs:
            if decl.name.text not in given:
                if decl.default is not None:
                    given[decl.name.text] = None
                    continue
                raise Failed(errors.input_missing(target.spelled, decl.name.text, span))
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


def same_parameters(context: Context, instance: Instance, body: int, span: Span) -> None:
    """A shared block applied to other sizes must own the same weights (E0302)."""
    assert instance.body is not None
    spec = Spec(edition="1", name="", bodies=tuple(context.state.bodies), models=())

    def table(index: int) -> dict[str, Any]:
        return {e.path: e for e in parameters(spec, Model(name="", statics={}, body=index), first_turns=True)}

    before, now = table(instance.body), table(body)
    for path, entry in before.items():
        other = now.get(path)
        if other is None or other.shape != entry.shape:
            raise Failed(errors.shared_differs(f"{instance.path}.{path}", entry, other or entry, span, instance.span))


# ---- checked bodies of blocks --------------------------------------------------------------------------------------


def apply_block(
    state: State,
    definition: Definition,
    statics: dict[str, Any],
    inputs: list[TensorType | None],
    span: Span,
    path: str,
) -> Checked:
    """The checked body of a block for these statics and input types; each distinct one is run once."""
    node = definition.node
    key = (
        id(node), id(definition.scope), tuple((name, hashable(value)) for name, value in statics.items()),
        tuple(inputs), state.facts,
    )  # fmt: skip
    if key in state.running:
        raise Failed(errors.recursion(definition.name, span))
    if key in state.cache:
        found = state.cache[key]
        if found is None:
            raise Abandoned
        return found
    if len(state.frames) >= MAX_DEPTH or any(
        frame.name == definition.name and frame.path == path for frame in state.frames
    ):
        raise Failed(errors.recursion(definition.name, span))
    if sum(frame.name == definition.name for frame in state.frames) > 8:
        raise Failed(errors.recursion(definition.name, span))
    state.count_version(definition, span)
    state.cache[key] = None
    outer = ".".join(part for part in (state.frames[-1].path if state.frames else "", *state.scopes, path) if part)
    scopes, state.scopes = state.scopes, []
    state.frames.append(Instantiation(definition.name, span, outer))
    state.running.add(key)
    try:
        result = state.run_block(definition, statics, inputs, span)
    except Failed as failure:
        state.report.add(state.located(failure.diagnostic))
        raise Abandoned from None
    except DimOverflow as overflow:
        state.report.add(state.located(errors.size_too_large(str(overflow), definition.node.span)))
        raise Abandoned from None
    finally:
        state.frames.pop()
        state.scopes = scopes
        state.running.discard(key)
    if result is None:
        raise Abandoned
    state.cache[key] = result
    return result


def hashable(value: Any) -> Any:
    """A static value as part of a cache key; ints and floats and bools stay apart."""
    if isinstance(value, Instance):
        return value.signature
    if isinstance(value, tuple):
        return tuple(map(hashable, value))  # pyright: ignore[reportUnknownArgumentType]
    return (type(value).__name__, value)


def whole_net(context: Context, operator: type[Op], values: list[Any], keyword: dict[str, Any], span: Span) -> Any:
    """The node of a function whose first argument is an instance and whose others are tensors of its input's type.

    The node's `instance` names the net, and its argument `body` is the net's body on the type of the first tensor.
    """
    names = ["net", *(name for name, _ in operator.tensors)]
    if len(values) > len(names):
        raise Failed(errors.too_many_arguments(operator.name, len(names), len(values), span))
    given = dict(zip(names, values, strict=False))
    for name, value in keyword.items():
        if name not in names or name in given:
            raise Failed(errors.unknown_argument(operator.name, name, names, span, None))
        given[name] = value
    for name in names:
        if name not in given:
            raise Failed(errors.input_missing(operator.name, name, span))
    net = given["net"]
    if not isinstance(net, Instance):
        raise Failed(errors.wrong_static("net", "a net, such as a `let`", net, span))
    tensors = [as_tensor(context, given[name], span) for name in names[1:]]
    settle(context, net)
    if net.statics is None or isinstance(net.callable.target, type):
        raise Failed(errors.wrong_static("net", "a model or block", net, span))
    checked = apply_block(context.state, net.callable.target, net.statics, [tensors[0].type], span, net.path)
    if net.body is None:
        net.body = checked.body
    net.used = True
    try:
        output = operator().infer(context.facts, *(tensor.type for tensor in tensors))
    except Rejected as rejected:
        raise Failed(errors.rejected(rejected, operator.name, span)) from None
    assert isinstance(output, TensorType)
    return context.builder.node(
        OpNode,
        [output],
        op=operator.name,
        args={"body": checked.body},
        span=span,
        inputs=tuple(context.builder.use(tensor) for tensor in tensors),
        instance=context.builder.reference(net),
    )[0]
