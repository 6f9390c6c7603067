"""Batches of images as PNG files: a grid, written with the standard library."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..writing import RESUME, write_bytes, writing

MOST = 64  # images in a grid
LEAST_PIXELS = 512  # a grid of small images is enlarged to about this width


def write_grid(path: Path, images: NDArray[Any]) -> None:
    """Writes [B, H, W] or [B, channels, H, W] (one channel or three) as a grid, row by row.

    Bytes are taken as they are. Other numbers in 0..1 or -1..1 are spread over black to white; anything else is spread
    from the least to the largest value of the batch.
    """
    picture = png(grid(as_bytes(images[:MOST])))
    with writing(path, RESUME):
        path.parent.mkdir(exist_ok=True)
        write_bytes(path, picture)


def as_bytes(images: NDArray[Any]) -> NDArray[np.uint8]:
    """u8[B, H, W, channels]."""
    if images.ndim == 3:
        images = images[:, None]
    images = images.transpose(0, 2, 3, 1)
    if images.dtype == np.uint8:
        return images
    values = np.nan_to_num(images.astype(np.float32))
    low, high = float(values.min(initial=0)), float(values.max(initial=0))
    if low >= -1 and high <= 1 and images.dtype.kind == "f":
        low, high = (0.0, 1.0) if low >= 0 else (-1.0, 1.0)
    return np.rint((values - low) * (255 / max(high - low, 1e-12))).astype(np.uint8)


def grid(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One image u8[H, W, channels] of many, with a line of grey between them."""
    count, height, width, channels = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    scale = max(1, round(LEAST_PIXELS / (columns * (width + 1))))
    picture = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, channels), 128, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        picture[top : top + height, left : left + width] = image
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def png(picture: NDArray[np.uint8]) -> bytes:
    """u8[H, W, 1 or 3] as a PNG file (ISO/IEC 15948): 8 bits a channel, grey or RGB, no filter."""
    height, width, channels = picture.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, width * channels)], axis=1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if channels == 3 else 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
