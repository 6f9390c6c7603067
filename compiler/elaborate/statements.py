"""Runs the statements of a body: bindings, `require`, `init`, `emit`, `scan`; and reads selectors."""

from __future__ import annotations

from typing import Any

from ..ir.model import InitRule, Requirement, Result, Selector
from ..messages import bodies as bodies_errors
from ..messages import control as control_errors
from ..messages import parameters as parameters_errors
from ..messages import shapes as shapes_errors
from ..messages.diagnostics import Abandoned, Failed
from ..sizes.dims import Dim, Size
from ..text import syntax
from ..text.printer import print_expression
from . import branches, initializers, scans
from .bindings import accumulate, bind, names_of
from .modes import static_truth
from .nodes import as_tensor, is_size
from .shapes import assume, static_names
from .state import Context
from .values import POISON, SymbolicTensor


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
            tensor = as_tensor(context, context.evaluate(statement.value), statement.value.span)
            context.builder.emits.append(Result(name=statement.name.text, value=context.builder.use(tensor)))
        case syntax.Scan():
            scans.run(context, statement, run_statement)
        case syntax.Gap():  # its mistake of syntax is reported
            left_out(context, statement)
            raise Abandoned
        case syntax.If():
            return branches.run(context, statement, run_statement, final=final)
        case syntax.Binary(op=op) if not final and (op in syntax.COMPARISONS or op in ("and", "or")):
            raise Failed(bodies_errors.condition_dropped(statement.span, print_expression(statement)))
        case syntax.LabelledValue(label=label) if not final:  # what is missing is the input; its name is known
            if len(label.names) == 1:
                context.environment.bind(label.text, POISON, label.span)
            context.evaluate(statement)
            raise Failed(bodies_errors.value_dropped(statement.span))
        case _:
            value = context.evaluate(statement)
            if not final:
                raise Failed(bodies_errors.value_dropped(statement.span))
            return value
    if final:
        raise Failed(bodies_errors.no_result(statement.span, names_of(getattr(statement, "target", None))))
    return None


def left_out(context: Context, statement: syntax.Gap) -> None:
    """A statement with a mistake of syntax: what it may have bound is unknown, which is every value where that cannot be read."""
    bindings = context.environment.bindings
    for name in list(bindings) if statement.nameless else names_of(statement.target):
        if name not in bindings or not bindings[name].is_size:
            context.environment.bind(name, POISON, statement.span)


def require(context: Context, node: syntax.Pipe, message: syntax.String | None) -> None:
    """Checks a requirement now where it is static, else makes it a fact."""
    while isinstance(node, syntax.Paren):
        node = node.value
    if isinstance(node, syntax.Binary) and node.op == "and":
        require(context, node.left, message)
        require(context, node.right, message)
        return
    text = message.value if message is not None else None
    if isinstance(node, syntax.Binary) and node.op in syntax.COMPARISONS:
        left, right = context.evaluate(node.left), context.evaluate(node.right)
        if isinstance(left, SymbolicTensor) or isinstance(right, SymbolicTensor):
            raise Failed(control_errors.data_condition(node.span))
        if (isinstance(left, Dim) or isinstance(right, Dim)) and is_size(left) and is_size(right):
            divisor: tuple[Size, int] | None = None
            if node.op == "==" and isinstance(node.left, syntax.Binary) and node.left.op == "%" and right == 0:
                size, number = context.evaluate(node.left.left), context.evaluate(node.left.right)
                if isinstance(number, int) and is_size(size):
                    divisor = (size, number)
            claim = f"{divisor[0]} % {divisor[1]} == 0" if divisor is not None else f"{left} {node.op} {right}"
            assume(
                context,
                Requirement(left=left, op=node.op, right=right, text=claim, message=text, span=node.span),
                divisor,
            )
            return
    value = context.evaluate(node)
    if not static_truth(context, value, node.span):
        names = static_names(context, node)
        raise Failed(shapes_errors.requirement(text, node.span, names, _undivided(context, node)))


def _undivided(context: Context, node: syntax.Pipe) -> tuple[int, str, int] | None:
    """Of `size % name == 0` the size, the name and its value."""
    match node:
        case syntax.Binary(op="==", left=syntax.Binary(op="%", left=size, right=syntax.Ref(name=name) as by)):
            whole, number = context.evaluate(size), context.evaluate(by)
            plain = all(isinstance(value, int) and not isinstance(value, bool) for value in (whole, number))
            return (whole, name, number) if plain and context.evaluate(node.right) == 0 and number > 0 else None
        case _:
            return None


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
        case syntax.Binary(left=syntax.Ref(name="rank")) if node.op in syntax.COMPARISONS:
            number = context.evaluate(node.right)
            if isinstance(number, int) and not isinstance(number, bool):
                return Selector(kind="rank", text=f"{node.op} {number}", span=node.span)
        case _:
            pass
    raise Failed(parameters_errors.not_a_selector(node.span))
