"""Blocks that own nothing are functions; those that PyTorch counts as modules are classes."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import load_source
from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]

QUICK = "block quick(x: [...]) -> [...] { x * sigmoid(1.702 * x) }\n"


def classes(source: str) -> list[str]:
    return re.findall(r"^class (\w+)", source, re.MULTILINE)


def test_a_block_that_owns_nothing_is_a_function(written: Written, built: Built) -> None:
    text = f"""
# A gate.
{QUICK}
model M(x: [B, 4]) -> (y: [B, 4]) {{ y = x -> mlp: {{ fc1: Linear(8) -> quick -> fc2: Linear(4) }} }}
"""
    _, source = written(text)
    assert classes(source) == ["M"]
    assert 'def quick(x: Tensor) -> Tensor:  # [B, 8]\n    """A gate."""\n    return' in source
    assert source.index("def quick") < source.index("class M")
    module = built(text)
    assert list(module.state_dict()) == ["mlp.fc1.weight", "mlp.fc1.bias", "mlp.fc2.weight", "mlp.fc2.bias"]
    x = torch.randn(3, 4)
    hidden = module.mlp.fc1(x)
    assert torch.equal(module(x), module.mlp.fc2(hidden * torch.sigmoid(1.702 * hidden)))


def test_a_function_of_functions_and_of_numbers(written: Written, built: Built) -> None:
    text = """
block Scaled(k: float, shift = 0.0)(x: [B, C]) -> [B, C] { k * x + shift }
block Twice(k: float)(x: [B, C]) -> [B, C] { x -> Scaled(k) -> Scaled(k, 1.0) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Twice(2.0) -> fc: Linear(4) -> b: Twice(3.0) }
"""
    _, source = written(text)
    assert classes(source) == ["M"]
    assert "def scaled(x: Tensor, k: float, shift: float = 0.0) -> Tensor:" in source
    assert "def twice(x: Tensor, k: float) -> Tensor:" in source
    assert "twice(x, k=2.0)" in source
    assert "return k * x + shift" in source
    module = built(text)
    x = torch.randn(3, 4)
    hidden = module.fc(4.0 * x + 1.0)
    assert torch.allclose(module(x), 9.0 * hidden + 1.0)


@pytest.mark.parametrize(
    "model",
    [
        "y = x -> mlp: { Linear(8) -> quick -> Linear(4) }",
        "y = x -> layers: repeat 2 { quick } -> fc: Linear(4)",
        "y = x -> layers: repeat 2 { Linear(4) -> quick }",
    ],
)
def test_a_stage_or_an_element_stays_a_module(model: str, written: Written, built: Built) -> None:
    text = f"{QUICK}model M(x: [B, 4]) -> (y: [B, 4]) {{ {model} }}"
    assert "Quick" in classes(written(text)[1])
    assert built(text)(torch.randn(3, 4)).shape == (3, 4)


def test_what_differs_in_training_stays_a_module(written: Written, built: Built) -> None:
    text = """
block noisy(x: [B, C]) -> [B, C] { x * x -> dropout(0.5) }
block Outer(x: [B, C]) -> [B, C] { 1 + (x -> noisy) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Outer -> fc: Linear(4) }
"""
    assert classes(written(text)[1]) == ["Noisy", "Outer", "M"]
    module = built(text)
    x = torch.randn(64, 4)
    assert torch.equal(module.eval()(x), module(x))
    assert not torch.equal(module.train()(x), module(x))


def test_a_variable_does_not_hide_the_function(written: Written) -> None:
    """Nor does an argument, nor a function of Python's that the file uses."""
    _, source = written("""
block Gate(x: [B, C]) -> [B, C] { x * sigmoid(x) }
block Max(x: [B, C]) -> [B, C] { x * x + x }
model M(x: [B, 4]) -> (y: [B, 4]) {
  gate = x -> one: Gate
  y = gate + gate * relu(gate) -> max: Max -> fc: Linear(4)
}
""")
    assert classes(source) == ["M"]
    assert re.findall(r"^def (\w+)", source, re.MULTILINE) == ["gate_2", "max_2"]
    module = load_source(source).M()
    assert module(torch.randn(2, 4)).shape == (2, 4)
