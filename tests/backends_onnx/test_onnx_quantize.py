"""Weights in 8 and 4 bits: near to the numbers they stand for, and used as those."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx_ir as ir
import pytest

from dlc.backends.onnx.quantize import BLOCK, LARGEST

TEXT = "model M(x: [B, T, 96]) -> (y: [B, T, 80]) { y = x -> fc: Linear(80) }"
TIED = """model M(tokens: i64[B, T]) -> (logits: [B, T, 200]) {
  wte = Embedding(200, 32)
  logits = (tokens -> wte) @ wte.weight.T
}"""
TWO = """model M(x: [B, 96]) -> (y: [B, 80], z: [B, 4]) {
  y = x -> a: Linear(80)
  z = x -> b: Linear(4)
  y = y + (x -> c: Linear(80, bias = false))
}"""


def numbers(model: ir.Model, name: str) -> np.ndarray[Any, Any]:
    value = model.graph.initializers[name].const_value
    assert value is not None
    return value.numpy()


def dequantized(model: ir.Model, kind: str) -> np.ndarray[Any, Any]:
    """The weights that the file stands for, [N, K]."""
    table, steps = numbers(model, f"fc.weight:{kind}"), numbers(model, "fc.weight:scale")
    if kind == "int8":
        return (table.astype(np.float32) * steps).T
    pairs = np.stack([table & 15, table >> 4], axis=-1).reshape(*table.shape[:2], BLOCK)
    return ((pairs.astype(np.float32) - 8) * steps[..., None]).reshape(len(table), -1)


@pytest.mark.parametrize(("kind", "least"), [("int8", 1 / 64), ("int4", 1 / 8)])
def test_weights_are_rounded_to_the_nearest(lowered: Callable[..., Any], kind: str, least: float) -> None:
    made = lowered(TEXT, quantize=kind)
    weight = made.weights["fc.weight"]
    found = dequantized(made.model, kind)[:, : weight.shape[1]]
    blocks = np.abs(weight.reshape(80, -1, BLOCK)).max(2) if kind == "int4" else np.abs(weight).max(1)[:, None]
    step = np.repeat(blocks * least, weight.shape[1] // blocks.shape[1], axis=1)
    # the end of a block's range that has no 8 may be off by a whole step
    assert (np.abs(found - weight) <= (0.5 if kind == "int8" else 1.0) * step + 1e-6).all()
    assert (np.abs(found - weight) <= 0.5 * step + 1e-6).mean() > 0.95


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_the_rounded_weights_are_multiplied(lowered: Callable[..., Any], kind: str) -> None:
    made = lowered(TEXT, quantize=kind)
    x = np.random.default_rng(0).standard_normal((3, 5, 96), dtype=np.float32)
    wanted = x @ dequantized(made.model, kind)[:, :96].T + made.weights["fc.bias"]
    difference = np.abs(made.run(x=x)["y"] - wanted).max() / np.abs(wanted).max()
    assert difference < 0.015  # inputs are rounded to 8 bits


def pairs_of(table: np.ndarray[Any, Any]) -> int:
    """The largest magnitude that two products of an input in unsigned 8 bits and two weights of one output can reach."""
    largest = np.sort(np.abs(table.astype(np.int64)), axis=0)[-2:].sum(axis=0).max()
    return int(largest) * 255


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("text", [TEXT, TIED])
def test_sums_of_two_products_fit_into_16_bits(lowered: Callable[..., Any], text: str, scale: float) -> None:
    """Processors without VNNI add two products in 16 bits and cut off the rest, so the numbers of the file leave room. The
    file tells; no such processor is needed."""
    made = lowered(text, quantize="int8", weights=lambda value: value * np.float32(scale))
    tables = [numbers(made.model, name) for name in made.model.graph.initializers if name.endswith(":int8")]
    assert tables
    for table in tables:
        assert table.dtype == np.int8
        assert np.abs(table.astype(np.int64)).max() == LARGEST
        assert pairs_of(table) <= np.iinfo(np.int16).max


def test_two_largest_weights_beside_each_other_do_not_saturate(lowered: Callable[..., Any]) -> None:
    """The worst case: all weights at the end of the range, all inputs at theirs."""
    text = "model M(x: [B, 96]) -> (y: [B, 80]) { y = x -> fc: Linear(80, bias = false) }"
    made = lowered(text, quantize="int8", weights=lambda value: np.full_like(value, 0.5))
    x = np.ones((2, 96), np.float32)
    np.testing.assert_allclose(made.run(x=x)["y"], np.full((2, 80), 48.0), rtol=1e-5)


def test_small_layers_stay_and_one_rounding_serves_all(lowered: Callable[..., Any]) -> None:
    made = lowered(TWO, quantize="int8")
    assert made.nodes.count("MatMulInteger") == 2
    assert made.nodes.count("DynamicQuantizeLinear") == 1
    assert made.nodes.count("Gemm") == 1
    assert made.model.metadata_props["dlc.quantized"] == "2"
    assert "a.weight" not in made.model.graph.initializers


def test_a_width_that_is_no_multiple_of_a_block(lowered: Callable[..., Any]) -> None:
    made = lowered("model M(x: [B, 50]) -> (y: [B, 100]) { y = x -> fc: Linear(100, bias = false) }", quantize="int4")
    x = np.random.default_rng(0).standard_normal((2, 50), dtype=np.float32)
    wanted = x @ dequantized(made.model, "int4")[:, :50].T
    assert np.abs(made.run(x=x)["y"] - wanted).max() / np.abs(wanted).max() < 0.015


def test_files_shrink(lowered: Callable[..., Any]) -> None:
    from dlc.backends.onnx import to_bytes

    text = "model M(x: [B, 256]) -> (y: [B, 256]) { y = x -> fc: Linear(256) }"
    sizes = {kind: len(to_bytes(lowered(text, quantize=kind).model)) for kind in (None, "int8", "int4")}
    assert sizes["int8"] < 0.3 * sizes[None]
    assert sizes["int4"] < 0.18 * sizes[None]


@pytest.mark.parametrize("kind", ["int8", "int4"])
def test_a_tied_head_is_rounded_to_eight_bits(lowered: Callable[..., Any], kind: str) -> None:
    tokens = np.random.default_rng(0).integers(0, 200, (2, 5))
    made = lowered(TIED, quantize=kind)
    table = made.weights["wte.weight"]
    wanted = table[tokens] @ table.T
    assert np.abs(made.run(tokens=tokens)["logits"] - wanted).max() / np.abs(wanted).max() < 0.02
    assert made.nodes.count("MatMulInteger") == 1
    assert "wte.weight" in made.model.graph.initializers
