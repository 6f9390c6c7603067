"""The page of an operator, alone and in the reference, says all that its class declares, and the truth about ONNX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import onnx
import pytest

from dlc.backends.onnx.lower import lower
from dlc.backends.onnx.lowering import lowering_of
from dlc.compiler.catalogue import FUNCTIONS
from dlc.compiler.catalogue.explain import example, explain, page, signature, summary
from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.sampling import sample_spec
from dlc.compiler.catalogue.page import operators

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"

LINEAR = """\
Linear(out, bias = true)    layer

  `y = x @ weight.T + bias` on the last axis.

  [.., in] -> [.., out]. Errors: E0204 unless f32, E0212 when `in` is symbolic.

arguments
  out   a whole number of at least 1
  bias  `true` or `false`             default true

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
  ONNX  Gemm; of more than two axes between two Reshape
"""


def test_page() -> None:
    assert explain("Linear") == LINEAR


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
    text = explain(name) or ""
    assert all(argument in text for argument, _, _ in operator.arguments if not operator.syntax)
    assert operator.onnx in text
    assert summary(operator).endswith(".") and len(summary(operator)) < 170


def test_the_page_of_all_operators_is_current() -> None:
    """`python -m dlc.compiler.catalogue` writes it."""
    assert PAGE.read_text("utf-8") == operators()


@pytest.mark.parametrize("name", names(syntax=True))
def test_the_page_says_what_explain_says(name: str) -> None:
    operator = find(name)
    assert operator is not None
    section = f"\n{PAGE.read_text('utf-8')}\n##".partition(f"\n### {name}\n")[2].partition("\n##")[0]
    said = {cell.strip(" `|") for line in section.splitlines() for cell in (line, *line.split("|"))}
    for line in page(operator, FUNCTIONS).partition("\nexample")[0].splitlines()[1:]:
        words = [cell for cell in re.split(r"  +", line.strip()) if cell]
        heading = line in ("arguments", "tensors", "parameters") or line.startswith("  of ")
        if words and not heading and words[0] not in {tensor for tensor, _ in operator.tensors}:
            assert words[0] in said or line.strip() in section, line


#: Nodes that only move, convert or copy data: `onnx` of an operator need not name them.
MOVING = {"Cast", "Concat", "Expand", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"}


@pytest.mark.parametrize("name", [name for name in names(syntax=True) if lowering_of(name) is not None])
def test_onnx_names_the_nodes_of_the_graph(name: str, draw: Any) -> None:
    """All that compute, at concrete sizes; and none that no sample's graph has."""
    operator = find(name)
    assert operator is not None
    said = {word for word in re.findall(r"[A-Z]\w+", operator.onnx) if onnx.defs.has(word)}
    nodes: dict[bool, set[str]] = {False: set(), True: set()}
    for sample in operator.samples:
        for symbolic, kinds in nodes.items():
            spec = sample_spec(operator, sample, symbolic=symbolic)
            layers = spec.bodies[0].instances
            weights = draw.weights(layers[0].parameters) if layers else {}
            arrays = {f"layer.{leaf}".rstrip("."): value.numpy() for leaf, value in weights.items()}
            kinds.update(node.op_type for node in lower(spec, spec.models[0], arrays).graph)
    assert nodes[False] - MOVING <= said
    assert said <= nodes[False] | nodes[True]
