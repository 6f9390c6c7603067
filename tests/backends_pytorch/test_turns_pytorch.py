"""Loops whose turns differ by their number: one class and one comprehension, not a class for each number of turns."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import module_source
from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec

from .conftest import filled

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
    assert "*[Layer(width, drop * i / depth) for i in range(depth)]" in source
    assert "BPart(3 * width, 0.1 * (i + 1), out=3 * width)" in source
    assert "for i in range(1, depth)" in source
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


SCALE = """
block Scale(f: float)(x: [B, D]) -> [B, D] { x + f * (x -> fc: Linear(D) -> relu) }
block Mix(f: float)(x: [B, D], z: [B, D]) -> [B, D] { x + f * (z -> fc: Linear(D)) }
"""
#: Loops whose turns differ, by what is special in them; all models have `depth` turns, four in the spec.
LOOPS = {
    "stages": "y = x -> a: for i in 0..depth { Scale(i / 8) }",
    "stages of a group": "y = x -> a: { Linear(4) -> for i in 0..depth { Scale(1 / (i + 1)) } }",
    "several stages a turn": "y = x -> a: { for i in 0..depth { Linear(4) -> LayerNorm(0.1 * (i + 1)) -> relu } }",
    "elements": "y = x -> a: for i in 0..depth { { norm: LayerNorm(0.1 * (i + 1)) -> fc: Linear(6) } } -> out: Linear(4)",
    "layers": "y = x -> a: for i in 0..depth { LayerNorm(0.1 * (i + 1)) }",
    "a value from outside": "z = x -> relu\n  y = x -> a: for i in 0..depth { Mix(i / 8, z = z) }",
    "in a block": "y = x -> s: Stack(depth, 0.5) -> t: Stack(depth + 1, 0.25)",
    "twice as many": "y = x -> a: for i in 0..2 * depth { Scale(i / (2 * depth)) }",
}


@pytest.mark.parametrize("kind", LOOPS)
def test_a_static_may_say_how_many_turns_there_are(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "m.dlspec"
    file.write_text(
        f"dlspec 1\n{SCALE}block Stack(count: int, f: float) = for i in 0..count {{ Scale(f * i) }}\n"
        f"model M(depth = 4)(x: [B, 4]) -> (y: [B, 4]) {{\n  {LOOPS[kind]}\n"
        '  init "**.weight" = normal(0.5)\n}\n',
        "utf-8",
    )
    module = load_source(written_at(file, 4, resizable=True))
    for depth in (4, 6, 2, 1):
        wanted = filled(empty(load_source(written_at(file, depth, resizable=False)).M)).eval()
        have = empty(lambda depth=depth: module.M(depth=depth)).eval()
        have.load_state_dict(wanted.state_dict(), strict=True)
        x = torch.randn(3, 4)
        assert torch.equal(have(x), wanted(x))


def written_at(file: Path, depth: int, *, resizable: bool) -> str:
    spec = check(file, [f"M.depth={depth}"]).spec
    assert spec is not None
    return module_source(spec, spec.models[0], resizable=resizable)


@pytest.mark.parametrize("depth", [1, 2, 4])
@pytest.mark.parametrize("turn", ["Scale(0.5)", "Scale(i / 8)"])
def test_all_turns_get_their_initial_values(depth: int, turn: str, written: Written) -> None:
    """Whatever the number of turns in the spec."""
    _, source = written(f"""{SCALE}
model M(depth = {depth})(x: [B, 4]) -> (y: [B, 4]) {{
  y = x -> a: for i in 0..depth {{ {turn} }} -> head: Linear(4)
  init "a.**.bias" = constant(3.0)
}}
""")
    module = load_source(source).M(depth=3)
    assert [bool((part.fc.bias == 3.0).all()) for part in module.a] == [True, True, True]
    assert not (module.head.bias == 3.0).any()


def test_a_loop_with_a_last_turn_of_its_own_has_as_many_turns_as_in_the_spec(written: Written) -> None:
    _, source = written(f"""{SCALE}
model M(depth = 4)(x: [B, 4]) -> (y: [B, 4]) {{
  y = x -> a: for i in 0..depth {{ if i == depth - 1 {{ LayerNorm }} else {{ Scale(i / 8) }} }}
}}
""")
    assert "def __init__(self):" in source.partition("class M")[2]
