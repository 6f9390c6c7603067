"""Sizes in generated source are named after the axes that they are."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]


def test_sizes_are_named_after_their_axes(written: Written) -> None:
    _, source = written("""
block Part(x: [B, H, W, C]) -> [B, H, W, C] { x -> fc: Linear(C) }
model M(x: [B, 4, 6, 8], z: [B, 5, 7, 9]) -> (y: [B, 4, 6, 8], w: [B, 5, 7, 9]) {
  y = x -> a: Part
  w = z -> b: Part
}
""")
    assert "def __init__(self, in_channels):" in source
    assert "nn.Linear(in_channels, in_channels)" in source
    _, source = written("""
block Part(x: [B, H, K]) -> [B, H, K] { x * (scale: Param([H, 1], init = ones)) }
model M(x: [B, 4, 6], z: [B, 5, 7]) -> (y: [B, 4, 6], w: [B, 5, 7]) {
  y = x -> a: Part
  w = z -> b: Part
}
""")
    assert "def __init__(self, height):" in source


def test_a_letter_that_says_nothing_is_no_name(written: Written) -> None:
    """The last axis of a second input is called after the input."""
    _, source = written("""
block Shift(x: [B, C, H, W], time: [B, E]) -> [B, C, H, W] { x + (time -> fc: Linear(C))[:, :, none, none] }
model M(x: [B, 4, 6, 6], z: [B, 5, 6, 6], time: [B, 7]) -> (y: [B, 4, 6, 6], w: [B, 5, 6, 6]) {
  y = x -> a: Shift(time = time)
  w = z -> b: Shift(time = concat(time, time, axis = 1))
}
""")
    assert "def __init__(self, in_channels, time_dim):" in source
    assert "nn.Linear(time_dim, in_channels)" in source


SWIN = """
block Window(window: int)(x: [B, H, W, C]) -> [B, H, W, C] {
  y = x -> norm: LayerNorm -> [B, (M, window), (N, window), C] => [B, M, N, (window, window, C)]
  y = y -> fc: Linear(window * window * C)
  x + (y -> [B, M, N, (window, window, C)] => [B, (M, window), (N, window), C])
}
block Merge(x: [B, H, W, C]) -> [B, H / 2, W / 2, 2 * C] {
  x -> [B, (M, 2), (N, 2), C] => [B, M, N, (2, 2, C)] -> reduction: Linear(2 * C)
}
block Stage(window: int)(x: [B, H, W, C]) -> [B, H, W, C] {
  x + (place: Param([H, W, C], init = normal(0.02))) -> attn: Window(window)
}
model M(image: [B, HEIGHT, WIDTH, 16]) -> (y: [B, HEIGHT / 4, WIDTH / 4, 64]) {
  y = image -> s1: Stage(4) -> m1: Merge -> s2: Stage(2) -> m2: Merge -> s3: Stage(2)
}
"""


@pytest.mark.parametrize(("height", "width"), [(16, 16), (16, 24), (24, 16)])
def test_equal_sides_keep_their_letters(height: int, width: int, written: Written, built: Built) -> None:
    """H = W = C in the first stage; H // 2 = W // 3 in all stages of 16 x 24."""
    text = SWIN.replace("HEIGHT", str(height)).replace("WIDTH", str(width))
    _, source = written(text)
    assert "B, H, W, C = x.shape" in source
    assert ".reshape(B, H, W, C)" in source
    assert "x.reshape(B, H // 2, 2, W // 2, 2, C)" in source
    assert "B, H // self.window, self.window, W // self.window, self.window, C" in source
    window, stage, _ = re.findall(r"def __init__\(self, (.*)\):", source)
    assert window.startswith("in_channels, window")
    if height == width:
        assert stage.startswith("side, in_channels, window")
        assert "torch.empty(side, side, in_channels)" in source
    else:
        assert "torch.empty(height, width, in_channels)" in source
    assert built(text)(torch.randn(2, height, width, 16)).shape == (2, height // 4, width // 4, 64)
