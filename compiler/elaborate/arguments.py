"""Arguments of a use: evaluated in the table of their position, bound to an operator's fields or a block's statics.

For `b: Mlp(4 * 8, act = relu)` of `block Mlp(width: int, act: fn = gelu)(x: [B, D]) -> ..`:

    evaluate_arguments    ([32], {"act": Callable(relu)}, {"#0": place of `4 * 8`, "act": place of `act = relu`})
    bind_statics          {"width": 32, "act": Callable(relu)}: each in its declared type (`convert`), defaults filled in

and for `x -> dropout(0.1)`, whose class has the field `p: Share` and one tensor input:

    bind_operator         ({"p": 0.1}, [the tensor `x`])
"""

from __future__ import annotations

from collections.abc import Callable as Function
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..catalogue.arguments import read
from ..catalogue.ops import find
from ..catalogue.ops import names as catalogue_names
from ..catalogue.ops.base import Layer, Op
from ..messages import application as application_errors
from ..messages import control as control_errors
from ..messages import habits
from ..messages import lookup as lookup_errors
from ..messages import statics as statics_errors
from ..messages.diagnostics import Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..messages.wording import describe
from ..resolve.definitions import Callable, Definition
from ..resolve.parameters import PARAM_TYPES, choices_of
from ..sizes.statics import StaticError, as_bool, as_float, as_int, as_string
from ..sizes.types import DTYPES
from ..text import syntax, top_level
from . import foreign, initializers
from .nodes import guarded
from .signatures import Signature, kind_of, signature_of
from .state import Context
from .values import POISON, SymbolicTensor, WeightOwner

#: What the type of a static may be called; a kind of layer may be too.
KINDS = (*PARAM_TYPES, "tuple", "list")


def evaluate_arguments(
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

    def by_name(item: syntax.Kwarg) -> None:
        name = item.name.text
        if name in spans:
            raise Failed(application_errors.argument_twice(target.spelled, name, item.span))
        spans[name] = item.span
        keyword[name] = evaluate_argument(context, item.value, kinds.get(name, "init" if name == "init" else ""))

    def by_position(item: syntax.Pipe, count: int) -> None:
        at = count + len(target.positional)
        kind = kinds[order[at]] if at < len(order) else ""
        # The tensors of a function come first; a dtype or init written there is found by its table.
        if not kind.startswith(("DType", "Init")) and isinstance(item, syntax.Ref):
            kind = next((k for k in kinds.values() if k.startswith("DType") and item.name in DTYPES), kind)
        spans[f"#{count}"] = item.span
        positional.append(evaluate_argument(context, item, kind))

    actions: list[Function[[], None]] = []
    count = 0
    for item in args.items:
        if isinstance(item, syntax.Kwarg):
            actions.append(partial(by_name, item))
        else:
            actions.append(partial(by_position, item, count))
            count += 1
    context.all_of(*actions)
    return positional, keyword, spans


def refuse_inputs(
    target: Callable, args: syntax.Args | None, positional: list[Any], span: Span, piped: int = 0
) -> None:
    """E0304 where a layer or block is given tensors as arguments; `piped` values came through the pipe."""
    of_function = isinstance(target.target, type) and not issubclass(target.target, Layer)
    if args is None or of_function or not any(isinstance(value, SymbolicTensor) for value in positional):
        return
    if not piped:
        raise Failed(foreign.inputs_given(target.spelled, args, positional, span))
    names = [name for name, _ in target.target.tensors] if isinstance(target.target, type) else []
    node = None if isinstance(target.target, type) else target.target.node
    if isinstance(node, (top_level.Block, top_level.Model)):
        names = list(signature_of(node).input_names)
    given = sum(isinstance(value, SymbolicTensor) for value in positional)
    if given <= len(names) - piped:  # else it cannot have been meant as an input
        raise Failed(foreign.further_inputs(target.spelled, args, positional, span, names[piped:]))


def argument_kinds(target: Callable) -> dict[str, str]:
    """Annotation (operators) or declared type (blocks) by argument name, in order."""
    if isinstance(target.target, type):
        return {name: kind for name, kind, _ in target.target.arguments}
    node = target.target.node
    if isinstance(node, (top_level.Block, top_level.BlockSeq, top_level.Model)):
        return {decl.name.text: kind_of(decl) for decl in signature_of(node).statics}
    return {}


def evaluate_argument(context: Context, node: syntax.Pipe, kind: str) -> Any:
    """An argument in the table of its position."""
    if kind.startswith("Init") or kind == "init":
        return initializers.read(context, node)
    if kind.startswith("DType") and isinstance(node, syntax.Ref) and node.name in DTYPES:
        return node.name
    if kind in ("fn", "layer"):
        if isinstance(node, syntax.Ref):
            return context.environment.callable(node.name, node.span)
        if isinstance(node, syntax.Call) and isinstance(node.callee, syntax.Ref):
            target = context.environment.callable(node.callee.name, node.callee.span)
            if isinstance(target, WeightOwner):
                raise Failed(foreign.of_instance(node, node.callee.name))
            positional, keyword, _ = evaluate_arguments(context, target, node.args)
            refuse_inputs(target, node.args, positional, node.span)
            return Callable(
                target.target, target.spelled, (*target.positional, *positional), (*target.keyword, *keyword.items())
            )
    return context.evaluate(node)


# ---- statics of blocks ---------------------------------------------------------------------------------------------


NO_PLACES: Mapping[str, Span] = {}


def bind_statics(
    context: Context,
    callable: Callable,
    signature: Signature,
    definition: Any,
    span: Span,
    spans: Mapping[str, Span] = NO_PLACES,
) -> dict[str, Any]:
    """Values of a block's statics from the arguments of a use; defaults may use earlier statics and the file's params.

    `callable` carries evaluated arguments, `spans` their places as far as they are known. Keyword arguments that name
    inputs are taken out before.
    """
    names = [decl.name.text for decl in signature.statics]
    places = {name: spans.get(f"#{position}", span) for position, name in enumerate(names)} | dict(spans)
    given: dict[str, Any] = {}
    if len(callable.positional) > len(names):
        raise Failed(
            application_errors.too_many_arguments(
                callable.spelled, len(names), len(callable.positional), span, block=True
            )
        )
    given.update(zip(names, callable.positional, strict=False))
    for name, value in callable.keyword:
        if name not in names:
            raise Failed(
                application_errors.unknown_argument(
                    callable.spelled,
                    name,
                    [*names, *signature.input_names],
                    spans.get(name, span),
                    nearest(name, names),
                )
            )
        if name in given:
            raise Failed(application_errors.argument_twice(callable.spelled, name, spans.get(name, span)))
        given[name] = value
    bound: dict[str, Any] = {}
    inner = context.state.file_context(definition.scope, bound)
    inner.builder = context.builder
    for decl in signature.statics:
        name = decl.name.text
        if name in given:
            bound[name] = convert(context, decl, given[name], places[name], inner)
        elif decl.default is not None:
            value = evaluate_argument(inner, decl.default, kind_of(decl))
            bound[name] = convert(inner, decl, value, decl.default.span, inner)
        else:
            _choices(inner, decl)  # a type that is none is the mistake
            raise Failed(application_errors.missing_argument(callable.spelled, name, span, decl.span))
    return bound


def convert(context: Context, decl: syntax.Decl, value: Any, span: Span, inner: Context) -> Any:
    """A static argument as its declared type demands; E0304 with what was expected."""
    kind, name = kind_of(decl), decl.name.text
    choices = _choices(inner, decl)
    if value is POISON:
        return value
    if isinstance(value, SymbolicTensor):
        raise Failed(control_errors.not_static(span, f"static `{name}`"))
    if kind in ("", "tuple", "list") and decl.default is not None:
        default = evaluate_argument(inner, decl.default, "")
        if isinstance(default, bool):
            kind = "bool"
        elif isinstance(default, int):
            kind = "int"
        elif isinstance(default, float):
            kind = "float"
        elif isinstance(default, str):
            kind = "string"
    what = f"`{name}`"
    if kind == "int":
        return guarded(span, as_int, value, what)
    if kind == "float":
        return guarded(span, as_float, value, what)
    if kind == "bool":
        return guarded(span, as_bool, value, what)
    if kind == "string":
        return guarded(span, as_string, value, what)
    if kind == "one_of":
        allowed = [inner.evaluate(item) for item in choices]
        if value not in allowed:
            near = (
                nearest(value, [item for item in allowed if isinstance(item, str)]) if isinstance(value, str) else None
            )
            near = f'"{near}"' if near else None
            raise Failed(
                application_errors.wrong_static(name, "one of " + ", ".join(map(describe, allowed)), value, span, near)
            )
        return value
    if kind == "fn":
        if not (isinstance(value, Callable) and value.is_function):
            raise Failed(application_errors.wrong_static(name, "a function such as `relu`", value, span))
        return value
    if kind == "layer":
        if not (isinstance(value, Callable) and not value.is_function):
            raise Failed(application_errors.wrong_static(name, "a layer such as `LayerNorm`", value, span))
        return value
    if kind and kind[:1].isupper():
        operator = find(kind)
        if not isinstance(value, WeightOwner) or (operator is not None and value.callable.target is not operator):
            raise Failed(application_errors.wrong_static(name, f"an instance of `{kind}`", value, span))
        return value
    return value


def _choices(context: Context, decl: syntax.Decl) -> Sequence[syntax.Pipe]:
    """The values that a declared `one_of` lists. Raises E0301 and E0304 where the type is none of a static."""
    if decl.type is None:
        return ()
    kind = kind_of(decl) if decl.type.shape is None else "[..]"
    if kind not in KINDS and not _owns_weights(context, kind):
        near = nearest(kind, [*KINDS, *(name for name in catalogue_names() if name[:1].isupper())])
        raise Failed(lookup_errors.unknown_static_type(kind, decl.type.span, near))
    return choices_of(decl.type)


def _owns_weights(context: Context, kind: str) -> bool:
    """Whether a name is that of a layer or block, whose instances a static may take."""
    operator = find(kind)
    if operator is not None:
        return issubclass(operator, Layer)
    found = context.environment.file.lookup(kind)
    return isinstance(found, Definition) and found.kind in ("block", "model")


# ---- arguments of operators ----------------------------------------------------------------------------------------


def bind_operator(
    context: Context,
    operator: type[Op],
    positional: list[Any],
    keyword: dict[str, Any],
    spelled: str,
    span: Span,
    spans: dict[str, Span],
) -> tuple[dict[str, Any], list[Any]]:
    """Splits what a use gives into static arguments and tensor inputs.

    For a layer all positional arguments are static; for a function tensors come first, in order, then arguments.
    `positional` begins with the piped values (for functions). Returns arguments by name and tensors by position.
    """
    tensors: dict[str, Any] = {}
    many: list[Any] = []
    arguments: dict[str, Any] = {}
    slots = list(operator.tensors)
    fields = [name for name, _, _ in operator.arguments]
    rest = list(positional)
    piped = len(positional) - sum(place.startswith("#") for place in spans)
    spans = dict(spans)
    if not issubclass(operator, Layer):
        for name, kind in slots:
            if kind == "many":
                while rest:
                    many.append(rest.pop(0))
                break
            if not rest:
                break
            if name in keyword:
                continue
            if kind == "optional" and not isinstance(rest[0], SymbolicTensor):
                continue
            tensors[name] = rest.pop(0)
    for name in fields:
        if not rest:
            break
        spans.setdefault(name, spans.get(f"#{len(positional) - len(rest) - piped}", span))
        arguments[name] = rest.pop(0)
    if rest:
        most, listed = len(positional) - len(rest), _as_list(operator, positional[piped:] if piped > 0 else positional)
        helps = habits.surplus(spelled, list(fields) or [name for name, _ in slots], listed)
        raise Failed(application_errors.too_many_arguments(spelled, most, len(positional), span, helps=helps))
    tensor_names = [name for name, _ in slots]
    groups: dict[str, tuple[str, ...]] = getattr(operator, "tensor_groups", {})
    for name, value in keyword.items():
        if name in tensors or name in arguments:
            order = tuple(fields) if issubclass(operator, Layer) else ()
            raise Failed(application_errors.argument_twice(spelled, name, spans.get(name, span), order))
        if name in groups:
            parts: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType]
            if len(parts) > len(groups[name]):  # pyright: ignore[reportUnknownArgumentType]
                raise Failed(application_errors.too_many_arguments(name, len(groups[name]), len(parts), span))
            tensors.update(zip(groups[name], parts, strict=False))  # pyright: ignore[reportUnknownArgumentType]
        elif name in tensor_names:
            if value is not None:
                tensors[name] = value
        elif name in fields or (name == "init" and issubclass(operator, Layer)):
            arguments[name] = value
        else:
            known = [*fields, *tensor_names, *groups]
            raise Failed(
                application_errors.unknown_argument(spelled, name, known, spans.get(name, span), nearest(name, known))
            )
    checked: dict[str, Any] = {}
    for name, kind, default in operator.arguments:
        if name in arguments:
            place = spans.get(name, span)
            checked[name] = check(context, spelled, name, kind, arguments[name], place, tuple(fields))
        elif default is Op.MISSING:
            raise Failed(application_errors.missing_argument(spelled, name, span, None))
        else:
            checked[name] = default
    if "init" in arguments and "init" not in checked:
        checked["init"] = arguments["init"]
    ordered: list[Any] = [tensors.get(name) for name, kind in slots if kind != "many"]
    return checked, [*ordered, *many]


def _as_list(operator: type[Op], values: Sequence[Any]) -> str:
    """`[B, 16]` for `randn(B, 16)`: what would fit as a list; "" where the first argument takes none."""
    if not operator.arguments:
        return ""
    first = operator.arguments[0][1]
    sizes = [value for value in values if not isinstance(value, (bool, float, SymbolicTensor))]
    try:
        read(first, tuple(sizes))
    except (ValueError, TypeError, StaticError):
        return ""
    return f"[{', '.join(describe(size) for size in sizes)}]" if len(sizes) == len(values) else ""


def check(
    context: Context, spelled: str, name: str, kind: str, value: Any, span: Span, order: tuple[str, ...] = ()
) -> Any:
    """One static argument of an operator against its annotation."""
    if isinstance(value, SymbolicTensor):
        if kind in ("ShapeLike", "Shape"):
            return value.type.shape
        raise Failed(control_errors.not_static(span, f"argument `{name}` of `{spelled}`"))
    try:
        return read(kind, value)
    except StaticError as error:
        raise Failed(statics_errors.at(error, span, {})) from None
    except ValueError as error:
        raise Failed(application_errors.wrong_argument(spelled, name, str(error), value, span, order)) from None
