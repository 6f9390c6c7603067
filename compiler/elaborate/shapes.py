"""Sizes and declared types: what they state, whether a tensor has them, and what is left to check at run time."""

from __future__ import annotations

from typing import Any

from ..ir.model import Requirement
from ..messages import bodies as bodies_errors
from ..messages import control as control_errors
from ..messages import lookup as lookup_errors
from ..messages import shapes as shapes_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.habits import LITERALS
from ..messages.names import nearest
from ..messages.shapes import Demand, Known
from ..messages.source import Span
from ..resolve.definitions import Callable, ParamSlot
from ..resolve.evaluate import names_in
from ..sizes.dims import Dim, Size, var
from ..sizes.facts import compare, equal, missing_fact
from ..sizes.statics import as_size
from ..sizes.types import DTYPES, TensorType
from ..text import syntax
from .nodes import guarded
from .state import Context
from .values import SymbolicTensor


def size_of(context: Context, node: syntax.Pipe, what: str, *, names_new: bool = False) -> Size:
    """The size that an expression states. `names_new`: a capitalised name may introduce a new size here."""
    for ref in names_in(node):
        if not context.environment.knows(ref.name):
            alone = names_new and ref is node
            raise Failed(lookup_errors.unknown_size(ref.name, ref.span, context.environment.sizes(), names_new=alone))
    value = context.evaluate(node)
    if isinstance(value, SymbolicTensor):
        raise Failed(control_errors.not_static(node.span, what))
    if isinstance(value, Callable):
        raise Failed(shapes_errors.stage_in_shape(node.span))
    size = guarded(node.span, as_size, value, context.facts, what)
    if isinstance(size, int) and size < 1:
        raise Failed(shapes_errors.size_too_small(size, node.span, static_names(context, node)))
    return size


def static_names(context: Context, node: syntax.Pipe) -> dict[str, Any]:
    """The settings and sizes that take part in an expression, with their values, from left to right."""
    found = {ref.name: context.environment.lookup(ref.name, ref.span) for ref in reversed(list(names_in(node)))}
    return {name: value for name, value in found.items() if isinstance(value, (int, float, str, Dim))}


def named_sizes(context: Context, node: syntax.Pipe) -> list[Known]:
    """The sizes that an expression of a shape names, with their first bindings."""
    found: dict[str, Known] = {}
    for ref in names_in(node):
        binding = context.environment.binding(ref.name)
        if binding is not None and binding.is_size and binding.span != ref.span:
            found[ref.name] = Known(ref.name, binding.value, binding.span)
    return list(found.values())


# ---- facts ----------------------------------------------------------------------------------------------------------


def assume(context: Context, claim: Requirement, divisor: tuple[Size, int] | None = None) -> None:
    """A claim about sizes: an error when it cannot hold, nothing when it does, else a fact checked at run time.

    `divisor`: the size and the number of a claim `size % number == 0`.
    """
    left, op, right = claim.left, claim.op, claim.right
    answer = compare(left, op, right, context.facts)
    if answer is True:
        return
    if answer is False:
        raise Failed(shapes_errors.claim_fails(left, op, right, claim.message, claim.span))
    if divisor is not None:
        size, number = divisor
        name = str(size)
        if isinstance(size, Dim) and name.isidentifier():
            context.state.facts = context.state.facts.multiple(name, number)
    elif op in ("<=", "<") and isinstance(right, int):
        context.state.facts = context.state.facts.bound(left, high=right if op == "<=" else right - 1)
    elif op in (">=", ">") and isinstance(right, int):
        context.state.facts = context.state.facts.bound(left, low=right if op == ">=" else right + 1)
    context.builder.requirements.append(claim)


def limit(context: Context, size: Size, bound: syntax.Pipe, item: syntax.Pipe) -> None:
    """`T <= n`: checked now, or assumed and asserted at run time."""
    largest = size_of(context, bound, "the bound")
    span = item.span.to(bound.span)
    assume(context, Requirement(left=size, op="<=", right=largest, text=f"{size} <= {largest}", span=span))


# ---- declared types -------------------------------------------------------------------------------------------------


def split_bound(node: syntax.Pipe) -> tuple[syntax.Pipe, syntax.Pipe | None]:
    """`T <= n` in a shape: the size and its bound."""
    if isinstance(node, syntax.Binary) and node.op == "<=":
        return node.left, node.right
    return node, None


def declared_dtype(type: syntax.Type) -> str:
    return type.name.text if type.name is not None else "f32"


def fresh_size(context: Context, name: str) -> bool:
    """Whether a name in a signature introduces a size: capitalised and not known."""
    if not name[:1].isupper() or name in LITERALS:
        return False
    if context.environment.binding(name) is not None or context.environment.static(name)[0]:
        return False
    try:
        return not isinstance(context.environment.file.lookup(name), ParamSlot)
    except Abandoned:  # it may be a parameter that could not be read
        return True


def declared_type(context: Context, type: syntax.Type) -> TensorType:
    """The type an input of a root is declared to have: capitalised names are symbolic sizes."""
    dtype = declared_dtype(type)
    if dtype not in DTYPES:
        assert type.name is not None
        raise Failed(lookup_errors.unknown_dtype(dtype, type.name.span, nearest(dtype, DTYPES)))
    shape: list[Size] = []
    for item in type.shape.items if type.shape else ():
        size, bound = split_bound(item)
        if isinstance(size, syntax.Ellipsis) or (isinstance(size, syntax.Ref) and size.name == "_"):
            raise Failed(bodies_errors.open_model_input(size.span))
        if isinstance(size, syntax.Ref) and fresh_size(context, size.name):
            context.environment.bind_size(size.name, var(size.name), size.span)
        value = size_of(context, size, "this size", names_new=True)
        shape.append(value)
        if bound is not None:
            limit(context, value, bound, size)
    return TensorType(dtype, tuple(shape))


def unify(context: Context, type: syntax.Type, demand: Demand[TensorType], *, bind: bool) -> None:
    """Matches a declared tensor type against the actual one of `demand`, left to right.

    With `bind` capitalised names that are not known yet become sizes of the body (inputs); without it they are E0301.
    """
    dtype = declared_dtype(type)
    if dtype not in DTYPES:
        assert type.name is not None
        raise Failed(lookup_errors.unknown_dtype(dtype, type.name.span, nearest(dtype, DTYPES)))
    if dtype != demand.actual.dtype:
        raise Failed(shapes_errors.dtype_differs(demand, dtype, type.span))
    match_shape(context, type.shape.items if type.shape is not None else (), demand, type.span, bind=bind)


def match_shape(
    context: Context, items: tuple[syntax.Pipe, ...], demand: Demand[TensorType], span: Span, *, bind: bool
) -> None:
    sizes = demand.actual.shape
    leading = next((index for index, item in enumerate(items) if isinstance(item, syntax.Ellipsis)), None)
    if leading is not None:
        skipped = len(sizes) - (len(items) - 1)
        if skipped < 0:
            raise Failed(shapes_errors.rank_differs(demand, len(items) - 1, span, at_least=True))
        pairs = [*zip(items[:leading], sizes[:leading], range(leading), strict=True)]
        after = len(items) - leading - 1
        if after:
            axes = range(len(sizes) - after, len(sizes))
            pairs += [*zip(items[leading + 1 :], sizes[len(sizes) - after :], axes, strict=True)]
    else:
        if len(items) != len(sizes):
            raise Failed(shapes_errors.rank_differs(demand, len(items), span))
        pairs = [*zip(items, sizes, range(len(sizes)), strict=True)]
    for item, size, axis in pairs:
        match_axis(context, item, size, axis, demand, bind=bind)


def match_axis(
    context: Context, item: syntax.Pipe, size: Size, axis: int, demand: Demand[TensorType], *, bind: bool
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
    if answer:
        pass
    elif answer is False:
        raise Failed(shapes_errors.size_differs(demand, axis, declared, size, item.span, named_sizes(context, item)))
    else:
        fact, known = missing_fact(declared, size), named_sizes(context, item)
        raise Failed(shapes_errors.size_unproved(demand, axis, declared, size, item.span, fact, known))
    if bound is not None:
        limit(context, size, bound, item)
