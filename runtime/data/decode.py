"""Image files to u8 tensors."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...compiler.source import Span
from . import mistakes


def images(paths: Sequence[Path], gray: bool, span: Span) -> list[Tensor]:
    """Each file as u8 [3, height, width], or [height, width] when `gray`."""
    if len(paths) < 8:
        return [image(path, gray, span) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda path: image(path, gray, span), paths))


def image(path: Path, gray: bool, span: Span) -> Tensor:
    """One file as u8 [3, height, width], or [height, width] when `gray`."""
    if not path.is_file():
        raise mistakes.missing_file(span, path)
    try:
        array = _decoded(path, span)
    except (OSError, ValueError, RuntimeError, SyntaxError) as error:
        raise mistakes.not_an_image(span, path, (str(error).splitlines() or ["damaged"])[0]) from None
    if gray:
        return torch.from_numpy(_gray(array))
    if array.ndim == 2 or array.shape[2] == 1:
        array = np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    return torch.from_numpy(np.ascontiguousarray(array[:, :, :3].transpose(2, 0, 1)))


def _gray(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.ndim == 2:
        return array.copy()
    if array.shape[2] == 1 or (array.shape[2] >= 3 and (array[..., :1] == array[..., :3]).all()):
        return array[..., 0].copy()
    return (array[..., :3] @ np.array([0.299, 0.587, 0.114])).round().astype(np.uint8)


def _decoded(path: Path, span: Span) -> np.ndarray[Any, Any]:
    """u8 [height, width] or [height, width, channels]; raises OSError, ValueError or RuntimeError."""
    if path.stat().st_size == 0:
        raise ValueError("the file is empty")
    try:
        from PIL import Image
    except ImportError:
        return _by_kornia(path, span)
    with Image.open(path) as opened:
        # a palette holds class numbers in masks and colours in pictures: masks read the numbers as they are
        picture = (
            opened if opened.mode in ("L", "RGB", "1") else opened.convert("RGBA" if "A" in opened.mode else "RGB")
        )
        array = np.asarray(picture)
    return array.astype(np.uint8) * 255 if array.dtype == np.bool_ else array[..., :3] if array.ndim == 3 else array


def _by_kornia(path: Path, span: Span) -> np.ndarray[Any, Any]:
    try:
        from kornia_rs.io import read_image
    except ImportError:
        raise mistakes.extra_missing(span, "reading images", "images", "kornia") from None
    try:
        found: Any = read_image(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises bare `Exception`
        raise ValueError(str(error)) from None
    return np.asarray(found)
