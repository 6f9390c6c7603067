"""Pooling and resampling over spatial axes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Count, Ints, Naturals
from .base import Example, Function, Rejected, Sample
from .rules import divide, need_float, need_rank, spread, window

_IMAGE = (Example("f32", ("B", 2, "H", "W")),)


class MaxPool(Function):
    """Largest value of each window; padding counts as minus infinity.

    [B, C, L..] -> [B, C, L'..] with L' = ⌊(L + 2*pad - kernel) / stride⌋ + 1, 1 to 3 spatial axes. The stride is the
    kernel if absent. Errors: E0201 when the window does not fit, E0304 when `pad` is above half the kernel.
    """

    kernel: Ints
    stride: Ints | None = None
    pad: Naturals = 0

    along = "example"
    onnx = "MaxPool"
    samples = (
        Sample({"kernel": 2}, _IMAGE),
        Sample({"kernel": 3, "stride": 2, "pad": 1}, _IMAGE),
        Sample({"kernel": 2, "stride": 1}, (Example("f32", ("B", 2, "T")),)),
        Sample({"kernel": (1, 2, 3), "pad": (0, 1, 1)}, (Example("f32", ("B", 2, 2, "H", "W")),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        return _pooled(facts, x, "max_pool", self.kernel, self.stride, self.pad)


class AvgPool(Function):
    """Mean of each window; padding counts as zeros. With `adaptive` the kernel is the size of the result.

    [B, C, L..] -> [B, C, L'..] with L' as for `max_pool`, or L' = kernel when adaptive: window i is then the elements
    from ⌊i*L/L'⌋ to ⌈(i + 1)*L/L'⌉. An export can hold an adaptive one only when L' is 1 or divides a concrete L (E0501).
    """

    kernel: Ints
    stride: Ints | None = None
    pad: Naturals = 0
    adaptive: bool = False

    along = "example"
    onnx = "AveragePool; adaptive to 1: ReduceMean"
    samples = (
        Sample({"kernel": 2}, _IMAGE),
        Sample({"kernel": 3, "stride": 2, "pad": 1}, _IMAGE),
        Sample({"kernel": (2, 1), "pad": (1, 0)}, _IMAGE),
        Sample({"kernel": 2}, (Example("f32", ("B", 2, "T")),)),
        Sample({"kernel": 1, "adaptive": True}, _IMAGE),
        Sample({"kernel": (2, 3), "adaptive": True}, (Example("f32", ("B", 2, 4, 6)),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        if not self.adaptive:
            return _pooled(facts, x, "avg_pool", self.kernel, self.stride, self.pad)
        need_float(x, "avg_pool")
        need_rank(x, 3, 5, "avg_pool", "[B, C, *] with 1 to 3 spatial axes")
        if self.stride is not None or self.pad != 0:
            raise Rejected(
                "E0304",
                "an adaptive `avg_pool` takes neither `stride` nor `pad`",
                "adaptive",
                helps=("leave them out: the window follows from the size of the input",),
            )
        return x.with_shape(*x.shape[:2], *spread(self.kernel, x.rank - 2, "kernel"))

    @classmethod
    def not_in_export(cls, args: Mapping[str, Any], *inputs: TensorType | None) -> tuple[str, str] | None:
        x = inputs[0]
        if not args.get("adaptive") or x is None:
            return None
        wanted = spread(args["kernel"], x.rank - 2, "kernel")
        for size, places in zip(x.shape[2:], wanted, strict=True):
            if all(places == 1 for places in wanted):
                break
            if not isinstance(size, int):
                help = f"fix its size in the export: `fix {{ {size} = .. }}`"
                return f"an axis of {size} cannot be pooled to {places}", help
            if size % places:
                return f"{places} does not divide an axis of {size}", "pool to a size that divides it"
        return None


class GlobalAvgPool(Function):
    """Mean over all spatial axes, which are removed.

    [B, C, *] -> [B, C].
    """

    along = "example"
    onnx = "ReduceMean"
    samples = (Sample({}, _IMAGE), Sample({}, (Example("f32", ("B", 3, "T")),)))

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "global_avg_pool")
        need_rank(x, 3, None, "global_avg_pool", "[B, C, *] with at least one spatial axis")
        return x.with_shape(*x.shape[:2])


class Upsample(Function):
    """Scales the spatial axes by `factor`. Interpolation takes the elements for the centres of pixels, or with
    `align_corners` for points from edge to edge.

    [B, C, L..] -> [B, C, factor*L..]. `linear` is for one spatial axis, `bilinear` and `bicubic` for two, `trilinear`
    for three, `nearest` for any. Errors: E0202, E0304 for `align_corners` with `nearest`.
    """

    factor: Ints
    mode: Literal["nearest", "linear", "bilinear", "bicubic", "trilinear"] = "nearest"
    align_corners: bool = False

    along = "example"
    onnx = "Resize"
    samples = (
        Sample({"factor": 2}, _IMAGE),
        Sample({"factor": (2, 3), "mode": "bilinear"}, _IMAGE),
        Sample({"factor": 2, "mode": "bicubic"}, _IMAGE),
        Sample({"factor": 2, "mode": "linear"}, (Example("f32", ("B", 2, "T")),)),
        Sample({"factor": (1, 2, 2), "mode": "trilinear"}, (Example("f32", ("B", 1, 2, "H", "W")),)),
        Sample({"factor": 2, "mode": "bilinear", "align_corners": True}, _IMAGE),
        Sample({"factor": (3, 2), "mode": "bicubic", "align_corners": True}, _IMAGE),
        Sample({"factor": 2, "mode": "linear", "align_corners": True}, (Example("f32", ("B", 2, "T")),)),
    )

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_float(x, "upsample")
        axes = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}.get(self.mode)
        if axes is None:
            need_rank(x, 3, 5, "upsample", "[B, C, *] with 1 to 3 spatial axes")
            if self.align_corners:
                raise Rejected(
                    "E0304", '`align_corners` applies only to interpolation, not to `mode = "nearest"`', "nearest"
                )
        else:
            plural = "axis" if axes == 1 else "axes"
            need_rank(x, axes + 2, axes + 2, f'`mode = "{self.mode}"`', f"[B, C, *] with {axes} spatial {plural}")
        factor = spread(self.factor, x.rank - 2, "factor")
        return x.with_shape(*x.shape[:2], *(f * size for f, size in zip(factor, x.shape[2:], strict=True)))


class PixelShuffle(Function):
    """Rearranges channels into space.

    [B, C*r*r, H, W] -> [B, C, r*H, r*W]. Errors: E0206 when r*r does not divide the channels.
    """

    r: Count

    along = "example"
    paper = "Shi et al. 2016, arXiv:1609.05158"
    onnx = "DepthToSpace, mode CRD"
    samples = (Sample({"r": 2}, (Example("f32", ("B", 8, "H", "W")),)),)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        need_rank(x, 4, 4, "pixel_shuffle", "[B, C*r*r, H, W]")
        channels = divide(facts, x.shape[1], self.r * self.r, "channels into r*r", x)
        return x.with_shape(x.shape[0], channels, x.shape[2] * self.r, x.shape[3] * self.r)


def _pooled(facts: Facts, x: TensorType, name: str, kernel: Ints, stride: Ints | None, pad: Naturals) -> TensorType:
    need_float(x, name)
    need_rank(x, 3, 5, name, "[B, C, *] with 1 to 3 spatial axes")
    axes = x.rank - 2
    kernels, pads = spread(kernel, axes, "kernel"), spread(pad, axes, "pad")
    strides = kernels if stride is None else spread(stride, axes, "stride")
    sizes: list[Size] = []
    for size, k, s, p in zip(x.shape[2:], kernels, strides, pads, strict=True):
        if 2 * p > k:
            raise Rejected(
                "E0304",
                "`pad` must be at most half the kernel",
                f"pad = {p}, kernel = {k}",
                helps=(f"use at most `pad = {k // 2}`: a window further out would hold padding alone",),
            )
        sizes.append(window(facts, x, size, k, s, 2 * p))
    return x.with_shape(*x.shape[:2], *sizes)
