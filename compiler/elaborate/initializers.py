"""Reads what is written after `init =`: an entry of `catalogue/inits.py` with its arguments."""

from __future__ import annotations

from typing import Any

from ..catalogue import INITS
from ..catalogue.arguments import Unfit, expected
from ..catalogue.arguments import read as read_argument
from ..catalogue.entry import MISSING
from ..catalogue.ops.base import Rejected
from ..ir.model import Init
from ..messages import application as application_errors
from ..messages import parameters as parameters_errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..sizes.statics import StaticError
from ..text import syntax
from .state import Context
from .values import InitValue


def read(context: Context, node: syntax.Pipe) -> InitValue:
    """`normal(0.02)`, `zeros`: a name of this table, with arguments."""
    while isinstance(node, syntax.Paren):
        node = node.value
    if isinstance(node, syntax.Ref):
        name, span, items = node.name, node.span, ()
    elif isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref):
        name, span, items = node.callee.name, node.callee.span, node.args.items
    elif isinstance(node, syntax.NoneLiteral):
        raise Failed(parameters_errors.not_an_init(node.span))
    else:
        raise Failed(parameters_errors.not_an_init(node.span, number=isinstance(node, syntax.Number)))
    if name not in INITS:
        raise Failed(parameters_errors.unknown_init(name, span, INITS))
    entry = INITS[name]
    kinds = {key: kind for key, kind, _ in entry.arguments}
    keys = list(kinds)
    given: dict[str, Any] = {}
    for position, item in enumerate(items):
        if isinstance(item, syntax.Kwarg):
            key, value = item.name.text, item.value
            if key not in kinds:
                raise Failed(application_errors.unknown_argument(name, key, keys, item.span, nearest(key, keys)))
        else:
            if position >= len(keys):
                raise Failed(application_errors.too_many_arguments(name, len(keys), len(items), node.span))
            key, value = keys[position], item
        if key in given:
            raise Failed(application_errors.argument_twice(name, key, item.span))
        given[key] = argument(kinds[key], context.evaluate(value), name, key, value)
    for key, _, default in entry.arguments:
        if key not in given:
            if default is MISSING:
                raise Failed(application_errors.missing_argument(name, key, node.span, None))
            given[key] = default
    problem = entry.check(given)
    if problem is not None:
        raise Failed(application_errors.rejected(Rejected("E0304", problem), name, node.span))
    return InitValue(name, tuple((key, given[key]) for key in keys))


def argument(kind: str, value: Any, name: str, key: str, node: syntax.Pipe) -> Any:
    """A value as an argument of this kind; E0304, also for a size or a quotient that is not a plain number."""
    try:
        return read_argument(kind, value)
    except (Unfit, StaticError):
        raise Failed(application_errors.wrong_argument(name, key, expected(kind), value, node.span)) from None


def to_ir(value: InitValue | Init | None) -> Init | None:
    if isinstance(value, InitValue):
        return Init(name=value.name, args=dict(value.args))
    return value
