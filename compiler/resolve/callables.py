"""Functions and layers as values of a file: `param act: fn = gelu`, `param norm: layer = RMSNorm(1e-5)`."""

from __future__ import annotations

from typing import Any

from ..catalogue.ops import find
from ..catalogue.ops import names as operators
from ..messages import application as application_errors
from ..messages import resolve as errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..text import syntax
from .definitions import Callable, Definition, FileScope, ParamSlot, statics_of
from .evaluate import Lookup, condition, evaluate_static

#: Static types of what is applied, and what they are called in messages.
APPLIED = {"fn": "a function such as `relu`", "layer": "a layer such as `LayerNorm`"}


def applied_kind(node: syntax.Pipe, scope: FileScope) -> str:
    """`fn` or `layer` for an expression that can mean nothing but something to apply, `gelu` or `RMSNorm(1e-5)`, else "".

    A function with arguments may be meant as a number: `sqrt(2)`.
    """
    node = _bare(node)
    name = node.callee if isinstance(node, syntax.Call) else node
    if not isinstance(name, syntax.Ref):
        return ""
    found = scope.lookup(name.name)
    operator = find(name.name) if found is None else None
    if isinstance(found, Definition) and found.kind in ("block", "model"):
        kind = callable_kind(Callable(found, name.name))
    elif operator is not None and not operator.syntax:
        kind = callable_kind(Callable(operator, name.name))
    else:
        return ""
    return "" if kind == "fn" and isinstance(node, syntax.Call) else kind


def callable_kind(value: Callable) -> str:
    """`fn` or `layer`."""
    return "fn" if value.is_function else "layer"


def _bare(node: syntax.Pipe) -> syntax.Pipe:
    while isinstance(node, syntax.Paren):
        node = node.value
    return node


def evaluate_callable(node: syntax.Pipe, scope: FileScope, lookup: Lookup, kind: str) -> Any:
    """What `node` names, with its arguments; `lookup` gives the values of names. Raises Failed or Abandoned.

    The arguments are checked where it is applied, as those of any layer or function.
    """
    node = _bare(node)
    if isinstance(node, syntax.IfExpr):
        chosen = node.then if condition(node.condition, lookup) else node.orelse
        return evaluate_callable(chosen, scope, lookup, kind)
    if not isinstance(node, (syntax.Ref, syntax.Call)):
        return evaluate_static(node, lookup)
    name = node.callee if isinstance(node, syntax.Call) else node
    if not isinstance(name, syntax.Ref):
        raise Failed(errors.not_static(node.span))
    target = _named(name, scope, lookup, kind)
    if not isinstance(node, syntax.Call) or not isinstance(target, Callable):
        return target if isinstance(node, syntax.Ref) else evaluate_static(node, lookup)
    _check_names(node, target)
    positional = [evaluate_static(item, lookup) for item in node.args.items if not isinstance(item, syntax.Kwarg)]
    keyword = [
        (item.name.text, evaluate_static(item.value, lookup))
        for item in node.args.items
        if isinstance(item, syntax.Kwarg)
    ]
    return Callable(target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword))


def _check_names(node: syntax.Call, target: Callable) -> None:
    """E0304 at an argument that the operator or block does not have."""
    if isinstance(target.target, type):
        known = [name for name, _, _ in target.target.arguments] + ["init"]
    else:
        known = [decl.name.text for decl in statics_of(target.target)]
    for item in node.args.items:
        if isinstance(item, syntax.Kwarg) and item.name.text not in known:
            name = item.name.text
            raise Failed(
                application_errors.unknown_argument(target.spelled, name, known, item.span, nearest(name, known))
            )


def _named(name: syntax.Ref, scope: FileScope, lookup: Lookup, kind: str) -> Any:
    found = scope.lookup(name.name)
    if isinstance(found, ParamSlot):
        return lookup(name)
    if isinstance(found, Definition) and found.kind in ("block", "model"):
        return Callable(found, name.name)
    operator = find(name.name) if found is None else None
    if operator is not None and not operator.syntax:
        return Callable(operator, name.name)
    if found is not None:
        return lookup(name)  # reports what it is instead
    table = operators(layers=kind == "layer", functions=kind == "fn")
    raise Failed(
        errors.unknown_applied(name.span, name.name, APPLIED[kind], nearest(name.name, [*scope.candidates(), *table]))
    )
