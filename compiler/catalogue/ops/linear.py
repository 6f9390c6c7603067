"""Affine maps of the last axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...ir.model import Init, Parameter
from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Count
from .base import Example, Layer, Sample
from .rules import need_f32, need_rank, product, weight_size

#: `quantize` leaves smaller weights as they are: they take no time, and rounding them costs as much accuracy as that of large ones.
LEAST_ROUNDED = 4096


class Linear(Layer):
    """`y = x @ weight.T + bias` on the last axis.

    [.., in] -> [.., out]. Errors: E0204 unless f32, E0212 when `in` is symbolic.
    """

    out: Count
    bias: bool = True

    along = "last"
    onnx = "Gemm; of more than two axes between two Reshape"
    samples = (
        Sample({"out": 3}, (Example("f32", ("B", 4)),)),
        Sample({"out": 3, "bias": False}, (Example("f32", ("B", "T", 4)),)),
        Sample({"out": 2}, (Example("f32", (4,)),), note="no batch axis"),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "Linear")
        need_rank(x, 1, None, "Linear", "at least one axis, [.., in]")
        return x.with_shape(*x.shape[:-1], self.out)

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        inputs = weight_size(x.shape[-1], "the last axis")
        return weight_and_bias((self.out, inputs), self.out, inputs, bias=self.bias)

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        x = inputs[0]
        assert x is not None
        return 2 * product(outputs[0].shape) * x.shape[-1]

    @classmethod
    def rounded_weights(cls, args: Mapping[str, Any], *inputs: TensorType | None) -> Size | None:
        return None if inputs[0] is None else args["out"] * inputs[0].shape[-1]


def weight_and_bias(
    shape: tuple[int, ...], outputs: int, fan_in: int, *, bias: bool, prefix: str = ""
) -> tuple[Parameter, ...]:
    """A weight and its bias as PyTorch starts them: both uniform in ±1/√fan_in (`kaiming_uniform(a = √5)`)."""
    bound = fan_in**-0.5
    init = Init(name="uniform", args={"low": -bound, "high": bound})
    weight = Parameter(name=f"{prefix}weight", shape=shape, init=init)
    return (weight, Parameter(name=f"{prefix}bias", shape=(outputs,), init=init)) if bias else (weight,)
