"""Image files to u8 arrays, by Pillow.

Turned as a viewer shows them (EXIF orientation). Images become RGB: palettes are looked up, 16-bit values scaled to
8 bits, CMYK converted, transparency left out. A mask is read as the numbers in its file, those of a palette
image or of one bit a pixel included: they are classes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.messages.source import Span
from . import mistakes
from .table import Encoded

if TYPE_CHECKING:
    from PIL.Image import Image

#: What Pillow may read: formats of pixels. Some of its others start a program (Ghostscript) to draw what a file describes.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
Pixels = NDArray[np.uint8]
FEW = 8  # so many files are decoded one after another: threads cost more
LUMINANCE = np.array([0.299, 0.587, 0.114])  # of red, green and blue, ITU-R BT.601


def images(paths: Sequence[Path | Encoded], gray: bool, span: Span, workers: int | None = None) -> list[Pixels]:
    """Each file as u8 [3, height, width], or as a mask [height, width] when `gray`; decoded by `workers` threads (None:
    one a core, eight at most; 0: by the calling thread)."""
    load_formats(span)
    count = threads(workers)
    if len(paths) < FEW or count < 2:
        return [image(path, gray, span) for path in paths]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda path: image(path, gray, span), paths))


def threads(workers: int | None) -> int:
    """How many threads prepare images: `workers`, or one a core."""
    return min(8, os.cpu_count() or 1) if workers is None else workers


def load_formats(span: Span) -> None:
    """Pillow loads its rarer formats when it meets the first file of one, which must not happen in two threads at once."""
    try:
        from PIL import Image
    except ImportError:
        raise mistakes.extra_missing(span, "reading images", "images", "pillow") from None
    Image.init()


def image(path: Path | Encoded, gray: bool, span: Span) -> Pixels:
    """One file as u8 [3, height, width], or as a mask [height, width] when `gray`."""
    load_formats(span)
    found = _read(path, span, _mask if gray else _colours)
    return found if gray else found.transpose(2, 0, 1)


def picture(path: Path | Encoded, span: Span) -> Image | Pixels:
    """One file of colours as Pillow has it, where that is in RGB, else as `image` gives it: to resample it without a copy."""
    return _read(path, span, lambda opened: opened if opened.mode == "RGB" else _colours(opened).transpose(2, 0, 1))


def _read(path: Path | Encoded, span: Span, pixels: Callable[[Image], Any]) -> Any:
    from PIL import Image, ImageOps

    if isinstance(path, Path) and not path.is_file():
        raise mistakes.missing(span, path)
    if not (path.stat().st_size if isinstance(path, Path) else path.content):
        raise mistakes.not_an_image(span, path, "the file is empty")
    try:
        with Image.open(path if isinstance(path, Path) else BytesIO(path.content), formats=FORMATS) as opened:
            opened.load()
            ImageOps.exif_transpose(opened, in_place=True)
            return pixels(opened)
    except Image.UnidentifiedImageError:
        raise mistakes.not_an_image(span, path, "its format is not known") from None
    except Exception as error:  # noqa: BLE001 - a damaged file raises anything
        raise mistakes.not_an_image(span, path, mistakes.first_line(error)) from None


def _colours(opened: Image) -> Pixels:
    """[height, width, 3]."""
    if opened.mode == "RGB":
        return np.array(opened)
    if opened.mode.startswith("I"):  # Pillow's own conversion cuts at 255
        eight = _scaled(np.asarray(opened))
        return np.repeat(eight[..., None], 3, axis=2)
    if opened.mode == "F":
        raise ValueError("it has floating point values")
    # a palette with transparent colours goes by RGBA: Pillow warns otherwise
    through = opened.convert("RGBA") if opened.mode in ("P", "PA") and "transparency" in opened.info else opened
    return np.array(through.convert("RGB"))


def _scaled(values: NDArray[Any]) -> Pixels:
    """16-bit values in 8 bits: 65535 becomes 255."""
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its values exceed 16 bits")
    return np.round(values / 257).astype(np.uint8)


def _mask(opened: Image) -> Pixels:
    """[height, width]: the file's numbers; of colours that are all gray their value, of others the luminance."""
    if opened.mode in ("L", "P"):
        return np.array(opened)
    if opened.mode == "1":
        return np.array(opened).astype(np.uint8)
    if opened.mode == "LA":
        return np.array(opened.getchannel("L"))
    if opened.mode.startswith("I"):
        values = np.asarray(opened)
        if values.min() < 0 or values.max() > 255:
            raise ValueError(f"a mask has numbers from 0 to 255, this one has {values.max()}")
        return values.astype(np.uint8)
    colours = _colours(opened)
    if (colours[..., :1] == colours).all():
        return colours[..., 0].copy()
    return (colours @ LUMINANCE).round().astype(np.uint8)
