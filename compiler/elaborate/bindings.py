"""Bindings: `x = ..`, `[a, b] = ..`, `x += ..`."""

from __future__ import annotations

from functools import partial
from typing import Any

from ..catalogue.ops import find
from ..messages import application as application_errors
from ..messages import bodies as bodies_errors
from ..messages import lookup as lookup_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.source import Span
from ..resolve.definitions import Callable
from ..sizes.statics import binary
from ..text import syntax
from .apply import apply
from .instances import make_instance
from .nodes import guarded, is_tensor, name_value, operator_node
from .state import Context
from .values import POISON, Outputs, SymbolicTensor


def bind(context: Context, target: syntax.Pipe, value_node: syntax.Pipe, span: Span) -> Any:
    try:
        if isinstance(target, syntax.List):
            return unpack(context, target, context.evaluate(value_node), value_node.span)
        assert isinstance(target, syntax.Ref), "the parser refuses other targets"
        value = context.evaluate(value_node)
        if isinstance(value, Callable):
            value = instantiate(context, value, target, value_node.span)
        elif isinstance(value, SymbolicTensor):
            name_value(value, target.name)
        rebind(context, target.name, value, target.span)
    except (Failed, Abandoned):
        for name in names_of(target):
            context.environment.bind(name, POISON, target.span)
        raise
    return value


def rebind(context: Context, name: str, value: Any, span: Span) -> None:
    size = context.environment.binding(name)
    if size is not None and size.is_size:
        raise Failed(lookup_errors.hides_size(name, span, size.span))
    before = context.environment.bind(name, value, span)
    if before is None or before.read or before.is_input or before.value is POISON or name.startswith("_"):
        return
    if context.builder.role == "block":
        context.state.report.add(context.state.located(bodies_errors.unused_binding(name, before.span)))


def names_of(target: syntax.Pipe | None) -> list[str]:
    if isinstance(target, syntax.Ref):
        return [target.name]
    if isinstance(target, syntax.List):
        return [item.name for item in target.items if isinstance(item, syntax.Ref)]
    return []


def instantiate(context: Context, value: Callable, target: syntax.Ref, span: Span) -> Any:
    """`name = Layer(..)`: an instance called `name`, or at once a tensor when the layer takes none (`Param`)."""
    if value.is_function:
        raise Failed(application_errors.function_bound(value.spelled, span))
    if isinstance(value.target, type) and not value.target.tensors:
        made = apply(context, value, (), span, label=target.name)
        if isinstance(made, SymbolicTensor):
            name_value(made, target.name)
        return made
    return make_instance(context, value, context.scope.path(target.name), span)


def unpack(context: Context, target: syntax.List, value: Any, span: Span) -> Any:
    names: list[syntax.Ref] = []
    for item in target.items:
        assert isinstance(item, syntax.Ref), "the parser refuses other targets"
        names.append(item)
    if isinstance(value, Outputs):
        raise Failed(bodies_errors.unpack_outputs(value.of, list(value.tensors), target.span))
    if isinstance(value, SymbolicTensor):
        size = value.type.shape[0] if value.type.shape else None
        if not isinstance(size, int):
            raise Failed(bodies_errors.unpack_axis(value.type, target.span))
        if size == len(names):
            operator = find("unbind")
            assert operator is not None
            value = operator_node(context, operator, {"axis": 0}, [value], span)
        else:
            raise Failed(bodies_errors.unpack_count(len(names), size, target.span))
    if not isinstance(value, tuple):
        raise Failed(bodies_errors.unpack_other(value, target.span))
    if len(value) != len(names):  # pyright: ignore[reportUnknownArgumentType]
        raise Failed(bodies_errors.unpack_count(len(names), len(value), target.span))  # pyright: ignore[reportUnknownArgumentType]
    for name, item in zip(names, value, strict=True):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if name.name == "_":
            continue
        if isinstance(item, SymbolicTensor):
            name_value(item, name.name)
        rebind(context, name.name, item, name.span)
    return value  # pyright: ignore[reportUnknownVariableType]


def accumulate(context: Context, statement: syntax.Accum) -> Any:
    if not isinstance(statement.target, syntax.Ref):  # the parser has reported it
        raise Abandoned
    name = statement.target.name
    try:
        sides = (statement.target, statement.value)
        left, right = context.all_of(*(partial(context.evaluate, side) for side in sides))
        if is_tensor(left) or is_tensor(right):
            operator = find("plus")
            assert operator is not None
            value = operator_node(context, operator, {}, [left, right], statement.span, spelled="+=")
            name_value(value, name)
        else:
            value = guarded(statement.span, binary, "+", left, right, context.facts)
        rebind(context, name, value, statement.target.span)
    except (Failed, Abandoned):
        context.environment.bind(name, POISON, statement.span)
        raise
    return value
