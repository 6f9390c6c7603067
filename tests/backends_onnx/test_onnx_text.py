"""The graph as text."""

from __future__ import annotations

from collections.abc import Callable

from dlc.backends.onnx.text import graph_text
from dlc.compiler.ir.model import Spec


def test_graph_as_text(spec_of: Callable[[str], Spec]) -> None:
    spec = spec_of("""
model M(x: [B, T, 4]) -> (y: [B, T, 2]) {
  h = x -> up: Linear(8) -> leaky_relu(0.1)
  y = h -> down: Linear(2, bias = false) -> clamp(min = 0.5)
}
""")
    assert (
        graph_text(spec, spec.models[0])
        == """\
graph M   opset 23, IR 11, 8 nodes
  input  x: float[B, T, 4]
  weight up.weight: float[8, 4]
  weight up.bias: float[8]
  weight down.weight: float[2, 8]
  up/Reshape = Reshape(x, (-1,4))
  up/Gemm = Gemm(up/Reshape, up.weight, up.bias, transB=1)
  /h = LeakyRelu(up/Gemm, alpha=0.1)
  down/Gemm = Gemm(/h, down.weight, transB=1)
  /y = Clip(down/Gemm, 0.5)
  sizes/B/Shape = Shape(x, start=0, end=1)
  sizes/Concat = Concat(sizes/B/Shape, (-1,2), axis=0)
  y = Reshape(/y, sizes/Concat)
  output y: float[B, T, 2]
"""
    )


def test_a_large_model_takes_no_memory(spec_of: Callable[[str], Spec]) -> None:
    spec = spec_of("model M(x: [B, 1000000]) -> (y: [B, 1000000]) { y = x -> huge: Linear(1000000) }")
    assert "huge.weight: float[1000000, 1000000]" in graph_text(spec, spec.models[0])
