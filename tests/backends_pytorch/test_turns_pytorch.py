"""Loops whose turns differ by their number: one class and one comprehension, not a class for each number of turns."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import nn

from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.module import module_source
from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]

LAYER = """
block Layer(p: float)(x: [B, D]) -> [B, D] { x + (x -> fc: Linear(D) -> relu -> drop_path(p)) }
"""


def classes(source: str) -> list[str]:
    return re.findall(r"^class (\w+)", source, re.MULTILINE)


def rates(module: nn.Module) -> list[float]:
    return [part.p for part in module.modules() if hasattr(part, "p")]  # type: ignore[misc]


def test_stages_of_a_different_number_of_turns_share_a_class(written: Written) -> None:
    _, source = written(f"""{LAYER}
block Stage(count: int, first: int, drop: float) = for i in 0..count {{ Layer(drop * (first + i) / 6) }}
model M(drop = 0.3)(x: [B, 4]) -> (y: [B, 4]) {{
  y = x -> a: Stage(1, 0, drop) -> b: Stage(2, 1, drop) -> c: Stage(3, 3, drop)
}}
""")
    assert classes(source) == ["Layer", "Stage", "M"]
    assert "drop * (first + i) / 6) for i in range(count)" in source
    module = load_source(source).M(drop=0.6)
    assert rates(module) == [0.6 * i / 6 for i in range(6)]
    assert [len(part) for part in (module.a, module.b, module.c)] == [1, 2, 3]


def test_efficientnet_has_one_stage(example: Callable[[str], Spec]) -> None:
    spec = example("specs/efficientnet_b0.dlspec")
    source = module_source(spec, spec.models[0])
    assert [name for name in classes(source) if name.startswith("Stage")] == ["Stage"]
    assert "for i in range(1, count)" in source


def test_the_turns_of_a_list_are_a_comprehension(written: Written, built: Built) -> None:
    text = f"""{LAYER}
model M(depth = 5, drop = 0.2, width = 12)(x: [B, width]) -> (y: [B, 3 * width]) {{
  y = x -> a: for i in 0..depth {{ Layer(drop * i / depth) }}
    -> b: for i in 0..depth {{ {{ norm: LayerNorm(0.1 * (i + 1)) -> fc: Linear(3 * width) }} }}
}}
"""
    _, source = written(text)
    assert "*[Layer(width, drop * i / 5) for i in range(5)]" in source
    assert "*[BPart(3 * width, 0.1 * (i + 1), out=3 * width) for i in range(1, 5)]" in source
    module = load_source(source).M(drop=0.5)
    assert rates(module) == [0.5 * i / 5 for i in range(5)]
    assert [part.norm.eps for part in module.b] == [0.1 * (i + 1) for i in range(5)]
    network = built(text).eval()
    x = torch.randn(2, 12)
    y = x
    for layer in network.a:  # type: ignore[union-attr]
        y = y + torch.relu(layer.fc(y))
    for part in network.b:  # type: ignore[union-attr]
        y = part.fc(part.norm(y))
    torch.testing.assert_close(network(x), y)


def test_turns_that_no_expression_explains_are_listed(written: Written) -> None:
    """Numbers that were tried for a comprehension leave no argument behind."""
    _, source = written(f"""{LAYER}
model M(x: [B, 4]) -> (y: [B, 4]) {{
  y = x -> a: for p in [0.1, 0.25, 0.05, 0.4] {{ Layer(p) }} -> b: {{ for p in [0.3, 0.1] {{ Layer(p) }} }}
}}
""")
    assert " for " not in source.partition("class M")[2].partition("forward")[0]
    assert "def __init__(self):\n        super().__init__()\n        self.a" in source
    assert rates(load_source(source).M()) == [0.1, 0.25, 0.05, 0.4, 0.3, 0.1]


def test_stages_whose_turns_are_not_explained_have_a_class_each(written: Written) -> None:
    _, source = written(f"""{LAYER}
block Stage(count: int) = for i in 0..count {{ Layer(if i == 1 {{ 0.5 }} else {{ 0.25 }}) }}
model M(x: [B, 4]) -> (y: [B, 4]) {{ y = x -> a: Stage(1) -> b: Stage(2) -> c: Stage(4) }}
""")
    module = load_source(source).M()
    assert rates(module) == [0.25, 0.25, 0.5, 0.25, 0.5, 0.25, 0.25]
