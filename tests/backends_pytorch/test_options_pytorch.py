"""Blocks that differ in an optional layer, stage or addition share a class with arguments for it."""

from __future__ import annotations

import re
from collections.abc import Callable

import torch
from torch import nn

from dlc.backends.pytorch.load import load_source
from dlc.compiler.ir.expand import parameters
from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]
Built = Callable[..., nn.Module]


def classes(source: str) -> list[str]:
    return re.findall(r"^class (\w+)", source, re.MULTILINE)


def test_a_layer_that_some_lack_is_an_option(written: Written) -> None:
    _, source = written("""
block Part(width: int, stride = 1)(x: [B, C, H, W]) -> [B, width, _, _] {
  shortcut = x -> if stride != 1 or C != width { down: { Conv(width, 1, stride) -> BatchNorm } }
  x -> conv: Conv(width, 3, stride, pad = 1) -> add(shortcut) -> relu
}
model M(x: [B, 3, 8, 8]) -> (y: [B, 8, 4, 4]) { y = x -> a: Part(8) -> b: Part(8, 2) -> c: Part(8) }
""")
    assert classes(source) == ["Part", "M"]
    assert (
        "self.down = None\n        if stride != 1 or in_channels != width:\n            self.down = nn.Sequential("
        in source
    )
    assert "shortcut = x if self.down is None else self.down(x)" in source
    assert "self.c = Part(8, 8)" in source
    module = load_source(source).M().eval()
    assert [name for name in module.state_dict() if name.startswith("c.")] == ["c.conv.weight", "c.conv.bias"]
    x = torch.rand(2, 8, 4, 4)
    torch.testing.assert_close(module.c(x), torch.relu(module.c.conv(x) + x))
    torch.testing.assert_close(module.b(x), torch.relu(module.b.conv(x) + module.b.down(x)))


def test_one_layer_that_some_lack_is_an_option(written: Written) -> None:
    _, source = written("""
block Part(width: int)(x: [B, C]) -> [B, width] {
  y = x -> fc: Linear(width) -> relu
  y + (x -> if C != width { proj: Linear(width, bias = false) })
}
model M(x: [B, 3]) -> (y: [B, 8]) { y = x -> a: Part(8) -> b: Part(8) }
""")
    assert classes(source) == ["Part", "M"]
    assert "x if self.proj is None else self.proj(x)" in source
    module = load_source(source).M()
    x = torch.rand(2, 8)
    torch.testing.assert_close(module.b(x), torch.relu(module.b.fc(x)) + x)


STAGES = """
block Gate(inner: int)(x: [B, C]) -> [B, C] { x * (x -> down: Linear(inner) -> relu -> up: Linear(C)) }
block Part(width: int, out: int, gated: bool, rate: float)(x: [B, C]) -> [B, out] {
  y = x -> block: {
    if width != C { { Linear(width) -> relu } }
    -> Linear(width) -> if gated { Gate(width // 2) } -> Linear(out)
  }
  if C == out { x + (y -> dropout(rate)) } else { y }
}
model M(x: [B, 4]) -> (y: [B, 6]) {
  y = x -> a: Part(4, 4, false, 0.0) -> b: Part(8, 4, true, 0.5) -> c: Part(10, 6, true, 0.2) -> d: Part(12, 6, false, 0.3)
}
"""


def test_a_stage_and_an_addition_that_some_lack_are_options(written: Written) -> None:
    """The numbers after an absent stage shift, as those of the spec do, and the author's conditions are kept."""
    spec, source = written(STAGES)
    assert classes(source) == ["Gate", "Part", "M"]
    assert "self.residual = in_features == out\n" in source
    assert "layers: list[nn.Module] = []\n        if width != in_features:\n            layers.append(" in source
    assert "if gated:\n            layers.append(Gate(width, width // 2))" in source
    assert "return x + F.dropout(y, self.rate, self.training) if self.residual else y" in source
    module = load_source(source).M().eval()
    assert list(module.state_dict()) == [entry.path for entry in parameters(spec, spec.models[0])]
    x, a, b, c, d = torch.rand(3, 4), module.a, module.b, module.c, module.d
    torch.testing.assert_close(a(x), x + a.block[1](a.block[0](x)))
    gate = b.block[2]
    inner = b.block[1](torch.relu(b.block[0][0](x)))
    torch.testing.assert_close(b(x), x + b.block[3](inner * gate.up(torch.relu(gate.down(inner)))))
    torch.testing.assert_close(c(x), c.block(x))
    assert [len(part.block) for part in (a, b, c, d)] == [2, 4, 4, 3]
    torch.testing.assert_close(module(x), d(c(b(a(x)))))


def test_what_belongs_to_an_absent_addition_draws_nothing(written: Written) -> None:
    _, source = written(STAGES)
    module = load_source(source).M().train()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    module.c(torch.rand(2, 4, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)
    module.b(torch.rand(2, 4, generator=torch.Generator().manual_seed(0)))
    assert not torch.equal(torch.get_rng_state(), state)


def test_a_condition_that_python_cannot_spell_is_a_switch(written: Written) -> None:
    _, source = written("""
block Part(width: int, more: int)(x: [B, C]) -> [B, width] {
  x -> block: { if [3, more][1] == 4 { Linear(width) } -> relu -> Linear(width) }
}
model M(x: [B, 4]) -> (y: [B, 8]) { y = x -> a: Part(6, 4) -> b: Part(8, 2) -> c: Part(8, 3) }
""")
    assert classes(source) == ["Part", "M"]
    assert "if linear:\n            layers.append(nn.Linear(" in source
    assert "self.a = Part(4, 6, size=6, linear=True)" in source
    module = load_source(source).M()
    assert [len(part.block) for part in (module.a, module.b, module.c)] == [3, 2, 2]


def test_numbers_and_conditions_are_spelled_as_the_author_wrote_them(written: Written) -> None:
    """Rows that no guess would explain: two uses, products, a name that the body binds, a remainder."""
    _, source = written("""
block Part(window: int, more: int)(x: [B, C]) -> [B, C] {
  inner = C / 2
  area  = window * window
  x -> block: { if more % 3 == 1 { Linear(C) } -> Linear(area * C + 1) -> relu -> Linear(2 ** more * inner) -> Linear(C) }
}
model M(x: [B, 4], z: [B, 6]) -> (y: [B, 4], u: [B, 6]) {
  y = x -> a: Part(4, 4)
  u = z -> b: Part(2, 3)
}
""")
    assert "if more % 3 == 1:\n            layers.append(nn.Linear(in_features, in_features))" in source
    assert "nn.Linear(in_features, window * window * in_features + 1)" in source
    assert "2**more * (in_features // 2)" in source
    assert "self.a = Part(4, 4, more=4)" in source
    module = load_source(source).M()
    assert [tuple(p.shape) for n, p in module.named_parameters() if n.endswith("weight")] == [
        (4, 4), (65, 4), (32, 65), (4, 32), (25, 6), (24, 25), (6, 24)
    ]  # fmt: skip


def test_a_number_without_an_expression_is_named_after_what_it_is(written: Written) -> None:
    _, source = written("""
block Part(wide: bool)(x: [B, C]) -> [B, C] { x -> up: Linear(if wide { 17 } else { 9 }) -> down: Linear(C) }
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Part(true) -> b: Part(false) }
""")
    assert "def __init__(self, out):" in source
    assert "self.up = nn.Linear(4, out)" in source


def test_a_whole_group_without_a_stage_keeps_its_numbers(written: Written) -> None:
    spec, source = written("""
block Unit(out: int, norm: bool) = Linear(out) -> if norm { LayerNorm } -> relu -> Linear(out)
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Unit(6, true) -> b: Unit(8, true) -> c: Unit(4, false) }
""")
    assert classes(source) == ["Unit", "M"]
    assert "if norm:\n            layers.append(nn.LayerNorm(out))" in source
    assert "super().__init__(*layers)" in source
    assert list(load_source(source).M().state_dict()) == [entry.path for entry in parameters(spec, spec.models[0])]


def test_a_number_that_is_read_by_its_path_does_not_shift(written: Written) -> None:
    """Numbers in a group that is no chain are keys: uses without one of the layers have a class of their own."""
    spec, source = written("""
block Part(first: bool)(x: [B, C]) -> [B, C] {
  x -> mlp: { if first { Linear(C) } -> if training { dropout(0.1) } -> Linear(C) -> [B, (A, 2)] => [B, (2, A)] -> Linear(C) }
}
model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Part(true) -> b: Part(false) }
""")
    assert list(load_source(source).M().state_dict()) == [entry.path for entry in parameters(spec, spec.models[0])]
