"""Convolutions."""

from __future__ import annotations

from operator import mul

from ..lowering import Application, ClassNumber, Construction, collapse, constructor, entry, function
from ..python import Expr


@constructor("Conv", module=r"nn\.Conv\dd")
def conv(layer: Construction) -> str:
    weight = layer.weight()
    axes = len(weight) - 2
    channels = weight[1]
    groups: ClassNumber = layer.arg("groups")
    arguments = [
        str(channels if groups.is_(1) else channels.map(mul, groups)),
        layer.text(layer.arg("out")),
        layer.text(collapse(layer.arg("kernel"))),
        *layer.options(stride=("stride", 1)),
    ]
    if layer.arg("pad") == "same":
        arguments.append('padding="same"')
    elif layer.arg("pad") != "causal":
        arguments += layer.options(padding=("pad", 0))
    arguments += layer.options(dilation=("dilation", 1), groups=("groups", 1), bias=("bias", True))
    return f"nn.Conv{axes}d({', '.join(arguments)})"


@function("Conv")
def conv_call(use: Application) -> Expr:
    assert use.module is not None
    if use.arg("pad") != "causal":
        return use.call(use.module, use[0])
    kernel, dilation = collapse(use.arg("kernel")), collapse(use.arg("dilation"))
    assert isinstance(kernel, ClassNumber)
    assert isinstance(dilation, ClassNumber)
    reach = kernel.map(_reach, dilation)
    return use.call(use.module, f"F.pad({use[0]}, ({use.text(reach)}, 0))")


def _reach(kernel: int, dilation: int) -> int:
    return dilation * (kernel - 1)


entry("Conv").plain_call = lambda args: args.get("pad") != "causal"


@constructor("ConvTranspose", module=r"nn\.ConvTranspose\dd")
def conv_transpose(layer: Construction) -> str:
    weight = layer.weight()
    axes = len(weight) - 2
    arguments = [str(weight[0]), layer.text(layer.arg("out")), layer.text(collapse(layer.arg("kernel")))]
    arguments += layer.options(
        stride=("stride", 1),
        padding=("pad", 0),
        output_padding=("output_pad", 0),
        groups=("groups", 1),
        bias=("bias", True),
        dilation=("dilation", 1),
    )
    return f"nn.ConvTranspose{axes}d({', '.join(arguments)})"
