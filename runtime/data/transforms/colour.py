"""Transforms of colours on batches `[n, channels, height, width]`, on any device: on the CPU by `arrays.colour`, elsewhere with the
same maps and tables, which are always computed there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .. import values
from ..arrays import colour as arrays
from ..values import as_float, on_the_cpu

Args: TypeAlias = Mapping[str, Any]


def color_jitter(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if values.on_host(x):
        return on_the_cpu(arrays.color_jitter, x, args, u.numpy())
    return jittered(x, args, u)


def jittered(x: Tensor, args: Args, u: Tensor) -> Tensor:
    gray = mean(x).cpu().numpy() if args["contrast"] else None
    matrix, shift = arrays.jitter(x.shape[1], gray, args, u.cpu().numpy())
    factors, shifts = (
        torch.from_numpy(part).to(x.device) for part in arrays.in_floats(matrix, shift, x.dtype == torch.uint8)
    )
    x = x.to(torch.float32)
    found: list[Tensor] = []
    for channel in range(x.shape[1]):
        into = x[:, channel] * factors[:, channel, channel]
        for other in range(x.shape[1]):
            if other != channel:
                into = into + x[:, other] * factors[:, channel, other]
        found.append(into)
    return (torch.stack(found, 1) + shifts).clamp(0, 1)


def mean(x: Tensor) -> Tensor:
    """`arrays.colour.mean`."""
    sums = x.sum((2, 3), dtype=torch.int64) / 255 if x.dtype == torch.uint8 else x.sum((2, 3), dtype=torch.float64)
    weights = [1 / x.shape[1]] * x.shape[1] if x.shape[1] != 3 else arrays.LUMINANCE
    return (sums / (x.shape[2] * x.shape[3]) * torch.tensor(weights, dtype=torch.float64, device=x.device)).sum(1)


def hue(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return color_jitter(x, arrays.alone(args), torch.cat((u.new_zeros(len(u), 3), u), 1))


def grayscale(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if values.on_host(x):
        return on_the_cpu(arrays.grayscale, x, args)
    if x.shape[1] == 3:
        weights = arrays.LUMINANCE if x.is_floating_point() else arrays.WHOLE_LUMINANCE
        kept = x.dtype
        planes = x if x.is_floating_point() else x.to(torch.int64)
        x = sum(planes[:, i] * weight for i, weight in enumerate(weights))[:, None]  # type: ignore[index]
        x = x if kept.is_floating_point else ((x + (1 << 15)) >> 16).to(kept)
    return x.expand(-1, args["channels"], -1, -1)


def gamma(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if values.on_host(x):
        return on_the_cpu(arrays.gamma, x, args)
    return _power(x, np.full(len(x), args["gamma"]))


def random_gamma(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if values.on_host(x):
        return on_the_cpu(arrays.random_gamma, x, args, u.numpy())
    return _power(x, arrays.powers(args, u.cpu().numpy()))


def _power(x: Tensor, exponents: NDArray[Any]) -> Tensor:
    if x.dtype == torch.uint8:
        tables = torch.from_numpy(np.stack([arrays.power_table(float(e)) for e in exponents])).to(x.device)
        return tables.gather(1, x.flatten(1).to(torch.int64)).reshape(x.shape)
    x = as_float(x)
    return x.clamp(min=0) ** torch.from_numpy(exponents).to(x).reshape(-1, *(1,) * (x.dim() - 1))


def solarize(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if x.dtype == torch.uint8:
        return torch.where(x >= 255 * args["threshold"], 255 - x, x)
    x = as_float(x)
    return torch.where(x >= args["threshold"], 1 - x, x)


def posterize(x: Tensor, args: Args, u: Tensor) -> Tensor:
    kept = 256 - (1 << (8 - args["bits"]))
    if x.dtype == torch.uint8:
        return x & kept
    x = as_float(x)
    return ((x * 255).round().to(torch.int64) & kept).to(x.dtype) / 255
