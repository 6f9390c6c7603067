"""The page of an operator says all that its class declares."""

from __future__ import annotations

import pytest

from dlc.compiler.ops import find, names
from dlc.compiler.ops.explain import example, explain, signature, summary

LINEAR = """\
Linear(out, bias = true)    layer

  `y = x @ weight.T + bias` on the last axis.

  [.., in] -> [.., out]. Errors: E0204 unless f32, E0212 when `in` is symbolic.

arguments
  out   an int of at least 1
  bias  `true` or `false`     default true

tensors
  x

parameters
  of f32[B, 4] -> Linear(out = 3)
  weight  [3, 4]  uniform(low = -0.5, high = 0.5)
  bias    [3]     uniform(low = -0.5, high = 0.5)

examples
  f32[B, 4] -> Linear(out = 3) -> f32[B, 3]
  f32[B, T, 4] -> Linear(out = 3, bias = false) -> f32[B, T, 3]
  f32[4] -> Linear(out = 2) -> f32[2]                            no batch axis

also
  ONNX  Gemm on two axes, else MatMul and Add
"""


def test_page() -> None:
    linear = find("Linear")
    assert linear is not None
    assert explain(linear) == LINEAR


@pytest.mark.parametrize(
    "name, wanted",
    [
        ("LSTM", "LSTM(hidden, layers = 1, bidirectional = false, dropout = 0.0; lengths, state)"),
        ("attention", "attention(q, k, v, mask = none, causal = false, dropout = 0.0, scale = none)"),
        ("concat", "concat(parts, .., axis)"),
        ("matmul", "matmul, written `@`"),
    ],
)
def test_signature(name: str, wanted: str) -> None:
    operator = find(name)
    assert operator is not None
    assert signature(operator) == wanted


@pytest.mark.parametrize(
    "name, at, wanted",
    [
        ("index", 4, "bool[B, T][:, none, none, :] -> bool[B, 1, 1, T]"),
        ("transpose", 0, "f32[B, T, 6].T -> f32[B, 6, T]"),
        ("logical_not", 0, "not bool[B, 3] -> bool[B, 3]"),
        ("size", 0, "T -> i64[]"),
        ("GRU", 0, "f32[B, T, 3] -> GRU(hidden = 4) -> y f32[B, T, 4], h f32[1, B, 4]"),
        ("topk", 0, "f32[B, T, 6] -> topk(k = 2) -> f32[B, T, 2], i64[B, T, 2]"),
    ],
)
def test_example(name: str, at: int, wanted: str) -> None:
    operator = find(name)
    assert operator is not None
    assert example(operator, operator.samples[at]) == wanted


@pytest.mark.parametrize("name", names(syntax=True))
def test_every_operator_has_a_page(name: str) -> None:
    operator = find(name)
    assert operator is not None
    page = explain(operator)
    assert all(argument in page for argument, _, _ in operator.arguments if not operator.syntax)
    assert operator.onnx in page
    assert summary(operator).endswith(".") and len(summary(operator)) < 170
