"""Lowerings of `compiler/catalogue/ops/normalization.py`."""

from __future__ import annotations

import numpy as np

from ....compiler.sizes.dims import Size
from ..lowering import Result, Use, concrete, lowers
from ..tensor import Tensor


@lowers("BatchNorm")
def batch_norm(use: Use, x: Tensor) -> Result:
    """Not folded: the weights stay those of the checkpoint, and ONNX Runtime fuses it with the convolution."""
    channels = concrete(use, x.shape[1], "the channel axis")
    weights = [use.weight(name, channels) for name in ("weight", "bias", "running_mean", "running_var")]
    return use.graph.node("BatchNormalization", x.value, *weights, epsilon=float(use["eps"]))


@lowers("LayerNorm")
def layer_norm(use: Use, x: Tensor) -> Result:
    width = concrete(use, x.shape[-1], "the last axis")
    weight, bias = use.weight("weight", width), use.weight("bias", width)
    x = x if x.layout.ends_alike else x.dense()
    return x.like(use.graph.node("LayerNormalization", x.raw, weight, bias, axis=-1, epsilon=float(use["eps"])))


@lowers("RMSNorm")
def rms_norm(use: Use, x: Tensor) -> Result:
    weight = use.weight("weight", concrete(use, x.shape[-1], "the last axis"))
    x = x if x.layout.ends_alike else x.dense()
    return x.like(use.graph.node("RMSNormalization", x.raw, weight, axis=-1, epsilon=float(use["eps"])))


@lowers("GroupNorm")
def group_norm(use: Use, x: Tensor) -> Result:
    """`InstanceNormalization` with a group as one channel; the opset's own `GroupNormalization` has no kernel."""
    graph, groups = use.graph, int(use["groups"])
    channels = concrete(use, x.shape[1], "the channel axis")
    places: Size = channels // groups
    for size in x.shape[2:]:
        places = places * size
    grouped = graph.reshape(x.value, x.shape, (x.shape[0], groups, places))
    one, zero = use.table("one", np.ones(groups)), use.table("zero", np.zeros(groups))
    made = graph.node("InstanceNormalization", grouped, one, zero, epsilon=float(use["eps"]))
    made = graph.reshape(made, (x.shape[0], groups, places), x.shape)
    weight, bias = use.weight("weight", channels), use.weight("bias", channels)
    if x.rank > 2:
        column = graph.ints(*range(1, x.rank - 1))
        weight, bias = graph.node("Unsqueeze", weight, column), graph.node("Unsqueeze", bias, column)
    return graph.node("Add", graph.node("Mul", made, weight), bias)


@lowers("InstanceNorm")
def instance_norm(use: Use, x: Tensor) -> Result:
    channels = concrete(use, x.shape[1], "the channel axis")
    if use["affine"]:
        weight, bias = use.weight("weight", channels), use.weight("bias", channels)
    else:
        weight, bias = use.table("one", np.ones(channels)), use.table("zero", np.zeros(channels))
    return use.graph.node("InstanceNormalization", x.value, weight, bias, epsilon=float(use["eps"]))


@lowers("local_response_norm")
def local_response_norm(use: Use, x: Tensor) -> Result:
    numbers = {"alpha": float(use["alpha"]), "beta": float(use["beta"]), "bias": float(use["k"])}
    return use.graph.node("LRN", x.value, size=int(use["size"]), **numbers)
