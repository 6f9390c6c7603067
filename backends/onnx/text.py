"""A graph as text, without weights: what `dlc build --emit onnx` shows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir as ir

from ...compiler.ir.expand import parameters
from ...compiler.ir.model import Model, Spec
from .graph import DATA_TYPES, IR_VERSION, OPSET
from .lower import lower
from .weights import Weight


def graph_text(spec: Spec, model: Model) -> str:
    """The graph of a model, a line a node. No weight is allocated. Raises Failed for what ONNX cannot say."""
    return "\n".join(_lines(lower(spec, model, placeholders(spec, model)))) + "\n"


def placeholders(spec: Spec, model: Model) -> dict[str, Weight]:
    """Arrays of the parameters' shapes that take no memory."""
    return {
        entry.path: np.broadcast_to(np.zeros((), DATA_TYPES[entry.dtype].numpy()), entry.shape)
        for entry in parameters(spec, model)
    }


def _lines(model: ir.Model) -> Iterator[str]:
    graph = model.graph
    yield f"graph {graph.name}   opset {OPSET}, IR {IR_VERSION}, {len(graph)} nodes"
    for value in graph.inputs:
        yield f"  input  {_typed(value)}"
    for value in graph.initializers.values():
        if not (value.name or "").startswith("constant/"):
            yield f"  weight {_typed(value)}"
    yield from _nodes(graph, "  ")
    for value in graph.outputs:
        yield f"  output {_typed(value)}"


def _nodes(graph: ir.Graph, indent: str) -> Iterator[str]:
    for node in graph:
        attributes = [a for a in node.attributes.values() if a.type != ir.AttributeType.GRAPH]
        inner = [a.value for a in node.attributes.values() if a.type == ir.AttributeType.GRAPH]
        options = "".join(f", {a.name}={_shown(a.value)}" for a in attributes)
        outputs = ", ".join(value.name or "" for value in node.outputs)
        inputs = ", ".join("" if value is None else _named(value) for value in node.inputs)
        yield f"{indent}{outputs} = {node.op_type}({inputs}{options})"
        for body in inner:
            yield f"{indent}  each {', '.join(value.name or '' for value in body.inputs)}"
            yield from _nodes(body, indent + "  ")
            yield f"{indent}  gives {', '.join(value.name or '' for value in body.outputs)}"


def _named(value: ir.Value) -> str:
    """Constants are printed as they are."""
    name = value.name or ""
    return name.removeprefix("constant/").rpartition(":")[0] if name.startswith("constant/") and ":" in name else name


def _shown(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).replace(" ", "")


def _typed(value: ir.Value) -> str:
    assert value.dtype is not None
    assert value.shape is not None
    return f"{value.name}: {value.dtype.name.lower()}[{', '.join(str(size) for size in value.shape)}]"
