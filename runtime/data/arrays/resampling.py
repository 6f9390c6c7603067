"""A box of each image at another size.

Of bytes, what Pillow computes to the bit: weights that fall linearly from the middle of a pixel to the middle of the next (of the
coarser of both grids) as whole numbers of 22 bits, along rows and then along columns, rounded to bytes in between. Pillow does it
where it is installed, in two calls, since the order of one differs from version to version; elsewhere NumPy with the same whole
numbers. Floats have the same weights in f32. Masks take the nearest pixel.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = "NDArray[Any]"

BITS = 22  # of a weight: 255 of them still fit 32 bits
PLANES = {1: "L", 3: "RGB"}


@cache
def _pillow() -> Any:
    """Pillow's module `Image`; None where it is not installed."""
    try:
        from PIL import Image
    except ImportError:
        return None
    return Image


def whole(count: int, height: int, width: int) -> Array:
    """The boxes (left, top, right, bottom) of whole images."""
    return np.tile(np.array([0, 0, width, height], np.float32), (count, 1))


def resampled(x: Array, boxes: Array, height: int, width: int) -> Array:
    """`boxes` [n, 4] of images [n, channels, ..] (masks [n, ..]) at one size. Other whole numbers than bytes are rounded."""
    if x.ndim == 3:
        rows, columns = nearest(boxes[:, 1], boxes[:, 3], height), nearest(boxes[:, 0], boxes[:, 2], width)
        rows, columns = np.minimum(rows, x.shape[1] - 1), np.minimum(columns, x.shape[2] - 1)
        return x[np.arange(len(x))[:, None, None], rows[:, :, None], columns[:, None, :]]
    if x.dtype == np.uint8 and _pillow() is not None:
        return _packed([_by_pillow(image, box, height, width) for image, box in zip(x, boxes, strict=True)])
    if len(x) and (boxes == boxes[:1]).all():
        return _of_box(x, boxes[0], height, width)
    return _packed([_of_box(x[i : i + 1], box, height, width)[0] for i, box in enumerate(boxes)])


def _packed(found: Sequence[Array]) -> Array:
    return found[0][None] if len(found) == 1 else np.stack(found)


def nearest(low: Array, high: Array, wanted: int) -> Array:
    """The pixels nearest to the middles of `wanted` equal parts from `low` to `high`: [n, wanted]."""
    step = (high.astype(np.float64) - low) / wanted
    return np.floor(low[:, None] + (np.arange(wanted) + 0.5) * step[:, None]).astype(np.int64)


def _by_pillow(x: Array, box: Array, height: int, width: int) -> Array:
    """One image [channels, ..]. Where its colours lie next to each other in memory it is one of Pillow's, else one a channel."""
    if len(x) == 3 and x.strides[0] == 1:
        return np.asarray(picture_resampled(_pillow().fromarray(x.transpose(1, 2, 0)), box, height, width)).transpose(
            2, 0, 1
        )
    return np.stack([
        np.asarray(picture_resampled(_pillow().fromarray(np.ascontiguousarray(plane)), box, height, width)) for plane in x
    ])  # fmt: skip


def picture_resampled(picture: Any, box: Array, height: int, width: int) -> Any:
    """An image of Pillow's, likewise."""
    linear, (left, top, right, bottom) = _pillow().Resampling.BILINEAR, box
    above, below = rows_read(top, bottom, height, picture.height)
    if (above, below) != (0, picture.height):
        picture = picture.crop((0, above, picture.width, below))
    rows = below - above
    picture = picture.resize((width, rows), linear, box=(float(left), 0, float(right), rows))
    return picture.resize((width, height), linear, box=(0, float(top - above), width, float(bottom - above)))


def rows_read(top: Any, bottom: Any, height: int, rows: int) -> tuple[int, int]:
    """The rows of an image from which the rows of a box are made."""
    reach = max(1.0, float(bottom - top) / height) + 1
    return max(0, math.floor(top - reach)), min(rows, math.ceil(bottom + reach))


def _of_box(x: Array, box: Array, height: int, width: int) -> Array:
    left, top, right, bottom = box
    if x.dtype == np.uint8:
        above, below = rows_read(top, bottom, height, x.shape[-2])
        x = _whole_along(x[..., above:below, :], -1, left, right, width)
        return _whole_along(x, -2, top - np.float32(above), bottom - np.float32(above), height)
    return like(_along(_along(x, -2, top, bottom, height), -1, left, right, width), x)


def like(result: Array, x: Array) -> Array:
    """The result in the dtype of `x`, rounded where that has whole numbers."""
    if x.dtype.kind != "f":
        result = np.rint(result)
        if x.dtype == np.uint8:
            result = result.clip(0, 255)
    return result.astype(x.dtype)


def _along(x: Array, axis: int, low: Any, high: Any, wanted: int) -> Array:
    """One axis at another size, in f32."""
    if (low, high) == (0, x.shape[axis]) and wanted == x.shape[axis]:
        return x.astype(np.float32)
    places, weights = taps(x.shape[axis], low, high, wanted)
    weights = weights.astype(np.float32)
    found = _weighted(x, axis, places[0], weights[0], np.float32)
    for at, weight in zip(places[1:], weights[1:], strict=True):
        found += _weighted(x, axis, at, weight, np.float32)
    return found


def _whole_along(x: Array, axis: int, low: Any, high: Any, wanted: int) -> Array:
    """One axis of bytes at another size."""
    if (low, high) == (0, x.shape[axis]) and wanted == x.shape[axis]:
        return x
    places, weights = taps(x.shape[axis], low, high, wanted)
    found: Array = np.int32(1 << (BITS - 1))  # type: ignore[assignment]
    for at, weight in zip(places, whole_weights(weights), strict=True):
        found = found + _weighted(x, axis, at, weight, np.int32)
    return np.clip(found >> BITS, 0, 255).astype(np.uint8)


def whole_weights(weights: Array) -> Array:
    return np.floor(weights * (1 << BITS) + 0.5).astype(np.int32)


def _weighted(x: Array, axis: int, places: Array, weights: Array, dtype: Any) -> Array:
    part = x.take(places, axis).astype(dtype)
    part *= weights[:, None] if axis == -2 else weights
    return part


def taps(size: int, low: Any, high: Any, wanted: int) -> tuple[Array, Array]:
    """For each of `wanted` equal parts of an axis from `low` to `high` (f32) the pixels that it is made from, and their weights:
    both [taps, wanted]."""
    step = float(np.float32(high) - np.float32(low)) / wanted
    reach = max(step, 1.0)
    middle = float(low) + (np.arange(wanted) + 0.5) * step
    first = np.maximum(np.trunc(middle - reach + 0.5), 0)
    last = np.minimum(np.trunc(middle + reach + 0.5), size)
    places = first + np.arange(max(1, int((last - first).max())))[:, None]
    weights = np.maximum(1 - np.abs((places - middle + 0.5) * (1 / reach)), 0) * (places < last)
    return np.minimum(places, size - 1).astype(np.int64), weights / weights.sum(0)
