"""Instances: named owners of weights, placed once and applied maybe often; and the checked bodies of blocks."""

from __future__ import annotations

from typing import Any

from ..catalogue.ops.base import Rejected
from ..ir.expand import parameters
from ..ir.model import Body, Model, Spec
from ..messages import control as control_errors
from ..messages import paths as paths_errors
from ..messages import shapes as shapes_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition
from ..sizes.dims import DimOverflow
from ..sizes.types import TensorType
from ..text import top_level
from .arguments import bind_operator, bind_statics
from .signatures import Signature, signature_of
from .state import MAX_DEPTH, Context, Instantiation, State
from .values import CheckedBody, WeightOwner


def make_instance(context: Context, value: Callable, path: str, span: Span) -> WeightOwner:
    """`name = Layer(..)`: placed now, sized at its first application."""
    instance = WeightOwner(context.builder, path, value, span)
    register(context, instance, span)
    settle(context, instance)
    return instance


def register(context: Context, instance: WeightOwner, span: Span) -> None:
    context.builder.place(instance.path, span)
    context.builder.instances[instance.path] = context.builder.held[instance.path] = instance
    context.state.count_application(span)


def take_inputs(context: Context, instance: WeightOwner, span: Span, spans: dict[str, Span]) -> dict[str, Any]:
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
    assert isinstance(node, (top_level.Block, top_level.BlockSeq, top_level.Model))
    return signature_of(node)


def settle(context: Context, instance: WeightOwner) -> None:
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


def same_parameters(context: Context, instance: WeightOwner, body: int, span: Span) -> None:
    """A shared block applied to other sizes must own the same weights (E0302)."""
    assert instance.body is not None
    spec = Spec(edition="1", name="", bodies=tuple(context.state.bodies), models=())

    def table(index: int) -> dict[str, Any]:
        return {e.path: e for e in parameters(spec, Model(name="", statics={}, body=index), first_turns=True)}

    before, now = table(instance.body), table(body)
    for path, entry in before.items():
        other = now.get(path)
        if other is None or other.shape != entry.shape:
            raise Failed(
                paths_errors.shared_differs(f"{instance.path}.{path}", entry, other or entry, span, instance.span)
            )


# ---- checked bodies of blocks --------------------------------------------------------------------------------------


def apply_block(
    state: State,
    definition: Definition,
    statics: dict[str, Any],
    inputs: list[TensorType | None],
    span: Span,
    path: str,
) -> CheckedBody:
    """The checked body of a block for these statics and input types; each distinct one is run once."""
    node = definition.node
    key = (
        id(node), id(definition.scope), tuple((name, hashable(value)) for name, value in statics.items()),
        tuple(inputs), state.facts,
    )  # fmt: skip
    if key in state.running:
        raise Failed(control_errors.recursion(definition.name, span))
    if key in state.cache:
        found = state.cache[key]
        if found is None:
            raise Abandoned
        return found
    if len(state.frames) >= MAX_DEPTH or any(
        frame.name == definition.name and frame.path == path for frame in state.frames
    ):
        raise Failed(control_errors.recursion(definition.name, span))
    if sum(frame.name == definition.name for frame in state.frames) > 8:
        raise Failed(control_errors.recursion(definition.name, span))
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
        state.report.add(state.located(shapes_errors.size_too_large(str(overflow), definition.node.span)))
        raise Abandoned from None
    finally:
        state.frames.pop()
        state.scopes = scopes
        state.running.discard(key)
    if result is None:
        raise Abandoned
    state.check_operations(state.operations[result.body], span)
    state.cache[key] = result
    return result


def hashable(value: Any) -> Any:
    """A static value as part of a cache key; ints and floats and bools stay apart."""
    if isinstance(value, WeightOwner):
        return value.signature
    if isinstance(value, tuple):
        return tuple(map(hashable, value))  # pyright: ignore[reportUnknownArgumentType]
    return (type(value).__name__, value)


# ---- what a body holds ----------------------------------------------------------------------------------------------


def reachable(bodies: list[Body], root: int) -> list[int]:
    """Indexes of the bodies a model consists of."""
    found: dict[int, None] = {}
    stack = [root]
    while stack:
        index = stack.pop()
        if index in found:
            continue
        found[index] = None
        for node in bodies[index].nodes:
            for field in ("body", "training", "evaluation"):
                inner = getattr(node, field, None)
                if isinstance(inner, int):
                    stack.append(inner)
            stack.extend(run.body for run in getattr(node, "runs", ()))
        stack.extend(i.body for i in bodies[index].instances if i.body is not None)
    return list(found)


def owns_weights(state: State, instance: Any) -> bool:
    """Whether an instance, in a body or in the IR, has parameters, or its block has some in what it consists of."""
    if instance.parameters:
        return True
    inside = reachable(state.bodies, instance.body) if instance.body is not None else []
    return any(part.parameters for index in inside for part in state.bodies[index].instances)
