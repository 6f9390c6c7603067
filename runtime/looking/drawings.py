"""Drawings inside of a page: bars and lines as SVG, images as PNG in a `data:` URI. Works without Pillow."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .html import escaped

WIDE, HIGH = 240, 56
BINS = 24
BARS = 20
LEAST_SIDE = 64  # pixels on the page; smaller images are enlarged


def histogram(numbers: NDArray[Any]) -> str:
    """How often numbers occur, with the least and the largest."""
    present = numbers[np.isfinite(numbers)].astype(np.float64)
    if not len(present):
        return ""
    low, high = float(present.min()), float(present.max())
    counts, _ = np.histogram(present, BINS, (low, high if high > low else low + 1))
    top = max(1, int(counts.max()))
    step = WIDE / BINS
    bars = "".join(
        f'<rect x="{i * step:.1f}" y="{HIGH - HIGH * count / top:.1f}" width="{step - 1:.1f}" height="{HIGH * count / top:.1f}"/>'
        for i, count in enumerate(counts.tolist())
    )
    ends = f'<div class="ends"><span>{low:.6g}</span><span>{high:.6g}</span></div>'
    return f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="histogram">{bars}</svg>{ends}'


def bars(counts: Mapping[str, int]) -> str:
    """Names with how often each occurs; the most frequent where they are many."""
    shown = sorted(counts.items(), key=lambda item: -item[1])[:BARS] if len(counts) > BARS else list(counts.items())
    top = max([count for _, count in shown], default=1) or 1
    rows = "".join(
        f'<tr><td>{escaped(name)}</td><td class="bar"><div style="width:{100 * count / top:.0f}%"></div></td>'
        f"<td>{count:,}</td></tr>"
        for name, count in shown
    )
    rest = f"<p>and {len(counts) - len(shown):,} more</p>" if len(shown) < len(counts) else ""
    return f'<table class="bars">{rows}</table>{rest}'


def line(values: NDArray[Any]) -> str:
    """A series of numbers [n], or several on one scale [n, lines]."""
    array = values.astype(np.float64).reshape(len(values), -1)
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    scale = HIGH / (high - low) if high > low else 0.0
    step = WIDE / max(1, len(array) - 1)
    drawn = "".join(
        f'<polyline class="l{number % 4}" points="'
        + " ".join(f"{i * step:.1f},{HIGH - (value - low) * scale:.1f}" for i, value in enumerate(column))
        + '"/>'
        for number, column in enumerate(array.T[:4].tolist())
    )
    ends = f'<div class="ends"><span>{low:.4g} to {high:.4g}</span><span>{len(array):,} steps</span></div>'
    return f'<svg viewBox="0 0 {WIDE} {HIGH}" role="img" aria-label="series">{drawn}</svg>{ends}'


def picture(array: NDArray[Any], caption: str = "") -> str:
    """An image [channels, height, width] or [height, width]; numbers of other dtypes than u8 are stretched to black and white."""
    pixels = _pixels(array)
    large = max(1, -(-LEAST_SIDE // max(pixels.shape[:2])))
    text = f"<figcaption>{escaped(caption)}</figcaption>" if caption else ""
    uri = base64.b64encode(png(np.repeat(np.repeat(pixels, large, 0), large, 1))).decode()
    return f'<figure><img alt="" src="data:image/png;base64,{uri}">{text}</figure>'


def _pixels(array: NDArray[Any]) -> NDArray[np.uint8]:
    """[height, width, 3]."""
    planes = array if array.ndim == 3 else array[None]
    planes = planes[:3] if len(planes) >= 3 else np.repeat(planes[:1], 3, 0)
    if planes.dtype != np.uint8:
        numbers = planes.astype(np.float64)
        low, high = float(numbers.min()), float(numbers.max())
        planes = ((numbers - low) * (255 / (high - low) if high > low else 0)).round().astype(np.uint8)
    return np.ascontiguousarray(planes.transpose(1, 2, 0))


def png(pixels: NDArray[np.uint8]) -> bytes:
    """A PNG file of colours [height, width, 3]."""
    height, width = pixels.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), pixels.reshape(height, width * 3)], 1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts: Sequence[tuple[bytes, bytes]] = ((b"IHDR", head), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
