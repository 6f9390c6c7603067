"""Lowerings of `compiler/catalogue/ops/activation.py`."""

from __future__ import annotations

from ..layout import Layout
from ..lowering import Result, Use, lowers
from ..tensor import Tensor

_KINDS = {
    "relu": "Relu",
    "mish": "Mish",
    "softsign": "Softsign",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "hard_swish": "HardSwish",
    "softplus": "Softplus",
}


@lowers(*_KINDS)
def unary(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node(_KINDS[use.op], x.raw))


@lowers("hard_sigmoid")
def hard_sigmoid(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node("HardSigmoid", x.raw, alpha=1 / 6, beta=0.5))


@lowers("identity")
def identity(use: Use, x: Tensor) -> Result:
    return x


@lowers("silu")
def silu(use: Use, x: Tensor) -> Result:
    # `Swish` has no kernel in ONNX Runtime; it fuses this form.
    return x.like(use.graph.node("Mul", x.raw, use.graph.node("Sigmoid", x.raw)))


@lowers("gelu")
def gelu(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node("Gelu", x.raw, approximate=use["approx"]))


@lowers("leaky_relu")
def leaky_relu(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node("LeakyRelu", x.raw, alpha=float(use["slope"])))


@lowers("elu")
def elu(use: Use, x: Tensor) -> Result:
    return x.like(use.graph.node("Elu", x.raw, alpha=float(use["alpha"])))


@lowers("softmax", "log_softmax")
def softmax(use: Use, x: Tensor) -> Result:
    kind, axis = "Softmax" if use.op == "softmax" else "LogSoftmax", use["axis"] % x.rank
    if axis == x.rank - 1 and x.layout.ends_alike:
        return x.like(use.graph.node(kind, x.raw, axis=-1))
    return Tensor(use.graph, use.graph.node(kind, x.value, axis=axis), x.type, Layout.dense(x.shape))
