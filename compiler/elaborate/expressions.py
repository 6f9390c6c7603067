"""Evaluates expressions of a body: static where it can, nodes of the body where tensors take part."""

from __future__ import annotations

from functools import partial
from typing import Any, cast

from ..catalogue.ops import find
from ..catalogue.ops.base import Layer
from ..ir.model import WeightNode
from ..messages import application as application_errors
from ..messages import bodies as bodies_errors
from ..messages import control as control_errors
from ..messages import lookup as lookup_errors
from ..messages import shapes as shapes_errors
from ..messages import statics as statics_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable
from ..sizes.dims import Dim, Size
from ..sizes.static_functions import STATIC_FUNCTIONS
from ..sizes.static_functions import call as call_static
from ..sizes.statics import Quantity, StaticError, binary, cut, unary
from ..sizes.statics import item as static_item
from ..sizes.types import TensorType
from ..text import syntax
from ..text.printer import print_expression
from . import foreign
from .apply import apply, callee
from .arguments import evaluate_arguments, refuse_inputs
from .control import look_through, run, stage
from .instances import settle
from .modes import by_mode, condition, static_truth
from .nodes import guarded, is_tensor, operator_node, realize
from .shapes import static_names
from .state import Context
from .values import POISON, Outputs, SubInstance, SymbolicTensor, WeightOwner

#: Operators of the language and their catalogue entries.
BINARY = {
    "+": "plus", "-": "minus", "*": "times", "/": "divide", "//": "floor_divide", "%": "modulo", "**": "power",
    "@": "matmul", "==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater",
    ">=": "greater_equal", "and": "logical_and", "or": "logical_or",
}  # fmt: skip


def evaluate(context: Context, node: syntax.Pipe) -> Any:
    """The value of an expression; raises Failed or Abandoned."""
    match node:
        case syntax.Paren():
            return evaluate(context, node.value)
        case syntax.Number():
            return node.value
        case syntax.String():
            return node.value
        case syntax.Bool():
            return node.value
        case syntax.NoneLiteral():
            return None
        case syntax.Quantity():
            return Quantity(node.number.value, node.unit.text)
        case syntax.Ref():
            return read(context, node)
        case syntax.List() | syntax.Tuple():
            return tuple(context.all_of(*(partial(evaluate, context, item) for item in node.items)))
        case syntax.Attr():
            return attribute(context, node)
        case syntax.Call():
            return call(context, node)
        case syntax.Index():
            return index(context, node)
        case syntax.Unary():
            return negate(context, node)
        case syntax.Binary():
            return operate(context, node)
        case syntax.IfExpr():
            return choose(context, node)
        case syntax.Pipeline():
            try:
                value = head(context, node.value)
            except Abandoned:
                look_through(context, node.stages)
                raise
            return run(context, value, node.stages)
        case syntax.LabelledValue():
            return labelled_value(context, node)
        case syntax.Ellipsis():
            raise Failed(bodies_errors.ellipsis_here(node.span))


def labelled_value(context: Context, node: syntax.LabelledValue) -> Any:
    """`path: Param(..)`; a layer that takes an input has none here (E0304)."""
    unit = node.unit
    if isinstance(unit, syntax.Apply) and not (unit.args and any(isinstance(a, syntax.Kwarg) for a in unit.args.items)):
        target = callee(context, unit.callee)
        operator = target.target if isinstance(target, Callable) and isinstance(target.target, type) else None
        if operator is not None and operator.tensors and issubclass(operator, Layer):
            raise Failed(application_errors.label_without_input(node.label.text, print_expression(unit), node.span))
    return stage(context, (), unit, node.label)


def head(context: Context, node: syntax.Pipe) -> Any:
    """The head of a pipeline: a constructor without tensor inputs is its tensor there."""
    value = evaluate(context, node)
    if isinstance(value, Callable):
        return realize(context, value, node.span)
    return value


def read(context: Context, node: syntax.Ref) -> Any:
    if node.name == "training" and context.environment.training is not None:
        return context.environment.training
    if not context.environment.knows(node.name):
        _refuse_label(context, node.name, node.span)
    value = context.environment.lookup(node.name, node.span)
    if value is POISON:
        raise Abandoned
    return value


def _refuse_label(context: Context, name: str, span: Span) -> None:
    """E0301 for the label of a stage that is read like a name."""
    labelled = context.builder.labelled(name)
    if labelled is not None:
        raise Failed(lookup_errors.label_as_name(name, span, labelled.callable.spelled, labelled.path, labelled.span))


# ---- operators of the language -------------------------------------------------------------------------------------


def operate(context: Context, node: syntax.Binary) -> Any:
    if node.op in ("and", "or"):
        left = operand(context, node.left)
        if not is_tensor(left):
            value = static_truth(context, left, node.left.span)
            if value is (node.op == "or"):
                return value
            right = evaluate(context, node.right)
            return static_truth(context, right, node.right.span) if not is_tensor(right) else right
        right = operand(context, node.right)
    else:
        left, right = context.all_of(*(partial(operand, context, side) for side in (node.left, node.right)))
    if is_tensor(left) or is_tensor(right):
        operator = find(BINARY[node.op]) if node.op in BINARY else None
        if operator is None:
            raise Failed(application_errors.operator_on_tensors(node.op, node.op_span))
        for value, side in ((left, node.left), (right, node.right)):
            if isinstance(value, tuple):
                raise Failed(application_errors.tuple_as_tensor(len(value), side.span))  # pyright: ignore[reportUnknownArgumentType]
        try:
            return operator_node(context, operator, {}, [left, right], node.span, spelled=node.op)
        except Failed as failure:
            if failure.diagnostic.span != node.span or not (
                isinstance(left, SymbolicTensor) and isinstance(right, SymbolicTensor)
            ):
                raise
            sides = ((node.left.span, left.type), (node.right.span, right.type))
            raise Failed(shapes_errors.between(failure.diagnostic, node.op_span, sides)) from None
    try:
        return binary(node.op, left, right, context.facts)
    except StaticError as error:
        raise Failed(statics_errors.at(error, node.span, static_names(context, node))) from None


def operand(context: Context, node: syntax.Pipe) -> Any:
    """One side of an operator: a constructor without tensor inputs is its tensor, any other needs a pipe."""
    value = evaluate(context, node)
    return realize(context, value, node.span) if isinstance(value, Callable) else value


def negate(context: Context, node: syntax.Unary) -> Any:
    value = evaluate(context, node.value)
    if is_tensor(value):
        operator = find("negative" if node.op == "-" else "logical_not")
        assert operator is not None
        return operator_node(context, operator, {}, [value], node.span, spelled=node.op)
    return guarded(node.span, unary, node.op, value)


def choose(context: Context, node: syntax.IfExpr) -> Any:
    answer = condition(context, node.condition)
    if answer is None:
        return by_mode(
            context, lambda inner: evaluate(inner, node.then), lambda inner: evaluate(inner, node.orelse), (), node.span
        )
    context.environment.mark_read(node.orelse if answer else node.then)
    return evaluate(context, node.then if answer else node.orelse)


# ---- attributes, indices -------------------------------------------------------------------------------------------


def attribute(context: Context, node: syntax.Attr) -> Any:
    value = evaluate(context, node.value)
    name = node.name.text
    if isinstance(value, Outputs):
        if name in value.tensors:
            return value.tensors[name]
        raise Failed(
            lookup_errors.unknown_output(
                value.of, name, list(value.tensors), node.name.span, nearest(name, value.tensors)
            )
        )
    if isinstance(value, Callable):
        value = realize(context, value, node.value.span)
    if isinstance(value, SymbolicTensor):
        if name == "T":
            operator = find("transpose")
            assert operator is not None
            return operator_node(context, operator, {}, [value], node.span, spelled=".T")
        raise Failed(lookup_errors.attribute_of_tensor(name, node.name.span))
    if isinstance(value, WeightOwner):
        emitted = value.emits.read(name, node.name.span) if value.emits is not None else None
        if emitted is not None:
            return emitted
        return part(context, SubInstance(value, (name,)), node)
    if isinstance(value, SubInstance):
        return part(context, SubInstance(value.instance, (*value.names, name)), node)
    raise Failed(lookup_errors.attribute_of(value, name, node.name.span))


def part(context: Context, found: SubInstance, node: syntax.Attr) -> Any:
    """A parameter of an instance as a tensor, or the way to one."""
    instance, names = found.instance, found.names
    settle(context, instance)
    if instance.parameters is not None:
        for parameter in instance.parameters:
            if (parameter.name,) == names:
                instance.used = True
                weight = context.builder.node(
                    WeightNode,
                    [TensorType(parameter.dtype, parameter.shape)],
                    inputs=(),
                    instance=context.builder.reference(instance),
                    name=parameter.name,
                    span=node.span,
                )
                return weight[0]
        known = [parameter.name for parameter in instance.parameters]
        raise Failed(
            lookup_errors.unknown_parameter(
                instance.path, ".".join(names), known, node.name.span, nearest(names[-1], known)
            )
        )
    if instance.body is None and context.state.failures:  # a statement that was left may have applied it
        raise Abandoned
    if instance.body is None:
        raise Failed(application_errors.not_applied_yet(instance.path, node.span))
    return part_of_block(context, found, instance.body, node)


def part_of_block(context: Context, found: SubInstance, body_index: int, node: syntax.Attr) -> Any:
    body = context.state.bodies[body_index]
    for count in range(len(found.names), 0, -1):
        prefix, rest = ".".join(found.names[:count]), found.names[count:]
        inner = next((instance for instance in body.instances if instance.path == prefix), None)
        if inner is None:
            continue
        if inner.body is not None and rest:
            path = f"{found.instance.path}.{prefix}"
            owner = WeightOwner(found.instance.builder, path, found.instance.callable, inner.span)
            owner.body = inner.body
            return part_of_block(context, SubInstance(owner, rest), inner.body, node)
        for parameter in inner.parameters:
            if (parameter.name,) == rest or (parameter.name == "" and not rest):
                reference = context.builder.reference(found.instance)
                return context.builder.node(
                    WeightNode,
                    [TensorType(parameter.dtype, parameter.shape)],
                    inputs=(),
                    instance=f"{reference}.{prefix}",
                    name=parameter.name,
                    span=node.span,
                )[0]
    known = [instance.path for instance in body.instances]
    name = ".".join(found.names)
    if any(path.startswith(name) for path in known):
        return found
    raise Failed(
        lookup_errors.unknown_parameter(found.instance.path, name, known, node.name.span, nearest(name, known))
    )


def index(context: Context, node: syntax.Index) -> Any:
    value = evaluate(context, node.value)
    if isinstance(value, Callable):
        value = realize(context, value, node.value.span)
    if not isinstance(value, SymbolicTensor):
        if isinstance(value, tuple) and len(node.items) == 1:
            return part_of_list(context, cast("tuple[Any, ...]", value), node.items[0])
        if isinstance(value, Outputs):
            raise Failed(application_errors.several_outputs(value.of, list(value.tensors), node.value.span))
        raise Failed(shapes_errors.not_indexable(value, node.value.span))
    items: list[Any] = []
    for item in node.items:
        match item:
            case syntax.Slice():
                items.append(("slice", bound(context, item.start), bound(context, item.stop)))
            case syntax.NoneLiteral():
                items.append(None)
            case syntax.Ellipsis():
                items.append("...")
            case _:
                position = evaluate(context, item)
                if isinstance(position, SymbolicTensor):
                    raise Failed(
                        control_errors.index_by_tensor(item.span, foreign.gathered(node, value.type, position.type))
                    )
                items.append(guarded(item.span, _index_size, position))
    operator = find("index")
    assert operator is not None
    return operator_node(context, operator, {"items": tuple(items)}, [value], node.span, spelled="index")


def part_of_list(context: Context, values: tuple[Any, ...], part: syntax.Pipe | syntax.Slice) -> Any:
    """`values[1]` or `values[1:]` of a static list, or of a tuple of tensors."""
    if not isinstance(part, syntax.Slice):
        return guarded(part.span, static_item, values, _position(context, part))
    ends = [None if end is None else _position(context, end) for end in (part.start, part.stop)]
    return guarded(part.span, cut, values, *ends)


def _position(context: Context, node: syntax.Pipe) -> Any:
    value = evaluate(context, node)
    if isinstance(value, SymbolicTensor):
        raise Failed(control_errors.index_by_tensor(node.span))
    return value


def _index_size(value: Any) -> Size:
    if isinstance(value, (int, Dim)) and not isinstance(value, bool):
        return value
    raise statics_errors.not_an_index()


def bound(context: Context, node: syntax.Pipe | None) -> Size | None:
    if node is None:
        return None
    value = evaluate(context, node)
    if isinstance(value, SymbolicTensor):
        raise Failed(control_errors.index_by_tensor(node.span))
    return guarded(node.span, _index_size, value)


# ---- calls ---------------------------------------------------------------------------------------------------------


def call(context: Context, node: syntax.Call) -> Any:
    """`f(x, ..)`: a static function, a function of the catalogue or the file, or a constructor with its arguments."""
    callee = node.callee
    while isinstance(callee, syntax.Paren):
        callee = callee.value
    if not isinstance(callee, syntax.Ref):
        raise Failed(foreign.call_of_no_name(context, node))
    if callee.name in STATIC_FUNCTIONS and not any(isinstance(item, syntax.Kwarg) for item in node.args.items):
        items = [item for item in node.args.items if not isinstance(item, syntax.Kwarg)]
        values = context.all_of(*(partial(evaluate, context, item) for item in items))
        if not any(is_tensor(value) for value in values):
            return guarded(node.span, call_static, callee.name, values)
        target = context.environment.callable(callee.name, callee.span)
        assert isinstance(target, Callable)
        return apply(context, target, tuple(values), node.span)
    target = context.environment.callable(callee.name, callee.span)
    if isinstance(target, WeightOwner):
        raise Failed(foreign.of_instance(node, callee.name))
    if not target.is_function:
        positional, keyword, _ = evaluate_arguments(context, target, node.args)
        refuse_inputs(target, node.args, positional, node.span)
        return Callable(
            target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword.items())
        )
    return apply(context, target, (), node.span, args=node.args)
