"""Values of static expressions outside of bodies: parameters, settings, arguments of imports."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..messages import resolve as errors
from ..messages import statics as statics_errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..sizes import static_functions, statics
from ..text import syntax

#: The value of a name; raises Failed or Abandoned when there is none.
Lookup = Callable[[syntax.Ref], Any]

DEEPEST = 200


def evaluate_static(node: syntax.Pipe, lookup: Lookup, depth: int = 0) -> Any:
    """The value of `node`: literals, arithmetic, `if`, lists, indices, static functions, and the names `lookup` knows.

    Raises Failed with a diagnostic at the smallest part that is wrong.
    """
    if depth > DEEPEST:
        raise Failed(errors.too_deep(node.span))
    depth += 1
    match node:
        case syntax.Number() | syntax.String() | syntax.Bool():
            return node.value
        case syntax.NoneLiteral():
            return None
        case syntax.Quantity():
            return statics.Quantity(node.number.value, node.unit.text)
        case syntax.Ref():
            return lookup(node)
        case syntax.Paren():
            return evaluate_static(node.value, lookup, depth)
        case syntax.List() | syntax.Tuple():
            return tuple([evaluate_static(item, lookup, depth) for item in node.items])
        case syntax.Unary():
            return _guarded(node.span, statics.unary, node.op, evaluate_static(node.value, lookup, depth))
        case syntax.Binary():
            return _binary(node, lookup, depth)
        case syntax.IfExpr():
            chosen = condition(node.condition, lookup, depth)
            return evaluate_static(node.then if chosen else node.orelse, lookup, depth)
        case syntax.Call(callee=syntax.Ref() as callee):
            return _call(node, callee, lookup, depth)
        case syntax.Index():
            return _index(node, lookup, depth)
        case _:
            raise Failed(errors.not_static(node.span))


def _guarded(span: Span, operation: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return operation(*arguments)
    except statics.StaticError as error:
        raise Failed(statics_errors.at(error, span, {})) from None


def names_in(node: Any) -> Iterator[syntax.Ref]:
    """The names that an arithmetic expression reads."""
    match node:
        case syntax.Ref():
            yield node
        case syntax.Paren() | syntax.Unary():
            yield from names_in(node.value)
        case syntax.Tuple():
            for item in node.items:
                yield from names_in(item)
        case syntax.Binary():
            while isinstance(node, syntax.Binary):  # leans to the left and may be long
                yield from names_in(node.right)
                node = node.left
            yield from names_in(node)
        case _:
            pass


def condition(node: syntax.Pipe, lookup: Lookup, depth: int = 0) -> bool:
    """A static condition. Raises Failed."""
    return _guarded(node.span, statics.truth, evaluate_static(node, lookup, depth))


def _binary(node: syntax.Binary, lookup: Lookup, depth: int) -> Any:
    spine = [node]  # `a + b + ...` leans to the left and may be long: fold it instead of descending
    while isinstance(spine[-1].left, syntax.Binary):
        spine.append(spine[-1].left)
    value: Any = evaluate_static(spine[-1].left, lookup, depth)
    for part in reversed(spine):
        if part.op in ("and", "or"):
            left = _guarded(part.left.span, statics.truth, value)
            value = left if left == (part.op == "or") else condition(part.right, lookup, depth)
        elif part.op == "@":
            raise Failed(errors.not_static(part.span))
        else:
            right = evaluate_static(part.right, lookup, depth)
            try:
                value = statics.binary(part.op, value, right)
            except statics.StaticError as error:
                read = {ref.name: lookup(ref) for ref in reversed(list(names_in(part)))}
                names = {name: value for name, value in read.items() if isinstance(value, (int, float, str))}
                raise Failed(statics_errors.at(error, part.span, names)) from None
    return value


def _call(node: syntax.Call, callee: syntax.Ref, lookup: Lookup, depth: int) -> Any:
    if callee.name not in static_functions.STATIC_FUNCTIONS:
        near = nearest(callee.name, static_functions.STATIC_FUNCTIONS)
        raise Failed(errors.unknown_function(callee.span, callee.name, near) if near else errors.not_static(node.span))
    if any(isinstance(item, syntax.Kwarg) for item in node.args.items):
        raise Failed(errors.not_static(node.span))
    arguments = [evaluate_static(item, lookup, depth) for item in node.args.items if not isinstance(item, syntax.Kwarg)]
    return _guarded(node.span, static_functions.call, callee.name, arguments)


def _index(node: syntax.Index, lookup: Lookup, depth: int) -> Any:
    value = evaluate_static(node.value, lookup, depth)
    if not isinstance(value, tuple) or len(node.items) != 1:
        raise Failed(errors.not_static(node.span))
    part = node.items[0]
    if not isinstance(part, syntax.Slice):
        return _guarded(part.span, statics.item, value, evaluate_static(part, lookup, depth))
    bounds = [None if end is None else evaluate_static(end, lookup, depth) for end in (part.start, part.stop)]
    return _guarded(part.span, statics.cut, value, *bounds)
