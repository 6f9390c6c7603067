"""Values of parameters: computed once, when something asks; checked against the declared type or that of the default."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..messages import resolve as errors
from ..messages import statics as statics_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..sizes import statics
from ..text import syntax
from .callables import APPLIED, applied_kind, callable_kind, evaluate_callable
from .definitions import COMMAND_LINE, UNKNOWN, Callable, Definition, FileScope, ParamSlot
from .evaluate import evaluate_static

PARAM_TYPES = ("int", "float", "bool", "string", "one_of", "fn", "layer")

#: In place of a value that is being computed, or that has a mistake, which was reported.
_PENDING, _FAILED = object(), object()

EXPECTED = {
    "int": "an integer",
    "float": "a number",
    "bool": "`true` or `false`",
    "string": "a string",
    "list": "a list",
    "quantity": "a number with a unit",
    **APPLIED,
}


def kind_of(value: Any) -> str:
    """The static type of a value by its name in a spec, or ""."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, statics.Quantity):
        return "quantity"
    if isinstance(value, Callable):
        return callable_kind(value)
    return "list" if isinstance(value, tuple) else ""


def convert(value: Any, kind: str, name: str) -> Any:
    """`value` as a static type named in a spec; int to float is the only conversion. Raises StaticError."""
    what = f"`{name}`"
    match kind:
        case "int":
            return statics.as_int(value, what)
        case "float":
            return statics.as_float(value, what)
        case "bool":
            return statics.as_bool(value, what)
        case "string":
            return statics.as_string(value, what)
        case "list" if not statics.is_list(value):
            raise statics_errors.not_of_kind("E0304", f"{what} is a list", "write a list: `[1, 2]`")
        case "quantity" if not isinstance(value, statics.Quantity):
            raise statics_errors.not_of_kind("E0403", f"{what} has no unit", "write a duration, such as `10 epochs`")
        case "fn" | "layer" if kind_of(value) != kind:
            raise statics_errors.not_of_kind("E0304", f"{what} is {APPLIED[kind]}", f"give {APPLIED[kind]} by its name")
        case _:
            return value


def value_of(slot: ParamSlot) -> Any:
    """The value, computed once; a mistake is reported once and raises Abandoned ever after."""
    if slot.result is UNKNOWN:
        slot.result = _PENDING
        try:
            slot.result = _evaluate(slot)
        except Failed as failure:
            slot.scope.report.add(failure.diagnostic)
            slot.result = _FAILED
        except Abandoned:
            slot.result = _FAILED
        except RecursionError:  # a chain of a thousand parameters, read from its end by an imported file
            slot.scope.report.add(errors.too_deep(slot.value.span))
            slot.result = _FAILED
    if slot.result is _FAILED:
        raise Abandoned
    if slot.result is _PENDING:
        raise Failed(errors.param_cycle(slot.node.name.span, [slot.name, slot.name]))
    return slot.result


def default_of(slot: ParamSlot) -> Any:
    """The value written at the declaration."""
    if slot.origin is None:
        return value_of(slot)
    if slot.default is UNKNOWN:
        slot.default = _PENDING
        slot.default = _checked(slot, _value(slot, slot.node.value, slot.scope, True), slot.node.value.span, None)
    return slot.default


def applied(slot: ParamSlot) -> str:
    """`fn` or `layer` when the parameter is something to apply, by its type or by its default, else ""."""
    declared = slot.node.type
    if declared is None:
        return applied_kind(slot.node.value, slot.scope)
    name = declared.name.text if declared.name is not None and declared.shape is None else ""
    return name if name in APPLIED else ""


def _value(slot: ParamSlot, node: syntax.Pipe, scope: FileScope, above: bool) -> Any:
    kind = applied(slot)

    def lookup(ref: syntax.Ref) -> Any:
        return value_of_name(scope, ref, slot, above)

    return evaluate_callable(node, scope, lookup, kind) if kind else evaluate_static(node, lookup)


def _evaluate(slot: ParamSlot) -> Any:
    own = slot.origin is None
    value = _value(slot, slot.value, slot.value_scope, own)
    inferred = None if own or slot.node.type is not None else default_of(slot)
    return _checked(slot, value, slot.value.span, inferred)


def _checked(slot: ParamSlot, value: Any, span: Span, inferred: Any) -> Any:
    """`value` as the declared type demands, or as the default's."""
    declared = slot.node.type
    if declared is not None:
        if declared.shape is not None or declared.name is None or declared.name.text not in PARAM_TYPES:
            text = declared.name.text if declared.name is not None and declared.shape is None else "[..]"
            raise Failed(errors.param_type_unknown(declared.span, text, nearest(text, PARAM_TYPES)))
        kind = declared.name.text
        choices = choices_of(declared)
        if kind == "one_of":
            return _one_of(slot, value, span, choices)
    elif inferred is None:
        return value
    else:
        kind = kind_of(inferred)
    try:
        return convert(value, kind, slot.name)
    except statics.StaticError as error:
        default = statics.describe(default_of(slot)) if slot.origin is not None else None
        place = slot.node.name.span if slot.origin is not None else None
        found = f"`{statics.describe(value)}`"
        raise Failed(errors.wrong_value(span, slot.name, EXPECTED[kind], found, place, default, error.code)) from None


def choices_of(declared: syntax.Type) -> list[syntax.Pipe]:
    """The values that `one_of(..)` lists. Raises E0304 where it lists none, and where another type has some."""
    name = declared.name.text if declared.name is not None else ""
    items = declared.args.items if declared.args is not None else ()
    found = [item for item in items if not isinstance(item, syntax.Kwarg)]
    if (name == "one_of") != bool(items) or len(found) < len(items):
        raise Failed(errors.values_of_type(declared.span, name))
    return found


def _one_of(slot: ParamSlot, value: Any, span: Span, choices: Sequence[syntax.Pipe]) -> Any:
    allowed = [evaluate_static(item, lambda ref: value_of_name(slot.scope, ref, slot)) for item in choices]
    if not any(type(value) is type(item) and value == item for item in allowed):
        expected = "one of " + ", ".join(map(statics.describe, allowed))
        place = slot.node.type.span if slot.origin and slot.node.type else None
        near = nearest(value, [item for item in allowed if isinstance(item, str)]) if isinstance(value, str) else None
        diagnostic = errors.wrong_value(span, slot.name, expected, f"`{statics.describe(value)}`", place, None)
        if near is not None:
            diagnostic = errors.with_near(diagnostic, near)
        raise Failed(diagnostic)
    return value


def static(node: syntax.Pipe, scope: FileScope) -> Any:
    """The value of an expression of the file's own level. Raises Failed or Abandoned."""
    return evaluate_static(node, lambda ref: value_of_name(scope, ref))


def value_of_param(scope: FileScope, name: str) -> Any:
    """The value of a parameter of this file; Abandoned when its mistake was reported."""
    slot = scope.lookup(name)
    assert isinstance(slot, ParamSlot), f"{name} is not a parameter"
    slot.mark_used()
    return value_of(slot)


def value_of_name(scope: FileScope, ref: syntax.Ref, reader: ParamSlot | None = None, above: bool = True) -> Any:
    """The value of a name in an expression of the file's own level, e.g. the default of a parameter (`reader`).

    With `above` a parameter sees only those declared before it.
    """
    found = scope.lookup(ref.name)
    if isinstance(found, Definition):
        raise Failed(errors.not_a_value(ref.span, ref.name, found.kind))
    if found is None:
        if ref.name in statics.CONSTANTS:
            return statics.CONSTANTS[ref.name]
        if reader is not None and reader.strength == COMMAND_LINE and reader.takes_strings:
            raise Failed(errors.without_quotes(ref.span, ref.name, reader.name))
        near = nearest(ref.name, [*(slot.name for slot in scope.slots()), *statics.CONSTANTS])
        raise Failed(errors.unknown_name(ref.span, ref.name, near))
    if reader is not None:
        own = found.scope is reader.scope and ref.name in scope.params
        if found is reader and above and own:
            raise Failed(errors.param_cycle(ref.span, [ref.name, ref.name]))
        if above and own and found.position >= reader.position:
            raise Failed(errors.param_below(ref.span, ref.name, found.node.name.span))
        reader.reads.add(found)
        if reader.used:
            found.mark_used()
    else:
        found.mark_used()  # a section reads it
    try:
        return value_of(found)
    except Failed:
        chain = [ref.name] if reader is found or reader is None else [ref.name, reader.name]
        raise Failed(errors.param_cycle(ref.span, [*chain, ref.name])) from None
