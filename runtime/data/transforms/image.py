"""Image transforms on whole batches, `[n, channels, height, width]` (masks `[n, height, width]`), on any device.

A random transform takes `u`, uniform numbers in [0, 1) of shape `[n, drawn]` (or the records' keys, if its entry draws 0),
so that it is a pure function of them. Others get an empty `u`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F

from ....compiler.catalogue.transforms.image import IMAGENET_MEAN, IMAGENET_STD
from ... import randomness
from ..arrays import image as arrays
from ..values import as_float, on_the_cpu

Args: TypeAlias = Mapping[str, Any]


def _is_mask(x: Tensor) -> bool:
    return x.dim() == 3


def _with_channels(x: Tensor) -> Tensor:
    return x[:, None] if _is_mask(x) else x


def _like(result: Tensor, x: Tensor) -> Tensor:
    """The result in the dtype of `x`, rounded where that has whole numbers, and without the channel that was added."""
    if not x.is_floating_point():
        result = result.round()
        if x.dtype == torch.uint8:
            result = result.clamp(0, 255)
        result = result.to(x.dtype)
    return result[:, 0] if _is_mask(x) else result


def _scaled(x: Tensor, height: int, width: int) -> Tensor:
    if x.device.type == "cpu":
        return on_the_cpu(arrays.scaled, x, height, width)
    if x.shape[-2:] == (height, width):
        return x
    image = _with_channels(x).to(torch.float32)
    if _is_mask(x):
        return _like(F.interpolate(image, (height, width), mode="nearest-exact"), x)
    return _like(F.interpolate(image, (height, width), mode="bilinear", antialias=True), x)


def resize(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n, (height, width) = args["n"], x.shape[-2:]
    if height <= width:
        return _scaled(x, n, int(n * width / height))
    return _scaled(x, int(n * height / width), n)


def _padded(x: Tensor, n: int) -> Tensor:
    """With zeros around, where it is smaller than n x n."""
    down, across = max(0, n - x.shape[-2]), max(0, n - x.shape[-1])
    if not down and not across:
        return x
    return F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))


def center_crop(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n = args["n"]
    x = _padded(x, n)
    top, left = round((x.shape[-2] - n) / 2), round((x.shape[-1] - n) / 2)
    return x[..., top : top + n, left : left + n]


def _windows(x: Tensor, top: Tensor, left: Tensor, n: int, m: int) -> Tensor:
    """The n x m part of each image that begins at its own `top` and `left`."""
    rows = top[:, None] + torch.arange(n, device=x.device)
    columns = left[:, None] + torch.arange(m, device=x.device)
    index = torch.arange(len(x), device=x.device)
    if _is_mask(x):
        return x[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    channels = torch.arange(x.shape[1], device=x.device)[None, :, None, None]
    return x[index[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]


def _place(u: Tensor, room: int) -> Tensor:
    return (u * (room + 1)).floor().clamp(max=room).to(torch.int64)


def random_crop(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n = args["n"]
    x = _padded(x, n)
    return _windows(x, _place(u[:, 0], x.shape[-2] - n), _place(u[:, 1], x.shape[-1] - n), n, n)


def shift(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n = args["n"]
    height, width = x.shape[-2:]
    return _windows(F.pad(x, (n, n, n, n)), _place(u[:, 0], 2 * n), _place(u[:, 1], 2 * n), height, width)


def random_resized_crop(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n, (height, width) = args["n"], x.shape[-2:]
    (low, high), (narrow, wide) = args["scale"], args["ratio"]
    area = height * width * (low + u[:, 0] * (high - low))
    ratio = torch.exp(math.log(narrow) + u[:, 1] * (math.log(wide) - math.log(narrow)))
    across = (area * ratio).sqrt().clamp(max=width)
    down = (area / ratio).sqrt().clamp(max=height)
    top, left = u[:, 2] * (height - down), u[:, 3] * (width - across)
    steps = (torch.arange(n, device=x.device) + 0.5) / n
    rows = (top[:, None] + steps * down[:, None]) / height * 2 - 1
    columns = (left[:, None] + steps * across[:, None]) / width * 2 - 1
    grid = torch.stack((columns[:, None, :].expand(-1, n, n), rows[:, :, None].expand(-1, n, n)), -1)
    return _sampled(x, grid)


def _sampled(x: Tensor, grid: Tensor) -> Tensor:
    mode = "nearest" if _is_mask(x) else "bilinear"
    image = _with_channels(x).to(torch.float32)
    return _like(F.grid_sample(image, grid, mode=mode, padding_mode="zeros", align_corners=False), x)


def _where(chosen: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(chosen.reshape(-1, *(1,) * (b.dim() - 1)), a, b)


def hflip(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return _where(u[:, 0] < args["p"], x.flip(-1), x)


def vflip(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return _where(u[:, 0] < args["p"], x.flip(-2), x)


def _affine(x: Tensor, angle: Tensor, move: Tensor, scale: Tensor, shear: Tensor) -> Tensor:
    """Turned by `angle` (radians), moved by `move` (shares of width, height), scaled and sheared about the middle."""
    height, width = x.shape[-2:]
    cosine, sine, tangent = torch.cos(angle), torch.sin(angle), torch.tan(shear)
    # the inverse map in pixels: where does each output pixel come from
    a, b = cosine / scale, sine / scale
    c, d = (-sine - cosine * tangent) / scale, (cosine - sine * tangent) / scale
    down, across = move[:, 1] * height, move[:, 0] * width
    theta = torch.stack((
        torch.stack((a, b * height / width, -(a * across + b * down) * 2 / width), -1),
        torch.stack((c * width / height, d, -(c * across + d * down) * 2 / height), -1),
    ), 1)  # fmt: skip
    return _sampled(x, F.affine_grid(theta, [len(x), 1, height, width], align_corners=False))


def rotate(x: Tensor, args: Args, u: Tensor) -> Tensor:
    angle = (2 * u[:, 0] - 1) * math.radians(args["degrees"])
    still = torch.zeros_like(angle)
    return _affine(x, angle, torch.stack((still, still), -1), torch.ones_like(angle), still)


def affine(x: Tensor, args: Args, u: Tensor) -> Tensor:
    low, high = args["scale"] or (1.0, 1.0)
    return _affine(
        x,
        (2 * u[:, 0] - 1) * math.radians(args["degrees"]),
        (2 * u[:, 1:3] - 1) * args["translate"],
        low + u[:, 3] * (high - low),
        (2 * u[:, 4] - 1) * math.radians(args["shear"]),
    )


def blur(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if x.device.type == "cpu":
        return on_the_cpu(arrays.blur, x, args)
    size = args["kernel"]
    return _blurred(x, size, torch.full((len(x),), 0.3 * ((size - 1) * 0.5 - 1) + 0.8, device=x.device))


def gaussian_blur(x: Tensor, args: Args, u: Tensor) -> Tensor:
    low, high = args["sigma"]
    return _blurred(x, args["kernel"], low + u[:, 0] * (high - low))


def _blurred(x: Tensor, size: int, sigma: Tensor) -> Tensor:
    """A Gaussian of `sigma` pixels a record, cut to `size`: rows, then columns, each record in groups of its own."""
    steps = torch.arange(size, device=x.device, dtype=torch.float32) - (size - 1) / 2
    weights = torch.exp(-0.5 * (steps / sigma[:, None]) ** 2)
    weights = weights / weights.sum(1, keepdim=True)
    image = _with_channels(x).to(torch.float32)
    records, channels, height, width = image.shape
    weights = weights.repeat_interleave(channels, 0)
    image = F.pad(image, (size // 2,) * 4, mode="reflect" if min(height, width) > size // 2 else "replicate")
    image = image.reshape(1, records * channels, *image.shape[2:])
    image = F.conv2d(image, weights[:, None, None, :], groups=records * channels)
    image = F.conv2d(image, weights[:, None, :, None], groups=records * channels)
    return _like(image.reshape(records, channels, height, width), x)


def noise(x: Tensor, args: Args, u: Tensor) -> Tensor:
    x = as_float(x)
    return x + args["std"] * randomness.normal(u, x[0].numel()).reshape(x.shape)


def erase(x: Tensor, args: Args, u: Tensor) -> Tensor:
    """A rectangle of 2 to 33 % of the area, aspect 0.3 to 3.3."""
    height, width = x.shape[-2:]
    area = height * width * (0.02 + u[:, 1] * 0.31)
    ratio = torch.exp(math.log(0.3) + u[:, 2] * (math.log(3.3) - math.log(0.3)))
    down, across = (area * ratio).sqrt().clamp(max=height), (area / ratio).sqrt().clamp(max=width)
    top, left = u[:, 3] * (height - down), u[:, 4] * (width - across)
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    inside_rows = (rows >= top[:, None]) & (rows < (top + down)[:, None])
    inside_columns = (columns >= left[:, None]) & (columns < (left + across)[:, None])
    inside = inside_rows[:, :, None] & inside_columns[:, None, :] & (u[:, 0] < args["p"])[:, None, None]
    return x.masked_fill(inside if _is_mask(x) else inside[:, None], 0)


def _gray(x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return (x * x.new_tensor((0.299, 0.587, 0.114)).reshape(3, 1, 1)).sum(1, keepdim=True)


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    factor = factor.reshape(-1, 1, 1, 1)
    return (x * factor + other * (1 - factor)).clamp(0, 1)


def _factor(u: Tensor, strength: float) -> Tensor:
    return max(0.0, 1 - strength) + u * (1 + strength - max(0.0, 1 - strength))


def color_jitter(x: Tensor, args: Args, u: Tensor) -> Tensor:
    x = as_float(x)
    if args["brightness"]:
        x = _blend(x, torch.zeros_like(x), _factor(u[:, 0], args["brightness"]))
    if args["contrast"]:
        x = _blend(x, _gray(x).mean((1, 2, 3), keepdim=True), _factor(u[:, 1], args["contrast"]))
    if args["saturation"]:
        x = _blend(x, _gray(x), _factor(u[:, 2], args["saturation"]))
    return x


def rand_augment(x: Tensor, args: Args, u: Tensor) -> Tensor:
    """Each of the `n` rounds applies one of nine operations a record, at strength `magnitude` of 30."""
    kept = x.dtype
    image = as_float(x)
    strength = args["magnitude"] / 30
    for turn in range(args["n"]):
        choice = (u[:, 3 * turn] * 9).floor()
        sign = torch.where(u[:, 3 * turn + 1] < 0.5, -1.0, 1.0) * strength
        still, one = torch.zeros_like(sign), torch.ones_like(sign)
        flat = torch.stack((still, still), -1)
        results = (
            image,
            _affine(image, sign * math.radians(30), flat, one, still),
            _affine(image, still, torch.stack((sign * 0.45, still), -1), one, still),
            _affine(image, still, torch.stack((still, sign * 0.45), -1), one, still),
            _affine(image, still, flat, one, sign * 0.3),
            _blend(image, torch.zeros_like(image), 1 + 0.9 * sign),
            _blend(image, _gray(image).mean((1, 2, 3), keepdim=True), 1 + 0.9 * sign),
            _blend(image, _gray(image), 1 + 0.9 * sign),
            torch.where(image < 1 - strength, image, 1 - image),
        )
        for number, result in enumerate(results):
            image = _where(choice == number, result, image) if number else image
    return (image * 255).round().to(torch.uint8) if kept == torch.uint8 else image


def rgb(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return x.expand(-1, 3, -1, -1)


def normalize(x: Tensor, args: Args, u: Tensor) -> Tensor:
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if args["mean"] == "imagenet" else (args["mean"], args["std"])
    x = as_float(x)
    return (x - _by_channel(mean, x)) / _by_channel(std, x)


def _by_channel(values: float | tuple[float, ...], x: Tensor) -> Tensor:
    tensor = torch.tensor(values, dtype=x.dtype, device=x.device)
    return tensor.reshape(-1, 1, 1) if tensor.dim() and x.dim() == 4 else tensor
