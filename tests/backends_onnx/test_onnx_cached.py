"""The cached form: however a sequence is divided into steps, it gives what the model gives for the whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from dlc.backends.onnx import GraphForm, lower, to_bytes
from dlc.runtime.exporting.reference_model import module_of

GPT = """
block Layer(heads: int)(x: [B, T, D]) -> [B, T, D] {
  [q, k, v] = x -> c_attn: Linear(3 * D) -> [B, T, (3, heads, K)] => [3, B, heads, T, K]
  x += attention(q, k, v, causal = true) -> merge_heads -> c_proj: Linear(D)
  x + (x -> norm: LayerNorm -> mlp: Linear(D) -> gelu)
}
model M(tokens: i64[B, T <= 16]) -> (logits: [B, T, 9]) {
  x = (tokens -> wte: Embedding(9, 8)) + (arange(T) -> wpe: Embedding(16, 8))
  logits = x -> h: repeat 2 { Layer(2) } -> head: Linear(9)
}
"""
ROTARY = """
model M(tokens: i64[B, T]) -> (logits: [B, T, 9]) {
  x = tokens -> wte: Embedding(9, 16)
  q = x -> q_proj: Linear(16) -> split_heads(4) -> rope(100.0)
  k = x -> k_proj: Linear(8) -> split_heads(2) -> rope(100.0)
  v = x -> v_proj: Linear(8) -> split_heads(2)
  logits = attention(q, k, v, causal = true) -> merge_heads -> head: Linear(9)
}
"""
SINUSOID = """
model M(tokens: i64[B, T]) -> (logits: [B, T, 9]) {
  x = (tokens -> wte: Embedding(9, 8)) + sinusoid(T, 8) -> attn: MultiHeadAttention(2, causal = true)
  logits = x -> head: Linear(9)
}
"""
SCALED = """
model M(tokens: i64[B, T]) -> (logits: [B, T, 6]) {
  x = tokens -> wte: Embedding(9, 12)
  q = x -> to_q: Linear(8) -> [B, T, (H, 4)] => [B, H, T, 4]
  v = x -> to_v: Linear(6) -> [B, T, (H, 3)] => [B, H, T, 3]
  logits = attention(q, q, v, mask = ones([2, 1, 1]) > 0, causal = true, scale = 0.3) -> merge_heads
}
"""
LAST = """
model M(tokens: i64[B, T]) -> (next: [B, 9]) {
  x = tokens -> wte: Embedding(9, 8) -> attn: MultiHeadAttention(2, causal = true)
  next = x[:, -1] -> head: Linear(9)
}
"""
LEVELS = (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
LENGTH = 9
SPLITS = ((9,), (8, 1), (1, 8), (3, 1, 5), (1,) * 9)


@pytest.mark.parametrize(
    "text", [GPT, ROTARY, SINUSOID, SCALED, LAST], ids=["gpt", "rotary", "sinusoid", "mask", "last"]
)
@pytest.mark.parametrize("level", LEVELS, ids=["none", "all"])
def test_every_split_gives_the_whole(lowered: Callable[..., Any], text: str, level: Any) -> None:
    made = lowered(text, cached=True)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level, options.intra_op_num_threads = level, 1
    session = onnxruntime.InferenceSession(to_bytes(made.model), options, providers=["CPUExecutionProvider"])
    module = module_of(made.spec, made.spec.models[0], made.weights)
    for batch in (1, 7):
        tokens = np.random.default_rng(batch).integers(0, 9, (batch, LENGTH))
        with torch.no_grad():
            wanted = module(torch.from_numpy(tokens)).numpy()
        for split in SPLITS:
            past = {
                port.name: np.zeros((batch, port.shape[1], 0, port.shape[3]), np.float32)
                for port in session.get_inputs()[1:]
            }
            at, parts = 0, []
            for count in split:
                answer, *present = session.run(None, {"tokens": tokens[:, at : at + count], **past})
                past = dict(zip(past, present, strict=True))
                parts.append(answer)
                at += count
            found = parts[-1] if wanted.ndim == 2 else np.concatenate(parts, 1)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5, err_msg=f"{batch} {split}")


def test_names_and_shapes(lowered: Callable[..., Any]) -> None:
    graph = lowered(ROTARY, cached=True).model.graph
    assert [(value.name, list(map(str, value.shape))) for value in graph.inputs] == [
        ("tokens", ["B", "T"]),
        ("past_key_values.0.key", ["B", "2", "past", "4"]),
        ("past_key_values.0.value", ["B", "2", "past", "4"]),
    ]
    assert [(value.name, list(map(str, value.shape))) for value in graph.outputs] == [
        ("logits", ["B", "T", "9"]),
        ("present.0.key", ["B", "2", "T + past", "4"]),
        ("present.0.value", ["B", "2", "T + past", "4"]),
    ]


def test_keys_are_kept_as_they_are(lowered: Callable[..., Any]) -> None:
    """Grouped heads are not repeated, and no node but `Attention` handles what is kept."""
    made = lowered(GPT, cached=True)
    readers = {
        use.node.op_type for value in made.model.graph.inputs[1:] for use in value.uses() if use.node.op_type != "Shape"
    }
    assert readers == {"Attention"}
    plain = lowered(GPT)
    assert len(made.nodes) - len(plain.nodes) <= 4  # the past's length, for the positions


def test_half_precision_keeps_half(spec_of: Callable[[str], Any]) -> None:
    from dlc.backends.onnx.text import placeholders

    spec = spec_of(GPT)
    made = lower(spec, spec.models[0], placeholders(spec, spec.models[0]), GraphForm(precision="f16", cached=True))
    assert {value.dtype.name for value in made.graph.inputs[1:]} == {"FLOAT16"}
    assert made.graph.outputs[0].dtype.name == "FLOAT"


def test_a_length_that_is_fixed(lowered: Callable[..., Any]) -> None:
    from dlc.compiler.messages.diagnostics import Failed

    with pytest.raises(Failed) as caught:
        lowered(ROTARY, cached=True, fix={"T": 4})
    assert caught.value.diagnostic.code == "E0503"
    assert caught.value.diagnostic.notes == ("the export fixes `T`",)
