"""Image transforms that mean something outside training, on batches `[n, channels, height, width]` (masks `[n, height, width]`).

Sums are made in one order, so that a result is the same wherever and in whatever batch it is computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue.transforms.image import IMAGENET_MEAN, IMAGENET_STD
from .notation import as_float

Args: TypeAlias = Mapping[str, Any]
Array: TypeAlias = "NDArray[Any]"


def _is_mask(x: Array) -> bool:
    return x.ndim == 3


def like(result: Array, x: Array) -> Array:
    """The result in the dtype of `x`, rounded where that has whole numbers."""
    if x.dtype.kind != "f":
        result = np.rint(result)
        if x.dtype == np.uint8:
            result = result.clip(0, 255)
    return result.astype(x.dtype)


# ---- sizes ------------------------------------------------------------------------------------------------------------------


def scaled(x: Array, height: int, width: int) -> Array:
    """At another size: masks by the nearest pixel, images linearly, each pixel of a smaller one the mean of those it covers."""
    if x.shape[-2:] == (height, width):
        return x
    if _is_mask(x):
        return x[:, _nearest(x.shape[1], height)[:, None], _nearest(x.shape[2], width)]
    return like(_along(_along(x, -2, height), -1, width), x)


def _nearest(size: int, wanted: int) -> Array:
    return np.minimum(np.floor((np.arange(wanted) + 0.5) * (size / wanted)).astype(np.int64), size - 1)


def _along(x: Array, axis: int, wanted: int) -> Array:
    """One axis at another size, in f32."""
    size = x.shape[axis]
    if size == wanted:
        return x.astype(np.float32)
    found: Array | None = None
    for places, weights in zip(*_taps(size, wanted), strict=True):
        part = x.take(places, axis).astype(np.float32)
        part *= weights[:, None] if axis == -2 else weights
        if found is None:
            found = part
        else:
            found += part
    assert found is not None
    return found


def _taps(size: int, wanted: int) -> tuple[Array, Array]:
    """For each pixel of an axis the pixels that it is made from, and their weights: both [taps, wanted]. Their weights fall from
    its middle linearly to 0, at the distance of a pixel of the coarser of both grids."""
    step = size / wanted
    reach = max(step, 1.0)
    middle = (np.arange(wanted) + 0.5) * step
    first = np.maximum(np.floor(middle - reach + 0.5), 0)
    last = np.minimum(np.floor(middle + reach + 0.5), size)
    places = first + np.arange(int((last - first).max()))[:, None]
    weights = np.maximum(1 - np.abs((places - middle + 0.5) / reach), 0) * (places < last)
    weights = (weights / weights.sum(0)).astype(np.float32)
    return np.minimum(places, size - 1).astype(np.int64), weights


def resize(x: Array, args: Args) -> Array:
    n, (height, width) = args["n"], x.shape[-2:]
    if height <= width:
        return scaled(x, n, int(n * width / height))
    return scaled(x, int(n * height / width), n)


def center_crop(x: Array, args: Args) -> Array:
    n = args["n"]
    down, across = max(0, n - x.shape[-2]), max(0, n - x.shape[-1])
    if down or across:
        around = (down // 2, down - down // 2), (across // 2, across - across // 2)
        x = np.pad(x, (*((0, 0),) * (x.ndim - 2), *around))
    top, left = round((x.shape[-2] - n) / 2), round((x.shape[-1] - n) / 2)
    return x[..., top : top + n, left : left + n]


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
    return np.broadcast_to(x, (len(x), 3, *x.shape[2:]))


def normalize(x: Array, args: Args) -> Array:
    mean, std = (IMAGENET_MEAN, IMAGENET_STD) if args["mean"] == "imagenet" else (args["mean"], args["std"])
    x = as_float(x)
    return (x - _by_channel(mean, x)) / _by_channel(std, x)


def _by_channel(values: float | tuple[float, ...], x: Array) -> Array:
    found = np.asarray(values, x.dtype)
    return found.reshape(-1, 1, 1) if found.ndim and x.ndim == 4 else found
