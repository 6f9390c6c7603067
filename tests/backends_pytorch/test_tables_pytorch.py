"""What no input changes is made once, as a buffer that no checkpoint holds."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import load_source
from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]

TIME = """
block Time(width: int)(t: i64[B]) -> [B, width] {
  rate  = exp(-log(100.0) * cast(arange(width / 2), f32) / (width / 2))
  angle = cast(t, f32)[:, none] * rate
  concat(sin(angle), cos(angle), axis = -1) -> fc: Linear(width)
}
model M(t: i64[B]) -> (y: [B, 4]) { y = (t -> a: Time(8) -> fc: Linear(4)) + (t -> b: Time(4)) }
"""


def forward_of(source: str) -> str:
    return source.split("def forward")[-1]


def test_a_chain_of_functions_of_sizes_is_one_buffer(written: Written, built: Built) -> None:
    _, source = written(TIME)
    assert source.count("register_buffer") == 1
    assert "t.float()[:, None] * self.rate" in source
    module = built(TIME)
    assert [n for n, _ in module.named_buffers()] == ["a.rate", "b.rate"]
    assert not any("rate" in name for name in module.state_dict())
    for width, rate in zip((8, 4), module.buffers(), strict=True):
        half = width // 2
        want = torch.exp(-4.605170185988092 * torch.arange(half).float() / half)
        assert torch.equal(rate, want)
    module.load_state_dict(module.state_dict(), strict=True)


def test_a_table_needs_no_memory_on_the_meta_device(written: Written) -> None:
    made = load_source(written(TIME)[1])
    with torch.device("meta"):
        assert all(tensor.is_meta for tensor in made.M().buffers())


def test_position_codes_with_a_bound_are_cut(written: Written, built: Built) -> None:
    text = """
model M(a: [B, T <= 12, 6], b: [B, S <= 12, 6]) -> (y: [B, T, 6], z: [B, S, 6]) {
  y = a + sinusoid(T, 6)
  z = (b -> fc: Linear(6)) + sinusoid(S, 6)
}
"""
    _, source = written(text)
    assert source.count("sinusoid(12, 6)") == 1
    assert "self.positions[:T]" in source
    assert "self.positions[:S]" in source
    module = built(text)
    a, b = torch.zeros(2, 5, 6), torch.zeros(2, 12, 6)
    short, long = module(a, b).y[0], module(torch.zeros(2, 12, 6), b).y[0]
    time, pair = torch.arange(5), torch.arange(0, 6, 2)
    angle = time[:, None] * 10000.0 ** (-pair / 6)
    assert torch.equal(short, torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1))
    assert torch.equal(short, long[:5])
    with pytest.raises(ValueError, match="T <= 12"):
        module(torch.zeros(2, 13, 6), b)


@pytest.mark.parametrize(
    "value",
    ["cast(arange(T), f32)[:, none]", "sinusoid(T, 6)", "randn([6])", "dropout(ones([6]), 0.5)"],
)
def test_what_is_not_fixed_stays_in_forward(value: str, written: Written) -> None:
    _, source = written(f"model M(x: [B, T, 6]) -> (y: [B, T, 6]) {{ y = (x -> fc: Linear(6)) + ({value}) }}")
    assert any(name in forward_of(source) for name in ("arange(T", "sinusoid(T", "randn(", "F.dropout(self.table"))


def test_a_buffer_takes_no_name_of_a_module(written: Written, built: Built) -> None:
    text = """
model M(x: [4, 4]) -> (y: [4, 4]) {
  parameters = cast(arange(4), f32)
  y = (x -> positions: Linear(4)) * parameters + (arange(4) -> Embedding(4, 4))
}
"""
    _, source = written(text)
    assert 'register_buffer("parameters_2", ' in source
    assert 'register_buffer("positions_2", ' in source
    module = built(text)
    x = torch.randn(4, 4)
    count = torch.arange(4)
    added = module.get_submodule("embedding")(count)
    assert torch.equal(module(x), module.get_submodule("positions")(x) * count.float() + added)


def test_a_causal_mask_of_known_size_is_one_buffer(written: Written, built: Built) -> None:
    text = """
block Attend(heads: int)(x: [B, T, D], keep: bool[B, 1, 1, T]) -> [B, T, D] {
  q = x -> q: Linear(D) -> split_heads(heads)
  a = attention(q, q, q, mask = keep, causal = true)
  attention(a, q, q, mask = keep, causal = true) -> merge_heads -> o: Linear(D)
}
model M(x: [B, LENGTH, 8], keep: bool[B, 1, 1, LENGTH]) -> (y: [B, LENGTH, 8]) {
  y = (x, keep) -> a: Attend(2) -> fc: Linear(8)
}
"""
    _, source = written(text.replace("LENGTH", "6"))
    assert source.count("register_buffer") == 1
    assert source.count("keep & self.mask") == 2
    fixed, free = built(text.replace("LENGTH", "6")), built(text.replace("LENGTH", "T"))
    assert list(fixed.state_dict()) == list(free.state_dict())
    x, keep = torch.randn(2, 6, 8), torch.ones(2, 1, 1, 6, dtype=torch.bool)
    assert torch.equal(fixed(x, keep), free(x, keep))
