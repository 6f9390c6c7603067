"""Runs the statements of a body: bindings, unpacking, accumulation, `require`, `init`, `emit`; and reads selectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..catalogue.ops import find
from ..ir.arguments import Selector
from ..ir.model import InitRule, Result
from ..messages import elaborate as errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.source import Span
from ..resolve.definitions import Callable
from ..sizes.dims import Dim, Size
from ..sizes.statics import binary
from ..text import syntax
from . import expressions, initializers, scans, signatures, stages
from .values import POISON, Outputs, Tensor

if TYPE_CHECKING:
    from .elaborator import Context


def run_statement(context: Context, statement: syntax.Statement, *, final: bool) -> Any:
    """One statement of a body; the value of the last one may be the result."""
    match statement:
        case syntax.Bind():
            bind(context, statement.target, statement.value, statement.span)
        case syntax.Accum():
            accumulate(context, statement)
        case syntax.Require():
            require(context, statement.condition, statement.message)
        case syntax.Init():
            init_rule(context, statement)
        case syntax.Emit():
            tensor = expressions.as_tensor(
                context, expressions.evaluate(context, statement.value), statement.value.span
            )
            context.builder.emits.append(Result(name=statement.name.text, value=context.builder.use(tensor)))
        case syntax.Scan():
            scans.run(context, statement)
        case _:
            value = expressions.evaluate(context, statement)
            if not final:
                raise Failed(errors.value_dropped(statement.span))
            return value
    if final:
        raise Failed(errors.no_result(statement.span, names_of(getattr(statement, "target", None))))
    return None


def bind(context: Context, target: syntax.Pipe, value_node: syntax.Pipe, span: Span) -> Any:
    try:
        if isinstance(target, syntax.List):
            return unpack(context, target, expressions.evaluate(context, value_node), value_node.span)
        assert isinstance(target, syntax.Ref), "the parser refuses other targets"
        value = expressions.evaluate(context, value_node)
        if isinstance(value, Callable):
            value = instantiate(context, value, target, value_node.span)
        elif isinstance(value, Tensor):
            name_value(value, target.name)
    except (Failed, Abandoned):
        for name in names_of(target):
            context.environment.bind(name, POISON, target.span)
        raise
    rebind(context, target.name, value, target.span)
    return value


def rebind(context: Context, name: str, value: Any, span: Span) -> None:
    size = context.environment.binding(name)
    if size is not None and size.is_size:
        raise Failed(errors.hides_size(name, span, size.span))
    before = context.environment.bind(name, value, span)
    if before is None or before.read or before.is_input or before.value is POISON or name.startswith("_"):
        return
    if context.builder.role == "block":
        context.elaborator.report.add(context.elaborator.located(errors.unused_binding(name, before.span)))


def name_value(tensor: Tensor, name: str) -> None:
    if not tensor.builder.names[tensor.id]:
        tensor.builder.names[tensor.id] = name


def names_of(target: syntax.Pipe | None) -> list[str]:
    if isinstance(target, syntax.Ref):
        return [target.name]
    if isinstance(target, syntax.List):
        return [item.name for item in target.items if isinstance(item, syntax.Ref)]
    return []


def instantiate(context: Context, value: Callable, target: syntax.Ref, span: Span) -> Any:
    """`name = Layer(..)`: an instance called `name`, or at once a tensor when the layer takes none (`Param`)."""
    if value.is_function:
        raise Failed(errors.function_bound(value.spelled, span))
    if isinstance(value.target, type) and not value.target.tensors:
        made = stages.apply(context, value, (), {}, span, label=target.name, select=None)
        if isinstance(made, Tensor):
            name_value(made, target.name)
        return made
    return stages.make_instance(context, value, context.scope.path(target.name), span)


def unpack(context: Context, target: syntax.List, value: Any, span: Span) -> Any:
    names: list[syntax.Ref] = []
    for item in target.items:
        assert isinstance(item, syntax.Ref), "the parser refuses other targets"
        names.append(item)
    if isinstance(value, Outputs):
        raise Failed(errors.unpack_outputs(value.of, list(value.tensors), target.span))
    if isinstance(value, Tensor):
        size = value.type.shape[0] if value.type.shape else None
        if not isinstance(size, int):
            raise Failed(errors.unpack_axis(value.type, target.span))
        if size == len(names):
            operator = find("unbind")
            assert operator is not None
            value = expressions.operator_node(context, operator, {"axis": 0}, [value], span)
        else:
            raise Failed(errors.unpack_count(len(names), size, target.span))
    if not isinstance(value, tuple):
        raise Failed(errors.unpack_other(value, target.span))
    if len(value) != len(names):  # pyright: ignore[reportUnknownArgumentType]
        raise Failed(errors.unpack_count(len(names), len(value), target.span))  # pyright: ignore[reportUnknownArgumentType]
    for name, item in zip(names, value, strict=True):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if name.name == "_":
            continue
        if isinstance(item, Tensor):
            name_value(item, name.name)
        rebind(context, name.name, item, name.span)
    return value  # pyright: ignore[reportUnknownVariableType]


def accumulate(context: Context, statement: syntax.Accum) -> Any:
    assert isinstance(statement.target, syntax.Ref), "the parser refuses other targets"
    name = statement.target.name
    try:
        left = expressions.read(context, statement.target)
        right = expressions.evaluate(context, statement.value)
        if expressions.is_tensor(left) or expressions.is_tensor(right):
            operator = find("plus")
            assert operator is not None
            value = expressions.operator_node(context, operator, {}, [left, right], statement.span, spelled="+=")
            name_value(value, name)
        else:
            value = signatures.guarded(context, statement.span, binary, "+", left, right, context.facts)
    except (Failed, Abandoned):
        context.environment.bind(name, POISON, statement.span)
        raise
    rebind(context, name, value, statement.target.span)
    return value


def require(context: Context, node: syntax.Pipe, message: syntax.String | None) -> None:
    """Checks a requirement now where it is static, else makes it a fact."""
    while isinstance(node, syntax.Paren):
        node = node.value
    if isinstance(node, syntax.Binary) and node.op == "and":
        require(context, node.left, message)
        require(context, node.right, message)
        return
    text = message.value if message is not None else None
    if isinstance(node, syntax.Binary) and node.op in expressions.COMPARISONS:
        left, right = expressions.evaluate(context, node.left), expressions.evaluate(context, node.right)
        if isinstance(left, Tensor) or isinstance(right, Tensor):
            raise Failed(errors.data_condition(node.span))
        if (
            (isinstance(left, Dim) or isinstance(right, Dim))
            and expressions.is_size(left)
            and expressions.is_size(right)
        ):
            divisor: tuple[Size, int] | None = None
            if node.op == "==" and isinstance(node.left, syntax.Binary) and node.left.op == "%" and right == 0:
                size, number = (
                    expressions.evaluate(context, node.left.left),
                    expressions.evaluate(context, node.left.right),
                )
                if isinstance(number, int) and expressions.is_size(size):
                    divisor = (size, number)
            context.elaborator.assume(context, left, node.op, right, node.span, text, divisor)
            return
    value = expressions.evaluate(context, node)
    if not expressions.static_truth(context, value, node.span):
        raise Failed(errors.requirement(text, node.span, static_names(context, node)))


def static_names(context: Context, node: Any) -> dict[str, Any]:
    """Names and values that take part in an expression, for the note of a failed `require`."""
    found: dict[str, Any] = {}

    def visit(part: Any) -> None:
        if isinstance(part, syntax.Ref):
            value = context.environment.lookup(part.name, part.span)
            if isinstance(value, (int, float, str, Dim)):
                found.setdefault(part.name, value)
        elif isinstance(part, syntax.Binary):
            visit(part.left)
            visit(part.right)
        elif isinstance(part, (syntax.Unary, syntax.Paren)):
            visit(part.value)

    visit(node)
    return found


def init_rule(context: Context, statement: syntax.Init) -> None:
    value = initializers.to_ir(initializers.read(context, statement.value))
    assert value is not None
    selectors = tuple(selector(context, node) for node in statement.selectors)
    context.builder.init_rules.append(InitRule(selectors=selectors, init=value, span=statement.span))


def selector(context: Context, node: syntax.Pipe) -> Selector:
    """`"glob"`, `Kind.weight`, `rank < 2`."""
    match node:
        case syntax.String():
            return Selector(kind="path", text=node.value, span=node.span)
        case syntax.Attr(value=syntax.Ref(name=name)):
            return Selector(kind="layer", text=f"{name}.{node.name.text}", span=node.span)
        case syntax.Ref():
            if node.name[:1].isupper():
                return Selector(kind="layer", text=node.name, span=node.span)
        case syntax.Binary(left=syntax.Ref(name="rank")) if node.op in expressions.COMPARISONS:
            number = expressions.evaluate(context, node.right)
            if isinstance(number, int) and not isinstance(number, bool):
                return Selector(kind="rank", text=f"{node.op} {number}", span=node.span)
        case _:
            pass
    raise Failed(errors.not_a_selector(node.span))
