"""Weights of linear layers in 8 or 4 bits: smaller files, and less memory to read for each token.

`int8`: a scale for each output, and one for the inputs of each call (`DynamicQuantizeLinear`, `MatMulInteger`); ONNX
Runtime makes one kernel of it. `int4`: a scale for every 32 weights (`MatMulNBits` of ONNX Runtime, which other programs may
not know); inputs are rounded to 8 bits inside. Everything else stays as it is. A table that is also the head stays a table in
f32, and is also kept in 8 bits for the head.

`int8` uses the numbers from -64 to 64 only. Processors without VNNI (x86 before 2019, many after) multiply with `vpmaddubsw`,
which adds two products of an unsigned input and a signed weight in 16 bits and cuts off what does not fit: with weights up to
127 a file that was compared on one machine answers wrongly on another. Two products with 64 are at most 2 * 255 * 64 = 32,640,
whichever two a kernel adds, so every processor gives the same sums. The weights lose one bit for it. Unsigned weights
around 128 would keep that bit, but ONNX Runtime multiplies them 1.2 to 1.5 times slower there. `int4` never comes near: its
weights are at most 8.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir

from .graph import GraphBuilder

BLOCK = 32
#: The largest magnitude of a weight in `int8`: two products with an input of 8 bits fit into a signed 16-bit number.
LARGEST = 64
CONTRIB = "com.microsoft"


def product(
    graph: GraphBuilder, kind: str, name: str, x: ir.Value, weight: np.ndarray[Any, Any], bias: ir.Value | None
) -> ir.Value:
    """x[M, K] @ weight[N, K].T + bias with the weight in `kind` (`int8`, `int4`), stored under `name`."""
    return (_int8 if kind == "int8" else _int4)(graph, name, x, weight, bias)


def _int8(graph: GraphBuilder, name: str, x: ir.Value, weight: np.ndarray[Any, Any], bias: ir.Value | None) -> ir.Value:
    steps = np.maximum(np.abs(weight).max(axis=1), np.finfo(np.float32).tiny) / LARGEST
    numbers = np.rint(weight / steps[:, None]).astype(np.int8)
    table = graph.initializer(f"{name}:int8", np.array(numbers.T, order="C"))
    scales = graph.initializer(f"{name}:scale", steps.astype(np.float32))
    # layers that read one value share its rounding
    rounded = graph.kept(("int8", x), lambda: graph.nodes_of("DynamicQuantizeLinear", [x], outputs=3)[0]).producer()
    assert rounded is not None
    quantized, step, zero = rounded.outputs
    sums = graph.node("MatMulInteger", quantized, table, zero)
    scaled = graph.node("Mul", graph.node("Cast", sums, to=int(ir.DataType.FLOAT)), graph.node("Mul", step, scales))
    return scaled if bias is None else graph.node("Add", scaled, bias)


def _int4(graph: GraphBuilder, name: str, x: ir.Value, weight: np.ndarray[Any, Any], bias: ir.Value | None) -> ir.Value:
    rows, width = weight.shape
    blocks = -(-width // BLOCK)
    padded = np.zeros((rows, blocks * BLOCK), np.float32)
    padded[:, :width] = weight
    parts = padded.reshape(rows, blocks, BLOCK)
    # the largest of a block becomes -8, of which there is no positive: one step more on its side
    largest = np.take_along_axis(parts, np.abs(parts).argmax(axis=2)[..., None], 2)
    steps = largest / -8
    steps[steps == 0] = 1
    numbers = (np.clip(np.rint(parts / steps), -8, 7) + 8).astype(np.uint8)
    pairs = numbers[..., 0::2] | (numbers[..., 1::2] << 4)
    table = graph.initializer(f"{name}:int4", pairs)
    scales = graph.initializer(f"{name}:scale", np.array(steps[..., 0], np.float32, order="C"))
    attributes = {"K": width, "N": rows, "bits": 4, "block_size": BLOCK, "accuracy_level": 4}
    return graph.nodes_of("MatMulNBits", [x, table, scales, None, None, bias], attributes, domain=CONTRIB)[0]
