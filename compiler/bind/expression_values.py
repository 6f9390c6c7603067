"""What a value of a body is made of: taps, emits, the losses and reductions behind a term, the direction of a metric."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from ..catalogue import LOSSES, METRICS
from ..elaborate.builder import Builder
from ..elaborate.environment import Environment
from ..elaborate.values import Outputs, SymbolicTensor
from ..ir.model import Body, CallNode, ModeNode, OpNode, RepeatNode, Result, Value
from ..messages import training as errors
from ..messages.diagnostics import Failed
from ..messages.source import Span
from ..sizes.dims import variables
from ..sizes.types import TensorType
from ..text import syntax
from ..text.node import Node


def taps(builder: Builder, environment: Environment) -> dict[str, SymbolicTensor]:
    """The last binding of each tensor name of a model."""
    found: dict[str, SymbolicTensor] = {}
    for name, binding in environment.bindings.items():
        if isinstance(binding.value, SymbolicTensor) and not binding.is_input and binding.value.builder is builder:
            found[name] = binding.value
        elif isinstance(binding.value, Outputs):
            for leaf, tensor in binding.value.tensors.items():
                if tensor.builder is builder:
                    found[f"{name}.{leaf}"] = tensor
    return found


def emitted(bodies: Sequence[Body], body: Body) -> dict[str, tuple[int, TensorType, Span]]:
    """What applying a body emits in training: by name how many values, of which type. E0201 where types differ."""
    found: dict[str, tuple[int, TensorType, Span]] = {}

    def add(name: str, count: int, type: TensorType, span: Span) -> None:
        before, known, _ = found.get(name, (0, type, span))
        if known != type:
            raise Failed(errors.emits_differ(span, name, str(known), str(type)))
        found[name] = (before + count, type, span)

    for result in body.emits:
        add(result.name, 1, body.value(result.value).type, body.span)
    for node in body.nodes:
        runs: list[tuple[int, int]] = []
        if isinstance(node, CallNode):
            runs = [(node.body, 1)]
        elif isinstance(node, RepeatNode):
            runs = [(run.body, run.count) for run in node.runs]
        elif isinstance(node, ModeNode):
            runs = [(node.training, 1)]
        for index, count in runs:
            for name, (times, type, span) in emitted(bodies, bodies[index]).items():
                add(name, count * times, type, span)
    return found


def with_emits(bodies: Sequence[Body], body: Body, wanted: Iterable[str]) -> Body:
    """The body with an output for each emit that is read: the values of all applications, stacked on a new first axis,
    by an `emitted` node at the end."""
    found = {name: value for name, value in emitted(bodies, body).items() if name in wanted and name not in body.taps}
    if not found:
        return body
    id = max((value.id for value in body.values()), default=-1)
    nodes, outputs = list(body.nodes), list(body.outputs)
    for name, (count, type, span) in found.items():
        id += 1
        value = Value(id=id, type=TensorType(type.dtype, (count, *type.shape)), name=name)
        nodes.append(OpNode(op="emitted", args={"name": name}, inputs=(), outputs=(value,), span=span))
        outputs.append(Result(name=name, value=id))
    return body.model_copy(update={"nodes": tuple(nodes), "outputs": tuple(outputs)})


def reaching(builder: Builder, value: int) -> list[int]:
    """Indices of the nodes that a value is computed from, in order; nets are not entered."""
    producers = {id: index for index, (_, _, ids) in enumerate(builder.nodes) for id in ids}
    found: set[int] = set()
    stack = [value]
    while stack:
        index = producers.get(stack.pop())
        if index is None or index in found:
            continue
        found.add(index)
        stack.extend(operand for operand in builder.nodes[index][1].get("inputs", ()) if isinstance(operand, int))
    return sorted(found)


def joins_examples(builder: Builder, index: int) -> bool:
    """Whether a node of a recipe reduces the batch axis away: its input has `B`, its output has not."""
    _, fields, ids = builder.nodes[index]
    inputs = [operand for operand in fields["inputs"] if isinstance(operand, int)]
    return any(has_batch(builder, id) for id in inputs) and not any(has_batch(builder, id) for id in ids)


def plain_means_of(builder: Builder, value: int) -> set[int]:
    """Means that enter a term linearly: their average over equal micro-batches is that over the batch."""
    producers = {id: index for index, (_, _, ids) in enumerate(builder.nodes) for id in ids}
    found: set[int] = set()
    stack = [value]
    while stack:
        index = producers.get(stack.pop())
        if index is None:
            continue
        kind, fields, _ = builder.nodes[index]
        if kind is not OpNode or fields["op"] not in ("plus", "minus", "negative", "times", "divide", "mean"):
            continue
        tensors = [operand for operand in fields["inputs"] if isinstance(operand, int)]
        if fields["op"] in ("times", "divide") and len(tensors) != 1:
            continue
        if fields["op"] == "divide" and not isinstance(fields["inputs"][0], int):
            continue
        if fields["op"] == "mean":
            found.add(index)
        stack.extend(tensors)
    return found


def has_batch(builder: Builder, id: int) -> bool:
    return any("B" in variables(size) for size in builder.types[id].shape)


def direction(builder: Builder, value: int) -> Literal["max", "min"] | None:
    """Which way is better follows from the one metric or loss inside, through signs and positive factors."""
    producers = {id: index for index, (_, _, ids) in enumerate(builder.nodes) for id in ids}
    sign = 1
    while True:
        index = producers.get(value)
        if index is None:
            return None
        kind, fields, _ = builder.nodes[index]
        if kind is not OpNode:
            return None
        operator, inputs = fields["op"], fields["inputs"]
        found: Literal["max", "min"] | None = None
        if operator in METRICS:
            found = METRICS[operator].direction
        elif operator in LOSSES:
            found = "min"
        if found is not None:
            return found if sign > 0 else ("min" if found == "max" else "max")
        tensors = [operand for operand in inputs if isinstance(operand, int)]
        numbers = [operand.value for operand in inputs if operand is not None and not isinstance(operand, int)]
        if len(tensors) != 1:
            return None
        if operator == "negative" or (operator == "minus" and not isinstance(inputs[0], int)):
            sign = -sign
        elif operator in ("times", "divide"):
            if isinstance(numbers[0], bool) or not isinstance(numbers[0], (int, float)) or numbers[0] == 0:
                return None
            if operator == "divide" and not isinstance(inputs[0], int):
                return None
            sign = sign if numbers[0] > 0 else -sign
        elif operator not in ("plus", "minus", "exp", "sqrt", "log"):
            return None
        value = tensors[0]


def read_names(nodes: Iterable[Any]) -> set[str]:
    """Every name that expressions read, and `x` of `model.x`; more than are taps."""
    found: set[str] = set()
    stack = list(nodes)
    while stack:
        node = stack.pop()
        if isinstance(node, syntax.Ref):
            found.add(node.name)
        elif isinstance(node, syntax.Attr):
            found.add(node.name.text)
            if isinstance(node.value, syntax.Ref):
                found.add(f"{node.value.name}.{node.name.text}")
            elif isinstance(node.value, syntax.Attr):
                found.add(f"{node.value.name.text}.{node.name.text}")
            stack.append(node.value)
        elif isinstance(node, tuple):
            stack.extend(node)  # pyright: ignore[reportUnknownArgumentType]
        elif isinstance(node, Node):
            stack.extend(getattr(node, name) for name in node.__match_args__ if name != "span")
    return found
