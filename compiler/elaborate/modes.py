"""Conditions, and `if training`: both branches are run as bodies and stay in the IR.

For `x -> if training { dropout(0.1) -> fc: Linear(64) } else { fc: Linear(64) }`, where `x` has the id 0:

    body 0    role branch, inputs (0,): dropout, then Linear as `fc`
    body 1    role branch, inputs (0,): Linear as `fc`
    node      ModeNode(inputs=(0,), training=0, evaluation=1), where `x -> if ..` is

The branches write into the paths of the body around them, so a path that both use is one layer and must be made alike
(`check_shared`, E0310); numbers and names continue after those of the training branch. Both bodies take the same captures
in the same order: what one alone reads is an unused input of the other (`_in_order`). A condition that only combines
`training` with static values chooses its branch at once where it can.
"""

from __future__ import annotations

from collections.abc import Callable as Function
from typing import Any

from ..ir.model import ModeNode
from ..messages import control as control_errors
from ..messages import paths as paths_errors
from ..messages.diagnostics import Failed
from ..messages.source import Span
from ..sizes.statics import truth
from ..text import syntax
from .builder import Builder
from .nodes import as_outputs, guarded
from .state import Context
from .values import SymbolicTensor, WeightOwner


def condition(context: Context, node: syntax.Pipe) -> bool | None:
    """A static condition; None when it depends on `training`."""
    if context.environment.training is None and mentions_training(node):
        answers: list[bool] = []
        for training in (True, False):
            context.environment.training = training
            try:
                answers.append(static_truth(context, context.evaluate(node), node.span))
            finally:
                context.environment.training = None
        return answers[0] if answers[0] == answers[1] else (None if answers[0] else _inverted(node))
    return static_truth(context, context.evaluate(node), node.span)


def static_truth(context: Context, value: Any, span: Span) -> bool:
    if isinstance(value, SymbolicTensor):
        raise Failed(control_errors.data_condition(span))
    return guarded(span, truth, value)


def _inverted(node: syntax.Pipe) -> bool | None:
    raise Failed(control_errors.inverted_mode(node.span))


def mentions_training(node: Any) -> bool:
    match node:
        case syntax.Ref():
            return node.name == "training"
        case syntax.Paren() | syntax.Unary():
            return mentions_training(node.value)
        case syntax.Binary():
            return mentions_training(node.left) or mentions_training(node.right)
        case _:
            return False


# ---- both branches -------------------------------------------------------------------------------------------------


def by_mode(
    context: Context,
    training: Function[[Context], Any],
    evaluation: Function[[Context], Any],
    carried: tuple[SymbolicTensor, ...],
    span: Span,
) -> Any:
    """Runs both branches of `if training` as bodies over the same inputs; numbers are those of training."""
    counters, first_places = dict(context.scope.counters), dict(context.scope.first)
    branches: list[tuple[Builder, list[tuple[str, SymbolicTensor]]]] = []
    after = counters
    owner = context.builder.owner()
    taken, prefixes = dict(owner.taken), dict(owner.prefixes)
    others, other_prefixes = taken, prefixes  # of the training branch
    for is_training, branch in ((True, training), (False, evaluation)):
        context.scope.counters, context.scope.first = dict(counters), dict(first_places)
        builder = Builder(
            context.builder.report, "training" if is_training else "evaluation", "branch", span, context.builder
        )
        environment = context.environment.inner(own_body=True)
        environment.training = is_training
        value = branch(Context(context.state, builder, environment, context.scope))
        inner = Context(context.state, builder, environment, context.scope)
        outputs = as_outputs(inner, value, span)
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
            check_shared(first[0].held.get(path), second[0].held.get(path), path, place_span)
    for path, place_span in others.items():
        if path not in taken and path in owner.prefixes and path not in prefixes:
            check_shared(first[0].held.get(path), None, path, place_span)
    owner.taken, owner.prefixes = {**owner.taken, **others}, {**owner.prefixes, **other_prefixes}
    if [t.type for _, t in first[1]] != [t.type for _, t in second[1]]:
        raise Failed(
            control_errors.branches_differ([t.type for _, t in first[1]], [t.type for _, t in second[1]], span)
        )
    union: dict[tuple[int, int], SymbolicTensor] = {}
    for builder, _ in branches:
        for outer, _local in builder.captures.values():
            union.setdefault((id(outer.builder), outer.id), outer)
    for builder, _ in branches:
        builder.captures = _in_order(builder, union)
        for name, instance in {**first[0].instance_inputs, **second[0].instance_inputs}.items():
            builder.instance_inputs.setdefault(name, instance)
    bodies = [context.state.add_body(builder.finish(outputs, statics={}, dims={})) for builder, outputs in branches]
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


def check_shared(training: WeightOwner | None, evaluation: WeightOwner | None, path: str, span: Span) -> None:
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
    raise Failed(paths_errors.branches_share(path, made[0], made[1], places[0], places[1]))


def _in_order(
    builder: Builder, union: dict[tuple[int, int], SymbolicTensor]
) -> dict[tuple[int, int], tuple[SymbolicTensor, SymbolicTensor]]:
    """The captures of a branch in the common order; one it does not use becomes an unused input."""
    known = {(id(outer.builder), outer.id): (key, outer, local) for key, (outer, local) in builder.captures.items()}
    ordered: dict[tuple[int, int], tuple[SymbolicTensor, SymbolicTensor]] = {}
    for place_key, outer in union.items():
        if place_key in known:
            key, _, local = known[place_key]
            ordered[key] = (outer, local)
        else:
            ordered[place_key] = (outer, builder.new(outer.type, outer.builder.names[outer.id]))
    return ordered
