"""Runs stages: what a pipe feeds, stated shapes, groups, `if`, `repeat` and `for`."""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import Any

from ..catalogue.ops import find
from ..catalogue.ops.base import Layer
from ..ir.model import Body, RepeatNode, RepeatRun
from ..messages import application as application_errors
from ..messages import control as control_errors
from ..messages import paths as paths_errors
from ..messages.diagnostics import Failed
from ..messages.shapes import Demand
from ..resolve.definitions import Callable
from ..sizes.statics import as_int
from ..sizes.types import TensorType
from ..text import syntax
from . import rearrangement
from .apply import apply, apply_instance, callee, pieces
from .arguments import evaluate_arguments
from .builder import Builder, Scope, json_arguments, refuse_reserved
from .environment import Environment
from .instances import hashable, take_inputs
from .modes import by_mode, condition
from .nodes import as_outputs, as_tensor, guarded, operator_node
from .shapes import match_shape, static_names
from .state import MAX_INSTANCES, Context
from .values import Flow, SymbolicTensor, WeightOwner

MOST_PIPED = 1000  # values that one pipe may feed


def run(context: Context, flow: Flow, stages: tuple[syntax.Stage, ...]) -> Flow:
    """Feeds a value through stages; sizes named by `=>` live to the end of the innermost braces."""
    count = len(pieces(flow))
    if count > MOST_PIPED:
        raise Failed(application_errors.tuple_as_tensor(count, stages[0].span))
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
            if isinstance(target, WeightOwner):
                return apply_instance(context, target, flow, unit, label)
            return apply(context, target, flow, unit.span, label=label, select=unit.select, args=unit.args)
        case syntax.Ascribe():
            if label is not None:
                raise Failed(paths_errors.label_on_shape(label.text, label.span))
            tensor = as_tensor(context, flow, unit.span)
            match_shape(
                context,
                unit.shape.items,
                Demand("this shape", tensor.type, source=context.builder.origin(tensor)),
                unit.span,
                bind=False,
            )
            return tensor
        case syntax.Rearrange():
            if label is not None:
                raise Failed(paths_errors.label_on_shape(label.text, label.span))
            path = context.scope.number() if context.scope.numbered else None
            tensor = as_tensor(context, flow, unit.span)
            arguments, _ = rearrangement.rearrangement(context, unit, tensor.type)
            operator = find("rearrange")
            assert operator is not None
            return operator_node(context, operator, arguments, [tensor], unit.span, path=path)
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
        with context.state.reporting(unit.span):
            target = callee(context, unit.callee)
            if isinstance(target, WeightOwner):
                continue
            positional, keyword, spans = evaluate_arguments(context, target, unit.args)
            made = Callable(
                target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword.items())
            )
            if not (isinstance(made.target, type) and not issubclass(made.target, Layer)):
                take_inputs(context, WeightOwner(context.builder, "", made, unit.span), unit.span, spans)


# ---- groups and if -------------------------------------------------------------------------------------------------


def region(context: Context) -> Context:
    """The same body and numbering with an inner environment: what `{ .. }` opens."""
    return Context(context.state, context.builder, context.environment.inner(), context.scope)


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
    answer = condition(context, unit.condition)

    def then(inner: Context, value: Flow) -> Flow:
        return run(region(inner), value, unit.then.stages)

    def otherwise(inner: Context, value: Flow) -> Flow:
        if unit.orelse is None:
            return value
        if isinstance(unit.orelse, syntax.IfStage):
            return if_stage(inner, value, unit.orelse, None)
        return run(region(inner), value, unit.orelse.stages)

    if answer is not None:
        other = unit.orelse if answer else unit.then
        if other is not None:
            context.environment.mark_read(other)
        return then(context, flow) if answer else otherwise(context, flow)
    carried = tuple(as_tensor(context, value, unit.span) for value in pieces(flow))

    def unpacked(run_branch: Function[[Context, Flow], Flow]) -> Function[[Context], Flow]:
        return lambda inner: run_branch(inner, carried[0] if len(carried) == 1 else carried)

    return by_mode(context, unpacked(then), unpacked(otherwise), carried, unit.span)


# ---- repeat and for ------------------------------------------------------------------------------------------------


def repeat(context: Context, flow: Flow, unit: syntax.Repeat | syntax.For, label: syntax.Path | None) -> Flow:
    """Turns as bodies: equal turns are run once and counted."""
    turns = turn_statics(context, unit)
    numbered = label is not None or context.scope.numbered
    if label is not None:
        if context.scope.numbered:
            context.scope.number()
        refuse_reserved(label.text, label.span)
        scope_path, counters = context.scope.path(label.text), dict[str, int]()
    elif "#" in context.scope.prefix and not context.scope.slots:
        # in a group in a turn: the group's number is of the loop around it, those inside of the group are of this one
        scope_path, counters = context.scope.prefix, context.scope.counters
    else:
        scope_path, counters = "", context.scope.counters
    if not turns:
        return flow
    carried = [as_tensor(context, value, unit.span) for value in pieces(flow)]
    types = [tensor.type for tensor in carried]
    offsets = dict(counters)
    runs: list[RepeatRun] = []
    builders: list[Builder] = []  # of each run's first turn
    last: Body | None = None
    turn = 0
    prefix = "" if scope_path else context.scope.prefix
    while turn < len(turns):
        context.state.scopes.append(scope_path)
        try:
            builder, body, outputs, strides = run_turn(context, unit, turns[turn], types, numbered, prefix)
        finally:
            context.state.scopes.pop()
        if len(turns) > 1:
            literal = next((p for p in builder.taken if "#" not in p), None)
            if literal is not None:
                raise Failed(paths_errors.label_in_repeat(literal, builder.taken[literal]))
        captures = builder.captured()
        instances = builder.instance_arguments()
        result = [tensor.type for _, tensor in outputs]
        count = 1
        context.state.count_turn(unit.span)
        if result == types:  # every further turn with the same values is fed the same types: it is the same body
            key = hashable(tuple(turns[turn].items()))
            while turn + count < len(turns) and hashable(tuple(turns[turn + count].items())) == key:
                count += 1
        if last is not None and runs[-1].captures == captures and runs[-1].instances == instances and same(last, body):
            runs[-1] = runs[-1].model_copy(update={"count": runs[-1].count + count})
        else:
            runs.append(
                RepeatRun(
                    body=context.state.add_body(body),
                    count=count,
                    offsets=dict(offsets),
                    strides=strides,
                    captures=captures,
                    instances=instances,
                )
            )
            last = body
            builders.append(builder)
        for name, step in strides.items():
            offsets[name] = offsets.get(name, 0) + step * count
        types = result
        turn += count
    counters.update(offsets)
    context.state.count_application(unit.span)
    if sum(run.count * context.state.layers[run.body] for run in runs) > MAX_INSTANCES:
        raise Failed(control_errors.too_many_instances(unit.span))
    context.state.check_operations(sum(run.count * context.state.operations[run.body] for run in runs), unit.span)
    for builder, run in zip(builders, runs, strict=True):
        context.builder.place_turns(builder, run, scope_path, slots=not scope_path and context.scope.slots)
    made = context.builder.node(
        RepeatNode,
        types,
        inputs=tuple(context.builder.use(tensor) for tensor in carried),
        scope=scope_path,
        runs=tuple(runs),
        span=unit.span,
    )
    return made[0] if len(made) == 1 else tuple(made)


def same(one: Body, two: Body) -> bool:
    """Whether two turns mean the same: equal but for the values of loop variables nobody uses."""
    return one.model_copy(update={"statics": {}}) == two.model_copy(update={"statics": {}})


def turn_statics(context: Context, unit: syntax.Repeat | syntax.For) -> list[dict[str, Any]]:
    if isinstance(unit, syntax.Repeat):
        count = context.evaluate(unit.count)
        count = guarded(unit.count.span, as_int, count, "the repeat count")
        if count < 0:
            names = static_names(context, unit.count)
            raise Failed(control_errors.negative_count(count, unit.count.span, names))
        if count > MAX_INSTANCES:
            raise Failed(control_errors.too_many_instances(unit.count.span))
        return [{}] * count
    items = context.evaluate(unit.items)
    if not isinstance(items, (tuple, range)):
        raise Failed(control_errors.not_a_list(items, unit.items.span))
    names = [name.text for name in unit.targets]
    turns: list[dict[str, Any]] = []
    for item in items:  # pyright: ignore[reportUnknownVariableType]
        if len(names) == 1:
            turns.append({names[0]: item})
        elif isinstance(item, tuple) and len(item) == len(names):  # pyright: ignore[reportUnknownArgumentType]
            turns.append(dict(zip(names, item, strict=True)))  # pyright: ignore[reportUnknownArgumentType]
        else:
            raise Failed(control_errors.for_count(len(names), item, unit.items.span))
    return turns


def run_turn(
    context: Context,
    unit: syntax.Repeat | syntax.For,
    statics: dict[str, Any],
    types: list[TensorType],
    numbered: bool,
    prefix: str,
) -> tuple[Builder, Body, list[tuple[str, SymbolicTensor]], dict[str, int]]:
    builder = Builder(context.builder.report, "turn", "turn", unit.body.span, context.builder)
    environment: Environment = context.environment.inner(own_body=True)
    environment.statics = dict(statics)
    scope = Scope(prefix, numbered=numbered, slots=True)
    inputs = [builder.input(type, "x" if index == 0 else f"x{index}") for index, type in enumerate(types)]
    inner = Context(context.state, builder, environment, scope)
    value = run(inner, inputs[0] if len(inputs) == 1 else tuple(inputs), unit.body.stages)
    outputs = as_outputs(inner, value, unit.body.span)
    if len(outputs) != len(types):
        raise Failed(control_errors.turn_count(len(types), len(outputs), unit.body.span))
    for _, tensor in outputs:
        builder.use(tensor)
    body = builder.finish(outputs, statics=json_arguments(statics), dims={})
    return builder, body, outputs, dict(scope.counters)
