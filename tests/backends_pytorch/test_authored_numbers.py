"""A number is written as its author wrote it, where another argument of the class has the same value in all uses."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dlc.compiler.ir.model import Spec

Written = Callable[..., tuple[Spec, str]]

BODIES = [
    ("Conv(out, kernel, stride, pad = kernel // 2) -> relu", "stride=stride, padding=kernel // 2"),
    ("Conv(out, kernel, stride, pad = stride) -> relu", "stride=stride, padding=stride"),
    ("Conv(out, kernel) -> max_pool(kernel, stride, pad = kernel // 2)", "self.kernel, stride=self.stride, padding=self.kernel // 2)"),
    ("body: { Conv(out, kernel) -> max_pool(kernel, stride, pad = kernel // 2) }", "nn.MaxPool2d(kernel, stride=stride, padding=kernel // 2)"),
    ("Conv(out, (kernel // 2, stride)) -> relu", "(kernel // 2, stride)"),
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
