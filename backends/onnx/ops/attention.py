"""Lowerings of `compiler/catalogue/ops/attention.py`."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from ....compiler.sizes.dims import Size
from ....compiler.sizes.types import TensorType
from ..graph import Attribute
from ..layout import Factor, Group, Layout
from ..lowering import Result, Use, concrete, lowers
from ..tensor import Tensor
from .operators import gemm


@lowers("attention")
def attention(use: Use, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Result:
    return attend(use, q, k, v, mask, use.outputs[0])


def attend(use: Use, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, type: TensorType) -> Tensor:
    """One `Attention` node. Heads that were only read out of [B, T, heads*K] are split by the node itself.

    ONNX aligns `is_causal` with the first key, the language with the last; they agree where both lengths are one. A row
    that a mask leaves nothing gives 0, which the operator does not promise. In the cached form the node itself puts the
    new keys and values behind the kept ones.
    """
    graph = use.graph
    rows, columns = q.shape[2], k.shape[2]
    attributes: dict[str, Attribute] = {}
    if use.args.get("scale") is not None:
        attributes["scale"] = float(use["scale"])
    allowed: Tensor | None = mask
    cache = use.cache if use["causal"] and use.cache is not None and rows == use.cache.length else None
    if cache is not None:
        columns = cache.total
    if cache is not None and mask is None:
        attributes["is_causal"] = 1  # with a past it is aligned with the last key
    elif use["causal"]:
        if mask is None and rows == columns:
            attributes["is_causal"] = 1
        else:
            allowed = _causal(use, rows, columns, mask, type)
    inputs = [_heads_last(tensor) for tensor in (q, k, v)]
    if all(value is not None for value in inputs):
        attributes |= {"q_num_heads": _static(use, q.shape[1]), "kv_num_heads": _static(use, k.shape[1])}
        layout = _split_layout(type.shape)
    else:
        inputs, layout = [tensor.value for tensor in (q, k, v)], Layout.dense(type.shape)
    given = _full(use, allowed, rows, columns) if allowed is not None else None
    if cache is None:
        made = graph.node("Attention", *inputs, given, **attributes)
    else:
        past = cache.feed(k.shape, v.shape)
        made, key, value = graph.nodes_of("Attention", [*inputs, given, *past], attributes, outputs=3)
        cache.keep(key, value)
    result = Tensor(graph, made, type, layout)
    if allowed is None:
        return result
    return _without_empty_rows(use, result, allowed)


def _static(use: Use, heads: Size) -> int:
    return concrete(use, heads, "the number of heads")


def _heads_last(tensor: Tensor) -> ir.Value | None:
    """[B, T, heads*K] where the tensor [B, heads, T, K] lies so, else None."""
    if not isinstance(tensor.shape[1], int):
        return None
    batch, heads, length, width = tensor.layout.logical
    groups = (batch, length, (*heads, *width))
    return tensor.form(groups) if tensor.layout.steps(groups).order is None and not tensor.layout.is_dense else None


def _split_layout(shape: tuple[Size, ...]) -> Layout:
    groups: list[Group] = [() if size == 1 else (Factor(size),) for size in shape]
    batch, heads, length, width = groups
    return Layout((batch, length, (*heads, *width)), tuple(groups))


def _causal(use: Use, rows: Size, columns: Size, mask: Tensor | None, type: TensorType) -> Tensor:
    """Row t may see the keys up to t + columns - rows; with a mask, both."""
    graph = use.graph
    key = ("causal", rows, columns, None if mask is None else mask.raw)
    shape: tuple[Size, ...] = (rows, columns)

    def make() -> ir.Value:
        zero, one = graph.constant(0, "i64"), graph.constant(1, "i64")
        keys = graph.node("Range", zero, graph.scalar(columns), one)
        last = graph.node("Range", graph.scalar(columns - rows), graph.scalar(columns), one)
        seen = graph.node("LessOrEqual", keys, graph.node("Unsqueeze", last, graph.ints(1)))
        return seen if mask is None else graph.node("And", mask.value, seen)

    value = graph.kept(key, make)
    if mask is not None:
        lead = mask.shape[: max(mask.rank - 2, 0)]
        shape = (*lead, rows, columns)
    return Tensor(graph, value, TensorType("bool", shape))


def _full(use: Use, mask: Tensor, rows: Size, columns: Size) -> ir.Value:
    """The mask with its last two axes in full: ONNX Runtime broadcasts only those before them."""
    graph = use.graph
    shape = (1,) * (2 - mask.rank) + mask.shape
    if shape[-2:] == (rows, columns):
        return mask.value
    ends = (1 if size == full else full for size, full in zip(shape[-2:], (rows, columns), strict=True))
    wanted = (*(1 for _ in shape[:-2]), *ends)
    return graph.kept(
        ("mask", mask.value, rows, columns), lambda: graph.node("Expand", mask.value, graph.shape(wanted))
    )


def _without_empty_rows(use: Use, result: Tensor, allowed: Tensor) -> Tensor:
    """0 in the rows that may attend to nothing."""
    graph = use.graph
    shape = (1,) * (4 - allowed.rank) + allowed.shape
    some = Tensor(
        graph,
        graph.kept(("some", allowed.value), lambda: _any(use, allowed)),
        TensorType("bool", (*allowed.shape[:-1], 1)),
    )
    zero = graph.constant(0.0, result.dtype)
    if result.layout.is_dense or shape[1] != 1:
        return Tensor(graph, graph.node("Where", some.value, result.value, zero), result.type)
    # [B, T, heads*K]: the axis of heads is 1 here, so the rest broadcasts
    wide = some.reshape((shape[0], shape[2], 1))
    return Tensor(graph, graph.node("Where", wide.value, result.raw, zero), result.type, result.layout)


def _any(use: Use, allowed: Tensor) -> ir.Value:
    graph = use.graph
    numbers = graph.node("Cast", allowed.value, to=int(ir.DataType.INT32))
    most = graph.node("ReduceMax", numbers, graph.ints(allowed.rank - 1), keepdims=1)
    return graph.node("Cast", most, to=int(ir.DataType.BOOL))


@lowers("rope")
def rope(use: Use, x: Tensor) -> Result:
    graph = use.graph
    batch, heads, length, width = x.shape
    cos, sin, positions = _angles(use, batch, length, concrete(use, width, "the width"))
    value = _heads_last(x)
    if value is not None:
        count = concrete(use, heads, "the number of heads")
        made = graph.node("RotaryEmbedding", value, cos, sin, positions, num_heads=count)
        return Tensor(graph, made, x.type, _split_layout(x.shape))
    return graph.node("RotaryEmbedding", x.value, cos, sin, positions)


def _angles(use: Use, batch: Size, length: Size, width: int) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Cosines and sines [length, width/2] and the position of each row [batch, length], once a graph."""
    graph, theta = use.graph, float(use["theta"])
    key = ("rope", theta, width, length)

    def rows() -> ir.Value:
        """Rows of the tables, whatever position the first one is for."""
        if isinstance(length, int):
            return graph.ints(*range(length))
        return graph.node("Range", graph.constant(0, "i64"), graph.scalar(length), graph.constant(1, "i64"))

    def angles() -> ir.Value:
        frequency = theta ** -(np.arange(0, width, 2, dtype=np.float64) / width)
        table = graph.initializer(f"rope/{theta:g}/frequency", frequency.astype(np.float32))
        column = graph.node("Unsqueeze", graph.kept(("steps", length), lambda: use.steps(length)), graph.ints(1))
        return graph.node("Mul", graph.node("Cast", column, to=int(ir.DataType.FLOAT)), table)

    def function(kind: str) -> ir.Value:
        made = graph.node(kind, graph.kept((*key, "angles"), angles))
        wanted = graph.data_type("f32")
        return made if wanted == ir.DataType.FLOAT else graph.node("Cast", made, to=int(wanted))

    def positions() -> ir.Value:
        key = "steps" if use.cache is None else "rows"  # without a past they are the same
        return graph.node("Expand", graph.kept((key, length), rows), graph.shape((batch, 1)))

    before, graph.scope = graph.scope, "rope"
    try:
        return (
            graph.kept((*key, "cos"), lambda: function("Cos")),
            graph.kept((*key, "sin"), lambda: function("Sin")),
            graph.kept(("positions", batch, length), positions),
        )
    finally:
        graph.scope = before


@lowers("MultiHeadAttention")
def multi_head_attention(use: Use, x: Tensor, memory: Tensor | None = None, mask: Tensor | None = None) -> Result:
    graph, heads = use.graph, int(use["heads"])
    width = concrete(use, x.shape[2], "the last axis")
    each = width // heads
    source = memory if memory is not None else x
    keys = concrete(use, source.shape[2], "the last axis of `memory`")

    def weights(name: str, *shape: int) -> list[ir.Value]:
        """The three projections of a stacked parameter."""
        sizes = graph.ints(width, width, width)
        return list(graph.nodes_of("Split", [use.weight(name, 3 * width, *shape), sizes], {"axis": 0}, 3))

    if keys == width:
        matrices = weights("in_proj_weight", width)
    else:
        sizes = (width, keys, keys)
        matrices = [use.weight(f"{n}_proj_weight", width, s) for n, s in zip("qkv", sizes, strict=True)]
    biases = weights("in_proj_bias") if use["bias"] else [None] * 3
    parts: list[Tensor] = []
    for tensor, matrix, bias in zip((x, source, source), matrices, biases, strict=True):
        batch, length, _ = tensor.shape
        flat = TensorType("f32", (batch, length, width))
        projected = gemm(use, tensor, matrix, bias, flat, transposed=True).reshape((batch, length, heads, each))
        type = TensorType("f32", (batch, heads, length, each))
        parts.append(Tensor(graph, projected.raw, type, projected.layout.permute((0, 2, 1, 3))))
    q, k, v = parts
    found = attend(use, q, k, v, mask, q.type)
    merged = Tensor(graph, found.raw, x.type, found.layout.permute((0, 2, 1, 3)).merge((1, 1, 2)))
    bias = use.weight("out_proj.bias", width) if use["bias"] else None
    return gemm(use, merged, use.weight("out_proj.weight", width, width), bias, x.type, transposed=True)
