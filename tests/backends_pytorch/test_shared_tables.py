"""Rotary tables and causal masks are made once, by the model, and given to the layers that read them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]

LAYERS = """
block Attend(heads: int, theta: float)(x: [B, T, D]) -> [B, T, D] {
  q = x -> q: Linear(D) -> split_heads(heads) -> rope(theta)
  attention(q, q, q, causal = true) -> merge_heads -> o: Linear(D)
}
block Layer(heads: int, theta: float)(x: [B, T, D]) -> [B, T, D] { x + (x -> attn: Attend(heads, theta)) }
model M(d = 16, heads = 2, theta = 100.0)(x: [B, LENGTH, d]) -> (y: [B, LENGTH, d]) { y = BODY }
"""
ALIKE = LAYERS.replace("BODY", "x -> layers: repeat 3 { Layer(heads, theta) }")
APART = LAYERS.replace("BODY", "x -> a: Layer(heads, theta) -> b: Layer(heads, 7.0) -> c: Layer(heads, 7.0)")


def tables(module: nn.Module) -> list[torch.Tensor]:
    """The tables of a model, each once."""
    return [buffer for name, buffer in module.named_buffers() if name.endswith((".cos", ".sin"))]


def of_lengths(text: str, *lengths: str) -> list[str]:
    return [text.replace("LENGTH", length) for length in lengths]


def test_layers_share_the_table_of_their_model(written: Written, built: Built) -> None:
    (text,) = of_lengths(ALIKE, "T <= 12")
    _, source = written(text)
    assert source.count("Rope(") == 2  # its definition, and one use
    assert "rope = Rope(12, d // heads, theta)" in source
    module = built(text)
    assert [tuple(table.shape) for table in tables(module)] == [(12, 4), (12, 4)]
    assert not any("rope" in name for name in module.state_dict())
    assert len(tables(module.double())) == 2


@pytest.mark.parametrize("text", [ALIKE, APART])
def test_outputs_and_names_are_those_without_a_table(text: str, written: Written, built: Built) -> None:
    bounded, known, free = of_lengths(text, "T <= 12", "6", "T")
    assert "def rope(x: Tensor, theta: float)" in written(free)[1]
    assert "def rope(x: Tensor, theta: float)" not in written(bounded)[1] + written(known)[1]
    modules = list(map(built, (bounded, known, free)))
    assert len({tuple(module.state_dict()) for module in modules}) == 1
    x = torch.randn(2, 6, 16)
    one, two, three = (module(x) for module in modules)
    assert torch.equal(one, two)
    assert torch.equal(one, three)


def test_two_kinds_are_made_where_they_are_read(written: Written, built: Built) -> None:
    (text,) = of_lengths(APART, "T <= 12")
    _, source = written(text)
    assert re.findall(r"rope=Rope\(.*?\)", source) == [
        "rope=Rope(12, d // heads, theta)",
        "rope=Rope(12, d // heads, 7.0)",
        "rope=Rope(12, d // heads, 7.0)",
    ]
    assert len(tables(built(text))) == 6


def test_a_model_may_read_its_table_itself(written: Written, built: Built) -> None:
    text = "model M(x: [B, 1, T <= 5, 4]) -> (y: [B, 1, T, 4]) { rope = x -> rope(100)\n y = rope -> rope(100) }"
    _, source = written(text)
    assert source.count("self.rope = Rope(5, 4, 100.0)") == 1
    free = built(text.replace("T <= 5", "T"))
    x = torch.randn(2, 1, 5, 4)
    assert torch.equal(built(text)(x), free(x))


def test_a_name_of_the_spec_is_kept(written: Written, built: Built) -> None:
    text = """
block Turn(rope: int)(x: [B, 1, T, 4]) -> [B, 1, T, 4] { x -> rope(100) -> rope: Linear(4) -> relu -> up: Linear(rope) -> down: Linear(4) }
model M(x: [B, 1, T <= 5, 4]) -> (y: [B, 1, T, 4]) { y = x -> a: Turn(6) -> b: Turn(7) }
"""
    module = built(text)
    assert "a.rope.weight" in module.state_dict()
    x = torch.randn(2, 1, 5, 4)
    assert torch.equal(module(x), built(text.replace("T <= 5", "T"))(x))


def test_a_very_long_one_is_not_made(written: Written) -> None:
    (text,) = of_lengths(ALIKE, "T <= 100000000")
    assert "Rope(" not in written(text)[1]


def test_a_bound_may_be_a_static(written: Written) -> None:
    (text,) = of_lengths(ALIKE.replace("d = 16", "ctx = 12, d = 16"), "T <= ctx")
    assert "rope = Rope(ctx, d // heads, theta)" in written(text)[1]


def test_what_is_computed_from_each_code_alone_is_part_of_the_table(written: Written, built: Built) -> None:
    text = """
model M(a: [B, T <= 12, 6], b: [B, S <= 12, 6]) -> (y: [B, T, 6], z: [B, S, 6]) {
  y = a + (sinusoid(T, 6) -> [T, (K, 2)] => [T, (2, K)]) * 2
  z = (b -> fc: Linear(6)) + (sinusoid(S, 6) -> [S, (K, 2)] => [S, (2, K)]) * 2
}
"""
    _, source = written(text)
    assert source.count("register_buffer") == 1
    assert "a + self.positions[:T]" in source
    free = text.replace(" <= 12", "")
    a, b = torch.randn(2, 5, 6), torch.randn(2, 7, 6)
    for have, want in zip(built(text)(a, b), built(free)(a, b), strict=True):
        assert torch.equal(have, want)


@pytest.mark.parametrize(
    "value", ["sinusoid(T, 6) -> roll(1, 0)", "sinusoid(T, 6) -> [T, D] => [D, T] -> [D, T] => [T, D]"]
)
def test_what_mixes_codes_is_not(value: str, written: Written) -> None:
    _, source = written(f"model M(x: [B, T <= 12, 6]) -> (y: [B, T, 6]) {{ y = x + ({value}) }}")
    assert "sinusoid(12, 6), persistent" in source


MASKED = """
block Attend(heads: int, causal = false)(x: [B, T, D], keep: bool[B, 1, 1, T]) -> [B, T, D] {
  q = x -> q: Linear(D) -> split_heads(heads) TURNED
  attention(q, q, q, mask = keep, causal = causal) -> merge_heads -> o: Linear(D)
}
block Layer(heads: int, causal = false)(x: [B, T, D], keep: bool[B, 1, 1, T]) -> [B, T, D] {
  x + (x -> attn: Attend(heads, causal, keep = keep))
}
model M(d = 16, ctx = 12)(x: [B, LENGTH, d], keep: bool[B, 1, 1, LENGTH]) -> (y: [B, LENGTH, d]) {
  y = x -> BODY
}
"""
BOTH = "xs: repeat 2 { Layer(2, keep = keep) } -> bs: repeat 3 { Layer(2, causal = true, keep = keep) }"
CAUSAL = "bs: repeat 3 { Layer(2, causal = true, keep = keep) }"


def masked(body: str, length: str, turned: str = "") -> str:
    return MASKED.replace("BODY", body).replace("LENGTH", length).replace("TURNED", turned)


@pytest.mark.parametrize("body", [BOTH, CAUSAL])
@pytest.mark.parametrize("turned", ["", "-> rope(100.0)"])
def test_the_causal_part_of_a_merged_mask_is_made_once(body: str, turned: str, written: Written, built: Built) -> None:
    _, source = written(masked(body, "T <= ctx", turned))
    assert source.count("CausalMask(") == 2  # its definition, and one use
    assert "causal_mask = CausalMask(ctx)" in source
    assert "def causal_mask(" not in source
    module, free = built(masked(body, "T <= ctx", turned)), built(masked(body, "T", turned))
    masks = [mask for name, mask in module.named_buffers() if name.endswith(".mask")]
    assert [tuple(mask.shape) for mask in masks] == [(12, 12)]
    assert list(module.state_dict()) == list(free.state_dict())
    for length in (1, 5, 12):
        x, keep = torch.randn(2, length, 16), torch.rand(2, 1, 1, length) < 0.7
        keep[..., 0] = True
        assert torch.equal(module(x, keep), free(x, keep))


def test_a_mask_of_unknown_or_great_length_is_made_in_forward(written: Written) -> None:
    for length in ("T", "T <= 100000"):
        _, source = written(masked(BOTH, length))
        assert "keep & causal_mask(T, T, x.device) if self.causal else keep" in source
        assert "too long for a buffer" in source


WHOLE = """
block Layer(heads: int, causal = false)(x: [B, T, D], keep: bool[B, 1, 1, T]) -> [B, T, D] {
  x + (x -> attn: MultiHeadAttention(heads, causal = causal, mask = keep))
}
model M(d = 16, ctx = 12)(x: [B, LENGTH, d], keep: bool[B, 1, 1, LENGTH]) -> (y: [B, LENGTH, d]) {
  y = x -> BODY
}
"""


@pytest.mark.parametrize("body", [BOTH, CAUSAL])
def test_a_layer_of_attention_reads_the_mask_of_its_model(body: str, written: Written, built: Built) -> None:
    bounded, known, free = of_lengths(WHOLE.replace("BODY", body), "T <= ctx", "5", "T")
    _, source = written(bounded)
    assert "causal_mask = CausalMask(ctx)" in source
    assert source.count(".tril(") == 1  # the definition of the mask
    assert written(known)[1].count("causal_mask(5, 5)") == 1
    modules = list(map(built, (bounded, known, free)))
    assert len({tuple(module.state_dict()) for module in modules}) == 1
    x, keep = torch.randn(2, 5, 16), torch.rand(2, 1, 1, 5) < 0.7
    keep[..., 0] = True
    one, two, three = (module(x, keep) for module in modules)
    assert torch.equal(one, two)
    assert torch.equal(one, three)


def test_causal_attention_without_a_mask_is_fused(written: Written) -> None:
    text = "model M(x: [B, T <= 9, 8]) -> (y: [B, T, 8]) { y = x -> attn: MultiHeadAttention(2, causal = true) }"
    _, source = written(text)
    assert "self.attn(x, causal=True)" in source
    assert ".tril(" not in source


CROSS = """
block Layer(heads: int)(x: [B, T, D], m: [B, S, D]) -> [B, T, D] { x + (ATTENTION) }
model M(d = 16, ctx = 12)(x: [B, ROWS, d], m: [B, COLUMNS, d]) -> (y: [B, ROWS, d]) {
  y = x -> layers: repeat 2 { Layer(2, m = m) }
}
"""
LAYER = "x -> attn: MultiHeadAttention(heads, causal = true, memory = m)"
FUNCTION = (
    "attention(x -> split_heads(heads), m -> split_heads(heads), m -> split_heads(heads), causal = true) -> merge_heads"
)


@pytest.mark.parametrize("attention", [LAYER, FUNCTION])
def test_a_causal_mask_over_a_memory_is_made_once(attention: str, written: Written, built: Built) -> None:
    text = CROSS.replace("ATTENTION", attention)
    bounded = text.replace("ROWS", "T <= ctx").replace("COLUMNS", "S <= 7")
    free = text.replace("ROWS", "T").replace("COLUMNS", "S")
    _, source = written(bounded)
    assert "cross_causal_mask = CrossCausalMask(ctx, 7)" in source
    assert source.count(".tril(") == 1
    one, two = built(bounded), built(free)
    for rows, columns in ((4, 7), (5, 5), (7, 7), (1, 3)):
        x, m = torch.randn(2, rows, 16), torch.randn(2, columns, 16)
        assert torch.equal(one(x, m), two(x, m))
