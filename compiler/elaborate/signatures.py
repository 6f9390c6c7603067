"""Binds arguments to signatures: operators' fields, blocks' statics, declared input and output types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from ..catalogue.ops import find
from ..catalogue.ops.arguments import check_argument
from ..catalogue.ops.base import Layer, Op
from ..messages import elaborate as errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..messages.wording import describe
from ..resolve.definitions import Callable, ParamSlot
from ..sizes.dims import Size
from ..sizes.facts import equal, missing_fact
from ..sizes.statics import StaticError, as_bool, as_float, as_int, as_size, as_string
from ..sizes.types import DTYPES, TensorType
from ..text import syntax
from . import expressions
from .values import POISON, Instance, Tensor

if TYPE_CHECKING:
    from .elaborator import Context

T = TypeVar("T")


def guarded(context: Context, span: Span, operation: Any, *arguments: Any) -> Any:
    """Runs a static operation; its StaticError becomes a diagnostic at `span`."""
    try:
        return operation(*arguments)
    except StaticError as error:
        raise Failed(errors.static(error, span)) from None


def size_of(context: Context, node: syntax.Pipe, what: str, *, names_new: bool = False) -> Size:
    """The size that an expression states. `names_new`: a capitalised name could stand here for a new one."""
    for ref in names_in(node):
        if not context.environment.knows(ref.name):
            alone = names_new and ref is node
            raise Failed(errors.unknown_size(ref.name, ref.span, context.environment.sizes(), names_new=alone))
    value = expressions.evaluate(context, node)
    if isinstance(value, Tensor):
        raise Failed(errors.not_static(node.span, what))
    size = guarded(context, node.span, as_size, value, context.facts, what)
    if isinstance(size, int) and size < 1:
        raise Failed(errors.size_too_small(size, node.span))
    return size


def names_in(node: Any) -> Iterator[syntax.Ref]:
    """The names that an arithmetic expression reads."""
    match node:
        case syntax.Ref():
            yield node
        case syntax.Paren() | syntax.Unary():
            yield from names_in(node.value)
        case syntax.Binary():
            while isinstance(node, syntax.Binary):  # leans to the left and may be long
                yield from names_in(node.right)
                node = node.left
            yield from names_in(node)
        case _:
            pass


# ---- blocks: which list is which -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signature:
    """A block's declared parts, told apart."""

    statics: tuple[syntax.Decl, ...]
    inputs: tuple[syntax.Decl, ...]
    outs: syntax.Type | syntax.Decls | None

    @property
    def input_names(self) -> tuple[str, ...]:
        return tuple(decl.name.text for decl in self.inputs)


def is_tensor_type(type: syntax.Type | None) -> bool:
    return type is not None and (type.shape is not None or (type.name is not None and type.name.text in DTYPES))


def signature_of(node: syntax.Block | syntax.BlockSeq | syntax.Model) -> Signature:
    if isinstance(node, syntax.BlockSeq):
        return Signature(node.statics.items if node.statics else (), (), None)
    lists = [decls.items for decls in node.signature]
    if len(lists) == 2:
        return Signature(lists[0], lists[1], node.outs)
    only = lists[0] if lists else ()
    untyped = any(decl.type is None and decl.default is None for decl in only)  # a static has one of the two
    if any(is_tensor_type(decl.type) for decl in only) or untyped or not only:
        return Signature((), only, node.outs)
    return Signature(only, (), node.outs)


NO_PLACES: Mapping[str, Span] = {}


# ---- statics of blocks ---------------------------------------------------------------------------------------------


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
        raise Failed(errors.too_many_arguments(callable.spelled, len(names), len(callable.positional), span))
    given.update(zip(names, callable.positional, strict=False))
    for name, value in callable.keyword:
        if name not in names:
            raise Failed(
                errors.unknown_argument(
                    callable.spelled,
                    name,
                    [*names, *signature.input_names],
                    spans.get(name, span),
                    nearest(name, names),
                )
            )
        if name in given:
            raise Failed(errors.argument_twice(callable.spelled, name, spans.get(name, span)))
        given[name] = value
    bound: dict[str, Any] = {}
    inner = context.elaborator.file_context(definition.scope, bound)
    inner.builder = context.builder
    for decl in signature.statics:
        name = decl.name.text
        if name in given:
            bound[name] = convert(context, decl, given[name], places[name], inner)
        elif decl.default is not None:
            value = expressions.evaluate_argument(inner, decl.default, kind_of(decl))
            bound[name] = convert(inner, decl, value, decl.default.span, inner)
        else:
            raise Failed(errors.missing_argument(callable.spelled, name, span, decl.span))
    return bound


def kind_of(decl: syntax.Decl) -> str:
    """The declared type of a static as a word: `int`, `fn`, `layer`, `one_of`, a layer kind, or "" (inferred)."""
    return decl.type.name.text if decl.type is not None and decl.type.name is not None else ""


def convert(context: Context, decl: syntax.Decl, value: Any, span: Span, inner: Context) -> Any:
    """A static argument as its declared type demands; E0304 with what was expected."""
    kind, name = kind_of(decl), decl.name.text
    if value is POISON:
        return value
    if isinstance(value, Tensor):
        raise Failed(errors.not_static(span, f"static `{name}`"))
    if kind in ("", "tuple", "list") and decl.default is not None:
        default = expressions.evaluate_argument(inner, decl.default, "")
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
        return guarded(context, span, as_int, value, what)
    if kind == "float":
        return guarded(context, span, as_float, value, what)
    if kind == "bool":
        return guarded(context, span, as_bool, value, what)
    if kind == "string":
        return guarded(context, span, as_string, value, what)
    if kind == "one_of":
        assert decl.type is not None and decl.type.args is not None
        allowed = [
            expressions.evaluate(inner, item) for item in decl.type.args.items if not isinstance(item, syntax.Kwarg)
        ]
        if value not in allowed:
            near = (
                nearest(value, [item for item in allowed if isinstance(item, str)]) if isinstance(value, str) else None
            )
            near = f'"{near}"' if near else None
            raise Failed(errors.wrong_static(name, "one of " + ", ".join(map(describe, allowed)), value, span, near))
        return value
    if kind == "fn":
        if not (isinstance(value, Callable) and value.is_function):
            raise Failed(errors.wrong_static(name, "a function such as `relu`", value, span))
        return value
    if kind == "layer":
        if not (isinstance(value, Callable) and not value.is_function):
            raise Failed(errors.wrong_static(name, "a layer such as `LayerNorm`", value, span))
        return value
    if kind and kind[:1].isupper():
        operator = find(kind)
        if not isinstance(value, Instance) or (operator is not None and value.callable.target is not operator):
            raise Failed(errors.wrong_static(name, f"an instance of `{kind}`", value, span))
        return value
    if kind not in ("", "tuple", "list"):
        assert decl.type is not None
        raise Failed(errors.unknown_static_type(kind, decl.type.span))
    return value


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
            if kind == "optional" and not isinstance(rest[0], Tensor):
                continue
            tensors[name] = rest.pop(0)
    for name in fields:
        if not rest:
            break
        spans.setdefault(name, spans.get(f"#{len(positional) - len(rest) - piped}", span))
        arguments[name] = rest.pop(0)
    if rest:
        raise Failed(errors.too_many_arguments(spelled, len(positional) - len(rest), len(positional), span))
    tensor_names = [name for name, _ in slots]
    groups: dict[str, tuple[str, ...]] = getattr(operator, "tensor_groups", {})
    for name, value in keyword.items():
        if name in tensors or name in arguments:
            raise Failed(errors.argument_twice(spelled, name, spans.get(name, span)))
        if name in groups:
            parts: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)  # pyright: ignore[reportUnknownVariableType]
            if len(parts) > len(groups[name]):  # pyright: ignore[reportUnknownArgumentType]
                raise Failed(errors.too_many_arguments(name, len(groups[name]), len(parts), span))
            tensors.update(zip(groups[name], parts, strict=False))  # pyright: ignore[reportUnknownArgumentType]
        elif name in tensor_names:
            if value is not None:
                tensors[name] = value
        elif name in fields or (name == "init" and issubclass(operator, Layer)):
            arguments[name] = value
        else:
            known = [*fields, *tensor_names, *groups]
            raise Failed(errors.unknown_argument(spelled, name, known, spans.get(name, span), nearest(name, known)))
    checked: dict[str, Any] = {}
    for name, kind, default in operator.arguments:
        if name in arguments:
            checked[name] = check(context, spelled, name, kind, arguments[name], spans.get(name, span))
        elif default is Op.MISSING:
            raise Failed(errors.missing_argument(spelled, name, span, None))
        else:
            checked[name] = default
    if "init" in arguments and "init" not in checked:
        checked["init"] = arguments["init"]
    ordered: list[Any] = [tensors.get(name) for name, kind in slots if kind != "many"]
    return checked, [*ordered, *many]


def check(context: Context, spelled: str, name: str, kind: str, value: Any, span: Span) -> Any:
    """One static argument of an operator against its annotation."""
    if isinstance(value, Tensor):
        if kind in ("ShapeLike", "Shape"):
            return value.type.shape
        raise Failed(errors.not_static(span, f"argument `{name}` of `{spelled}`"))
    try:
        return check_argument(kind, value)
    except StaticError as error:
        raise Failed(errors.static(error, span)) from None
    except ValueError as error:
        raise Failed(errors.wrong_argument(spelled, name, str(error), value, span)) from None


# ---- unification of declared types ---------------------------------------------------------------------------------


def split_bound(node: syntax.Pipe) -> tuple[syntax.Pipe, syntax.Pipe | None]:
    """`T <= n` in a shape: the size and its bound."""
    if isinstance(node, syntax.Binary) and node.op == "<=":
        return node.left, node.right
    return node, None


def declared_dtype(type: syntax.Type) -> str:
    return type.name.text if type.name is not None else "f32"


def unify(
    context: Context,
    type: syntax.Type,
    actual: TensorType,
    what: str,
    *,
    bind: bool,
    required: Span | None,
    value: str = "the tensor",
) -> None:
    """Matches a declared tensor type against the actual one, left to right.

    With `bind` capitalised names that are not known yet become sizes of the body (inputs); without it they are E0301.
    `required` is the place of the use when the type belongs to a signature elsewhere.
    """
    dtype = declared_dtype(type)
    if dtype not in DTYPES:
        assert type.name is not None
        raise Failed(errors.unknown_dtype(dtype, type.name.span, nearest(dtype, DTYPES)))
    if dtype != actual.dtype:
        raise Failed(errors.dtype_differs(what, dtype, actual, type.span, required))
    items = type.shape.items if type.shape is not None else ()
    match_shape(context, items, actual, what, type.span, bind=bind, required=required, value=value)


def match_shape(
    context: Context,
    items: tuple[syntax.Pipe, ...],
    actual: TensorType,
    what: str,
    span: Span,
    *,
    bind: bool,
    required: Span | None,
    value: str = "the tensor",
    source: Span | None = None,
) -> None:
    sizes = list(actual.shape)
    leading = next((index for index, item in enumerate(items) if isinstance(item, syntax.Ellipsis)), None)
    if leading is not None:
        skipped = len(sizes) - (len(items) - 1)
        if skipped < 0:
            raise Failed(errors.rank_differs(what, len(items) - 1, actual, span, required, at_least=True))
        pairs = [*zip(items[:leading], sizes[:leading], range(leading), strict=True)]
        after = len(items) - leading - 1
        if after:
            axes = range(len(sizes) - after, len(sizes))
            pairs += [*zip(items[leading + 1 :], sizes[len(sizes) - after :], axes, strict=True)]
    else:
        if len(items) != len(sizes):
            raise Failed(errors.rank_differs(what, len(items), actual, span, required, source=source))
        pairs = [*zip(items, sizes, range(len(sizes)), strict=True)]
    for item, size, axis in pairs:
        match_axis(context, item, size, axis, actual, what, bind=bind, required=required, value=value, source=source)


def match_axis(
    context: Context,
    item: syntax.Pipe,
    size: Size,
    axis: int,
    actual: TensorType,
    what: str,
    *,
    bind: bool,
    required: Span | None,
    value: str,
    source: Span | None,
) -> None:
    item, bound = split_bound(item)
    if isinstance(item, syntax.Ref):
        if item.name == "_":
            return
        if bind and fresh_size(context, item.name):
            context.environment.bind_size(item.name, size, item.span)
            if bound is not None:
                limit(context, size, bound, item)
            return
    declared = size_of(context, item, "this size", names_new=bind)
    answer = equal(declared, size, context.facts)
    if answer is False:
        raise Failed(errors.size_differs(what, declared, size, axis, actual, item.span, required, value, source))
    if answer is None:
        raise Failed(
            errors.size_unproved(what, declared, size, axis, actual, item.span, required, missing_fact(declared, size))
        )
    if bound is not None:
        limit(context, size, bound, item)


def fresh_size(context: Context, name: str) -> bool:
    """Whether a name in a signature introduces a size: capitalised and not known."""
    if not name[:1].isupper():
        return False
    if context.environment.binding(name) is not None or context.environment.static(name)[0]:
        return False
    try:
        return not isinstance(context.environment.file.lookup(name), ParamSlot)
    except Abandoned:  # it may be a parameter that could not be read
        return True


def limit(context: Context, size: Size, bound: syntax.Pipe, item: syntax.Pipe) -> None:
    """`T <= n`: checked now, or assumed and asserted at run time."""
    largest = size_of(context, bound, "the bound")
    context.elaborator.assume(context, size, "<=", largest, item.span.to(bound.span), None)
