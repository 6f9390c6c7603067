"""Tensors of a body: what counts as one, and the nodes of operators with their shape rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..catalogue.ops import find
from ..catalogue.ops.base import Layer, NotWhole, Op, Range, Rejected
from ..ir.model import OpNode, Parameter, Scalar
from ..messages import application as application_errors
from ..messages import paths as paths_errors
from ..messages import statics as statics_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.source import Span
from ..resolve.definitions import Callable
from ..sizes.dims import Dim, need_countable
from ..sizes.facts import Facts
from ..sizes.statics import StaticError
from ..sizes.types import TensorType, is_integer
from . import initializers
from .builder import json_arguments
from .state import Context
from .values import POISON, Outputs, SymbolicTensor, WeightOwner

MOST_OUTPUTS = 1000  # of a body that names none


def is_size(value: Any) -> bool:
    return isinstance(value, (int, Dim)) and not isinstance(value, bool)


def is_tensor(value: Any) -> bool:
    if isinstance(value, Callable) and isinstance(value.target, type):
        return issubclass(value.target, Layer)
    return isinstance(value, (SymbolicTensor, Outputs))


def as_tensor(context: Context, value: Any, span: Span) -> SymbolicTensor:
    """A single tensor; several outputs are E0305, statics E0303."""
    if value is POISON:
        raise Abandoned
    if isinstance(value, SymbolicTensor):
        return value
    if isinstance(value, Outputs):
        raise Failed(application_errors.several_outputs(value.of, list(value.tensors), span))
    if isinstance(value, Callable):
        return as_tensor(context, realize(context, value, span), span)
    if isinstance(value, (Dim, int)) and not isinstance(value, bool):
        size = find("size")
        assert size is not None
        return operator_node(context, size, {"value": value}, [], span)
    if isinstance(value, tuple):
        raise Failed(application_errors.tuple_as_tensor(len(value), span))  # pyright: ignore[reportUnknownArgumentType]
    raise Failed(application_errors.not_a_tensor(value, span))


def as_outputs(context: Context, value: Any, span: Span) -> list[tuple[str, SymbolicTensor]]:
    """The results of a body without named outputs."""
    if isinstance(value, Outputs):
        return list(value.tensors.items())
    if isinstance(value, tuple):
        if len(value) > MOST_OUTPUTS:  # pyright: ignore[reportUnknownArgumentType]
            raise Failed(application_errors.tuple_as_tensor(len(value), span))  # pyright: ignore[reportUnknownArgumentType]
        return [("", as_tensor(context, item, span)) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return [("", as_tensor(context, value, span))]


def realize(context: Context, value: Callable, span: Span) -> Any:
    """A constructor used as a value: `Param(..)` is its tensor, anything else needs a pipe."""
    if isinstance(value.target, type) and not value.target.tensors:
        return context.state.realize(context, value, span)
    raise Failed(application_errors.constructor_as_value(value.spelled, span, value.is_function))


def name_value(tensor: SymbolicTensor, name: str) -> None:
    if not tensor.builder.names[tensor.id]:
        tensor.builder.names[tensor.id] = name


def guarded(span: Span, operation: Any, *arguments: Any) -> Any:
    """Runs a static operation; its StaticError becomes a diagnostic at `span`."""
    try:
        return operation(*arguments)
    except StaticError as error:
        raise Failed(statics_errors.at(error, span, {})) from None


# ---- operator nodes ------------------------------------------------------------------------------------------------


def operator_node(
    context: Context,
    operator: type[Op],
    arguments: dict[str, Any],
    tensors: list[Any],
    span: Span,
    *,
    instance: WeightOwner | None = None,
    path: str | None = None,
    spelled: str | None = None,
) -> Any:
    """Adds an operator: its shape rule gives the outputs' types, its Rejected becomes a diagnostic at `span`."""
    given: list[Any] = []
    operands: list[Any] = []
    for position, value in enumerate(tensors):
        if value is POISON:
            raise Abandoned
        if isinstance(value, Callable):
            value = realize(context, value, span)
        if isinstance(value, Outputs):
            raise Failed(application_errors.several_outputs(value.of, list(value.tensors), span))
        name, kind = (
            operator.tensors[min(position, len(operator.tensors) - 1)] if operator.tensors else ("input", "one")
        )
        if (value is None and kind == "many") or not isinstance(
            value, (SymbolicTensor, bool, int, float, Dim, type(None))
        ):
            raise Failed(application_errors.input_not_tensor(spelled or operator.name, name, value, span))
        given.append(value.type if isinstance(value, SymbolicTensor) else value)
        if isinstance(value, SymbolicTensor):
            operands.append(context.builder.use(value))
        else:
            operands.append(None if value is None else Scalar(value=value))
    alone = not any(isinstance(value, TensorType) for value in given)  # the value of a function of numbers is one too
    for position, value in enumerate(given):
        name = operator.tensors[min(position, len(operator.tensors) - 1)][0] if operator.tensors else "input"
        refused = alone or (operator.numbers is not None and name not in operator.numbers)
        if refused and value is not None and not isinstance(value, TensorType):
            raise Failed(application_errors.input_not_tensor(spelled or operator.name, name, value, span))
    types = operator.operand_types(given)
    required = [name for name, kind in operator.tensors if kind == "one"]
    for position, name in enumerate(required):
        if position >= len(types) or types[position] is None:
            raise Failed(application_errors.input_missing(spelled or operator.name, name, span))
    plain = {name: value for name, value in arguments.items() if name != "init"}
    init = arguments.get("init")
    if any(name == "init" for name, _, _ in operator.arguments):
        plain["init"] = initializers.to_ir(init)
    rule = operator(**plain)
    try:
        operator.check_numbers(given, types)
        outputs = rule.infer(context.facts, *types)
        ranges = [range_of(context, operand) for operand in operands]
        check_positions(context.facts, rule, types, ranges)
        if instance is not None:
            parameters = rule.parameters(*types)
            if init is not None and not any(name == "init" for name, _, _ in operator.arguments):
                first, *others = parameters
                parameters = (first.model_copy(update={"init": initializers.to_ir(init)}), *others)
            fix_parameters(instance, parameters, types, span)
    except Rejected as rejected:
        named = "" if operator.syntax else operator.name
        swapped = required if named and _fits_swapped(context.facts, rule, types) else []
        declared = _of_whole_numbers(context, tensors) if isinstance(rejected, NotWhole) else ""
        raise Failed(application_errors.rejected(rejected, named, span, swapped, declared)) from None
    fields: dict[str, Any] = {
        "op": operator.name, "inputs": tuple(operands), "args": json_arguments(arguments), "span": span, "path": path,
    }  # fmt: skip
    if instance is not None:
        fields["instance"] = context.builder.reference(instance)
    if isinstance(outputs, TensorType):
        made = context.builder.node(OpNode, [outputs], **fields)[0]
        known = rule.spans(*ranges) if is_integer(outputs.dtype) else None
        if known is not None:
            context.builder.ranges[made.id] = known
        return made
    if isinstance(outputs, tuple):
        return tuple(context.builder.node(OpNode, list(outputs), **fields))
    made = context.builder.node(OpNode, list(outputs.values()), **fields)
    return Outputs(dict(zip(outputs, made, strict=True)), spelled or operator.name)


def _fits_swapped(facts: Facts, rule: Op, types: Sequence[TensorType | None]) -> bool:
    """Whether two inputs that are refused would fit in the other order: `cross_entropy(label, logits)`."""
    try:
        return len(types) == 2 and None not in types and bool(rule.infer(facts, *reversed(types)))
    except Rejected:
        return False


def _of_whole_numbers(context: Context, tensors: Sequence[Any]) -> str:
    """How the first of these that is an input of floats of a model is declared with whole numbers: `ids: i64[B, T]`."""
    builder = context.builder
    for value in tensors if builder.role == "model" else ():
        if isinstance(value, SymbolicTensor) and value.id in builder.inputs and not is_integer(value.type.dtype):
            return f"{builder.names[value.id]}: {TensorType('i64', value.type.shape)}"
    return ""


def range_of(context: Context, operand: Any) -> Range | None:
    """What is known of the whole numbers in an operand."""
    if isinstance(operand, int):
        return context.builder.ranges.get(operand)
    value: Any = operand.value if operand is not None else None
    return (value, value) if is_size(value) else None


def check_positions(facts: Facts, rule: Op, types: Sequence[TensorType | None], ranges: Sequence[Range | None]) -> None:
    """Refuses positions that are known to lie outside, or may (E0414); what depends on the data ends the run instead."""
    found = rule.positions(*types)
    known = ranges[found[0]] if found is not None and found[0] < len(ranges) else None
    if found is None or known is None:
        return
    low, high = known
    count = found[1]
    if facts.at_least(low, 0) is not False and facts.at_least(count - 1 - high, 0):
        return
    open_end = str(high + 1)
    bounded = isinstance(count, int) and open_end.isidentifier() and open_end != "B"
    raise Rejected(
        "E0414",
        f"`{rule.name}` has positions 0 to {count - 1}, and these numbers go from {low} to {high}",
        "outside",
        helps=(f"state the bound in the signature: `{open_end} <= {count}`",) if bounded else (),
    )


def fix_parameters(instance: WeightOwner, parameters: tuple[Parameter, ...], types: list[Any], span: Span) -> None:
    """Records the weights at the first application; later ones must agree (E0302)."""
    if instance.parameters is not None and instance.types is not None:
        for before, now in zip(instance.parameters, parameters, strict=True):
            if before.shape != now.shape:
                raise Failed(paths_errors.shared_differs(instance.path, before, now, span, instance.span))
        return
    for parameter in parameters:
        need_countable(parameter.shape)
    instance.parameters, instance.types = parameters, tuple(types)
