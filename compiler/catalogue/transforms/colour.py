"""Transforms of the colours of an image: each pixel by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.data import ItemType
from ..arguments import Count, Factors, NotNegative, Positive, Share
from .base import Transform, Undo, Unsuited, as_float, as_image, with_shape

HALF_TURN = "`hue` is a part of the circle of colours, at most 0.5"

#: Dtypes of a brightness; None where the data determines it.
BRIGHTNESS = (None, "u8", "f16", "bf16", "f32", "f64")


class _Colour(Transform):
    """Base: an image `[channels, height, width]`."""

    takes = "image"
    masks = False
    in_graph = False
    example_source = 'image_folder("images")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = as_image(item, masks=cls.masks)
        if item.dtype not in BRIGHTNESS:
            raise Unsuited("an image of bytes or floats")
        return as_float(item) if cls.to_float else item

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class ColorJitter(_Colour):
    """Changes brightness, contrast and saturation by up to these fractions, and turns the hue by up to `hue` of the circle of
    colours (0.5 is the opposite colour). Together they are one linear map of the colours of a pixel; its result is cut to 0 .. 1
    once, at the end."""

    brightness: NotNegative = 0.0
    contrast: NotNegative = 0.0
    saturation: NotNegative = 0.0
    hue: NotNegative = 0.0

    random = True
    to_float = True
    drawn = 4
    evaluation = ("to_float",)
    in_graph = True
    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1)\n"
        "  -> if training { color_jitter(brightness = 0.4, contrast = 0.4) }"
    )

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return HALF_TURN if args["hue"] > 0.5 else None


class Hue(_Colour):
    """Turns the hue by a random part of the circle of colours, up to `hue` (0.5 is the opposite colour), at the same brightness:
    a rotation of the colour plane of YIQ."""

    hue: NotNegative

    random = True
    to_float = True
    drawn = 1
    evaluation = ("to_float",)
    in_graph = True
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { hue(0.1) }"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return HALF_TURN if args["hue"] > 0.5 else None


class Grayscale(_Colour):
    """The luminance of each pixel, in three equal channels or in one. Now and then, in training: `apply(0.2, grayscale)`."""

    channels: Count = 3

    example = 'image: f32[3, 64, 64] = source.image -> center_crop(64) -> grayscale -> normalize("imagenet")'

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return None if args["channels"] in (1, 3) else "`channels` must be 1 or 3"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = super().infer(item, args)
        if item.shape is None:
            return item
        if item.shape[0] not in (1, 3, None):
            raise Unsuited("an image of one or three channels")
        return with_shape(item, (args["channels"], *item.shape[1:]))


class Gamma(_Colour):
    """The power `gamma` of each value in 0 .. 1 (of bytes: of value / 255): above 1 darker, below 1 brighter."""

    gamma: Positive

    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> gamma(2.2) -> scale(1 / 255)"


class RandomGamma(_Colour):
    """`gamma` with a power drawn between two; as likely below 1 as above where these are reciprocal."""

    gamma: Factors = (0.8, 1.25)

    random = True
    drawn = 1
    evaluation = ()
    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { random_gamma((0.7, 1.4)) }\n"
        "  -> scale(1 / 255)"
    )


class Solarize(_Colour):
    """Inverts the values from `threshold` on, which is a part of the largest: 255 of bytes, else 1."""

    threshold: Share = 0.5

    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { apply(0.2, solarize(0.6)) }\n"
        "  -> scale(1 / 255)"
    )


class Posterize(_Colour):
    """Keeps the `bits` highest bits of a value of eight bits (of one in 0 .. 1: of its nearest of 256 steps)."""

    bits: Count

    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { apply(0.2, posterize(4)) }\n"
        "  -> scale(1 / 255)"
    )

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return None if args["bits"] <= 8 else "`bits` must be at most 8"
