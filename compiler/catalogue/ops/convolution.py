"""Convolutions over one, two or three spatial axes; how many follows from the input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...ir.model import Parameter
from ...sizes.dims import Size
from ...sizes.facts import Facts
from ...sizes.types import TensorType
from ..arguments import Count, Ints, Naturals, Pad
from .base import Example, Layer, Rejected, Sample
from .linear import weight_and_bias
from .rules import groups_help, in_out_kernel, need_f32, need_rank, product, spread, weight_size, window


class Conv(Layer):
    """Convolution (cross-correlation) of [B, C, *] with 1 to 3 spatial axes.

    [B, C, L..] -> [B, out, L'..] with L' = ⌊(L + 2*pad - dilation*(kernel - 1) - 1) / stride⌋ + 1. `kernel`, `stride`,
    `pad` and `dilation` are one number, or one for each spatial axis. `pad = "same"` keeps L (stride 1; the odd one
    goes behind), `pad = "causal"` pads only in front (one spatial axis), so that no output sees a later input.
    Errors: E0304 when `groups` does not divide both channel counts, E0201 when the window does not fit.
    """

    out: Count
    kernel: Ints
    stride: Ints = 1
    pad: Pad = 0
    groups: Count = 1
    dilation: Ints = 1
    bias: bool = True

    along = "example"
    onnx = "Conv"
    samples = (
        Sample({"out": 3, "kernel": 3, "stride": 2, "pad": 1}, (Example("f32", ("B", 2, "H", "W")),)),
        Sample({"out": 4, "kernel": (3, 2), "pad": "same", "bias": False}, (Example("f32", ("B", 2, "H", "W")),)),
        Sample(
            {"out": 4, "kernel": 3, "pad": "causal", "dilation": 2, "groups": 2}, (Example("f32", ("B", 2, "T")),),
            note="left padding only",
        ),
        Sample({"out": 2, "kernel": 2, "stride": (1, 2, 1), "dilation": 2}, (Example("f32", ("B", 1, 5, "H", "W")),)),
    )  # fmt: skip

    @classmethod
    def misread(cls, given: Sequence[Any], x: TensorType) -> str:
        return in_out_kernel(given, x)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        check_channels("Conv", x, self.groups, self.out)
        spatial = x.shape[2:]
        kernel = spread(self.kernel, len(spatial), "kernel")
        stride = spread(self.stride, len(spatial), "stride")
        dilation = spread(self.dilation, len(spatial), "dilation")
        padding = self.padding(len(spatial))
        sizes = [
            window(facts, x, size, k, s, sum(p), d)
            for size, k, s, p, d in zip(spatial, kernel, stride, padding, dilation, strict=True)
        ]
        return x.with_shape(x.shape[0], self.out, *sizes)

    def padding(self, axes: int) -> tuple[tuple[int, int], ...]:
        """Zeros before and after each spatial axis."""
        kernel, dilation = spread(self.kernel, axes, "kernel"), spread(self.dilation, axes, "dilation")
        reach = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        if self.pad == "causal":
            if axes != 1:
                raise Rejected(
                    "E0304",
                    '`pad = "causal"` needs exactly one spatial axis, [B, C, T]',
                    f"{axes} spatial axes",
                    helps=("pad the one axis in front before: `x -> pad([2, 0])` for the last one",),
                )
            return tuple((r, 0) for r in reach)
        if self.pad == "same":
            if any(s != 1 for s in spread(self.stride, axes, "stride")):
                half = [r // 2 for r in reach]
                pad = str(half[0]) if len(set(half)) == 1 else f"({', '.join(map(str, half))})"
                raise Rejected(
                    "E0304",
                    '`pad = "same"` needs a stride of 1',
                    f"stride = {self.stride}",
                    helps=(f"give the zeros of each side: `pad = {pad}`",),
                )
            return tuple((r // 2, r - r // 2) for r in reach)
        assert not isinstance(self.pad, str)
        return tuple((p, p) for p in spread(self.pad, axes, "pad"))

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        channels = weight_size(x.shape[1], "the channel axis") // self.groups
        kernel = spread(self.kernel, x.rank - 2, "kernel")
        fan_in = volume((channels, *kernel))
        return weight_and_bias((self.out, channels, *kernel), self.out, fan_in, bias=self.bias)

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        x = inputs[0]
        assert x is not None
        return 2 * product(outputs[0].shape) * product(self.parameters(x)[0].shape[1:])


class ConvTranspose(Layer):
    """Transposed convolution of [B, C, *] with 1 to 3 spatial axes: the gradient of `Conv` with respect to its input.

    [B, C, L..] -> [B, out, L'..] with L' = (L - 1)*stride - 2*pad + dilation*(kernel - 1) + output_pad + 1.
    `output_pad` lengthens the end of the result and is smaller than the stride or the dilation.
    Errors: E0304 when `groups` does not divide both channel counts.
    """

    out: Count
    kernel: Ints
    stride: Ints = 1
    pad: Naturals = 0
    output_pad: Naturals = 0
    groups: Count = 1
    dilation: Ints = 1
    bias: bool = True

    along = "example"
    onnx = "ConvTranspose"
    samples = (
        Sample({"out": 3, "kernel": 4, "stride": 2, "pad": 1, "bias": False}, (Example("f32", ("B", 2, "H", "W")),)),
        Sample(
            {"out": 4, "kernel": 3, "stride": 2, "output_pad": 1, "groups": 2, "dilation": 2},
            (Example("f32", ("B", 2, "T")),),
        ),
        Sample({"out": 2, "kernel": 2, "stride": (1, 2, 1)}, (Example("f32", ("B", 1, 3, "H", "W")),)),
    )

    @classmethod
    def misread(cls, given: Sequence[Any], x: TensorType) -> str:
        return in_out_kernel(given, x)

    def infer(self, facts: Facts, x: TensorType) -> TensorType:
        check_channels("ConvTranspose", x, self.groups, self.out)
        axes = x.rank - 2
        kernel = spread(self.kernel, axes, "kernel")
        stride = spread(self.stride, axes, "stride")
        pad = spread(self.pad, axes, "pad")
        output_pad = spread(self.output_pad, axes, "output_pad")
        dilation = spread(self.dilation, axes, "dilation")
        sizes: list[Size] = []
        for size, k, s, p, o, d in zip(x.shape[2:], kernel, stride, pad, output_pad, dilation, strict=True):
            if o >= max(s, d):
                raise Rejected(
                    "E0304",
                    "`output_pad` must be smaller than the stride or the dilation",
                    f"output_pad {o}, stride {s}, dilation {d}",
                    helps=(f"use at most `output_pad = {max(s, d) - 1}`",),
                )
            result = (size - 1) * s - 2 * p + d * (k - 1) + o + 1
            if facts.at_most(result, 0):
                raise Rejected(
                    "E0201",
                    f"no output is left of an axis of {size}",
                    f"pad = {p}, kernel = {k}",
                    helps=("`pad` takes away that much from each side of the result: use less",),
                )
            sizes.append(result)
        return x.with_shape(x.shape[0], self.out, *sizes)

    def parameters(self, x: TensorType) -> tuple[Parameter, ...]:
        channels = weight_size(x.shape[1], "the channel axis")
        kernel = spread(self.kernel, x.rank - 2, "kernel")
        # PyTorch takes the fan of a transposed weight from its second axis too.
        fan_in = volume((self.out // self.groups, *kernel))
        return weight_and_bias((channels, self.out // self.groups, *kernel), self.out, fan_in, bias=self.bias)

    def flops(self, inputs: Sequence[TensorType | None], outputs: Sequence[TensorType]) -> Size:
        x = inputs[0]
        assert x is not None
        return 2 * product(x.shape) * product(self.parameters(x)[0].shape[1:])


def check_channels(name: str, x: TensorType, groups: int, out: int) -> None:
    """f32[B, C, 1 to 3 spatial axes], and groups that divide C and out."""
    need_f32(x, name)
    need_rank(x, 3, 5, name, "[B, C, *] with 1 to 3 spatial axes")
    channels = weight_size(x.shape[1], "the channel axis")
    for what, count in (("input", channels), ("output", out)):
        if count % groups:
            label = f"{count} channels in {groups} groups"
            raise Rejected(
                "E0304", f"`groups` must divide the {what} channels", label, helps=groups_help(channels, out)
            )


def volume(shape: Sequence[int]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
