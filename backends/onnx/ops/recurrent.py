"""Lowerings of `compiler/catalogue/ops/recurrent.py`: one node a layer, both directions in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from ....compiler.sizes.types import TensorType
from ..lowering import Result, Use, concrete, lowers
from ..tensor import Tensor

#: The positions of ONNX's gates in PyTorch's order: LSTM i,o,f,c from i,f,g,o; GRU z,r,h from r,z,n.
_GATES = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}


@lowers("LSTM", "GRU", "RNN")
def recurrent(use: Use, x: Tensor, lengths: Tensor | None = None, *state: Tensor | None) -> Result:
    graph, hidden, layers = use.graph, int(use["hidden"]), int(use["layers"])
    directions = 2 if use["bidirectional"] else 1
    batch, length, _ = x.shape
    width = concrete(use, x.shape[2], "the last axis")
    sequence = graph.node("Transpose", x.value, perm=(1, 0, 2))
    ends = None
    if lengths is not None:
        ends = graph.node("Cast", lengths.value, to=int(ir.DataType.INT32))
    starts = [_by_layer(use, part, layers, directions) for part in state if part is not None]
    finals: list[tuple[ir.Value, ...]] = []
    attributes: dict[str, Any] = {
        "hidden_size": hidden, "direction": "bidirectional" if directions == 2 else "forward"
    }  # fmt: skip
    if use.op == "GRU":
        attributes["linear_before_reset"] = 1
    for layer in range(layers):
        rows = width if layer == 0 else hidden * directions
        weights = _weights(use, layer, directions, hidden, rows)
        first = [part[layer] for part in starts]
        outputs = 3 if use.op == "LSTM" else 2
        y, *final = graph.nodes_of(use.op, [sequence, *weights, ends, *first], attributes, outputs)
        finals.append(tuple(final))
        if directions == 1:
            sequence = graph.node("Squeeze", y, graph.ints(1))
        else:
            sequence = graph.node("Transpose", y, perm=(0, 2, 1, 3))
            sequence = graph.reshape(sequence, (length, batch, 2, hidden), (length, batch, 2 * hidden))
    whole = Tensor(graph, sequence, TensorType("f32", (length, batch, hidden * directions)))
    y = Tensor(graph, sequence, use.outputs[0], whole.layout.permute((1, 0, 2)))
    last = [graph.node("Concat", *parts, axis=0) if layers > 1 else parts[0] for parts in zip(*finals, strict=True)]
    return [y, *last]


def _by_layer(use: Use, state: Tensor, layers: int, directions: int) -> list[ir.Value]:
    """The rows of an initial state that belong to each layer."""
    if layers == 1:
        return [state.value]
    sizes = use.graph.ints(*([directions] * layers))
    return list(use.graph.nodes_of("Split", [state.value, sizes], {"axis": 0}, layers))


def _weights(use: Use, layer: int, directions: int, hidden: int, width: int) -> list[ir.Value]:
    """W, R and B of ONNX: PyTorch's with the gates in another order, one direction above the other."""
    gates = _GATES[use.op]
    parts: dict[str, list[np.ndarray[Any, Any]]] = {"W": [], "R": [], "B": []}
    for suffix in ("", "_reverse")[:directions]:

        def read(name: str, *shape: int, suffix: str = suffix) -> np.ndarray[Any, Any]:
            stored = use.array(f"{name}_l{layer}{suffix}", len(gates) * hidden, *shape)
            return np.concatenate([stored[gate * hidden : (gate + 1) * hidden] for gate in gates])

        parts["W"].append(read("weight_ih", width))
        parts["R"].append(read("weight_hh", hidden))
        parts["B"].append(np.concatenate([read("bias_ih"), read("bias_hh")]))
    return [use.table(f"{name}_l{layer}", np.stack(arrays)) for name, arrays in parts.items()]
