"""Normalisation."""

from __future__ import annotations

from ...ir.model import Init, Parameter
from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Count, Fraction, Odd, Positive, Share
from .base import Example, Function, Layer, Rejected, Sample
from .rules import groups_help, need_f32, need_rank, product, weight_size

_ONES, _ZEROS = Init(name="ones"), Init(name="zeros")
_NO_HALF: dict[str, str] = dict.fromkeys(("f16", "bf16"), "torch has no half-precision avg_pool3d kernel on the CPU")


class BatchNorm(Layer):
    """Normalises each channel by mean and variance of the batch in training, by their running averages in evaluation.

    [B, C] or [B, C, *] -> the same. Owns `weight`, `bias` and the buffers `running_mean`, `running_var` and
    `num_batches_tracked` (an i64 scalar that no export holds). Errors: E0212 when C is symbolic, E0206 when a step of training
    would have one number per channel.
    """

    eps: Fraction = 1e-5
    momentum: Share = 0.1

    elementwise = True
    mixes_batch = True
    paper = "Ioffe, Szegedy 2015, arXiv:1502.03167"
    onnx = "BatchNormalization"
    has_mode = True
    samples = (
        Sample({}, (Example("f32", ("B", 3, "H", "W")),)),
        Sample({"eps": 1e-3, "momentum": 0.01}, (Example("f32", ("B", 4)),)),
        Sample({}, (Example("f32", ("B", 4, "T")),)),
        Sample({}, (Example("f32", ("B", 2, 3, "H", "W")),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "BatchNorm")
        need_rank(x, 2, 5, "BatchNorm", "[B, C] or [B, C, *] with 1 to 3 spatial axes")
        return x

    @classmethod
    def batch_statistics(cls, x: TensorType) -> Size:
        return product((x.shape[0], *x.shape[2:]))

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        channels = weight_size(x.shape[1], "the channel axis")
        return (
            *_scale(channels),
            Parameter(name="running_mean", shape=(channels,), init=_ZEROS, buffer=True),
            Parameter(name="running_var", shape=(channels,), init=_ONES, buffer=True),
            Parameter(name="num_batches_tracked", shape=(), init=_ZEROS, dtype="i64", buffer=True),
        )


class LayerNorm(Layer):
    """Normalises over the last axis, then scales and shifts.

    [.., D] -> the same. The variance is the biased one. Errors: E0212 when D is symbolic.
    """

    eps: Fraction = 1e-5

    along = "last"
    paper = "Ba, Kiros, Hinton 2016, arXiv:1607.06450"
    onnx = "LayerNormalization"
    samples = (
        Sample({}, (Example("f32", ("B", "T", 6)),)),
        Sample({"eps": 1e-12}, (Example("f32", ("B", 6)),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "LayerNorm")
        need_rank(x, 1, None, "LayerNorm", "at least one axis")
        return x

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        return _scale(weight_size(x.shape[-1], "the last axis"))


class RMSNorm(Layer):
    """Divides by the root of the mean square over the last axis, then scales; computed in f32.

    [.., D] -> the same. Errors: E0212 when D is symbolic.
    """

    eps: Fraction = 1e-6

    along = "last"
    paper = "Zhang, Sennrich 2019, arXiv:1910.07467"
    onnx = "RMSNormalization"
    samples = (
        Sample({}, (Example("f32", ("B", "T", 6)),)),
        Sample({"eps": 1e-5}, (Example("f32", ("B", 6)),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "RMSNorm")
        need_rank(x, 1, None, "RMSNorm", "at least one axis")
        return x

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        return _scale(weight_size(x.shape[-1], "the last axis"))[:1]


class GroupNorm(Layer):
    """Normalises each example over groups of channels and all spatial axes, then scales and shifts each channel.

    [B, C, *] -> the same. Errors: E0304 when `groups` does not divide C, E0201 when there is only one element to normalise
    over.
    """

    groups: Count
    eps: Fraction = 1e-5

    along = "example"
    paper = "Wu, He 2018, arXiv:1803.08494"
    onnx = "InstanceNormalization over the groups, then Mul and Add"
    samples = (
        Sample({"groups": 2}, (Example("f32", ("B", 4, "H", "W")),)),
        Sample({"groups": 1, "eps": 1e-3}, (Example("f32", ("B", 3, "T")),)),
        Sample({"groups": 3}, (Example("f32", ("B", 6)),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "GroupNorm")
        need_rank(x, 2, 5, "GroupNorm", "[B, C, *]")
        channels = weight_size(x.shape[1], "the channel axis")
        if channels % self.groups:
            label = f"{channels} channels in {self.groups} groups"
            raise Rejected("E0304", "`groups` must divide the channels", label, helps=groups_help(channels))
        if product((channels // self.groups, *x.shape[2:])) == 1:
            raise Rejected("E0201", "there is only one element to normalise over", f"the tensor is `{x}`")
        return x

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        return _scale(weight_size(x.shape[1], "the channel axis"))


class InstanceNorm(Layer):
    """Normalises each channel of each example over its spatial axes; with `affine = true` it owns a `weight` and a `bias`
    that scale and shift each channel. As in PyTorch, it has none unless asked.

    [B, C, *] -> the same, with 1 to 3 spatial axes. Errors: E0201 when there is only one element to normalise over.
    """

    eps: Fraction = 1e-5
    affine: bool = False

    along = "example"
    paper = "Ulyanov, Vedaldi, Lempitsky 2016, arXiv:1607.08022"
    onnx = "InstanceNormalization"
    samples = (
        Sample({}, (Example("f32", ("B", 3, "H", "W")),)),
        Sample({"eps": 1e-3}, (Example("f32", ("B", 3, "T")),)),
        Sample({"affine": True}, (Example("f32", ("B", 3, "H", "W")),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "InstanceNorm")
        need_rank(x, 3, 5, "InstanceNorm", "[B, C, *] with 1 to 3 spatial axes")
        weight_size(x.shape[1], "the channel axis")
        if product(x.shape[2:]) == 1:
            raise Rejected("E0201", "there is only one element to normalise over", f"the tensor is `{x}`")
        return x

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        return _scale(weight_size(x.shape[1], "the channel axis")) if self.affine else ()


class LocalResponseNorm(Function):
    """Divides each element by (k + alpha * the mean square of the `size` channels around its own) ** beta. `size` is odd: ONNX
    Runtime has no kernel for an even one. Channels beyond the first and the last count as zeros.

    f32[B, C, H, W] -> the same. Errors: E0202 for another rank.
    """

    size: Odd
    alpha: Positive = 1e-4
    beta: Positive = 0.75
    k: Positive = 1.0

    along = "example"
    paper = "Krizhevsky, Sutskever, Hinton 2012 (AlexNet)"
    onnx = "LRN"
    samples = (
        Sample({"size": 5}, (Example("f32", ("B", 7, "H", "W")),), xfail=_NO_HALF),
        Sample({"size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}, (Example("f32", ("B", 4, "H", "W")),), xfail=_NO_HALF),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_f32(x, "local_response_norm")
        need_rank(x, 4, 4, "local_response_norm", "[B, C, H, W]")
        return x


def _scale(size: int) -> tuple[Parameter, Parameter]:
    return Parameter(name="weight", shape=(size,), init=_ONES), Parameter(name="bias", shape=(size,), init=_ZEROS)
