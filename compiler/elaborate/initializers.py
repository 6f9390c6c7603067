"""The init table: what may stand after `init =`."""

from __future__ import annotations

from typing import Any

from ..ir.model import Init
from ..messages import elaborate as errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..text import syntax
from .state import Context
from .values import InitValue

REQUIRED: Any = object()

#: Arguments with their defaults, in order.
TABLE: dict[str, dict[str, Any]] = {
    "normal": {"std": REQUIRED, "mean": 0.0},
    "trunc_normal": {"std": REQUIRED, "mean": 0.0},
    "uniform": {"low": REQUIRED, "high": REQUIRED},
    "zeros": {},
    "ones": {},
    "constant": {"v": REQUIRED},
    "xavier_uniform": {"gain": 1.0},
    "xavier_normal": {"gain": 1.0},
    "kaiming_uniform": {"mode": "fan_in", "act": "leaky_relu"},
    "kaiming_normal": {"mode": "fan_in", "act": "leaky_relu"},
    "orthogonal": {"gain": 1.0},
    "s4d_real": {},
}


def read(context: Context, node: syntax.Pipe) -> InitValue:
    """`normal(0.02)`, `zeros`: a name of this table, with arguments."""
    while isinstance(node, syntax.Paren):
        node = node.value
    if isinstance(node, syntax.Ref):
        name, span, items = node.name, node.span, ()
    elif isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref):
        name, span, items = node.callee.name, node.callee.span, node.args.items
    elif isinstance(node, syntax.NoneLiteral):
        raise Failed(errors.not_an_init(node.span))
    else:
        raise Failed(errors.not_an_init(node.span))
    if name not in TABLE:
        raise Failed(errors.unknown_init(name, span, TABLE))
    table = TABLE[name]
    given: dict[str, Any] = {}
    for position, item in enumerate(items):
        if isinstance(item, syntax.Kwarg):
            key, value = item.name.text, item.value
            if key not in table:
                raise Failed(errors.unknown_argument(name, key, list(table), item.span, nearest(key, table)))
        else:
            if position >= len(table):
                raise Failed(errors.too_many_arguments(name, len(table), len(items), node.span))
            key, value = list(table)[position], item
        if key in given:
            raise Failed(errors.argument_twice(name, key, item.span))
        given[key] = number(context.evaluate(value), table[key], name, key, value)
    for key, default in table.items():
        if key not in given and default is REQUIRED:
            raise Failed(errors.missing_argument(name, key, node.span, None))
    return InitValue(name, tuple((key, given.get(key, default)) for key, default in table.items()))


def number(value: Any, default: Any, name: str, key: str, node: syntax.Pipe) -> Any:
    if isinstance(default, str):
        if isinstance(value, str):
            return value
        raise Failed(errors.wrong_argument(name, key, "a string", value, node.span))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Failed(errors.wrong_argument(name, key, "a number", value, node.span))
    return float(value)


def to_ir(value: InitValue | Init | None) -> Init | None:
    if isinstance(value, InitValue):
        return Init(name=value.name, args=dict(value.args))
    return value
