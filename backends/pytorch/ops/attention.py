"""Attention and its position codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....compiler.sizes.dims import Size
from ....compiler.sizes.types import TensorType
from ..lowering import Application, Construction, Number, Varies, constructor, function, table
from ..python import BIT_AND, Expr
from ..support import support


@function("attention")
def attention(use: Application) -> Expr:
    """`is_causal` only when there is no mask and rows and columns are equal; else one merged mask."""
    q, k = use.tensor(0), use.tensor(1)
    options: list[str] = []
    causal = use.arg("causal")
    varies = isinstance(causal, Number)
    if use.has(3):
        mask = use[3]
        if causal:
            mask = f"{use.at(3, BIT_AND)} & {_causal(use)}"
        if varies and use.held is not None:
            mask = f"{use[3]} if {use.held} is None else {mask}"
        elif varies:
            mask += f" if {use.text(causal)} else {use[3]}"
        options.append(f"attn_mask={mask}")
    elif causal:
        square = _all_or_none([a == b for a, b in zip(q.sizes[2].values, k.sizes[2].values, strict=True)])
        if varies and not square:
            raise Varies
        options.append(f"is_causal={use.text(causal)}" if square else f"attn_mask={_causal(use)}")
    if not use.is_("dropout", 0.0):
        options.append(f"dropout_p={use.text(use.arg('dropout'))} if {use.training} else 0.0")
    if use.arg("scale") is not None:
        options.append(f"scale={use.text(use.arg('scale'))}")
    grouped = [a != b for a, b in zip(q.sizes[1].values, k.sizes[1].values, strict=True)]
    if all(grouped):
        options.append("enable_gqa=True")
    elif any(grouped):
        options.append(f"enable_gqa={use.size(q.sizes[1])} != {use.size(k.sizes[1])}")
    return use.call("F.scaled_dot_product_attention", use[0], use[1], use[2], *options, weight=2)


@table("attention", longest=1 << 13)
def attention_table(args: Mapping[str, Any], inputs: Sequence[TensorType | None]) -> tuple[str, Size, tuple[()]] | None:
    """The causal part of a merged mask: 64 MiB for the longest sequence."""
    q, k, _, mask = (*inputs, None)[:4]
    assert q is not None
    assert k is not None
    rows, columns = q.shape[2], k.shape[2]
    if mask is None or not args["causal"] or rows != columns or isinstance(rows, int):
        return None
    return "CausalMask", rows, ()


def _causal(use: Application) -> str:
    """A mask whose size is known, or has a bound, is made once."""
    rows, columns = use.tensor(0).sizes[2], use.tensor(1).sizes[2]
    if use.held is not None:
        return f"{use.held}({use.size(rows)})"
    if use.table is not None and rows.concrete and columns.concrete:
        return use.table("mask", f"{support('causal_mask')}({rows}, {columns})")
    return f"{support('causal_mask')}({use.size(rows)}, {use.size(columns)}, {use.device})"


def _all_or_none(answers: list[bool]) -> bool:
    if any(answer != answers[0] for answer in answers):
        raise Varies
    return answers[0]


@function("rope")
def rope(use: Application) -> Expr:
    if use.held is not None:
        return use.call(use.held, use[0])
    return use.call(support("rope"), use[0], use.text(use.arg("theta")))


@table("rope", longest=1 << 18)
def rope_table(args: Mapping[str, Any], inputs: Sequence[TensorType | None]) -> tuple[str, Size, tuple[int, float]]:
    (x,) = inputs
    assert x is not None
    _, _, length, width = x.shape
    assert isinstance(width, int)
    return "Rope", length, (width, args["theta"])


@constructor("MultiHeadAttention", inside=(r"nn\.Linear",))
def multi_head_attention(layer: Construction) -> str:
    width = layer.inputs[0]
    assert width is not None
    arguments = [str(width.sizes[2]), layer.text(layer.arg("heads"))]
    arguments += layer.options(causal=("causal", False), dropout=("dropout", 0.0), bias=("bias", True))
    if "q_proj_weight" in layer.weights:
        size = layer.weight("k_proj_weight")[1]
        arguments += [f"kdim={size}", f"vdim={size}"]
    return f"{support('MultiHeadAttention')}({', '.join(arguments)})"


@function("MultiHeadAttention")
def multi_head_attention_call(use: Application) -> Expr:
    arguments = [use[0]]
    if use.has(1):
        arguments.append(use[1])
    if use.has(2):
        arguments.append(use[2] if use.has(1) else f"mask={use[2]}")
    assert use.module is not None
    return use.call(use.module, *arguments, weight=2)
