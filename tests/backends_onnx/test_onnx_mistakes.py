"""What ONNX cannot say is a diagnostic at its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dlc.backends.onnx import MissingWeight, lower
from dlc.compiler.messages.diagnostics import Diagnostic, Failed


def rejected(make: Callable[..., Any], text: str, **options: Any) -> Diagnostic:
    with pytest.raises(Failed) as caught:
        make(text, **options)
    return caught.value.diagnostic


def test_adaptive_pooling_of_a_symbolic_axis(lowered: Callable[..., Any]) -> None:
    text = "model M(x: [B, 3, H, 4]) -> (y: [B, 3, 2, 2]) { y = x -> avg_pool(2, adaptive = true) }"
    found = rejected(lowered, text)
    assert found.code == "E0501"
    assert "`avg_pool`" in found.message
    assert "ONNX" in found.message
    assert found.helps == ("fix its size in the export: `fix { H = .. }`",)
    assert ("dlspec 1\n" + text)[found.span.start : found.span.end].startswith("avg_pool")
    assert lowered(text, fix={"H": 6}).nodes == ["AveragePool"]


def test_adaptive_pooling_to_a_size_that_does_not_divide(lowered: Callable[..., Any]) -> None:
    found = rejected(lowered, "model M(x: [B, 3, 5, 4]) -> (y: [B, 3, 2, 2]) { y = x -> avg_pool(2, adaptive = true) }")
    assert (found.code, found.label) == ("E0501", "2 does not divide an axis of 5")


def test_random_numbers_that_evaluation_reaches(lowered: Callable[..., Any]) -> None:
    found = rejected(lowered, "model M(x: [B, 3]) -> (y: [B, 3]) { y = x + randn(x) }")
    assert (found.code, found.label) == ("E0502", "`randn` draws them")


def test_random_numbers_while_training_are_no_matter(lowered: Callable[..., Any]) -> None:
    made = lowered("model M(x: [B, 3]) -> (y: [B, 3]) { y = if training { x + randn(x) } else { 2 * x } }")
    assert made.nodes == ["Mul"]


def test_missing_and_misshapen_weights(spec_of: Callable[[str], Any]) -> None:
    import numpy as np

    spec = spec_of("model M(x: [B, 3]) -> (y: [B, 2]) { y = x -> fc: Linear(2) }")
    with pytest.raises(MissingWeight) as caught:
        lower(spec, spec.models[0], {})
    assert (caught.value.path, caught.value.wanted, caught.value.found) == ("fc.weight", (2, 3), None)
    with pytest.raises(MissingWeight) as caught:
        lower(spec, spec.models[0], {"fc.weight": np.zeros((3, 2), np.float32)})
    assert caught.value.found == (3, 2)


def test_what_only_training_reads_is_not_lowered(lowered: Callable[..., Any]) -> None:
    made = lowered("""
block Noisy()(x: [B, 3], e: [B, 3]) -> [B, 3] { if training { x + e } else { x } }
model M(x: [B, 3]) -> (y: [B, 3]) {
  e = randn(x)
  y = x -> Noisy(e = e) -> tanh
}
""")
    assert made.nodes == ["Tanh"]
