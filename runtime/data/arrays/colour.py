"""Transforms of colours on batches `[n, channels, height, width]`, and the maps and tables that they are: a map of the colours of a
pixel is the same for all pixels of an image, whatever its parameters, and of bytes each value has one result.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .notation import as_float

Args: TypeAlias = Mapping[str, Any]
Array: TypeAlias = "NDArray[Any]"

LUMINANCE = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601
#: The same in 16 bits, as Pillow has it.
WHOLE_LUMINANCE = (19595, 38470, 7471)
YIQ = np.array([LUMINANCE, (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112)])


# ---- linear maps ----------------------------------------------------------------------------------------------------------------


def color_jitter(x: Array, args: Args, u: Array) -> Array:
    x = np.ascontiguousarray(x)  # once a plane a colour: a decoded image has them pixel by pixel
    matrix, shift = jitter(x.shape[1], mean(x) if args["contrast"] else None, args, u)
    return mapped(x, matrix, shift)


def hue(x: Array, args: Args, u: Array) -> Array:
    return color_jitter(x, alone(args), hue_last(u))


def alone(args: Args) -> Args:
    """`hue` as the arguments of `color_jitter`."""
    return {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": args["hue"]}


def hue_last(u: Array) -> Array:
    return np.concatenate((np.zeros((len(u), 3), u.dtype), u), 1)


def jitter(channels: int, gray: Array | None, args: Args, u: Array) -> tuple[Array, Array]:
    """What `color_jitter` draws: a matrix [n, channels, channels] and what is added [n], in f64. `gray` is the mean luminance of each
    image, where contrast is drawn.

    Brightness multiplies, contrast moves from the mean gray, saturation from the gray of the pixel, and hue turns about gray.
    """
    u = u.astype(np.float64)
    found = np.tile(np.eye(channels), (len(u), 1, 1))
    brightness, contrast, saturation = (_factor(u[:, i], args[name]) for i, name in enumerate(_FACTORS))
    if args["saturation"]:
        found = saturation[:, None, None] * found + ((1 - saturation)[:, None] * _luminance(channels))[:, None, :]
    if args["hue"] and channels == 3:
        found = _turn((2 * u[:, 3] - 1) * args["hue"]) @ found
    shift = np.zeros(len(u)) if gray is None else (1 - contrast) * brightness * gray
    return found * (brightness * contrast)[:, None, None], shift


_FACTORS = ("brightness", "contrast", "saturation")


def _factor(u: Array, strength: float) -> Array:
    low = max(0.0, 1 - strength)
    return low + u * (1 + strength - low)


def _turn(part: Array) -> Array:
    """Matrices that turn the plane of colours by a part of the circle."""
    cosine, sine = np.cos(2 * np.pi * part), np.sin(2 * np.pi * part)
    found = np.tile(np.eye(3), (len(part), 1, 1))
    found[:, 1, 1], found[:, 1, 2], found[:, 2, 1], found[:, 2, 2] = cosine, -sine, sine, cosine
    return np.linalg.inv(YIQ) @ found @ YIQ


def _luminance(channels: int) -> Array:
    return np.array(LUMINANCE) if channels == 3 else np.full(channels, 1 / channels)


def mean(x: Array) -> Array:
    """The mean luminance of each image in 0 .. 1, exact for bytes."""
    planes = x.reshape(*x.shape[:2], -1)
    if x.dtype == np.uint8:
        fits = planes.shape[-1] < 1 << 24
        sums = planes.sum(-1, dtype=np.uint32 if fits else np.uint64) / 255
    else:
        sums = planes.sum(-1, dtype=np.float64)
    return (sums / (x.shape[2] * x.shape[3]) * _luminance(x.shape[1])).sum(1)


def mapped(x: Array, matrix: Array, shift: Array) -> Array:
    """A linear map of the colours of each pixel, in f32 and cut to 0 .. 1. Bytes are read as value / 255 by the matrix itself."""
    factors, shifts = in_floats(matrix, shift, x.dtype == np.uint8)
    x = x.astype(np.float32)
    found, part = np.empty_like(x), np.empty_like(x[:, 0])
    for channel in range(x.shape[1]):
        into = found[:, channel]
        np.multiply(x[:, channel], factors[:, channel, channel], out=into)
        for other in range(x.shape[1]):
            if other != channel and factors[:, channel, other].any():
                np.multiply(x[:, other], factors[:, channel, other], out=part)
                into += part
    if shifts.any():
        found += shifts
    return np.clip(found, 0, 1, out=found)


def in_floats(matrix: Array, shift: Array, of_bytes: bool) -> tuple[Array, Array]:
    """A map in f32, with axes of 1 in the place of pixels."""
    factors = (matrix / 255 if of_bytes else matrix).astype(np.float32)
    return factors[..., None, None], shift.astype(np.float32)[:, None, None, None]


def grayscale(x: Array, args: Args) -> Array:
    if x.shape[1] == 3:
        r, g, b = x[:, 0], x[:, 1], x[:, 2]
        if x.dtype.kind == "f":
            x = (r * x.dtype.type(LUMINANCE[0]) + g * x.dtype.type(LUMINANCE[1]) + b * x.dtype.type(LUMINANCE[2]))[
                :, None
            ]
        else:
            i, j, k = WHOLE_LUMINANCE
            total = r.astype(np.int64) * i + g.astype(np.int64) * j + b.astype(np.int64) * k
            x = ((total + (1 << 15)) >> 16).astype(x.dtype)[:, None]
    return x if x.shape[1] == args["channels"] else np.broadcast_to(x, (len(x), args["channels"], *x.shape[2:]))


# ---- tables -----------------------------------------------------------------------------------------------------------------


def gamma(x: Array, args: Args) -> Array:
    return _power(x, np.full(len(x), args["gamma"]))


def random_gamma(x: Array, args: Args, u: Array) -> Array:
    return _power(x, powers(args, u))


def powers(args: Args, u: Array) -> Array:
    """What `random_gamma` draws: f64 [n]."""
    low, high = np.log(args["gamma"])
    return np.exp(low + u[:, 0].astype(np.float64) * (high - low))


def _power(x: Array, exponents: Array) -> Array:
    if x.dtype == np.uint8:
        return np.stack([power_table(float(e))[image] for image, e in zip(x, exponents, strict=True)])
    x = as_float(x)
    return np.maximum(x, 0) ** exponents.astype(x.dtype).reshape(-1, *(1,) * (x.ndim - 1))


@lru_cache(maxsize=64)
def power_table(exponent: float) -> Array:
    return np.rint(255 * (np.arange(256) / 255) ** exponent).astype(np.uint8)


def solarize(x: Array, args: Args) -> Array:
    if x.dtype == np.uint8:
        return np.where(x >= 255 * args["threshold"], 255 - x, x)
    x = as_float(x)
    return np.where(x >= x.dtype.type(args["threshold"]), 1 - x, x)


def posterize(x: Array, args: Args) -> Array:
    kept = 256 - (1 << (8 - args["bits"]))
    if x.dtype == np.uint8:
        return x & np.uint8(kept)
    x = as_float(x)
    return (np.rint(x * x.dtype.type(255)).astype(np.int64) & kept).astype(x.dtype) / x.dtype.type(255)
