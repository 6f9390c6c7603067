"""Image transforms on batches `[n, channels, height, width]` (masks `[n, height, width]`): those that mean something outside
training, and random ones for the CPU, with their numbers `u` of [n, drawn].

Sums are made in one order, so that a result is the same wherever and in whatever batch it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue.transforms.image import IMAGENET_MEAN, IMAGENET_STD
from .notation import as_float
from .resampling import like, picture_resampled, resampled, whole

Args: TypeAlias = Mapping[str, Any]
Array: TypeAlias = "NDArray[Any]"


def is_mask(x: Array) -> bool:
    return x.ndim == 3


# ---- sizes ------------------------------------------------------------------------------------------------------------------


def scaled(x: Array, height: int, width: int) -> Array:
    """Whole images at another size."""
    if x.shape[-2:] == (height, width):
        return x
    return resampled(x, whole(len(x), *x.shape[-2:]), height, width)


def resize(x: Array, args: Args) -> Array:
    return scaled(x, *resized(x.shape[-2:], args))


def picture_resize(picture: Any, args: Args) -> Array:
    height, width = resized((picture.height, picture.width), args)
    return of_picture(picture_resampled(picture, whole(1, picture.height, picture.width)[0], height, width))


def of_picture(picture: Any) -> Array:
    """An image of Pillow's as a batch of one."""
    return np.asarray(picture).transpose(2, 0, 1)[None]


def resized(size: Sequence[int], args: Args) -> tuple[int, int]:
    """The height and width that `resize` gives."""
    height, width = size
    n = args["n"]
    if args.get("width") is not None:
        return n, args["width"]
    return (n, int(n * width / height)) if height <= width else (int(n * height / width), n)


def letterbox(x: Array, args: Args) -> Array:
    (high, wide), (down, across) = letterboxed(x.shape[-2:], args)
    x = scaled(x, high, wide)
    top, left = (down - high) // 2, (across - wide) // 2
    found = np.full((*x.shape[:-2], down, across), filled(x, args, args["fill"]), x.dtype)
    found[..., top : top + high, left : left + wide] = x
    return found


def letterboxed(size: Sequence[int], args: Args) -> tuple[tuple[int, int], tuple[int, int]]:
    """The size of the image in its frame, and that of the frame."""
    height, width = size
    down, across = args["n"], args["n"] if args["width"] is None else args["width"]
    if height * across <= width * down:  # it is as wide as the frame
        return (max(1, round(height * across / width)), across), (down, across)
    return (down, max(1, round(width * down / height))), (down, across)


def filled(x: Any, args: Args, image: float = 0) -> float:
    """What pixels get that are not of an image: of a mask a class, or what the loss ignores."""
    return args.get("mask_fill", 0) if x.ndim == 3 else image


def padded(x: Array, n: int, value: float) -> Array:
    """With `value` around, where it is smaller than n x n."""
    down, across = max(0, n - x.shape[-2]), max(0, n - x.shape[-1])
    if not down and not across:
        return x
    around = (down // 2, down - down // 2), (across // 2, across - across // 2)
    return np.pad(x, (*((0, 0),) * (x.ndim - 2), *around), constant_values=value)


def center_crop(x: Array, args: Args) -> Array:
    n = args["n"]
    x = padded(x, n, filled(x, args))
    top, left = round((x.shape[-2] - n) / 2), round((x.shape[-1] - n) / 2)
    return x[..., top : top + n, left : left + n]


# ---- drawn ------------------------------------------------------------------------------------------------------------------


def place(u: Array, room: int) -> Array:
    """A whole number from 0 to `room`."""
    return np.minimum(np.floor(u * np.float32(room + 1)), room).astype(np.int64)


def random_crop(x: Array, args: Args, u: Array) -> Array:
    n = args["n"]
    x = padded(x, n, filled(x, args))
    return parts(x, place(u[:, 0], x.shape[-2] - n), place(u[:, 1], x.shape[-1] - n), n, n)


def shift(x: Array, args: Args, u: Array) -> Array:
    n = args["n"]
    around = np.pad(x, (*((0, 0),) * (x.ndim - 2), (n, n), (n, n)), constant_values=filled(x, args))
    return parts(around, place(u[:, 0], 2 * n), place(u[:, 1], 2 * n), *x.shape[-2:])


def parts(x: Array, top: Array, left: Array, n: int, m: int) -> Array:
    """The n x m part of each image that begins at its own `top` and `left`."""
    if len(x) == 1:
        return x[..., top[0] : top[0] + n, left[0] : left[0] + m]
    index, rows, columns = np.arange(len(x)), top[:, None] + np.arange(n), left[:, None] + np.arange(m)
    if is_mask(x):
        return x[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    channels = np.arange(x.shape[1])[None, :, None, None]
    return x[index[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]


def random_resized_crop(x: Array, args: Args, u: Array) -> Array:
    return resampled(x, crops(x.shape[-2:], args, u), args["n"], args["n"])


def picture_random_resized_crop(picture: Any, args: Args, u: Array) -> Array:
    (box,) = crops((picture.height, picture.width), args, u)
    return of_picture(picture_resampled(picture, box, args["n"], args["n"]))


def crops(size: Sequence[int], args: Args, u: Array) -> Array:
    """The boxes (left, top, right, bottom) that `random_resized_crop` draws: f32 [n, 4]."""
    height, width = size
    (low, high), (narrow, wide) = args["scale"], args["ratio"]
    u = u.astype(np.float64)
    area = height * width * (low + u[:, 0] * (high - low))
    ratio = np.exp(math.log(narrow) + u[:, 1] * (math.log(wide) - math.log(narrow)))
    across, down = np.minimum(np.sqrt(area * ratio), width), np.minimum(np.sqrt(area / ratio), height)
    left, top = u[:, 3] * (width - across), u[:, 2] * (height - down)
    found = np.stack((left, top, left + across, top + down), 1).astype(np.float32)
    return np.minimum(found, np.array([width, height, width, height], np.float32))


def hflip(x: Array, args: Args, u: Array) -> Array:
    return _flipped(x, x[..., ::-1], u[:, 0] < np.float32(args["p"]))


def vflip(x: Array, args: Args, u: Array) -> Array:
    return _flipped(x, x[..., ::-1, :], u[:, 0] < np.float32(args["p"]))


def _flipped(x: Array, other: Array, chosen: Array) -> Array:
    if len(x) == 1:  # a view: the next transform reads it once
        return other if chosen[0] else x
    return np.where(chosen.reshape(-1, *(1,) * (x.ndim - 1)), other, x)


# ---- pixels -----------------------------------------------------------------------------------------------------------------


def blur(x: Array, args: Args) -> Array:
    """A Gaussian cut to `kernel` pixels: rows, then columns."""
    size = args["kernel"]
    steps = np.arange(size) - (size - 1) / 2
    weights = np.exp(-0.5 * (steps / (0.3 * ((size - 1) * 0.5 - 1) + 0.8)) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    height, width = x.shape[-2:]
    around = (*((0, 0),) * (x.ndim - 2), *((size // 2,) * 2,) * 2)
    image = np.pad(x.astype(np.float32), around, mode="reflect" if min(height, width) > size // 2 else "edge")
    image = reduce(np.add, (weights[i] * image[..., i : i + width] for i in range(size)))
    return like(reduce(np.add, (weights[i] * image[..., i : i + height, :] for i in range(size))), x)


def rgb(x: Array, args: Args) -> Array:
    return x if x.shape[1] == 3 else np.broadcast_to(x, (len(x), 3, *x.shape[2:]))


def normalize(x: Array, args: Args) -> Array:
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if args["mean"] == "imagenet" else (args["mean"], args["std"])
    x = as_float(x)
    x = x - _by_channel(mean, x)
    x /= _by_channel(std, x)
    return x


def _by_channel(values: float | tuple[float, ...], x: Array) -> Array:
    found = np.asarray(values, x.dtype)
    return found.reshape(-1, 1, 1) if found.ndim and x.ndim == 4 else found
