"""Functions of each element, and softmax."""

from __future__ import annotations

from typing import Literal

from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Axis
from .base import Example, Function, Sample
from .rules import axis_of, need_float, need_some

_ONE = (Example("f32", ("B", 3)),)


class _Activation(Function):
    elementwise = True
    samples = (Sample({}, _ONE),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, self.name)
        return x


class Relu(_Activation):
    """max(x, 0). Any shape."""

    one_sided = True
    onnx = "Relu"


class Silu(_Activation):
    """x * sigmoid(x), also called swish. Any shape."""

    paper = "Ramachandran, Zoph, Le 2017, arXiv:1710.05941"
    onnx = "Sigmoid and Mul, which ONNX Runtime joins"


class Mish(_Activation):
    """x * tanh(softplus(x)). Any shape."""

    paper = "Misra 2019, arXiv:1908.08681"
    onnx = "Mish"


class Softsign(_Activation):
    """x / (1 + |x|). Any shape."""

    onnx = "Softsign"


class Tanh(_Activation):
    """Hyperbolic tangent. Any shape."""

    onnx = "Tanh"


class Sigmoid(_Activation):
    """1 / (1 + exp(-x)). Any shape."""

    probabilities = True
    turns = (("logit", "chance"),)
    onnx = "Sigmoid"


class HardSwish(_Activation):
    """x * min(max(x + 3, 0), 6) / 6. Any shape."""

    paper = "Howard et al. 2019, arXiv:1905.02244"
    onnx = "HardSwish"


class HardSigmoid(_Activation):
    """min(max(x + 3, 0), 6) / 6. Any shape."""

    twice_as = "clamp(x / 6 + 0.5, 0, 1)"
    onnx = "HardSigmoid with alpha 1/6"


class Softplus(_Activation):
    """log(1 + exp(x)). Any shape."""

    onnx = "Softplus"


class Identity(Function):
    """The input itself, for a parameter `act: fn` that may do nothing. Any dtype and shape."""

    view = "reshaped"
    elementwise = True
    keeps = True
    onnx = "nothing"
    samples = (Sample({}, _ONE),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        return x


class Gelu(_Activation):
    """x * Φ(x), exact or by the tanh approximation. Any shape."""

    approx: Literal["none", "tanh"] = "none"

    paper = "Hendrycks, Gimpel 2016, arXiv:1606.08415"
    onnx = "Gelu"
    samples = (Sample({}, _ONE), Sample({"approx": "tanh"}, _ONE))


class LeakyRelu(_Activation):
    """x where positive, slope * x elsewhere. Any shape."""

    slope: float = 0.01

    onnx = "LeakyRelu"
    samples = (Sample({}, _ONE), Sample({"slope": 0.2}, _ONE))


class Elu(_Activation):
    """x where positive, alpha * (exp(x) - 1) elsewhere. Any shape."""

    alpha: float = 1.0

    paper = "Clevert, Unterthiner, Hochreiter 2015, arXiv:1511.07289"
    onnx = "Elu"
    samples = (Sample({}, _ONE), Sample({"alpha": 0.5}, _ONE))


class _AlongAxis(Function):
    axis: Axis = -1

    samples = (Sample({}, (Example("f32", ("B", "T")),)), Sample({"axis": 1}, (Example("f32", ("B", 3, "T")),)))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, self.name)
        need_some(x, (axis_of(x, self.axis),), f"`{self.name}`")
        return x


class Softmax(_AlongAxis):
    """exp(x) / sum(exp(x)) along an axis. Any shape with at least one axis."""

    probabilities = True
    turns = (("scores", "probabilities"),)
    onnx = "Softmax"


class LogSoftmax(_AlongAxis):
    """log(softmax(x)) along an axis, exact for small probabilities. Any shape with at least one axis."""

    turns = (("scores", "scores"),)
    onnx = "LogSoftmax"
