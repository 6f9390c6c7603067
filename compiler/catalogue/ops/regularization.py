"""Functions that act in training only, and the flow of gradients."""

from __future__ import annotations

from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import DType, Share
from .base import Example, Function, Rejected, Sample
from .rules import need_float, need_rank


class Dropout(Function):
    """In training, sets each element to zero with probability `p` and scales the others by 1 / (1 - p); otherwise the identity.

    Any shape.
    """

    p: Share

    view = "reshaped"
    elementwise = True
    paper = "Srivastava et al. 2014, jmlr.org/papers/v15/srivastava14a.html"
    onnx = "nothing"
    has_mode = True
    samples = (Sample({"p": 0.5}, (Example("f32", ("B", 3)),)),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "dropout")
        if self.p == 1:
            raise Rejected("E0304", "`p` must be below 1: nothing would be left in training", "p = 1")
        return x


class DropPath(Function):
    """In training, sets whole examples (axis 0) to zero with probability `p` and scales the others; otherwise the identity.

    [B, ..] -> the same. Stochastic depth on the branch of a residual.
    """

    p: Share

    elementwise = True
    paper = "Huang et al. 2016, arXiv:1603.09382"
    onnx = "nothing"
    has_mode = True
    samples = (Sample({"p": 0.25}, (Example("f32", ("B", "T", 3)),)),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "drop_path")
        need_rank(x, 1, None, "drop_path", "[B, ..]")
        if self.p == 1:
            raise Rejected("E0304", "`p` must be below 1", "p = 1")
        return x


class StopGrad(Function):
    """The same values, through which no gradient flows. Any dtype and shape."""

    view = "reshaped"
    elementwise = True
    keeps = True
    onnx = "nothing"
    flat = True
    samples = (Sample({}, (Example("f32", ("B", 3)),), differentiable=False),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        return x


class Cast(Function):
    """The same values in another dtype, with C's conversions: floats to integers towards zero, to bool as `!= 0`."""

    dtype: DType

    view = "reshaped"
    elementwise = True
    onnx = "Cast"
    samples = (
        Sample({"dtype": "f32"}, (Example("i64", ("B", 3), -4, 5),), differentiable=False),
        Sample({"dtype": "i64"}, (Example("f32", ("B", 3), -4, 5),), differentiable=False),
        Sample({"dtype": "f64"}, (Example("f32", ("B",)),), differentiable=False),
        Sample({"dtype": "f32"}, (Example("bool", ("B", 2), 0, 2),), differentiable=False),
        Sample({"dtype": "bool"}, (Example("i64", ("B",), 0, 2),), differentiable=False),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        return x.with_dtype(self.dtype)
