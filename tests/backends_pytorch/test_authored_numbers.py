"""A number is written as its author wrote it, where another argument of the class has the same value in all uses."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest

from dlc.backends.pytorch.recipe import recipe_source
from dlc.backends.pytorch.schedules import Schedules
from dlc.compiler.catalogue.clock import Clock
from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]

BODIES = [
    ("Conv(out, kernel, stride, pad = kernel // 2) -> relu", "stride=stride, padding=kernel // 2"),
    ("Conv(out, kernel, stride, pad = stride) -> relu", "stride=stride, padding=stride"),
    ("Conv(out, kernel) -> max_pool(kernel, stride, pad = kernel // 2)", "self.kernel, stride=self.stride, padding=self.kernel // 2)"),
    ("body: { Conv(out, kernel) -> max_pool(kernel, stride, pad = kernel // 2) }", "nn.MaxPool2d(kernel, stride=stride, padding=kernel // 2)"),
    ("Conv(out, (kernel // 2, stride)) -> relu", "(kernel // 2, stride)"),
    ("Conv(max(out), kernel, min(stride)) -> relu", "in_channels, out, kernel, stride=stride"),
    ("Inner(out, stride) -> Inner(out, kernel // 2)", "Inner(out, out, reach=kernel // 2)"),
    ("repeat 3 { Conv(out, kernel, 1, pad = kernel // 2) } -> Conv(out, 1, stride)", "padding=kernel // 2"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), BODIES)
def test_what_the_author_wrote_and_not_what_equals_it(body: str, expected: str, written: Written) -> None:
    _, source = written(f"""
block Inner(out: int, reach: int) = Conv(out, 3, pad = reach) -> relu
block Part(out: int, kernel: int, stride: int)(x: [B, C, H, W]) {{ x -> {body} }}
model M(x: [B, 3, 64, 64]) -> (y) {{ y = x -> Part(8, 3, 1) -> Part(16, 5, 2) }}
""")
    plain = "".join(source.split())
    assert "".join(expected.split()) in plain, source


def test_two_statics_that_are_equal_in_all_uses(written: Written) -> None:
    _, source = written("""
block Mlp(hidden: int, out: int)(x: [B, C]) { x -> Linear(hidden) -> relu -> Linear(out) }
model M(x: [B, 4]) -> (y) { y = x -> Mlp(8, 8) -> Mlp(16, 16) }
""")
    assert "nn.Linear(in_features, hidden)" in source
    assert "nn.Linear(hidden, out)" in source
    assert "Mlp(8, 16, out=16)" in source


def test_a_name_that_the_block_binds(written: Written) -> None:
    _, source = written("""
block Mlp(factor: int, out: int)(x: [B, C]) {
  hidden = factor * 2
  x -> Linear(hidden) -> relu -> Linear(out)
}
model M(x: [B, 4]) -> (y) { y = x -> Mlp(5, 10) -> Mlp(6, 12) }
""")
    assert "nn.Linear(in_features, factor * 2)" in source


def test_a_static_that_is_equal_in_all_uses_and_yet_an_argument(written: Written) -> None:
    _, source = written("""
block Residual(channels: int, dilation: int)(x: [B, C, T]) -> [B, channels, T] {
  skip = x -> if C != channels { shortcut: Conv(channels, 1) }
  x -> Conv(channels, 3, pad = "same", dilation = dilation) -> relu -> Conv(channels, 1) -> add(skip)
}
model M(x: [B, 1, T]) -> (y) { y = x -> Residual(24, 1) -> Residual(24, 2) }
""")
    block = re.sub(r"#.*", "", source.split("class M(")[0])
    assert "24" not in block, "an argument that only some places follow"
    assert "nn.Conv1d(channels, channels, 1)" in block
    assert "nn.Conv1d(in_channels, channels, 1)" in block


def test_what_is_equal_in_all_uses_stays_a_number(written: Written) -> None:
    _, source = written("""
block Part(out: int, kernel: int)(x: [B, C, T]) { x -> Conv(out, kernel, pad = kernel // 2) -> relu }
model M(x: [B, 1, T]) -> (y) { y = x -> Part(4, 3) -> Part(8, 3) }
""")
    assert "nn.Conv1d(in_channels, out, 3, padding=1)" in source


VALUES = [
    ("lr = 0 -> linear((width * 4000) ** -0.5, 3 steps) -> hold(rest)", "return (512 * 4000) ** -0.5 * (step / 3)"),
    ("lr = sqrt(2e-7) -> cosine(0, rest)", "return 0.5 * math.sqrt(2e-7) * (1 + math.cos("),
    ("lr = 1e-3, weight_decay = 1 / 30", '"weight_decay": (1 / 30)'),
    ("lr = 0.1 / 128 * 3 -> linear(0, rest)", "return (0.1 / 128 * 3) * (1 - step / 7)"),
    ("lr = 0.003 -> linear(3e-4, rest)", "return 0.003 + (0.0003 - 0.003) * (step / 7)"),
]


@pytest.mark.parametrize(("options", "expected"), VALUES)
def test_values_of_a_recipe(options: str, expected: str, written: Written) -> None:
    spec, _ = written(f"""
param width = 512
data D {{ source = builtin("wine"); split = all("train"); x: f32[13] = source.x; label: i64 = source.label }}
model M(x: [B, 13]) -> (logits: [B, 3]) {{ logits = x -> Linear(3) }}
train {{
  model = M; data = D; loss = cross_entropy(logits, label); optimizer = AdamW({options}); batch = 16; duration = 7 steps
}}
""")
    (train,) = spec.recipe.trains
    source = recipe_source(spec, train, 178)
    assert expected in source, source
    schedule = train.phases[0].updates[0].optimizer.schedules.get("lr")
    if schedule is not None:
        digits = Schedules(())
        digits.name(schedule, Clock(11, 16), 7, (), (), "lr")
        plain = "\n".join("    " * line.indent + line.text for line in digits.functions[0])
        one, other = called(source), called(plain)
        assert [one(step) for step in range(7)] == [other(step) for step in range(7)]


def called(source: str) -> Callable[[int], float]:
    found: dict[str, Any] = {"math": math}
    exec(source, found)
    return found["lr"]
