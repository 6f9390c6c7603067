"""Attention and its position codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ....compiler.sizes.dims import Size
from ....compiler.sizes.types import TensorType
from ..lowering import Application, ClassNumber, Construction, Varies, constructor, function, table
from ..python import BIT_AND, Expr
from ..support import support


@function("attention")
def attention(use: Application) -> Expr:
    q, k = use.tensor(0), use.tensor(1)
    options = _masked(use, 3, q.sizes[2], k.sizes[2], mask="attn_mask", causal="is_causal")
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


def _masked(use: Application, at: int, rows: ClassNumber, columns: ClassNumber, *, mask: str, causal: str) -> list[str]:
    """The options `mask` and `causal` of attention whose mask is its input `at`: `causal` only where there is no mask and
    rows and columns are equal, else one merged mask."""
    flag = use.arg("causal")
    varies = isinstance(flag, ClassNumber)
    if use.has(at):
        text = use[at]
        if flag:
            text = f"{use.at(at, BIT_AND)} & {_causal(use, rows, columns)}"
        if varies and use.held is not None:
            text = f"{use[at]} if {use.held} is None else {text}"
        elif varies:
            text += f" if {use.text(flag)} else {use[at]}"
        return [f"{mask}={text}"]
    if not flag:
        return []
    if _all_or_none([a == b for a, b in zip(rows.values, columns.values, strict=True)]):
        return [f"{causal}={use.text(flag)}"]
    if varies:
        raise Varies
    return [f"{mask}={_causal(use, rows, columns)}"]


def _mask_table(
    causal: bool, rows: Size, columns: Size, mask: TensorType | None
) -> tuple[str, tuple[Size, ...], tuple[()]] | None:
    """The causal part of a mask; of known size it is a buffer of the class."""
    if not causal or (isinstance(rows, int) and isinstance(columns, int)):
        return None
    if rows != columns:
        return "CrossCausalMask", (rows, columns), ()
    return None if mask is None else ("CausalMask", (rows,), ())


#: 64 MiB for the longest sequence.
LONGEST_MASK = 1 << 13


@table("attention", longest=LONGEST_MASK)
def attention_table(
    args: Mapping[str, Any], inputs: Sequence[TensorType | None]
) -> tuple[str, tuple[Size, ...], tuple[()]] | None:
    q, k, _, mask = (*inputs, None)[:4]
    assert q is not None
    assert k is not None
    return _mask_table(args["causal"], q.shape[2], k.shape[2], mask)


@table("MultiHeadAttention", longest=LONGEST_MASK)
def multi_head_attention_table(
    args: Mapping[str, Any], inputs: Sequence[TensorType | None]
) -> tuple[str, tuple[Size, ...], tuple[()]] | None:
    x, memory, mask = (*inputs, None, None)[:3]
    assert x is not None
    return _mask_table(args["causal"], x.shape[1], (memory or x).shape[1], mask)


def _causal(use: Application, rows: ClassNumber, columns: ClassNumber) -> str:
    """A mask whose size is known, or has a bound, is made once."""
    if use.held is not None:
        flag = use.arg("causal")
        causal = flag.values if isinstance(flag, ClassNumber) else [True] * len(rows.values)
        # uses without it may have other columns than rows: the class is one
        square = all(a == b for a, b, here in zip(rows.values, columns.values, causal, strict=True) if here)
        sizes = [use.size(rows)] if square else [use.size(rows), use.size(columns)]
        return f"{use.held}({', '.join(sizes)})"
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
def rope_table(
    args: Mapping[str, Any], inputs: Sequence[TensorType | None]
) -> tuple[str, tuple[Size, ...], tuple[int, float]]:
    (x,) = inputs
    assert x is not None
    _, _, length, width = x.shape
    assert isinstance(width, int)
    return "Rope", (length,), (width, args["theta"])


@constructor("MultiHeadAttention", inside=(r"nn\.Linear",))
def multi_head_attention(layer: Construction) -> str:
    width = layer.inputs[0]
    assert width is not None
    arguments = [str(width.sizes[2]), layer.text(layer.arg("heads"))]
    arguments += layer.options(dropout=("dropout", 0.0), bias=("bias", True))
    if "q_proj_weight" in layer.weights:
        size = layer.weight("k_proj_weight")[1]
        arguments += [f"kdim={size}", f"vdim={size}"]
    return f"{support('MultiHeadAttention')}({', '.join(arguments)})"


@function("MultiHeadAttention")
def multi_head_attention_call(use: Application) -> Expr:
    x = memory = use.tensor(0)
    arguments = [use[0]]
    if use.has(1):
        memory = use.tensor(1)
        arguments.append(use[1])
    arguments += _masked(use, 2, x.sizes[1], memory.sizes[1], mask="mask", causal="causal")
    assert use.module is not None
    return use.call(use.module, *arguments, weight=2)
