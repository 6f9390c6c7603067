"""Calls as other libraries write them, `torch.relu(x)`, `x.mean(-1)`, `Linear(8)(x)`, and the same in the language.

The help of a message shows the user's own names and arguments: `x.mean(dim=-1)` becomes `mean(x, axis = -1)`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..catalogue.ops import find
from ..catalogue.ops import names as catalogue_names
from ..catalogue.ops.base import Layer, Op
from ..messages import habits
from ..messages.diagnostics import Diagnostic
from ..messages.names import nearest
from ..sizes.types import TensorType
from ..text import syntax
from ..text.printer import print_expression
from .state import Context
from .values import SubInstance, SymbolicTensor, WeightOwner

_LITERALS = re.compile(rf"\b({'|'.join(habits.LITERALS)})\b")


def text(node: syntax.Node) -> str:
    """The source text of an expression, its literals in our words."""
    return _LITERALS.sub(lambda match: habits.LITERALS[match[0]], print_expression(node))


def piped(inputs: Sequence[str], made: str) -> str:
    """`x -> f`, `(x, y) -> f`."""
    given = ", ".join(inputs)
    return f"{given} -> {made}" if len(inputs) == 1 else f"({given}) -> {made}" if inputs else f"x -> {made}"


def with_arguments(name: str, arguments: Sequence[str]) -> str:
    return f"{name}({', '.join(arguments)})" if arguments else name


def of_instance(node: syntax.Call, name: str) -> Diagnostic:
    """`fc(x, memory = m)`: an instance that is called."""
    inputs = [text(item) for item in node.args.items if not isinstance(item, syntax.Kwarg)]
    named = [text(item) for item in node.args.items if isinstance(item, syntax.Kwarg)]
    return habits.instance_called(name, node.span, piped(inputs, with_arguments(name, named)))


def inputs_given(name: str, args: syntax.Args, values: Sequence[Any], span: Any) -> Diagnostic:
    """`Linear(x, 8)`, `twice(x)`: tensors among the positional arguments of a layer or block (their values)."""
    inputs: list[str] = []
    rest: list[str] = []
    positional = iter(values)
    for item in args.items:
        is_input = not isinstance(item, syntax.Kwarg) and isinstance(next(positional), SymbolicTensor)
        (inputs if is_input else rest).append(text(item))
    return habits.inputs_as_arguments(name, span, piped(inputs, with_arguments(name, rest)))


def further_inputs(name: str, args: syntax.Args, values: Sequence[Any], span: Any, names: Sequence[str]) -> Diagnostic:
    """`x -> Decoder(memory, 8)`: a further input of a stage among its positional arguments."""
    free = iter(names)
    positional = iter(values)
    given: list[str] = []
    for item in args.items:
        if not isinstance(item, syntax.Kwarg) and isinstance(next(positional), SymbolicTensor):
            given.append(f"{next(free, '..')} = {text(item)}")
        else:
            given.append(text(item))
    return habits.inputs_as_arguments(name, span, f"-> {with_arguments(name, given)}")


def call_of_no_name(context: Context, node: syntax.Call) -> Diagnostic:
    """The message for `callee(..)` where the callee is not a name. Raises Failed for a mistake in the callee."""
    callee = _plain(node.callee)
    if isinstance(callee, syntax.Call):
        inputs = [text(item) for item in node.args.items]
        made = text(callee)
        inner = _plain(callee.callee)
        if isinstance(inner, syntax.Ref):
            context.environment.callable(inner.name, inner.span)  # reports an unknown name
        if isinstance(inner, syntax.Attr):
            made = in_our_words(inner.name.text, [], callee.args) or inner.name.text
        return habits.layer_called(made, node.span, piped(inputs, made))
    if not isinstance(callee, syntax.Attr):
        return habits.cannot_call(node.callee.span)
    name = callee.name.text
    root = _root(callee)
    if root is not None and not context.environment.knows(root):
        if root not in habits.MODULES and not _known_elsewhere(name):
            context.evaluate(callee.value)  # reports the unknown name
        return habits.module_call(
            print_expression(callee), callee.span, _help(name, [], node.args, of_self=root == "self")
        )
    value = context.evaluate(callee.value)
    if isinstance(value, SymbolicTensor):
        return habits.method_call(name, callee.name.span, _help(name, [text(callee.value)], node.args))
    if isinstance(value, (WeightOwner, SubInstance)):
        if isinstance(value, WeightOwner) and name in ("forward", "__call__"):
            return of_instance(node, text(callee.value))
        return habits.part_called(print_expression(callee), callee.span)
    return habits.cannot_call(callee.span)


def stage_of_module(path: syntax.Path) -> Diagnostic:
    """`x -> nn.Linear(8)`: a stage with the name of a module before it."""
    name = path.names[-1].text
    entry = _entry(name)
    if entry is None:
        helps = habits.suggest(name, nearest(name, catalogue_names()))
    else:
        helps = (f"write `{with_arguments(entry.name, _needed(entry))}`",)
    return habits.module_call(path.text, path.span, helps)


def gathered(node: syntax.Index, x: TensorType, index: TensorType) -> str:
    """`x[i]` or `x[:, i]` with a vector `i` as a `gather`: rows of a table, or one entry of each example. "" for others."""
    axis = next((at for at, item in enumerate(node.items) if not _everything(item)), 0)
    chosen = node.items[axis]
    others = [item for at, item in enumerate(node.items) if at != axis]
    if index.rank != 1 or axis >= x.rank or isinstance(chosen, syntax.Slice) or not all(map(_everything, others)):
        return ""
    if axis and index.shape[0] != x.shape[0]:
        return ""
    of = text(node.value)
    place = text(chosen)
    sizes = [str(size) for size in x.shape]
    sizes[axis] = "1" if axis else str(index.shape[0])
    if x.rank > 1:
        place += f"[{', '.join([':'] + ['none'] * (x.rank - 1))}] -> expand([{', '.join(sizes)}])"
    made = f"{of} -> gather({place}, axis = {axis})"
    return f"{made} -> squeeze({axis})" if axis else made


def _everything(item: syntax.Node) -> bool:
    return isinstance(item, syntax.Slice) and item.start is None and item.stop is None


def _help(name: str, receiver: list[str], args: syntax.Args, *, of_self: bool = False) -> tuple[str, ...]:
    if of_self:
        inputs = [text(item) for item in args.items]
        return (f"there is no `self`: bind the layer, `{name} = ..`, and write `{piped(inputs, name)}`",)
    ours = in_our_words(name, receiver, args)
    if ours is not None:
        return (f"write `{ours}`",)
    return habits.suggest(name, nearest(name, catalogue_names()))


def in_our_words(name: str, receiver: list[str], args: syntax.Args) -> str | None:
    """The call in the language; None where it is not that of one entry."""
    entry = _entry(name)
    if entry is None:
        return None
    if issubclass(entry, Layer):
        return with_arguments(entry.name, _needed(entry))
    known = tuple(argument for argument, _, _ in entry.arguments)
    many = any(kind == "many" for _, kind in entry.tensors)
    parts = list(receiver)
    listed = False  # `cat([x, y], 1)`: what follows the list is an argument
    for item in args.items:
        if isinstance(item, syntax.Kwarg):
            word = item.name.text
            if word in habits.NEEDLESS:
                continue
            other = word if word in known else next((w for w in habits.ARGUMENTS.get(word, ()) if w in known), word)
            parts.append(f"{other} = {text(item.value)}")
        elif many and isinstance(item, (syntax.List, syntax.Tuple)):
            parts += [text(one) for one in item.items]
            listed = True
        elif listed or (len(parts) >= len(entry.tensors) and not many and known):
            at = 0 if listed else len(parts) - len(entry.tensors)
            parts.append(f"{known[at]} = {text(item)}" if at < len(known) else text(item))
        else:
            parts.append(text(item))
    if not entry.tensors and len(args.items) > 1 and entry.arguments and entry.arguments[0][1].startswith("Shape"):
        parts = [f"[{', '.join(text(item) for item in args.items if not isinstance(item, syntax.Kwarg))}]"]
    return f"{entry.name}({', '.join(parts)})"


def _needed(entry: type[Op]) -> list[str]:
    return [argument for argument, _, default in entry.arguments if default is Op.MISSING]


def _known_elsewhere(name: str) -> bool:
    return name in habits.WRITTEN or _entry(name) is not None


def _entry(name: str) -> type[Op] | None:
    """The entry that another library calls so: the same but for case, underscores and a `2d` behind it."""
    if name in habits.WRITTEN:
        return None
    other = habits.OURS.get(name, name)
    plain = _letters(other)
    ours = next((known for known in catalogue_names() if known == other), None)
    ours = ours or next((known for known in catalogue_names() if _letters(known) == plain), None)
    entry = find(ours) if ours is not None else None
    return entry if entry is not None and not entry.syntax else None


def _letters(name: str) -> str:
    return re.sub(r"[123]d$", "", name.replace("_", "").lower())


def _plain(node: syntax.Pipe) -> syntax.Pipe:
    while isinstance(node, syntax.Paren):
        node = node.value
    return node


def _root(node: syntax.Pipe) -> str | None:
    """The first name of a dotted one."""
    while isinstance(node, syntax.Attr):
        node = node.value
    return node.name if isinstance(node, syntax.Ref) else None
