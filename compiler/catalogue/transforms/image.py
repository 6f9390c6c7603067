"""Transforms of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from ...ir.data import ItemType
from ...sizes.dims import Size
from ..arguments import Channels, Count, Factors, Least2, Natural, NotNegative, Odd, Range, Share
from .base import Transform, Undo, Unsuited, as_float, as_image, as_tensor, with_shape


class _Image(Transform):
    """Base: an image `[channels, height, width]` (or a mask `[height, width]`), whose size may change."""

    takes = "image"
    in_graph = False
    example_source = 'image_folder("images")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = as_image(item, masks=cls.masks)
        if item.shape is not None:
            item = with_shape(item, (*item.shape[:-2], *cls.size(item.shape[-2:], args)))
        return as_float(item) if cls.to_float else item

    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        return size

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class _Filled(_Image):
    """Base: some pixels of the result are not of the image. Those of a mask get the number of its argument `mask_fill`, which is a
    class or what the loss ignores."""

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return None if args["mask_fill"] <= 255 else "`mask_fill` is the value of a pixel of a mask, at most 255"


class _Cropped(_Filled):
    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        return args["n"], args["n"]


class Resize(_Image):
    """Scales the image so that its short side is `n`; `resize(n, width)` gives it the height `n` and this width, whatever its
    ratio. Bytes are resampled linearly as Pillow does, to the bit."""

    n: Count
    width: Count | None = None

    example = "image: f32[3, 64, 64] = source.image -> resize(72) -> center_crop(64) -> scale(1)"

    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        height, width = size
        if args["width"] is not None:
            return args["n"], args["width"]
        return (args["n"], args["n"]) if height is not None and height == width else (None, None)


class Letterbox(_Filled):
    """Scales the image into a square of side `n` (or `n` high and `width` wide) with its ratio kept, and fills the rest with
    `fill` (of a mask with `mask_fill`), half of it on each side."""

    n: Count
    width: Count | None = None
    fill: NotNegative = 0.0
    mask_fill: Natural = 0

    example = "image: f32[3, 64, 64] = source.image -> letterbox(64, fill = 114) -> scale(1 / 255)"

    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        return args["n"], args["n"] if args["width"] is None else args["width"]

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return super().check(args) if args["fill"] <= 255 else "`fill` is the value of a pixel, at most 255"


class CenterCrop(_Cropped):
    """The central square of side `n`; padded with zeros (a mask with `mask_fill`) if the image is smaller."""

    n: Count
    mask_fill: Natural = 0

    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1)"


class RandomCrop(_Cropped):
    """A square of side `n` at a random position; padded with zeros (a mask with `mask_fill`) if the image is smaller."""

    n: Count
    mask_fill: Natural = 0

    random = True
    drawn = 2
    evaluation = ("center_crop",)
    example = "image: f32[3, 64, 64] = source.image -> resize(72) -> random_crop(64) -> scale(1)"


class RandomResizedCrop(_Image):
    """A random part (of area `scale` and aspect `ratio`), scaled to a square of side `n`."""

    n: Count
    scale: Range = (0.08, 1.0)
    ratio: Factors = (0.75, 4 / 3)

    random = True
    drawn = 4
    evaluation = ("resize", "center_crop")
    example = "image: f32[3, 64, 64] = source.image -> random_resized_crop(64, scale = (0.5, 1.0)) -> scale(1)"

    @classmethod
    def size(cls, size: tuple[Size | None, ...], args: dict[str, Any]) -> tuple[Size | None, ...]:
        return args["n"], args["n"]


class Hflip(_Image):
    """Flips left and right with probability `p`."""

    p: Share = 0.5

    random = True
    drawn = 1
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { hflip }"


class Vflip(_Image):
    """Flips top and bottom with probability `p`."""

    p: Share = 0.5

    random = True
    drawn = 1
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { vflip }"


class Shift(_Filled):
    """Shifts by up to `n` random pixels in both directions; zeros (of a mask `mask_fill`) fill the border."""

    n: Count
    mask_fill: Natural = 0

    random = True
    drawn = 2
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { shift(4) } -> scale(1)"


class Rotate(_Filled):
    """Rotates by a random angle of up to `degrees`; zeros (of a mask `mask_fill`) fill the corners."""

    degrees: NotNegative
    mask_fill: Natural = 0

    random = True
    drawn = 1
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { rotate(10) } -> scale(1)"


class Affine(_Filled):
    """Rotates, translates (as a fraction of the size), scales and shears at random; zeros (of a mask `mask_fill`) fill the rest."""

    degrees: NotNegative = 0.0
    translate: Share = 0.0
    scale: Factors | None = None
    shear: NotNegative = 0.0
    mask_fill: Natural = 0

    random = True
    drawn = 5
    evaluation = ()
    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1)\n"
        "  -> if training { affine(degrees = 10, translate = 0.1, scale = (0.9, 1.1)) }"
    )


class Perspective(_Filled):
    """Looks at the image from a random side: each corner moves inwards by up to `distortion` of half the size. Zeros (of
    a mask `mask_fill`) fill what is outside."""

    distortion: Share = 0.5
    mask_fill: Natural = 0

    random = True
    drawn = 8
    evaluation = ()
    example = (
        "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { apply(0.5, perspective(0.3)) }\n"
        "  -> scale(1)"
    )


class Elastic(_Filled):
    """Bends the image: the points of a `grid` of so many places each way move at random, with a standard deviation of `std`
    pixels, and what is between moves smoothly with them (Ronneberger et al., 2015)."""

    std: NotNegative
    grid: Least2 = 4
    mask_fill: Natural = 0

    random = True
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { elastic(2) } -> scale(1)"


class Blur(_Image):
    """Gaussian blur with an odd kernel."""

    kernel: Odd

    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> blur(5)"


class GaussianBlur(_Image):
    """Gaussian blur with a deviation drawn from `sigma` (Chen et al., 2020); `blur(kernel)` has a fixed one, in evaluation too."""

    kernel: Odd
    sigma: Factors = (0.1, 2.0)

    random = True
    drawn = 1
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { gaussian_blur(9) }"


class Noise(_Image):
    """Adds Gaussian noise."""

    std: NotNegative

    random = True
    to_float = True
    evaluation = ("to_float",)
    in_graph = True
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { noise(0.1) }"


class Erase(_Filled):
    """Sets a random rectangle to 0 (of a mask to `mask_fill`) with probability `p`."""

    p: Share = 0.5
    mask_fill: Natural = 0

    random = True
    drawn = 5
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> scale(1) -> if training { erase(0.25) }"


class RandAugment(_Image):
    """`n` random operations of strength `magnitude` (Cubuk et al., 2019)."""

    n: Count = 2
    magnitude: Natural = 9

    random = True
    masks = False
    evaluation = ()
    example = "image: f32[3, 64, 64] = source.image -> center_crop(64) -> if training { rand_augment } -> scale(1)"

    @classmethod
    def numbers_drawn(cls, args: Mapping[str, Any]) -> int:
        return 3 * args["n"]


class Rgb(_Image):
    """Repeats the channel of a gray image three times; an image with three channels is unchanged."""

    masks = False
    in_graph = True
    example = 'image: f32[3, 64, 64] = source.image -> center_crop(64) -> rgb -> normalize("imagenet")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = super().infer(item, args)
        if item.shape is None:
            return item
        if item.shape[0] not in (1, 3, None):
            raise Unsuited("an image of one or three channels")
        return with_shape(item, (3, *item.shape[1:]))


#: Mean and standard deviation of ImageNet's training images by channel, of values in 0 .. 1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Normalize(_Image):
    """(x - mean) / std per channel; u8 is read as value / 255. `normalize("imagenet")` uses ImageNet's statistics."""

    mean: Literal["imagenet"] | Channels
    std: Channels | None = None

    to_float = True
    in_graph = True
    example = 'image: f32[3, 64, 64] = source.image -> center_crop(64) -> normalize("imagenet")'

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        item = as_tensor(item, "an image or numbers")
        if item.shape is not None and (
            lacking := cls.lacks([-1 if not isinstance(n, int) else n for n in item.shape], args)
        ):
            raise Unsuited(lacking)
        return as_float(item)

    @classmethod
    def lacks(cls, shape: Sequence[int], args: Mapping[str, Any]) -> str:
        counts = {len(args[name]) for name in ("mean", "std") if isinstance(args[name], tuple)}
        wanted = 3 if args["mean"] == "imagenet" else max(counts, default=0)
        channels = (shape[0] if len(shape) == 3 else shape[-1]) if shape else 1
        return "" if not wanted or channels in (wanted, -1) else f"{wanted} channels, one a number"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        std: Any = args["std"]
        if std is not None and min(std if isinstance(std, tuple) else (std,)) <= 0:  # pyright: ignore[reportUnknownArgumentType]
            return "`std` divides, so it must be above 0"
        if (args["mean"] == "imagenet") == (std is None):
            return None
        return 'write `"imagenet"`, or a mean and a std'

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        if args["mean"] == "imagenet":
            return None
        std, mean = (_by_channel(args[name], item) for name in ("std", "mean"))
        return (("affine", std, mean),)


def _by_channel(values: Any, item: ItemType) -> Any:
    """One number a channel, so that it broadcasts over an image [channels, height, width]."""
    if isinstance(values, tuple) and item.shape is not None and len(item.shape) == 3:
        return [[[value]] for value in values]  # pyright: ignore[reportUnknownVariableType]
    return values  # pyright: ignore[reportUnknownVariableType]
