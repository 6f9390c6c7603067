"""Runs stages: functions, layers, blocks, stated shapes, groups, `if`, `repeat` and `for`."""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import TYPE_CHECKING, Any

from ..catalogue.ops import find
from ..catalogue.ops.base import Layer, Rejected
from ..ir.model import Body, CallNode, ModeNode, OpNode, Parameter, RepeatNode, Run
from ..messages import elaborate as errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition, snake
from ..sizes.types import TensorType
from ..text import syntax
from . import expressions, rearrangement, signatures
from .builder import Builder, Scope
from .environment import Environment
from .values import POISON, Flow, Instance, Outputs, Tensor

if TYPE_CHECKING:
    from .elaborator import Context


#: Values that one pipe may feed.
MOST_PIPED = 1000


def run(context: Context, flow: Flow, stages: tuple[syntax.Stage, ...]) -> Flow:
    """Feeds a value through stages; sizes named by `=>` live to the end of the innermost braces."""
    count = len(pieces(flow))
    if count > MOST_PIPED:
        raise Failed(errors.tuple_as_tensor(count, stages[0].span))
    for item in stages:
        if isinstance(item, syntax.Labelled):
            flow = stage(context, flow, item.unit, item.label)
        else:
            flow = stage(context, flow, item, None)
    return flow


def stage(context: Context, flow: Flow, unit: syntax.Unit, label: syntax.Path | None) -> Flow:
    match unit:
        case syntax.Apply():
            target = callee(context, unit.callee)
            if isinstance(target, Instance):
                return apply_instance(context, target, flow, unit, label)
            return apply(context, target, flow, {}, unit.span, label=label, select=unit.select, args=unit.args)
        case syntax.Ascribe():
            if label is not None:
                raise Failed(errors.label_on_shape(label.text, label.span))
            tensor = expressions.as_tensor(context, flow, unit.span)
            signatures.match_shape(
                context,
                unit.shape.items,
                tensor.type,
                "this shape",
                unit.span,
                bind=False,
                required=None,
                source=context.builder.origin(tensor),
            )
            return tensor
        case syntax.Rearrange():
            if label is not None:
                raise Failed(errors.label_on_shape(label.text, label.span))
            path = context.scope.number() if context.scope.numbered else None
            tensor = expressions.as_tensor(context, flow, unit.span)
            arguments, _ = rearrangement.rearrangement(context, unit, tensor.type)
            operator = find("rearrange")
            assert operator is not None
            return expressions.operator_node(context, operator, arguments, [tensor], unit.span, path=path)
        case syntax.Group():
            return group(context, flow, unit, label)
        case syntax.IfStage():
            return if_stage(context, flow, unit, label)
        case syntax.Repeat() | syntax.For():
            return repeat(context, flow, unit, label)


def look_through(context: Context, stages: tuple[syntax.Stage, ...]) -> None:
    """Finds mistakes that do not depend on the value: it could not be computed, and its mistake was reported."""
    for item in stages:
        unit = item.unit if isinstance(item, syntax.Labelled) else item
        if not isinstance(unit, syntax.Apply):
            continue
        with context.elaborator.reporting(unit.span):
            target = callee(context, unit.callee)
            if isinstance(target, Instance):
                continue
            positional, keyword, spans = expressions.arguments(context, target, unit.args)
            made = Callable(
                target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword.items())
            )
            if not (isinstance(made.target, type) and not issubclass(made.target, Layer)):
                take_inputs(context, Instance(context.builder, "", made, unit.span), unit.span, spans)


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


# ---- functions, layers, blocks -------------------------------------------------------------------------------------


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
        context.elaborator.numbered_by_order(spelled, first, span)
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
    positional, keyword, spans = expressions.arguments(context, target, args)
    keyword = {**dict(target.keyword), **keyword, **extra}
    positional = [*target.positional, *positional]
    if POISON in pieces(flow):
        raise Abandoned
    operator = target.target if isinstance(target.target, type) else None
    if operator is not None and not issubclass(operator, Layer):
        values = [*pieces(flow), *positional]
        whole = getattr(operator, "elaborate", None)
        if whole is not None:  # takes an instance whole: `gradient_penalty(critic, real, fake)`
            return selected(whole(context, values, keyword, span), select)
        arguments, tensors = signatures.bind_operator(context, operator, values, keyword, target.spelled, span, spans)
        path = place(context, label, None, span)
        result = expressions.operator_node(
            context, operator, arguments, tensors, span, path=path, spelled=target.spelled
        )
        return selected(result, select)
    path = place(context, label, target.spelled, span)
    assert path is not None
    label_span = label.span if isinstance(label, syntax.Path) else span
    instance = Instance(
        context.builder, path, Callable(target.target, target.spelled, tuple(positional), tuple(keyword.items())), span
    )
    if label is None and not context.scope.numbered:
        context.elaborator.unlabelled.add(span)
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


def make_instance(context: Context, value: Callable, path: str, span: Span) -> Instance:
    """`name = Layer(..)`: placed now, sized at its first application."""
    instance = Instance(context.builder, path, value, span)
    register(context, instance, span)
    settle(context, instance)
    return instance


def register(context: Context, instance: Instance, span: Span) -> None:
    context.builder.place(instance.path, span)
    context.builder.instances[instance.path] = instance
    context.elaborator.count_application(span)


def take_inputs(context: Context, instance: Instance, span: Span, spans: dict[str, Span]) -> dict[str, Any]:
    """Splits a constructor's arguments: binds the static ones on the instance, returns the tensor inputs by name."""
    target = instance.callable
    if isinstance(target.target, type):
        operator = target.target
        arguments, tensors = signatures.bind_operator(
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
    instance.statics = signatures.bind_statics(context, callable, signature, definition, span, spans)
    return inputs


def block_signature(definition: Definition) -> signatures.Signature:
    node = definition.node
    assert isinstance(node, (syntax.Block, syntax.BlockSeq, syntax.Model))
    return signatures.signature_of(node)


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


def fix_parameters(instance: Instance, parameters: tuple[Parameter, ...], types: list[Any], span: Span) -> None:
    """Records the weights at the first application; later ones must agree (E0302)."""
    if instance.parameters is not None and instance.types is not None:
        for before, now in zip(instance.parameters, parameters, strict=True):
            if before.shape != now.shape:
                raise Failed(errors.shared_differs(instance.path, before, now, span, instance.span))
        return
    instance.parameters, instance.types = parameters, tuple(types)


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
        inputs[item.name.text] = expressions.evaluate(context, item.value)
    context.elaborator.count_application(unit.span)
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
        return expressions.operator_node(
            context, operator, instance.args, ordered, span, instance=instance, spelled=target.spelled
        )
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
    tensors_in = [None if value is None else expressions.as_tensor(context, value, span) for value in values]
    types: list[TensorType | None] = [None if tensor is None else tensor.type for tensor in tensors_in]
    assert instance.statics is not None
    checked = context.elaborator.apply_block(definition, instance.statics, types, span, instance.path)
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
    from ..ir.expand import parameters
    from ..ir.model import Model, Spec

    assert instance.body is not None
    spec = Spec(edition="1", name="", bodies=tuple(context.elaborator.bodies), models=())

    def table(index: int) -> dict[str, Any]:
        return {e.path: e for e in parameters(spec, Model(name="", statics={}, body=index), first_turns=True)}

    before, now = table(instance.body), table(body)
    for path, entry in before.items():
        other = now.get(path)
        if other is None or other.shape != entry.shape:
            raise Failed(errors.shared_differs(f"{instance.path}.{path}", entry, other or entry, span, instance.span))


# ---- groups and control --------------------------------------------------------------------------------------------


def region(context: Context) -> Context:
    """The same body and numbering with an inner environment: what `{ .. }` opens."""
    from .elaborator import Context as New

    return New(context.elaborator, context.builder, context.environment.inner(), context.scope)


def group(context: Context, flow: Flow, unit: syntax.Group, label: syntax.Path | None) -> Flow:
    inner = region(context)
    if label is not None:
        if context.scope.numbered:
            context.scope.number()
        inner = inner.with_scope(Scope(context.scope.path(label.text), numbered=True))
    elif context.scope.numbered:
        inner = inner.with_scope(Scope(context.scope.number(), numbered=True))
    return run(inner, flow, unit.stages)


def if_stage(context: Context, flow: Flow, unit: syntax.IfStage, label: syntax.Path | None) -> Flow:
    """Static: the chosen branch, spliced into the scope around it. On `training`: both, as a mode node."""
    if label is not None:
        if context.scope.numbered:
            context.scope.number()
        context = context.with_scope(Scope(context.scope.path(label.text), numbered=True))
    answer = expressions.condition(context, unit.condition)

    def then(inner: Context, value: Flow) -> Flow:
        return run(region(inner), value, unit.then.stages)

    def otherwise(inner: Context, value: Flow) -> Flow:
        if unit.orelse is None:
            return value
        if isinstance(unit.orelse, syntax.IfStage):
            return if_stage(inner, value, unit.orelse, None)
        return run(region(inner), value, unit.orelse.stages)

    if answer is not None:
        return then(context, flow) if answer else otherwise(context, flow)
    carried = tuple(expressions.as_tensor(context, value, unit.span) for value in pieces(flow))

    def unpacked(run_branch: Function[[Context, Flow], Flow]) -> Function[[Context], Flow]:
        return lambda inner: run_branch(inner, carried[0] if len(carried) == 1 else carried)

    return by_mode(context, unpacked(then), unpacked(otherwise), carried, unit.span)


def by_mode(
    context: Context,
    training: Function[[Context], Any],
    evaluation: Function[[Context], Any],
    carried: tuple[Tensor, ...],
    span: Span,
) -> Any:
    """Runs both branches of `if training` as bodies over the same inputs; numbers are those of training."""
    from .elaborator import Context as New

    counters, first_places = dict(context.scope.counters), dict(context.scope.first)
    branches: list[tuple[Builder, list[tuple[str, Tensor]]]] = []
    after = counters
    owner = context.builder.owner()
    taken, prefixes = dict(owner.taken), dict(owner.prefixes)
    others, other_prefixes = taken, prefixes  # of the training branch
    for is_training, branch in ((True, training), (False, evaluation)):
        context.scope.counters, context.scope.first = dict(counters), dict(first_places)
        builder = Builder(
            context.builder.report, "training" if is_training else "evaluation", "branch", span, context.builder
        )
        environment = context.environment.inner()
        environment.training = is_training
        value = branch(New(context.elaborator, builder, environment, context.scope))
        inner = New(context.elaborator, builder, environment, context.scope)
        outputs = expressions.as_outputs(inner, value, span)
        for _, tensor in outputs:
            builder.use(tensor)
        branches.append((builder, outputs))
        if is_training:
            after = context.scope.counters
            others, other_prefixes = owner.taken, owner.prefixes
            owner.taken, owner.prefixes = dict(taken), dict(prefixes)
    context.scope.counters = after
    first, second = branches
    for path, place_span in owner.taken.items():
        if path not in taken and (path in others or path in other_prefixes):
            check_shared(first[0].instances.get(path), second[0].instances.get(path), path, place_span)
    for path, place_span in others.items():
        if path not in taken and path in owner.prefixes and path not in prefixes:
            check_shared(first[0].instances.get(path), None, path, place_span)
    owner.taken, owner.prefixes = {**owner.taken, **others}, {**owner.prefixes, **other_prefixes}
    if [t.type for _, t in first[1]] != [t.type for _, t in second[1]]:
        raise Failed(errors.branches_differ([t.type for _, t in first[1]], [t.type for _, t in second[1]], span))
    union: dict[tuple[int, int], Tensor] = {}
    for builder, _ in branches:
        for outer, _local in builder.captures.values():
            union.setdefault((id(outer.builder), outer.id), outer)
    for builder, _ in branches:
        builder.captures = _in_order(builder, union)
        for name, instance in {**first[0].instance_inputs, **second[0].instance_inputs}.items():
            builder.instance_inputs.setdefault(name, instance)
    bodies = [
        context.elaborator.add_body(builder.finish(outputs, statics={}, dims={})) for builder, outputs in branches
    ]
    made = context.builder.node(
        ModeNode,
        [tensor.type for _, tensor in first[1]],
        inputs=tuple(context.builder.use(outer) for outer in union.values()),
        training=bodies[0],
        evaluation=bodies[1],
        instances=first[0].instance_arguments(),
        span=span,
    )
    return made[0] if len(made) == 1 else tuple(made)


def check_shared(training: Instance | None, evaluation: Instance | None, path: str, span: Span) -> None:
    """One path in both branches of `if training` is one layer (E0310)."""
    if (
        training is not None
        and evaluation is not None
        and training.callable.target is evaluation.callable.target
        and (training.args, training.statics, training.parameters, training.body)
        == (evaluation.args, evaluation.statics, evaluation.parameters, evaluation.body)
    ):
        return
    made = [str(i.callable) if i is not None else "another layer" for i in (training, evaluation)]
    places = [i.span if i is not None else span for i in (training, evaluation)]
    raise Failed(errors.branches_share(path, made[0], made[1], places[0], places[1]))


def _in_order(builder: Builder, union: dict[tuple[int, int], Tensor]) -> dict[tuple[int, int], tuple[Tensor, Tensor]]:
    """The captures of a branch in the common order; one it does not use becomes an unused input."""
    known = {(id(outer.builder), outer.id): (key, outer, local) for key, (outer, local) in builder.captures.items()}
    ordered: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}
    for place_key, outer in union.items():
        if place_key in known:
            key, _, local = known[place_key]
            ordered[key] = (outer, local)
        else:
            ordered[place_key] = (outer, builder.new(outer.type, outer.builder.names[outer.id]))
    return ordered


# ---- repeat and for ------------------------------------------------------------------------------------------------


def repeat(context: Context, flow: Flow, unit: syntax.Repeat | syntax.For, label: syntax.Path | None) -> Flow:
    """Turns as bodies: equal turns are run once and counted."""
    turns = turn_statics(context, unit)
    numbered = label is not None or context.scope.numbered
    if label is not None:
        if context.scope.numbered:
            context.scope.number()
        scope_path, counters = context.scope.path(label.text), dict[str, int]()
    else:
        scope_path, counters = "", context.scope.counters
    if not turns:
        return flow
    carried = [expressions.as_tensor(context, value, unit.span) for value in pieces(flow)]
    types = [tensor.type for tensor in carried]
    offsets = dict(counters)
    runs: list[Run] = []
    last: Body | None = None
    turn = 0
    prefix = "" if label is not None else context.scope.prefix
    while turn < len(turns):
        context.elaborator.scopes.append(scope_path)
        try:
            builder, body, outputs, strides = run_turn(context, unit, turns[turn], types, numbered, prefix)
        finally:
            context.elaborator.scopes.pop()
        if len(turns) > 1:
            literal = next((p for p in builder.instances if "#" not in p), None)
            if literal is not None:
                raise Failed(errors.label_in_repeat(literal, builder.instances[literal].span))
        captures = builder.captured()
        instances = builder.instance_arguments()
        result = [tensor.type for _, tensor in outputs]
        count = 1
        if isinstance(unit, syntax.Repeat) and result == types:
            count = len(turns) - turn  # every further turn is fed the same types: it is the same body
        if last is not None and runs[-1].captures == captures and runs[-1].instances == instances and same(last, body):
            runs[-1] = runs[-1].model_copy(update={"count": runs[-1].count + count})
        else:
            runs.append(
                Run(
                    body=context.elaborator.add_body(body),
                    count=count,
                    offsets=dict(offsets),
                    strides=strides,
                    captures=captures,
                    instances=instances,
                )
            )
            last = body
        for name, step in strides.items():
            offsets[name] = offsets.get(name, 0) + step * count
        types = result
        turn += count
    counters.update(offsets)
    context.elaborator.count_application(unit.span)
    from .elaborator import MAX_INSTANCES

    if sum(run.count * context.elaborator.layers[run.body] for run in runs) > MAX_INSTANCES:
        raise Failed(errors.too_many_instances(unit.span))
    scope = scope_path if label is not None else ""
    made = context.builder.node(
        RepeatNode,
        types,
        inputs=tuple(context.builder.use(tensor) for tensor in carried),
        scope=scope,
        runs=tuple(runs),
        span=unit.span,
    )
    return made[0] if len(made) == 1 else tuple(made)


def same(one: Body, two: Body) -> bool:
    """Whether two turns mean the same: equal but for the values of loop variables nobody uses."""
    return one.model_copy(update={"statics": {}}) == two.model_copy(update={"statics": {}})


def turn_statics(context: Context, unit: syntax.Repeat | syntax.For) -> list[dict[str, Any]]:
    from .elaborator import MAX_INSTANCES

    if isinstance(unit, syntax.Repeat):
        count = expressions.evaluate(context, unit.count)
        count = signatures.guarded(context, unit.count.span, signatures.as_int, count, "the number of turns")
        if count < 0:
            raise Failed(errors.negative_count(count, unit.count.span))
        if count > MAX_INSTANCES:
            raise Failed(errors.too_many_instances(unit.count.span))
        return [{}] * count
    items = expressions.evaluate(context, unit.items)
    if not isinstance(items, (tuple, range)):
        raise Failed(errors.not_a_list(items, unit.items.span))
    names = [name.text for name in unit.targets]
    turns: list[dict[str, Any]] = []
    for item in items:  # pyright: ignore[reportUnknownVariableType]
        if len(names) == 1:
            turns.append({names[0]: item})
        elif isinstance(item, tuple) and len(item) == len(names):  # pyright: ignore[reportUnknownArgumentType]
            turns.append(dict(zip(names, item, strict=True)))  # pyright: ignore[reportUnknownArgumentType]
        else:
            raise Failed(errors.for_count(len(names), item, unit.items.span))
    return turns


def run_turn(
    context: Context,
    unit: syntax.Repeat | syntax.For,
    statics: dict[str, Any],
    types: list[TensorType],
    numbered: bool,
    prefix: str,
) -> tuple[Builder, Body, list[tuple[str, Tensor]], dict[str, int]]:
    from .elaborator import Context as New

    builder = Builder(context.builder.report, "turn", "turn", unit.body.span, context.builder)
    environment: Environment = context.environment.inner()
    environment.statics = dict(statics)
    scope = Scope(prefix, numbered=numbered, slots=True)
    inputs = [builder.input(type, "x" if index == 0 else f"x{index}") for index, type in enumerate(types)]
    inner = New(context.elaborator, builder, environment, scope)
    value = run(inner, inputs[0] if len(inputs) == 1 else tuple(inputs), unit.body.stages)
    outputs = expressions.as_outputs(inner, value, unit.body.span)
    if len(outputs) != len(types):
        raise Failed(errors.turn_count(len(types), len(outputs), unit.body.span))
    for _, tensor in outputs:
        builder.use(tensor)
    body = builder.finish(outputs, statics=expressions.plain_statics(statics), dims={})
    return builder, body, outputs, dict(scope.counters)


__all__ = ["OpNode", "apply", "by_mode", "run", "stage"]
