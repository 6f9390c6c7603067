"""Evaluates expressions of a body: static where it can, nodes of the body where tensors take part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ..catalogue.ops import find
from ..catalogue.ops.base import Layer, Op, Rejected
from ..ir.model import OpNode, Scalar, WeightNode
from ..messages import elaborate as errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable
from ..sizes.dims import Dim, Size
from ..sizes.facts import Facts, equal
from ..sizes.statics import STATIC_FUNCTIONS, Quantity, StaticError, binary, cut, truth, unary
from ..sizes.statics import call as call_static
from ..sizes.statics import item as static_item
from ..sizes.types import TensorType
from ..text import syntax
from . import initializers, signatures, stages
from .builder import json_arguments
from .values import POISON, Instance, Outputs, SubInstance, Tensor

if TYPE_CHECKING:
    from .elaborator import Context

#: Operators of the language and the catalogue entries they stand for.
BINARY = {
    "+": "plus", "-": "minus", "*": "times", "/": "divide", "//": "floor_divide", "%": "modulo", "**": "power",
    "@": "matmul", "==": "equal", "!=": "not_equal", "<": "less", "<=": "less_equal", ">": "greater",
    ">=": "greater_equal", "and": "logical_and", "or": "logical_or",
}  # fmt: skip
MOST_OUTPUTS = 1000  # of a body that names none
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")


# ---- values --------------------------------------------------------------------------------------------------------


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
            return tuple(evaluate(context, item) for item in node.items)
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
                stages.look_through(context, node.stages)
                raise
            return stages.run(context, value, node.stages)
        case syntax.LabelledValue():
            return stages.stage(context, (), node.unit, node.label)
        case syntax.Ellipsis():
            raise Failed(errors.ellipsis_here(node.span))


def head(context: Context, node: syntax.Pipe) -> Any:
    """The head of a pipeline: a constructor without tensor inputs stands for its tensor there."""
    value = evaluate(context, node)
    if isinstance(value, Callable):
        return realize(context, value, node.span)
    return value


def read(context: Context, node: syntax.Ref) -> Any:
    if node.name == "training" and context.environment.training is not None:
        return context.environment.training
    value = context.environment.lookup(node.name, node.span)
    if value is POISON:
        raise Abandoned
    return value


def realize(context: Context, value: Callable, span: Span) -> Any:
    """A constructor used as a value: `Param(..)` is its tensor, anything else needs a pipe."""
    if isinstance(value.target, type) and not value.target.tensors:
        return stages.apply(context, value, (), {}, span, label=None, select=None)
    raise Failed(errors.constructor_as_value(value.spelled, span, value.is_function))


def as_tensor(context: Context, value: Any, span: Span) -> Tensor:
    """A single tensor; several outputs are E0305, statics E0303."""
    if value is POISON:
        raise Abandoned
    if isinstance(value, Tensor):
        return value
    if isinstance(value, Outputs):
        raise Failed(errors.several_outputs(value.of, list(value.tensors), span))
    if isinstance(value, Callable):
        return as_tensor(context, realize(context, value, span), span)
    if isinstance(value, (Dim, int)) and not isinstance(value, bool):
        size = find("size")
        assert size is not None
        return operator_node(context, size, {"value": value}, [], span)
    if isinstance(value, tuple):
        raise Failed(errors.tuple_as_tensor(len(value), span))  # pyright: ignore[reportUnknownArgumentType]
    raise Failed(errors.not_a_tensor(value, span))


def as_outputs(context: Context, value: Any, span: Span) -> list[tuple[str, Tensor]]:
    """The results of a body without named outputs."""
    if isinstance(value, Outputs):
        return list(value.tensors.items())
    if isinstance(value, tuple):
        if len(value) > MOST_OUTPUTS:  # pyright: ignore[reportUnknownArgumentType]
            raise Failed(errors.tuple_as_tensor(len(value), span))  # pyright: ignore[reportUnknownArgumentType]
        return [("", as_tensor(context, item, span)) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return [("", as_tensor(context, value, span))]


def plain_statics(statics: dict[str, Any]) -> dict[str, Any]:
    return json_arguments(statics)


# ---- operator nodes ------------------------------------------------------------------------------------------------


def operator_node(
    context: Context,
    operator: type[Op],
    arguments: dict[str, Any],
    tensors: list[Any],
    span: Span,
    *,
    instance: Instance | None = None,
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
            raise Failed(errors.several_outputs(value.of, list(value.tensors), span))
        name, kind = (
            operator.tensors[min(position, len(operator.tensors) - 1)] if operator.tensors else ("input", "one")
        )
        if (value is None and kind == "many") or not isinstance(value, (Tensor, bool, int, float, Dim, type(None))):
            raise Failed(errors.input_not_tensor(spelled or operator.name, name, value, span))
        given.append(value.type if isinstance(value, Tensor) else value)
        if isinstance(value, Tensor):
            operands.append(context.builder.use(value))
        else:
            operands.append(None if value is None else Scalar(value=value))
    types = operator.operand_types(given)
    required = [name for name, kind in operator.tensors if kind == "one"]
    for position, name in enumerate(required):
        if position >= len(types) or types[position] is None:
            raise Failed(errors.input_missing(spelled or operator.name, name, span))
    plain = {name: value for name, value in arguments.items() if name != "init"}
    init = arguments.get("init")
    if any(name == "init" for name, _, _ in operator.arguments):
        plain["init"] = initializers.to_ir(init)
    rule = operator(**plain)
    try:
        outputs = rule.infer(context.facts, *types)
        if instance is not None:
            parameters = rule.parameters(*types)
            if init is not None and not any(name == "init" for name, _, _ in operator.arguments):
                first, *others = parameters
                parameters = (first.model_copy(update={"init": initializers.to_ir(init)}), *others)
            stages.fix_parameters(instance, parameters, types, span)
    except Rejected as rejected:
        raise Failed(errors.rejected(rejected, spelled or operator.name, span)) from None
    fields: dict[str, Any] = {
        "op": operator.name, "inputs": tuple(operands), "args": plain_statics(arguments), "span": span, "path": path,
    }  # fmt: skip
    if instance is not None:
        fields["instance"] = context.builder.reference(instance)
    if isinstance(outputs, TensorType):
        return context.builder.node(OpNode, [outputs], **fields)[0]
    if isinstance(outputs, tuple):
        return tuple(context.builder.node(OpNode, list(outputs), **fields))
    made = context.builder.node(OpNode, list(outputs.values()), **fields)
    return Outputs(dict(zip(outputs, made, strict=True)), spelled or operator.name)


# ---- operators of the language -------------------------------------------------------------------------------------


def is_size(value: Any) -> bool:
    return isinstance(value, (int, Dim)) and not isinstance(value, bool)


def is_tensor(value: Any) -> bool:
    if isinstance(value, Callable) and isinstance(value.target, type):
        return issubclass(value.target, Layer)
    return isinstance(value, (Tensor, Outputs))


def operate(context: Context, node: syntax.Binary) -> Any:
    left = operand(context, node.left)
    if node.op in ("and", "or") and not is_tensor(left):
        value = static_truth(context, left, node.left.span)
        if value is (node.op == "or"):
            return value
        right = evaluate(context, node.right)
        return static_truth(context, right, node.right.span) if not is_tensor(right) else right
    right = operand(context, node.right)
    if is_tensor(left) or is_tensor(right):
        operator = find(BINARY[node.op]) if node.op in BINARY else None
        if operator is None:
            raise Failed(errors.operator_on_tensors(node.op, node.op_span))
        for value, side in ((left, node.left), (right, node.right)):
            if isinstance(value, tuple):
                raise Failed(errors.tuple_as_tensor(len(value), side.span))  # pyright: ignore[reportUnknownArgumentType]
        try:
            return operator_node(context, operator, {}, [left, right], node.span, spelled=node.op)
        except Failed as failure:
            if failure.diagnostic.span != node.span or not (isinstance(left, Tensor) and isinstance(right, Tensor)):
                raise
            sides = ((node.left.span, left.type), (node.right.span, right.type))
            raise Failed(errors.between(failure.diagnostic, node.op_span, sides)) from None
    return signatures.guarded(context, node.span, binary, node.op, left, right, context.facts)


def operand(context: Context, node: syntax.Pipe) -> Any:
    """One side of an operator: a constructor without tensor inputs is its tensor, any other needs a pipe."""
    value = evaluate(context, node)
    return realize(context, value, node.span) if isinstance(value, Callable) else value


def static_truth(context: Context, value: Any, span: Span) -> bool:
    if isinstance(value, Tensor):
        raise Failed(errors.data_condition(span))
    return signatures.guarded(context, span, truth, value)


def negate(context: Context, node: syntax.Unary) -> Any:
    value = evaluate(context, node.value)
    if is_tensor(value):
        operator = find("negative" if node.op == "-" else "logical_not")
        assert operator is not None
        return operator_node(context, operator, {}, [value], node.span, spelled=node.op)
    return signatures.guarded(context, node.span, unary, node.op, value)


def choose(context: Context, node: syntax.IfExpr) -> Any:
    answer = condition(context, node.condition)
    if answer is None:
        return stages.by_mode(
            context, lambda inner: evaluate(inner, node.then), lambda inner: evaluate(inner, node.orelse), (), node.span
        )
    return evaluate(context, node.then if answer else node.orelse)


def condition(context: Context, node: syntax.Pipe) -> bool | None:
    """A static condition; None when it depends on `training`."""
    if context.environment.training is None and mentions_training(node):
        answers: list[bool] = []
        for training in (True, False):
            context.environment.training = training
            try:
                answers.append(static_truth(context, evaluate(context, node), node.span))
            finally:
                context.environment.training = None
        return answers[0] if answers[0] == answers[1] else (None if answers[0] else _inverted(node))
    return static_truth(context, evaluate(context, node), node.span)


def _inverted(node: syntax.Pipe) -> bool | None:
    raise Failed(errors.inverted_mode(node.span))


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


def compare_sizes(left: Size, op: str, right: Size, facts: Facts) -> bool | None:
    """`left op right` for sizes: True, False, or None when it depends on the input."""
    difference = left - right
    same = equal(left, right, facts)
    if op == "==":
        return same
    if op == "!=":
        return None if same is None else not same
    if op in ("<", "<="):
        return facts.at_most(difference, -1 if op == "<" else 0)
    return facts.at_least(difference, 1 if op == ">" else 0)


# ---- attributes, indices -------------------------------------------------------------------------------------------


def attribute(context: Context, node: syntax.Attr) -> Any:
    value = evaluate(context, node.value)
    name = node.name.text
    if isinstance(value, Outputs):
        if name in value.tensors:
            return value.tensors[name]
        raise Failed(
            errors.unknown_output(value.of, name, list(value.tensors), node.name.span, nearest(name, value.tensors))
        )
    if isinstance(value, Callable):
        value = realize(context, value, node.value.span)
    if isinstance(value, Tensor):
        if name == "T":
            operator = find("transpose")
            assert operator is not None
            return operator_node(context, operator, {}, [value], node.span, spelled=".T")
        raise Failed(errors.attribute_of_tensor(name, node.name.span))
    if isinstance(value, Instance):
        emitted = value.emits.read(name, node.name.span) if value.emits is not None else None
        if emitted is not None:
            return emitted
        return part(context, SubInstance(value, (name,)), node)
    if isinstance(value, SubInstance):
        return part(context, SubInstance(value.instance, (*value.names, name)), node)
    raise Failed(errors.attribute_of(value, name, node.name.span))


def part(context: Context, found: SubInstance, node: syntax.Attr) -> Any:
    """A parameter of an instance as a tensor, or the way to one."""
    instance, names = found.instance, found.names
    stages.settle(context, instance)
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
            errors.unknown_parameter(instance.path, ".".join(names), known, node.name.span, nearest(names[-1], known))
        )
    if instance.body is None:
        raise Failed(errors.not_applied_yet(instance.path, node.span))
    return part_of_block(context, found, instance.body, node)


def part_of_block(context: Context, found: SubInstance, body_index: int, node: syntax.Attr) -> Any:
    body = context.elaborator.bodies[body_index]
    for count in range(len(found.names), 0, -1):
        prefix, rest = ".".join(found.names[:count]), found.names[count:]
        inner = next((instance for instance in body.instances if instance.path == prefix), None)
        if inner is None:
            continue
        if inner.body is not None and rest:
            path = f"{found.instance.path}.{prefix}"
            owner = Instance(found.instance.builder, path, found.instance.callable, inner.span)
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
    raise Failed(errors.unknown_parameter(found.instance.path, name, known, node.name.span, nearest(name, known)))


def index(context: Context, node: syntax.Index) -> Any:
    value = evaluate(context, node.value)
    if isinstance(value, Callable):
        value = realize(context, value, node.value.span)
    if not isinstance(value, Tensor):
        if isinstance(value, tuple) and len(node.items) == 1:
            return part_of_list(context, cast("tuple[Any, ...]", value), node.items[0])
        if isinstance(value, Outputs):
            raise Failed(errors.several_outputs(value.of, list(value.tensors), node.value.span))
        raise Failed(errors.not_indexable(value, node.value.span))
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
                if isinstance(position, Tensor):
                    raise Failed(errors.index_by_tensor(item.span))
                items.append(signatures.guarded(context, item.span, _index_size, position))
    operator = find("index")
    assert operator is not None
    return operator_node(context, operator, {"items": tuple(items)}, [value], node.span, spelled="index")


def part_of_list(context: Context, values: tuple[Any, ...], part: syntax.Pipe | syntax.Slice) -> Any:
    """`values[1]` or `values[1:]` of a static list, or of a tuple of tensors."""
    if not isinstance(part, syntax.Slice):
        return signatures.guarded(context, part.span, static_item, values, _position(context, part))
    ends = [None if end is None else _position(context, end) for end in (part.start, part.stop)]
    return signatures.guarded(context, part.span, cut, values, *ends)


def _position(context: Context, node: syntax.Pipe) -> Any:
    value = evaluate(context, node)
    if isinstance(value, Tensor):
        raise Failed(errors.index_by_tensor(node.span))
    return value


def _index_size(value: Any) -> Size:
    if isinstance(value, (int, Dim)) and not isinstance(value, bool):
        return value
    raise StaticError("E0304", "an index is a whole number")


def bound(context: Context, node: syntax.Pipe | None) -> Size | None:
    if node is None:
        return None
    value = evaluate(context, node)
    if isinstance(value, Tensor):
        raise Failed(errors.index_by_tensor(node.span))
    return signatures.guarded(context, node.span, _index_size, value)


# ---- calls ---------------------------------------------------------------------------------------------------------


def call(context: Context, node: syntax.Call) -> Any:
    """`f(x, ..)`: a static function, a function of the catalogue or the file, or a constructor with its arguments."""
    callee = node.callee
    while isinstance(callee, syntax.Paren):
        callee = callee.value
    if not isinstance(callee, syntax.Ref):
        raise Failed(errors.cannot_call(node.callee.span))
    if callee.name in STATIC_FUNCTIONS and not any(isinstance(item, syntax.Kwarg) for item in node.args.items):
        values = [evaluate(context, item) for item in node.args.items if not isinstance(item, syntax.Kwarg)]
        if not any(is_tensor(value) for value in values):
            return signatures.guarded(context, node.span, call_static, callee.name, values)
        target = context.environment.callable(callee.name, callee.span)
        assert isinstance(target, Callable)
        return stages.apply(context, target, tuple(values), {}, node.span, label=None, select=None)
    target = context.environment.callable(callee.name, callee.span)
    if isinstance(target, Instance):
        raise Failed(errors.instance_called(callee.name, node.span))
    if not target.is_function:
        positional, keyword, _ = arguments(context, target, node.args)
        return Callable(
            target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword.items())
        )
    return stages.apply(context, target, (), {}, node.span, label=None, select=None, args=node.args)


def arguments(
    context: Context, target: Callable, args: syntax.Args | None
) -> tuple[list[Any], dict[str, Any], dict[str, Span]]:
    """Evaluated arguments: positional ones, keyword ones, and the places of both (`#0`, `#1`, .. and by name).

    Each is read in the table of its position: `init =` in the init table, a dtype as a dtype.
    """
    positional: list[Any] = []
    keyword: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    if args is None:
        return positional, keyword, spans
    kinds = argument_kinds(target)
    order = list(kinds)
    for item in args.items:
        if isinstance(item, syntax.Kwarg):
            name = item.name.text
            if name in keyword:
                raise Failed(errors.argument_twice(target.spelled, name, item.span))
            keyword[name] = evaluate_argument(context, item.value, kinds.get(name, "init" if name == "init" else ""))
            spans[name] = item.span
        else:
            at = len(positional) + len(target.positional)
            kind = kinds[order[at]] if at < len(order) else ""
            # The tensors of a function come first; a dtype or init written there is found by its table.
            if not kind.startswith(("DType", "Init")) and isinstance(item, syntax.Ref):
                kind = next(
                    (k for k in kinds.values() if k.startswith("DType") and item.name in signatures.DTYPES), kind
                )
            spans[f"#{len(positional)}"] = item.span
            positional.append(evaluate_argument(context, item, kind))
    return positional, keyword, spans


def argument_kinds(target: Callable) -> dict[str, str]:
    """Annotation (operators) or declared type (blocks) by argument name, in order."""
    if isinstance(target.target, type):
        return {name: kind for name, kind, _ in target.target.arguments}
    node = target.target.node
    if isinstance(node, (syntax.Block, syntax.BlockSeq, syntax.Model)):
        return {decl.name.text: signatures.kind_of(decl) for decl in signatures.signature_of(node).statics}
    return {}


def evaluate_argument(context: Context, node: syntax.Pipe, kind: str) -> Any:
    """An argument in the table of its position."""
    if kind.startswith("Init") or kind == "init":
        return initializers.read(context, node)
    if kind.startswith("DType") and isinstance(node, syntax.Ref) and node.name in signatures.DTYPES:
        return node.name
    if kind in ("fn", "layer"):
        if isinstance(node, syntax.Ref):
            return context.environment.callable(node.name, node.span)
        if isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref):
            target = context.environment.callable(node.callee.name, node.callee.span)
            if isinstance(target, Instance):
                raise Failed(errors.instance_called(node.callee.name, node.span))
            positional, keyword, _ = arguments(context, target, node.args)
            return Callable(
                target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword.items())
            )
    return evaluate(context, node)
