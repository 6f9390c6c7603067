"""What architectures ask of the vocabulary, written as programs: each equals PyTorch said by hand, in both backends, at
two sizes of every dynamic axis, with its gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from dlc.backends.onnx.lower import lower
from dlc.backends.onnx.write import to_bytes
from dlc.backends.pytorch.load import load_module
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.check import check
from dlc.runtime.inference.session import Session

Weights = dict[str, Tensor]


@dataclass(frozen=True)
class Need:
    """`inputs` makes the model's inputs for two numbers, the sizes of its dynamic axes."""

    name: str
    program: str
    inputs: Callable[[int, int], tuple[Tensor, ...]]
    reference: Callable[..., Tensor]  # (weights, *inputs)


def sequences(width: int) -> Callable[[int, int], tuple[Tensor, ...]]:
    return lambda batch, length: (torch.randn(batch, length, width),)


def images(channels: int, multiple: int = 1) -> Callable[[int, int], tuple[Tensor, ...]]:
    return lambda batch, size: (torch.randn(batch, channels, multiple * size, multiple * (size + 1)),)


def heads(x: Tensor, count: int) -> Tensor:
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


# ---- convolutions ------------------------------------------------------------------------------------------------------

SEPARABLE = Need(
    "depthwise separable convolution",
    """
block Separable(out: int, stride = 1)(x: [B, C, H, W]) -> [B, out, _, _] {
  x -> depthwise: Conv(C, 3, stride, pad = 1, groups = C, bias = false) -> relu -> pointwise: Conv(out, 1)
}
model M(x: [B, 6, H, W]) -> (y: [B, 8, _, _]) { y = x -> net: Separable(8, stride = 2) }
""",
    images(6),
    lambda w, x: F.conv2d(
        F.conv2d(x, w["net.depthwise.weight"], None, 2, 1, groups=6).relu(),
        w["net.pointwise.weight"],
        w["net.pointwise.bias"],
    ),
)


def wavenet(w: Weights, x: Tensor) -> Tensor:
    for turn in range(3):
        at, padded = f"layers.{turn}", F.pad(x, (2**turn * 2, 0))
        gate, value = F.conv1d(padded, w[f"{at}.conv.weight"], w[f"{at}.conv.bias"], dilation=2**turn).chunk(2, 1)
        x = x + F.conv1d(torch.tanh(value) * torch.sigmoid(gate), w[f"{at}.mix.weight"], w[f"{at}.mix.bias"])
    return x


DILATED = Need(
    "dilated causal convolutions",
    """
block Dilated(dilation: int)(x: [B, C, T]) -> [B, C, T] {
  [gate, value] = x -> conv: Conv(2 * C, 3, pad = "causal", dilation = dilation) -> chunk(2, axis = 1)
  x + (tanh(value) * sigmoid(gate) -> mix: Conv(C, 1))
}
model M(x: [B, 4, T]) -> (y: [B, 4, T]) { y = x -> layers: { for power in [0, 1, 2] { Dilated(2 ** power) } } }
""",
    lambda batch, length: (torch.randn(batch, 4, length + 8),),
    wavenet,
)

RESAMPLING = Need(
    "resampling: nearest, bilinear, bicubic, sub-pixel",
    """
model M(x: [B, 4, H, W]) -> (y: [B, 13, 2 * H, 2 * W]) {
  sharp = x -> expand_channels: Conv(4, 1) -> pixel_shuffle(2)
  smooth = x -> upsample(2, mode = "bilinear")
  y = concat(x -> upsample(2), smooth, x -> upsample(2, mode = "bicubic", align_corners = true), sharp, axis = 1)
}
""",
    images(4),
    lambda w, x: torch.cat(
        [
            F.interpolate(x, scale_factor=2),
            F.interpolate(x, scale_factor=2, mode="bilinear"),
            F.interpolate(x, scale_factor=2, mode="bicubic", align_corners=True),
            F.pixel_shuffle(F.conv2d(x, w["expand_channels.weight"], w["expand_channels.bias"]), 2),
        ],
        1,
    ),
)


def styled(w: Weights, x: Tensor, style: Tensor) -> Tensor:
    x = F.group_norm(x, 2, w["norm.weight"], w["norm.bias"])
    scale, shift = F.linear(style, w["affine.weight"], w["affine.bias"]).chunk(2, 1)
    return F.instance_norm(x) * (1 + scale[:, :, None, None]) + shift[:, :, None, None]


STYLED = Need(
    "group norm, and instance norm with a style",
    """
model M(x: [B, 6, H, W], style: [B, 5]) -> (y: [B, 6, H, W]) {
  [scale, shift] = style -> affine: Linear(12) -> chunk(2, axis = -1)
  y = (x -> norm: GroupNorm(2) -> InstanceNorm) * (1 + scale[:, :, none, none]) + shift[:, :, none, none]
}
""",
    lambda batch, size: (torch.randn(batch, 6, size, size + 1), torch.randn(batch, 5)),
    styled,
)

# ---- positions and masks -----------------------------------------------------------------------------------------------


def t5_bucket(relative: Tensor, buckets: int = 32, furthest: int = 128) -> Tensor:
    """Raffel et al. 2020: half the buckets for keys behind, half for keys ahead; near ones exact, others logarithmic."""
    half, exact = buckets // 2, buckets // 4
    far = exact + (
        torch.log(relative.abs().clamp(min=1) / exact) / math.log(furthest / exact) * (half - exact)
    ).long().clamp(max=half - exact - 1)
    return (relative > 0).long() * half + torch.where(relative.abs() < exact, relative.abs(), far)


def t5(w: Weights, x: Tensor) -> Tensor:
    q, k, v = (heads(F.linear(x, w[f"net.{name}.weight"]), 2) for name in "qkv")
    steps = torch.arange(x.shape[1])
    bias = w["net.relative_attention_bias.weight"][t5_bucket(steps[None] - steps[:, None])].permute(2, 0, 1)
    scores = q @ k.mT + bias
    return F.linear((scores.softmax(-1) @ v).transpose(1, 2).flatten(2), w["net.o.weight"])


T5 = Need(
    "relative position bias in buckets, as T5",
    """
block Attention(heads: int, buckets = 32, furthest = 128)(x: [B, T, D]) -> [B, T, D] {
  half  = buckets // 2
  exact = half // 2
  steps = arange(T)
  ahead = steps[none, :] - steps[:, none]
  away  = abs(ahead)
  far   = exact + clamp(
    cast(log(cast(clamp(away, min = 1), f32) / exact) / log(furthest / exact) * (half - exact), i64), max = half - exact - 1)
  bucket = cast(ahead > 0, i64) * half + where(away < exact, away, far)
  bias   = bucket -> relative_attention_bias: Embedding(buckets, heads) -> [T, T, heads] => [heads, T, T]
  q = x -> q: Linear(D, bias = false) -> split_heads(heads)
  k = x -> k: Linear(D, bias = false) -> split_heads(heads)
  v = x -> v: Linear(D, bias = false) -> split_heads(heads)
  softmax(q @ k.T + bias) @ v -> merge_heads -> o: Linear(D, bias = false)
}
model M(x: [B, T, 6]) -> (y: [B, T, 6]) { y = x -> net: Attention(2) }
""",
    lambda batch, length: (torch.randn(batch, length * 30, 6),),
    t5,
)


def swin(w: Weights, x: Tensor) -> Tensor:
    """Liu et al. 2021: attention in windows of 4, shifted by 2, with a bias by relative position."""
    batch, height, width, channels = x.shape
    size, shift, count = 4, 2, 2
    windows = x.roll((-shift, -shift), (1, 2)).unflatten(1, (-1, size)).unflatten(3, (-1, size)).transpose(2, 3)
    windows = windows.reshape(-1, size * size, channels)
    q, k, v = (
        F.linear(windows, w["net.qkv.weight"], w["net.qkv.bias"]).unflatten(-1, (3, count, -1)).permute(2, 0, 3, 1, 4)
    )
    at = torch.cartesian_prod(torch.arange(size), torch.arange(size))
    apart = at[:, None] - at[None] + size - 1
    bias = w["net.table.weight"][apart[..., 0] * (2 * size - 1) + apart[..., 1]].permute(2, 0, 1)
    region = torch.zeros(height, width)
    slices = (slice(0, -size), slice(-size, -shift), slice(-shift, None))
    for number, (rows, columns) in enumerate((r, c) for r in slices for c in slices):
        region[rows, columns] = number
    region = region.unflatten(0, (-1, size)).unflatten(2, (-1, size)).transpose(1, 2).reshape(-1, size * size)
    same = (region[:, :, None] == region[:, None]).repeat(batch, 1, 1)[:, None]
    scores = (q @ k.mT / math.sqrt(channels // count) + bias).masked_fill(~same, -math.inf)
    made = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)
    made = made.reshape(batch, height // size, width // size, size, size, channels).transpose(2, 3)
    return made.reshape(x.shape).roll((shift, shift), (1, 2))


SWIN = Need(
    "shifted windows with a relative position bias, as Swin",
    """
block Windows(size: int, shift: int, heads: int)(x: [B, H, W, D]) -> [B, H, W, D] {
  side    = arange(size)
  apart   = side[:, none] - side[none, :] + (size - 1)
  place   = apart[:, none, :, none] * (2 * size - 1) + apart[none, :, none, :]
  bias    = place -> [size, size, size, size] => [(size, size), (size, size)]
    -> table: Embedding((2 * size - 1) ** 2, heads) -> [A, A, heads] => [heads, A, A]
  rows    = cast(arange(H) >= H - size, i64) + cast(arange(H) >= H - shift, i64)
  columns = cast(arange(W) >= W - size, i64) + cast(arange(W) >= W - shift, i64)
  region  = rows[:, none] * 3 + columns[none, :] -> [(N, size), (M, size)] => [(N, M), (size, size)]
  same    = region[:, none, :, none] == region[:, none, none, :]
  [q, k, v] = x -> roll([-shift, -shift], axis = [1, 2]) -> [B, (N, size), (M, size), D] => [B, (N, M), (size, size), D]
    -> qkv: Linear(3 * D) -> [B, N * M, A, (3, heads, K)] => [3, B, N * M, heads, A, K]
  softmax(where(same, q @ k.T * K ** -0.5 + bias, -1e9)) @ v
    -> [B, N * M, heads, A, K] => [B, N * M, A, (heads, K)]
    -> [B, (N, M), (size, size), D] => [B, (N, size), (M, size), D] -> roll([shift, shift], axis = [1, 2])
}
model M(x: [B, H, W, 6]) -> (y: [B, H, W, 6]) {
  require H % 4 == 0 and W % 4 == 0, "windows tile the image"
  y = x -> net: Windows(4, 2, 2)
}
""",
    lambda batch, size: (torch.randn(batch, 4 * size, 4 * size + 4, 6),),
    swin,
)


def sliding(w: Weights, x: Tensor) -> Tensor:
    q, k, v = (heads(part, 2) for part in F.linear(x, w["qkv.weight"], w["qkv.bias"]).chunk(3, -1))
    steps = torch.arange(x.shape[1])
    behind = steps[:, None] - steps[None]
    return F.scaled_dot_product_attention(q, k, v, (behind >= 0) & (behind < 3)).transpose(1, 2).flatten(2)


SLIDING = Need(
    "a sliding window, from positions",
    """
model M(x: [B, T, 6]) -> (y: [B, T, 6]) {
  [q, k, v] = x -> qkv: Linear(18) -> [B, T, (3, 2, K)] => [3, B, 2, T, K]
  behind = arange(T)[:, none] - arange(T)[none, :]
  y = attention(q, k, v, mask = behind < 3, causal = true) -> merge_heads
}
""",
    sequences(6),
    sliding,
)


def positions(w: Weights, tokens: Tensor) -> Tensor:
    real = (tokens != 1).long()
    return F.embedding(real.cumsum(1) * real + 1, w["position.weight"])


POSITIONS = Need(
    "positions that count real tokens, as RoBERTa",
    """
model M(tokens: i64[B, T]) -> (y: [B, T, 4]) {
  real = cast(tokens != 1, i64)
  y = cumsum(real, axis = 1) * real + 1 -> position: Embedding(40, 4)
}
""",
    lambda batch, length: (torch.randint(0, 4, (batch, length)),),
    positions,
)

# ---- choosing ----------------------------------------------------------------------------------------------------------


def routed(w: Weights, x: Tensor) -> Tensor:
    scores, chosen = F.linear(x, w["router.weight"]).topk(2, -1)
    share = torch.zeros(*x.shape[:-1], 4).scatter(-1, chosen, scores.softmax(-1))
    experts = torch.einsum("btd,edh->bteh", x, w["up"]).relu()
    return torch.einsum("bteh,ehd,bte->btd", experts, w["down"], share)


ROUTED = Need(
    "the best two of four experts",
    """
model M(x: [B, T, 5]) -> (y: [B, T, 5]) {
  best  = x -> router: Linear(4, bias = false) -> topk(2)
  share = scatter(softmax(best[0]), best[1], size = 4)
  up    = up: Param([4, 5, 6], init = normal(0.5))
  down  = down: Param([4, 6, 5], init = normal(0.5))
  made  = relu(x[:, :, none, none, :] @ up) @ down                       # [B, T, 4, 1, 5]
  y     = sum((made -> squeeze(3)) * share[..., none], axis = 2)
}
""",
    sequences(5),
    routed,
)

CHOSEN = Need(
    "gathering the step that an index names",
    """
model M(x: [B, T, 5], last: i64[B]) -> (y: [B, 5]) {
  y = gather(x, last[:, none, none] -> expand([B, 1, 5]), axis = 1) -> squeeze(1) -> out: Linear(5)
}
""",
    lambda batch, length: (torch.randn(batch, length, 5), torch.randint(0, length, (batch,))),
    lambda w, x, last: F.linear(x[torch.arange(len(x)), last], w["out.weight"], w["out.bias"]),
)

# ---- contractions ------------------------------------------------------------------------------------------------------

BILINEAR = Need(
    "contractions that other notations write as an einsum",
    """
model M(x: [B, T, 4], y: [B, S, 6]) -> (z: [B, 3, T, S]) {
  w = w: Param([3, 4, 6], init = normal(0.5))
  z = (x[:, none] @ w) @ y[:, none].T                                 # b t d, h d e, b s e -> b h t s
}
""",
    lambda batch, length: (torch.randn(batch, length, 4), torch.randn(batch, length + 1, 6)),
    lambda w, x, y: torch.einsum("btd,hde,bse->bhts", x, w["w"], y),
)

PER_HEAD = Need(
    "a matrix for each head",
    """
model M(x: [B, T, 6]) -> (y: [B, T, 8]) {
  w = w: Param([2, 3, 4], init = normal(0.5))
  y = (x -> split_heads(2)) @ w -> merge_heads                        # b t (h k), h k o -> b t (h o)
}
""",
    sequences(6),
    lambda w, x: torch.einsum("bthk,hko->btho", x.unflatten(-1, (2, 3)), w["w"]).flatten(2),
)

# ---- recurrences -------------------------------------------------------------------------------------------------------


def decayed(w: Weights, x: Tensor) -> Tensor:
    state, made = torch.zeros(len(x), 4), []
    decay = torch.sigmoid(w["decay"])
    for step in F.linear(x, w["in_proj.weight"], w["in_proj.bias"]).unbind(1):
        state = decay * state + (1 - decay) * step
        made.append(torch.tanh(state))
    return torch.stack(made, 1)


DECAYED = Need(
    "a recurrence of one's own",
    """
model M(x: [B, T, 6]) -> (y: [B, T, 4]) {
  decay = sigmoid(decay: Param([4], init = normal(1)))
  y = scan(axis = 1, x_t = x -> in_proj: Linear(4), h = carry(zeros([B, 4]))) {
    h = decay * h + (1 - decay) * x_t
    tanh(h)
  }
}
""",
    sequences(6),
    decayed,
)

NEEDS = (
    SEPARABLE, DILATED, RESAMPLING, STYLED, T5, SWIN, SLIDING, POSITIONS, ROUTED, CHOSEN, BILINEAR, PER_HEAD, DECAYED,
)  # fmt: skip


@pytest.mark.parametrize("need", [pytest.param(need, id=need.name.replace(" ", "-")) for need in NEEDS])
def test_said_in_the_language(need: Need, tmp_path: Path) -> None:
    file = tmp_path / "need.dlspec"
    file.write_text(f"dlspec 1\n{need.program}", "utf-8")
    checked = check(file)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    model = checked.spec.models[0]
    module = load_module(module_source(checked.spec, model), class_name(model))
    torch.manual_seed(0)
    weights = {name: 0.5 * torch.randn_like(value) for name, value in module.state_dict().items()}
    module.load_state_dict(weights)
    (tmp_path / "need.onnx").write_bytes(
        to_bytes(lower(checked.spec, model, {name: value.numpy() for name, value in weights.items()}))
    )
    sessions = [Session(tmp_path / "need.onnx", "cpu", optimization=level) for level in ("none", "all")]
    for sizes in ((2, 3), (3, 5)):
        inputs = need.inputs(*sizes)
        found, wanted = module(*inputs), need.reference(weights, *inputs)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        for session in sessions:
            feed: dict[str, Any] = {port.name: x.numpy() for port, x in zip(session.inputs, inputs, strict=True)}
            (made,) = session.predict(feed).values()
            torch.testing.assert_close(torch.from_numpy(made), wanted, rtol=1e-4, atol=1e-5)
        leaves = {name: value.clone().requires_grad_() for name, value in weights.items()}
        direction = torch.randn_like(found)
        theirs = torch.autograd.grad((need.reference(leaves, *inputs) * direction).sum(), [*leaves.values()])
        ours = torch.autograd.grad((found * direction).sum(), [*module.parameters()])
        for name, one, other in zip(leaves, ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4, msg=lambda text, name=name: f"{name}: {text}")
