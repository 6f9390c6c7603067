"""Lowerings of `compiler/catalogue/ops/convolution.py`."""

from __future__ import annotations

from ....compiler.catalogue.ops.convolution import Conv
from ....compiler.catalogue.ops.rules import spread
from ..lowering import Result, Use, concrete, lowers, operator
from ..tensor import Tensor


@lowers("Conv")
def conv(use: Use, x: Tensor) -> Result:
    axes = x.rank - 2
    rule = operator(use)
    assert isinstance(rule, Conv)
    channels = concrete(use, x.shape[1], "the channel axis") // rule.groups
    kernel = spread(rule.kernel, axes, "kernel")
    padding = rule.padding(axes)
    weight = use.weight("weight", rule.out, channels, *kernel)
    bias = use.weight("bias", rule.out) if rule.bias else None
    return use.graph.node(
        "Conv",
        x.value,
        weight,
        bias,
        kernel_shape=kernel,
        group=rule.groups,
        strides=spread(rule.stride, axes, "stride"),
        dilations=spread(rule.dilation, axes, "dilation"),
        pads=(*(before for before, _ in padding), *(after for _, after in padding)),
    )


@lowers("ConvTranspose")
def conv_transpose(use: Use, x: Tensor) -> Result:
    axes = x.rank - 2
    channels = concrete(use, x.shape[1], "the channel axis")
    kernel = spread(use["kernel"], axes, "kernel")
    weight = use.weight("weight", channels, use["out"] // use["groups"], *kernel)
    bias = use.weight("bias", use["out"]) if use["bias"] else None
    return use.graph.node(
        "ConvTranspose",
        x.value,
        weight,
        bias,
        kernel_shape=kernel,
        group=use["groups"],
        strides=spread(use["stride"], axes, "stride"),
        dilations=spread(use["dilation"], axes, "dilation"),
        output_padding=spread(use["output_pad"], axes, "output_pad"),
        pads=spread(use["pad"], axes, "pad") * 2,
    )
