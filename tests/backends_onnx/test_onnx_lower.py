"""Whole graphs against PyTorch written by hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

Lower = Callable[..., "object"]

MLP = """
model Mlp(x: [B, 8]) -> (pred: [B]) {
  pred = x -> fc1: Linear(16) -> relu -> dropout(0.5) -> fc2: Linear(1) -> squeeze(-1)
}
"""

CNN = """
block Residual(channels: int, stride = 1)(x: [B, C, H, W]) -> [B, channels, _, _] {
  shortcut = x -> if stride != 1 or C != channels {
    downsample: { Conv(channels, 1, stride, bias = false) -> BatchNorm }
  }
  x -> conv1: Conv(channels, 3, stride, pad = 1, bias = false) -> bn1: BatchNorm -> relu
    -> conv2: Conv(channels, 3, pad = 1, bias = false)         -> bn2: BatchNorm
    -> add(shortcut) -> relu
}
model Cnn(image: [B, 3, 16, 16]) -> (logits: [B, 5]) {
  logits = image -> conv: Conv(4, 3, pad = 1) -> layer1: Residual(4) -> layer2: Residual(8, stride = 2)
    -> max_pool(2) -> global_avg_pool -> fc: Linear(5)
}
"""

BILSTM = """
model BiLstm(tokens: i64[B, T]) -> (logits: [B, 2]) {
  length = sum(tokens != 0, axis = 1)
  h = tokens -> embed: Embedding(20, 6, pad = 0)
    -> lstm: LSTM(5, layers = 2, bidirectional = true, dropout = 0.5, lengths = length).h
  logits = concat(h[-2], h[-1], axis = -1) -> head: Linear(2)
}
"""

GPT2 = """
param ctx = 16
block Attention(heads: int)(x: [B, T, D]) -> [B, T, D] {
  [q, k, v] = x -> c_attn: Linear(3 * D) -> [B, T, (3, heads, K)] => [3, B, heads, T, K]
  attention(q, k, v, causal = true) -> [B, heads, T, K] => [B, T, (heads, K)] -> c_proj: Linear(D) -> dropout(0.1)
}
block Block(heads: int)(x: [B, T, D]) -> [B, T, D] {
  x += x -> ln_1: LayerNorm -> attn: Attention(heads)
  x += x -> ln_2: LayerNorm -> mlp: { c_fc: Linear(4 * D) -> gelu("tanh") -> c_proj: Linear(D) -> dropout(0.1) }
  x
}
model Gpt(vocab = 23, d = 12, depth = 3, heads = 2)(tokens: i64[B, T <= ctx]) -> (logits: [B, T, vocab]) {
  wte    = Embedding(vocab, d)
  pos    = arange(T) -> wpe: Embedding(ctx, d)
  x      = (tokens -> wte) + pos -> dropout(0.1) -> h: repeat depth { Block(heads) } -> ln_f: LayerNorm
  logits = x @ wte.weight.T
}
"""


def tensors(made: object) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in made.weights.items()}  # type: ignore[attr-defined]


def close(found: np.ndarray, wanted: torch.Tensor) -> None:
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 7])
def test_mlp(lowered: Lower, batch: int) -> None:
    made = lowered(MLP)
    w, x = tensors(made), torch.randn(batch, 8)
    hidden = F.relu(F.linear(x, w["fc1.weight"], w["fc1.bias"]))
    close(made.run(x=x.numpy())["pred"], F.linear(hidden, w["fc2.weight"], w["fc2.bias"])[:, 0])
    assert made.nodes == ["Gemm", "Relu", "Gemm", "Reshape"]


@pytest.mark.parametrize("batch", [1, 7])
def test_residual_cnn(lowered: Lower, batch: int) -> None:
    made = lowered(CNN)
    w, image = tensors(made), torch.randn(batch, 3, 16, 16)

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var = w[f"{name}.running_mean"], w[f"{name}.running_var"]
        return F.batch_norm(x, mean, var, w[f"{name}.weight"], w[f"{name}.bias"])

    def residual(x: torch.Tensor, name: str, stride: int) -> torch.Tensor:
        y = F.relu(norm(F.conv2d(x, w[f"{name}.conv1.weight"], None, stride, 1), f"{name}.bn1"))
        y = norm(F.conv2d(y, w[f"{name}.conv2.weight"], None, 1, 1), f"{name}.bn2")
        if stride != 1:
            x = norm(F.conv2d(x, w[f"{name}.downsample.0.weight"], None, stride), f"{name}.downsample.1")
        return F.relu(y + x)

    x = F.conv2d(image, w["conv.weight"], w["conv.bias"], 1, 1)
    x = F.max_pool2d(residual(residual(x, "layer1", 1), "layer2", 2), 2).mean((2, 3))
    close(made.run(image=image.numpy())["logits"], F.linear(x, w["fc.weight"], w["fc.bias"]))
    assert Counter(made.nodes)["BatchNormalization"] == 5, "not folded"
    assert made.run(image=image.numpy())["logits"].shape == (batch, 5)


@pytest.mark.parametrize(("batch", "length"), [(1, 4), (7, 9)])
def test_bilstm_with_lengths(lowered: Lower, batch: int, length: int) -> None:
    made = lowered(BILSTM)
    w = tensors(made)
    ends = torch.arange(batch) % length + 1
    tokens = torch.where(torch.arange(length) < ends[:, None], torch.randint(1, 20, (batch, length)), 0)
    lstm = nn.LSTM(6, 5, 2, bidirectional=True, batch_first=True)
    lstm.load_state_dict({name.removeprefix("lstm."): t for name, t in w.items() if name.startswith("lstm.")})
    packed = nn.utils.rnn.pack_padded_sequence(
        F.embedding(tokens, w["embed.weight"]), ends, batch_first=True, enforce_sorted=False
    )
    with torch.no_grad():
        _, (h, _) = lstm(packed)
    wanted = F.linear(torch.cat([h[-2], h[-1]], -1), w["head.weight"], w["head.bias"])
    close(made.run(tokens=tokens.numpy())["logits"], wanted)
    assert Counter(made.nodes)["LSTM"] == 2, "one node a layer"


@pytest.mark.parametrize(("batch", "length"), [(1, 16), (3, 5)])
def test_gpt2(lowered: Lower, batch: int, length: int) -> None:
    made = lowered(GPT2)
    w, tokens = tensors(made), torch.randint(0, 23, (batch, length))

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        return F.layer_norm(x, (12,), w[f"{name}.weight"], w[f"{name}.bias"])

    x = w["wte.weight"][tokens] + w["wpe.weight"][:length]
    for layer in range(3):
        q, k, v = (
            part.reshape(batch, length, 2, 6).transpose(1, 2)
            for part in linear(norm(x, f"h.{layer}.ln_1"), f"h.{layer}.attn.c_attn").chunk(3, -1)
        )
        a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + linear(a.transpose(1, 2).reshape(batch, length, 12), f"h.{layer}.attn.c_proj")
        m = F.gelu(linear(norm(x, f"h.{layer}.ln_2"), f"h.{layer}.mlp.c_fc"), approximate="tanh")
        x = x + linear(m, f"h.{layer}.mlp.c_proj")
    close(made.run(tokens=tokens.numpy())["logits"], norm(x, "ln_f") @ w["wte.weight"].T)


def test_gpt2_graph_is_small_and_named(lowered: Lower) -> None:
    made = lowered(GPT2)
    graph = made.model.graph
    count = Counter(made.nodes)
    assert (count["Attention"], count["LayerNormalization"], count["Gelu"]) == (3, 7, 3)
    assert len(made.nodes) <= 13 * 3 + 15, "13 a block: 170 at the size of GPT-2"
    assert count["Transpose"] == 0, "heads are split by Attention, weights read as they lie"
    names = {node.name for node in graph}
    assert {"h.0.attn.c_attn/Gemm", "h.2.mlp.c_fc/Gemm", "ln_f/LayerNormalization"} <= names
    assert len(names) == len(graph)
    assert [str(d) for d in graph.inputs[0].shape] == ["B", "T"]
    assert [str(d) for d in graph.outputs[0].shape] == ["B", "T", "23"]
    assert set(graph.initializers) >= made.weights.keys(), "parameters stand under their paths"
    assert sum(1 for name in graph.initializers if "wte" in name) == 1, "a tied weight is there once"


def test_pinned_versions(lowered: Lower) -> None:
    model = lowered(MLP).model
    assert (model.graph.opset_imports, model.ir_version) == ({"": 23}, 11)


def test_training_only_weights_are_pruned(lowered: Lower) -> None:
    made = lowered("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  h = if training { x -> noise: Linear(4) } else { x }
  y = h -> out: Linear(4)
}
""")
    assert {n for n in made.model.graph.initializers if "." in n} == {"out.weight", "out.bias"}
    assert made.nodes == ["Gemm"]


def test_shared_layer_is_stored_once(lowered: Lower) -> None:
    made = lowered("""
model M(a: [B, 4], b: [B, 4]) -> (y: [B, 4]) {
  tower = Linear(4)
  y = (a -> tower) + (b -> tower)
}
""")
    assert sorted(made.model.graph.initializers) == ["tower.bias", "tower.weight"]
    w, a, b = tensors(made), torch.randn(2, 4), torch.randn(2, 4)
    close(made.run(a=a.numpy(), b=b.numpy())["y"], F.linear(a + b, w["tower.weight"]) + 2 * w["tower.bias"])


def test_an_input_that_is_an_output(lowered: Lower) -> None:
    made = lowered("model M(x: [B, 4]) -> (y: [B, 4], z: [B, 4]) { y = x\n z = x }")
    x = np.ones((2, 4), np.float32)
    found = made.run(x=x)
    np.testing.assert_array_equal(found["y"], x)
    np.testing.assert_array_equal(found["z"], x)


def test_fixed_sizes_are_in_the_graph(lowered: Lower) -> None:
    made = lowered(GPT2, fix={"T": 8, "B": 2})
    assert [d for d in made.model.graph.inputs[0].shape] == [2, 8]
    assert "Shape" not in made.nodes
    assert made.run(tokens=np.zeros((2, 8), np.int64))["logits"].shape == (2, 8, 23)


def test_half_precision_keeps_the_types_outside(lowered: Lower) -> None:
    made, full = lowered(GPT2, precision="f16"), lowered(GPT2)
    tokens = np.arange(10).reshape(2, 5)
    found, wanted = made.run(tokens=tokens)["logits"], full.run(tokens=tokens)["logits"]
    assert found.dtype == np.float32
    assert np.abs(found - wanted).max() < 2e-2 * np.abs(wanted).max()
    assert made.model.graph.initializers["wte.weight"].dtype.name == "FLOAT16"


def test_scan(lowered: Lower) -> None:
    made = lowered("""
model M(x: [B, T, 3]) -> (y: [B, T, 3], last: [B, 3]) {
  [y, h] = scan(axis = 1, x_t = x, h = carry(zeros([B, 3]))) {
    h = tanh((x_t -> mix: Linear(3)) + 0.5 * h)
    h * 2
  }
  last = h
}
""")
    assert made.nodes.count("Scan") == 1
    w, x = tensors(made), torch.randn(2, 5, 3)
    h, steps = torch.zeros(2, 3), []
    for t in range(5):
        h = torch.tanh(F.linear(x[:, t], w["mix.weight"], w["mix.bias"]) + 0.5 * h)
        steps.append(h * 2)
    found = made.run(x=x.numpy())
    close(found["y"], torch.stack(steps, 1))
    close(found["last"], h)


def test_sizes_of_the_running_graph(lowered: Lower) -> None:
    made = lowered("""
model M(x: [B, T, 2 * T]) -> (y: [B, T, 2 * T], half: [T // 2]) {
  require T >= 2
  y = x * T + (2 * T + 1)
  half = cast(arange(T // 2), f32)
}
""")
    x = np.ones((3, 5, 10), np.float32)
    found = made.run(x=x)
    np.testing.assert_array_equal(found["y"], x * 5 + 11)
    np.testing.assert_array_equal(found["half"], [0, 1])
