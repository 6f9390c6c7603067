"""Sizes that no axis of a class's inputs has: they are passed or derived, and one class serves all bodies."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dlc.backends.pytorch.derived_sizes import Column, derived
from dlc.compiler.ir.model import Spec
from dlc.compiler.sizes.dims import evaluate, floordiv, var

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]

WINDOWS = """
block Attention(heads: int)(x: [B, L, C]) -> [B, L, C] {
  [q, k, v] = x -> qkv: Linear(3 * C) -> [B, L, (3, heads, K)] => [3, B, heads, L, K]
  attention(q, k, v) -> merge_heads -> proj: Linear(C)
}
block Window(window: int, heads: int)(x: [B, H, W, C]) -> [B, H, W, C] {
  x -> [B, (M, window), (N, window), C] => [(B, M, N), (window, window), C]
    -> attn: Attention(heads)
    -> [(B, M, N), (window, window), C] => [B, (M, window), (N, window), C]
}
block Half(x: [B, H, W, C]) -> [B, H / 2, W / 2, C] {
  x -> [B, (M, 2), (N, 2), C] => [B, M, N, (2, 2, C)] -> fc: Linear(C)
}
"""


def attended(x: Tensor, part: nn.Module, window: int, heads: int) -> Tensor:
    """Window attention as in a textbook."""
    batch, height, width, channels = x.shape
    rows, columns = height // window, width // window
    x = x.view(batch, rows, window, columns, window, channels).permute(0, 1, 3, 2, 4, 5)
    x = x.reshape(-1, window * window, channels)
    q, k, v = (t.unflatten(-1, (heads, -1)).transpose(1, 2) for t in part.qkv(x).chunk(3, dim=-1))  # type: ignore[operator]
    x = part.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))  # type: ignore[operator]
    x = x.view(batch, rows, columns, window, window, channels).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(batch, height, width, channels)


@pytest.mark.parametrize(("first", "second"), [(4, 4), (4, 2), (2, 4), (8, 1)])
@pytest.mark.parametrize("sides", ["8, 8", "H, W"])
def test_window_attention_at_two_sizes(first: int, second: int, sides: str, written: Written, built: Built) -> None:
    half = ", ".join(f"{side} / 2" for side in sides.split(", "))
    text = f"""{WINDOWS}
model M(image: [B, {sides}, 16]) -> (y: [B, {half}, 16]) {{
  require 8 % 8 == 0
  y = image -> s1: Window({first}, 2) -> pool: Half -> s2: Window({second}, 2)
}}
"""
    if sides == "H, W":
        text = text.replace("require 8 % 8 == 0", "require H % 8 == 0 and W % 8 == 0")
    _, source = written(text)
    assert source.count("class Window(") == source.count("class Attention(") == 1
    assert "Window2" not in source
    network = built(text)
    for height, width in [(8, 8)] if sides == "8, 8" else [(8, 8), (16, 8), (8, 24)]:
        image = torch.randn(3, height, width, 16)
        x = network.pool(attended(image, network.s1.attn, first, 2))  # type: ignore[operator, union-attr]
        torch.testing.assert_close(network(image), attended(x, network.s2.attn, second, 2))  # type: ignore[union-attr]


def test_a_merged_axis_is_cut_by_an_argument(written: Written, built: Built) -> None:
    text = """
block Group(n: int)(x: [N, C]) -> [N, C] {
  x -> [(K, n), C] => [K, (n, C)] -> fc: Linear(n * C) -> [K, (n, C)] => [(K, n), C]
}
model M(z: [B, 6, 4], w: [B, 12, 4]) -> (u: [B, 6, 4], v: [B, 12, 4]) {
  u = z -> [B, L, D] => [(B, L), D] -> p: Group(2) -> [(B, L), D] => [B, L, D]
  v = w -> [B, M, E] => [(B, M), E] -> q: Group(3) -> [(B, M), E] => [B, M, E]
}
"""
    _, source = written(text)
    assert "x.reshape(N // self.n, self.n, 4)" in source
    z, w = torch.randn(5, 6, 4), torch.randn(5, 12, 4)
    network = built(text)
    u, v = network(z, w)
    torch.testing.assert_close(u, network.p.fc(z.reshape(15, 8)).reshape(5, 6, 4))  # type: ignore[operator, union-attr]
    torch.testing.assert_close(v, network.q.fc(w.reshape(20, 12)).reshape(5, 12, 4))  # type: ignore[operator, union-attr]


def test_a_sum_and_a_quotient_of_axes(written: Written, built: Built) -> None:
    text = """
block Joined(x: [B, T, C], y: [B, S, C]) -> [B, T, C] {
  z = concat(x, y, axis = 1) -> [B, L, C] => [(B, L), C] -> fc: Linear(C) -> [(B, L), C] => [B, L, C]
  z[:, 0:T]
}
block Placed(x: [N, C], y: [T, C]) -> [N, C] {
  z = x -> [(K, T), C] => [K, T, C]
  z + y -> [K, T, C] => [(K, T), C]
}
model M(x: [B, T, 8], z: [B, S, 8]) -> (y: [B, T, 8]) {
  a = (x, z) -> a: Joined
  b = ((x, a) -> b: Joined) + ((x, x[:, 0:1]) -> c: Joined)
  y = (b -> [B, T, C] => [(B, T), C], x[0]) -> Placed -> [(B, T), C] => [B, T, C]
}
"""
    _, source = written(text)
    assert source.count("(nn.Module):") == 2
    assert "z.reshape(B, S + T, 8)" in source
    assert "x.reshape(N // T, T, 8)" in source
    network = built(text)
    x, z = torch.randn(3, 4, 8), torch.randn(3, 5, 8)
    a, b, c = network.a.fc, network.b.fc, network.c.fc  # type: ignore[union-attr]
    torch.testing.assert_close(network(x, z), b(x) + c(x) + x[0])  # type: ignore[operator]
    assert a.weight.shape == (8, 8)  # type: ignore[union-attr]


B, T, S = var("B"), var("T"), var("S")


@pytest.mark.parametrize(
    ("size", "axes", "expected"),
    [
        ((2 * B, 3 * B), {"N": (10 * B, 15 * B)}, "N // 5"),
        ((4 * B, B), {"N": (B, B)}, "<4, 1> * N"),
        ((2 * B, 4 * B), {"N": (6 * B, 20 * B)}, "N // <3, 5>"),
        ((T, T), {"N": (2 * T + 1, 4 * T + 1)}, "(N - 1) // <2, 4>"),
        ((B * T, 2 * B * S), {"N": (B, 2 * B), "L": (T, S)}, "N * L"),
        ((T + S, 2 * T, T + 1), {"L": (T, T, T), "M": (S, T, 1)}, "L + M"),
        ((B, B), {"N": (B * T, B * S), "L": (T, S)}, "N // L"),
        ((floordiv(T, 2), floordiv(T, 3)), {"N": (B, B), "L": (T, T)}, "(L // <2, 3>)"),
        ((S, S), {"N": (B, B), "L": (T, T)}, None),
    ],
)  # fmt: skip
def test_the_plainest_form_that_holds_in_all_bodies(
    size: Column, axes: dict[str, Column], expected: str | None
) -> None:
    def write(numbers: tuple[int, ...]) -> str:
        same = len(set(numbers)) == 1
        return str(numbers[0]) if same else f"<{', '.join(map(str, numbers))}>"

    assert derived(size, axes, write) == expected
    for at, value in enumerate(size):
        text = derived(size, axes, lambda numbers, at=at: str(numbers[at]))
        sizes = {"B": 4, "T": 6, "S": 10}
        known = {letter: evaluate(column[at], sizes) for letter, column in axes.items()}
        assert text is None or eval(text, {}, known) == evaluate(value, sizes)
