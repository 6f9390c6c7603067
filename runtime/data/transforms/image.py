"""Image transforms on whole batches, `[n, channels, height, width]` (masks `[n, height, width]`), on any device.

A random transform takes `u`, uniform numbers in [0, 1) of shape `[n, drawn]` (or the records' keys, if its entry draws 0),
so that it is a pure function of them. Others get an empty `u`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ....compiler.catalogue.transforms.image import IMAGENET_MEAN, IMAGENET_STD
from ... import randomness
from .. import values
from ..arrays import image as arrays
from ..arrays import resampling
from ..arrays.colour import LUMINANCE
from ..arrays.resampling import BITS, nearest, rows_read, taps, whole, whole_weights
from ..values import as_float, on_the_cpu

Args: TypeAlias = Mapping[str, Any]
Array: TypeAlias = "NDArray[Any]"


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
    if x.shape[-2:] == (height, width):
        return x
    return _resampled(x, whole(len(x), *x.shape[-2:]), height, width)


def _resampled(x: Tensor, boxes: Array, height: int, width: int) -> Tensor:
    """A box (left, top, right, bottom) of each image at one size: on the CPU by `arrays.resampling`, elsewhere in its arithmetic."""
    if values.on_host(x):
        return on_the_cpu(resampling.resampled, x, boxes, height, width)
    return resampled_on_device(x, boxes, height, width)


def resampled_on_device(x: Tensor, boxes: Array, height: int, width: int) -> Tensor:
    """Rows first of bytes, as Pillow; columns first of floats."""
    if _is_mask(x):
        rows, columns = (
            torch.from_numpy(nearest(boxes[:, low], boxes[:, low + 2], wanted).clip(max=size - 1)).to(x.device)
            for low, wanted, size in ((1, height, x.shape[1]), (0, width, x.shape[2]))
        )
        index = torch.arange(len(x), device=x.device)
        return x[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    for axis, low, wanted in (
        ((3, 0, width), (2, 1, height)) if x.dtype == torch.uint8 else ((2, 1, height), (3, 0, width))
    ):
        x = _along(x, axis, boxes[:, low], boxes[:, low + 2], wanted)
    return x


def _along(x: Tensor, axis: int, low: Array, high: Array, wanted: int) -> Tensor:
    each = [_taps(x, axis, one, other, wanted) for one, other in zip(low, high, strict=True)]
    most = max(len(places) for places, _ in each)
    places, weights = np.zeros((2, len(each), most, wanted))
    for i, (at, weight) in enumerate(each):
        places[i, : len(at)], weights[i, : len(at)] = at, weight
    whole_numbers = x.dtype == torch.uint8
    sizes = [len(each), most, 1, 1, 1]
    sizes[axis + 1] = wanted
    index = torch.from_numpy(places.astype(np.int64)).to(x.device).reshape(sizes)
    given = whole_weights(weights) if whole_numbers else weights.astype(np.float32)
    factors = torch.from_numpy(given).to(x.device).reshape(sizes)
    shape = list(x.shape)
    shape[axis] = wanted
    found = torch.full(shape, 1 << (BITS - 1), dtype=torch.int32, device=x.device) if whole_numbers else None
    for tap in range(most):
        part = x.gather(axis, index[:, tap].expand(shape)).to(factors.dtype) * factors[:, tap]
        found = part if found is None else found + part
    assert found is not None
    if whole_numbers:
        return (found >> BITS).clamp(0, 255).to(torch.uint8)
    return found.to(x.dtype) if x.is_floating_point() else found.round().to(x.dtype)


def _taps(x: Tensor, axis: int, low: Any, high: Any, wanted: int) -> tuple[Array, Array]:
    if x.dtype != torch.uint8 or axis == 3:
        return taps(x.shape[axis], low, high, wanted)
    above, below = rows_read(low, high, wanted, x.shape[2])
    places, weights = taps(below - above, low - np.float32(above), high - np.float32(above), wanted)
    return places + above, weights


def resize(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return _scaled(x, *arrays.resized(x.shape[-2:], args))


def letterbox(x: Tensor, args: Args, u: Tensor) -> Tensor:
    (high, wide), (down, across) = arrays.letterboxed(x.shape[-2:], args)
    top, left = (down - high) // 2, (across - wide) // 2
    around = (left, across - wide - left, top, down - high - top)
    return F.pad(_scaled(x, high, wide), around, value=arrays.filled(x, args, args["fill"]))


def _padded(x: Tensor, n: int, value: float) -> Tensor:
    """With `value` around, where it is smaller than n x n."""
    down, across = max(0, n - x.shape[-2]), max(0, n - x.shape[-1])
    if not down and not across:
        return x
    return F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2), value=value)


def center_crop(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n = args["n"]
    x = _padded(x, n, arrays.filled(x, args))
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
    x = _padded(x, n, arrays.filled(x, args))
    return _windows(x, _place(u[:, 0], x.shape[-2] - n), _place(u[:, 1], x.shape[-1] - n), n, n)


def shift(x: Tensor, args: Args, u: Tensor) -> Tensor:
    n = args["n"]
    height, width = x.shape[-2:]
    around = F.pad(x, (n, n, n, n), value=arrays.filled(x, args))
    return _windows(around, _place(u[:, 0], 2 * n), _place(u[:, 1], 2 * n), height, width)


def random_resized_crop(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return _resampled(x, arrays.crops(x.shape[-2:], args, u.cpu().numpy()), args["n"], args["n"])


def _sampled(x: Tensor, grid: Tensor, fill: float = 0) -> Tensor:
    mode = "nearest" if _is_mask(x) else "bilinear"
    image = _with_channels(x).to(torch.float32) - fill
    return _like(F.grid_sample(image, grid, mode=mode, padding_mode="zeros", align_corners=False) + fill, x)


def _where(chosen: Tensor, a: Tensor, b: Tensor) -> Tensor:
    return torch.where(chosen.reshape(-1, *(1,) * (b.dim() - 1)), a, b)


def hflip(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return _where(u[:, 0] < args["p"], x.flip(-1), x)


def vflip(x: Tensor, args: Args, u: Tensor) -> Tensor:
    return _where(u[:, 0] < args["p"], x.flip(-2), x)


def _affine(x: Tensor, angle: Tensor, move: Tensor, scale: Tensor, shear: Tensor, fill: float = 0) -> Tensor:
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
    return _sampled(x, F.affine_grid(theta, [len(x), 1, height, width], align_corners=False), fill)


def rotate(x: Tensor, args: Args, u: Tensor) -> Tensor:
    angle = (2 * u[:, 0] - 1) * math.radians(args["degrees"])
    still = torch.zeros_like(angle)
    return _affine(x, angle, torch.stack((still, still), -1), torch.ones_like(angle), still, arrays.filled(x, args))


def affine(x: Tensor, args: Args, u: Tensor) -> Tensor:
    low, high = args["scale"] or (1.0, 1.0)
    return _affine(
        x,
        (2 * u[:, 0] - 1) * math.radians(args["degrees"]),
        (2 * u[:, 1:3] - 1) * args["translate"],
        low + u[:, 3] * (high - low),
        (2 * u[:, 4] - 1) * math.radians(args["shear"]),
        arrays.filled(x, args),
    )


def perspective(x: Tensor, args: Args, u: Tensor) -> Tensor:
    """The corners of a square of -1 .. 1 move inwards; each output pixel comes from where the inverse map leads."""
    moved = u.reshape(-1, 4, 2).to(torch.float64) * args["distortion"]
    corners = torch.tensor([[-1.0, -1], [1, -1], [1, 1], [-1, 1]], dtype=torch.float64, device=x.device)
    seen = corners * (1 - moved)
    rows: list[Tensor] = []
    for i in range(4):
        (a, b), (p, q) = corners[i], (seen[:, i, 0], seen[:, i, 1])
        none, one = torch.zeros_like(p), torch.ones_like(p)
        rows.append(torch.stack((p, q, one, none, none, none, -a * p, -a * q), -1))
        rows.append(torch.stack((none, none, none, p, q, one, -b * p, -b * q), -1))
    wanted = corners.reshape(1, 8, 1).expand(len(x), 8, 1)
    solved = torch.linalg.solve(torch.stack(rows, 1), wanted)[:, :, 0]
    matrix = torch.cat((solved, torch.ones_like(solved[:, :1])), 1).reshape(-1, 3, 3).to(torch.float32)
    columns, lines = _middles(x)
    at = [
        row[:, :1, None] * columns + row[:, 1:2, None] * lines[:, None] + row[:, 2:, None] for row in matrix.unbind(1)
    ]
    return _sampled(x, torch.stack((at[0] / at[2], at[1] / at[2]), -1), arrays.filled(x, args))


def elastic(x: Tensor, args: Args, u: Tensor) -> Tensor:
    grid, (height, width) = args["grid"], x.shape[-2:]
    moves = randomness.normal(u, 2 * grid * grid).reshape(-1, 2, grid, grid) * args["std"]
    moves = F.interpolate(moves, (height, width), mode="bicubic", align_corners=True)
    columns, lines = _middles(x)
    across, down = columns + moves[:, 0] * (2 / width), lines[:, None] + moves[:, 1] * (2 / height)
    return _sampled(x, torch.stack((across, down), -1), arrays.filled(x, args))


def _middles(x: Tensor) -> tuple[Tensor, Tensor]:
    """Where the middles of pixels are from -1 to 1: of columns, of rows."""
    middles = lambda n: (torch.arange(n, device=x.device, dtype=torch.float32) + 0.5) * (2 / n) - 1
    return middles(x.shape[-1]), middles(x.shape[-2])


def blur(x: Tensor, args: Args, u: Tensor) -> Tensor:
    if values.on_host(x):
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
    return x.masked_fill(inside if _is_mask(x) else inside[:, None], arrays.filled(x, args))


def _gray(x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    return (x * x.new_tensor(LUMINANCE).reshape(3, 1, 1)).sum(1, keepdim=True)


def _blend(x: Tensor, other: Tensor, factor: Tensor) -> Tensor:
    factor = factor.reshape(-1, 1, 1, 1)
    return (x * factor + other * (1 - factor)).clamp(0, 1)


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
