"""Layers of one class whose arguments differ are a table of rows with a loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]

BLOCK = """
block ExpandedConvolutionBlock(expanded: int, channels: int, kernel: int, stride: int, act: fn) =
  Conv(expanded, 1) -> Conv(channels, kernel, stride, pad = kernel // 2) -> act
"""
NAMES = "expanded, channels, kernel, stride, act"


def model(rows: str, before: str = "", after: str = "", statics: str = "", names: str = NAMES, given: str = "") -> str:
    return f"""{BLOCK}
model M{statics}(x: [B, 8, 32, 32]) -> (y) {{
  y = x -> features: {{
    {before} for ({names}) in [{rows}] {{ ExpandedConvolutionBlock({given or names}) }} {after}
  }}
}}
"""


CHAIN = """
  (16, 16, 3, 1, relu), (32, 16, 5, 2, silu), (64, 24, 3, 1, silu),
  (48, 24, 3, 1, silu), (32, 32, 5, 2, relu), (64, 48, 3, 1, relu),
  (96, 48, 3, 1, relu), (96, 56, 5, 1, silu), (96, 56, 3, 1, relu)"""


def test_what_a_row_gives_to_the_next_is_carried(written: Written, built: Callable[..., Any]) -> None:
    program = model(CHAIN)
    spec, source = written(program)
    assert "(32, 16, 5, 2, nn.SiLU)," in source
    assert "in_channels = 8\n" in source
    assert "for expanded, channels, kernel, stride, act in rows:" in source
    assert "in_channels = channels\n" in source
    assert source.count("ExpandedConvolutionBlock(") == 2  # the class and the loop
    module = built(program)
    assert set(module.state_dict()) == {entry.path for entry in parameters(spec, spec.models[0])}
    assert [module.features[at][1].out_channels for at in range(9)] == [16, 16, 24, 24, 32, 48, 48, 56, 56]
    assert module(torch.ones(1, 8, 32, 32)).shape == (1, 56, 8, 8)


def test_numbers_of_a_row_are_part_of_expressions(written: Written) -> None:
    program = model(CHAIN, statics="(width = 2)", given="expanded, channels * width, kernel, stride, act")
    _, source = written(program)
    assert "channels=channels * width," in source
    assert "in_channels = channels * width\n" in source


def test_layers_around_a_table(written: Written, built: Callable[..., Any]) -> None:
    program = model(CHAIN, before="Conv(8, 1) ->", after="-> Conv(8, 1) -> relu")
    _, source = written(program)
    assert "layers: list[nn.Module] = [nn.Conv2d(8, 8, 1)]" in source
    assert "layers += [nn.Conv2d(56, 8, 1), nn.ReLU()]" in source
    kinds = [type(layer).__name__ for layer in built(program).features]
    assert kinds == ["Conv2d", *9 * ["ExpandedConvolutionBlock"], "Conv2d", "ReLU"]


def test_a_list_without_a_carried_argument_is_a_comprehension(written: Written) -> None:
    rows = CHAIN
    for channels in (16, 24, 32, 48, 56):
        rows = rows.replace(f", {channels}, ", ", 8, ")
    _, source = written(model(rows).replace("Block", "BlockWithAStrideAndAnActivation"))
    assert "for expanded, kernel, stride, act in rows\n" in source and "layers" not in source


@pytest.mark.parametrize(
    "rows",
    [
        "(16, 16, 3, 1, relu), (32, 16, 5, 1, silu), (64, 16, 5, 1, silu)",  # too few
        ", ".join(6 * ["(16, 16, 3, 1, relu)"]),  # equal
    ],
)
def test_what_is_no_shorter_stays(rows: str, written: Written) -> None:
    _, source = written(model(rows))
    assert "rows" not in source


def test_an_argument_of_the_model_keeps_its_name(written: Written, built: Callable[..., Any]) -> None:
    program = model(
        CHAIN, "", "-> Conv(rows, stride)", "(stride = 3, rows = 8)",
        "expanded, channels, kernel, step, act", "expanded, channels, kernel, step, act",
    )  # fmt: skip
    _, source = written(program)
    assert "for expanded, channels, kernel, stride_2, act in rows_2:" in source
    assert built(program)(torch.ones(1, 8, 32, 32)).shape == (1, 8, 6, 6)
