"""Lowerings of `compiler/catalogue/ops/pooling.py`."""

from __future__ import annotations

import onnx_ir as ir

from ....compiler.catalogue.ops.rules import spread
from ..lowering import Result, Use, lowers
from ..tensor import Tensor


@lowers("max_pool")
def max_pool(use: Use, x: Tensor) -> Result:
    kernel, stride, pads = _window(use, x)
    return use.graph.node("MaxPool", x.value, kernel_shape=kernel, strides=stride, pads=pads)


@lowers("avg_pool")
def avg_pool(use: Use, x: Tensor) -> Result:
    if use["adaptive"]:
        return _adaptive(use, x)
    kernel, stride, pads = _window(use, x)
    return use.graph.node("AveragePool", x.value, kernel_shape=kernel, strides=stride, pads=pads, count_include_pad=1)


def _window(use: Use, x: Tensor) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    kernel = spread(use["kernel"], x.rank - 2, "kernel")
    stride = kernel if use["stride"] is None else spread(use["stride"], x.rank - 2, "stride")
    return kernel, stride, spread(use["pad"], x.rank - 2, "pad") * 2


def _adaptive(use: Use, x: Tensor) -> Result:
    """A mean where one place is left; equal windows where the result divides a concrete input."""
    wanted = spread(use["kernel"], x.rank - 2, "kernel")
    if all(size == 1 for size in wanted):
        return use.graph.node("ReduceMean", x.value, use.graph.ints(*range(2, x.rank)), keepdims=1)
    kernel: list[int] = []
    for size, places in zip(x.shape[2:], wanted, strict=True):
        assert isinstance(size, int)  # see `not_in_export`
        kernel.append(size // places)
    return use.graph.node("AveragePool", x.value, kernel_shape=kernel, strides=kernel)


@lowers("global_avg_pool")
def global_avg_pool(use: Use, x: Tensor) -> Result:
    return use.graph.node("ReduceMean", x.value, use.graph.ints(*range(2, x.rank)), keepdims=0)


@lowers("upsample")
def upsample(use: Use, x: Tensor) -> Result:
    factor = spread(use["factor"], x.rank - 2, "factor")
    scales = use.graph.literal((1.0, 1.0, *(float(f) for f in factor)), ir.DataType.FLOAT)
    mode = use["mode"]
    if mode == "nearest":
        attributes = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        return use.graph.node("Resize", x.value, None, scales, **attributes)
    kind = "cubic" if mode == "bicubic" else "linear"
    points = "align_corners" if use["align_corners"] else "half_pixel"
    attributes = {"mode": kind, "coordinate_transformation_mode": points}
    if kind == "cubic":
        return use.graph.node("Resize", x.value, None, scales, cubic_coeff_a=-0.75, **attributes)
    return use.graph.node("Resize", x.value, None, scales, **attributes)


@lowers("pixel_shuffle")
def pixel_shuffle(use: Use, x: Tensor) -> Result:
    return use.graph.node("DepthToSpace", x.value, blocksize=use["r"], mode="CRD")
