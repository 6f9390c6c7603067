"""Image files of every common kind are read as a viewer shows them, masks as the numbers in their file."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.source import Span
from dlc.runtime.data import decode

SPAN = Span("spec.dlspec", 0, 1)
COLOURS = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
GRAY = COLOURS[..., 0]
NUMBERS = (GRAY // 64).astype(np.uint8)  # 0 to 3


def read(file: Path) -> np.ndarray:
    return decode.image(file, False, SPAN).transpose(1, 2, 0)


def mask(file: Path) -> np.ndarray:
    return decode.image(file, True, SPAN)


def palette() -> Image.Image:
    made = Image.fromarray(NUMBERS).convert("P")
    made.putdata(NUMBERS.flatten().tolist())
    made.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
    return made


PALETTE = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_colours(tmp_path: Path, ending: str) -> None:
    Image.fromarray(COLOURS).save(tmp_path / f"a.{ending}", **({"lossless": True} if ending == "webp" else {}))
    np.testing.assert_array_equal(read(tmp_path / f"a.{ending}"), COLOURS)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_palette_is_looked_up_in_pictures_and_kept_in_masks(tmp_path: Path, bits: int) -> None:
    palette().save(tmp_path / "a.png", bits=bits)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), PALETTE[NUMBERS])
    np.testing.assert_array_equal(mask(tmp_path / "a.png"), NUMBERS)


def test_a_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    palette().save(tmp_path / "a.png", transparency=1)
    np.testing.assert_array_equal(read(tmp_path / "a.png"), PALETTE[NUMBERS])
    palette().save(tmp_path / "b.png", transparency=bytes([0, 128, 255, 7]))
    np.testing.assert_array_equal(read(tmp_path / "b.png"), PALETTE[NUMBERS])


def test_sixteen_bits_are_scaled(tmp_path: Path) -> None:
    wide = GRAY.astype(np.uint16) * 257
    Image.fromarray(wide).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), np.repeat(GRAY[..., None], 3, 2))
    with pytest.raises(Failed, match="a mask has numbers from 0 to 255, this one has 6"):
        mask(tmp_path / "a.png")
    Image.fromarray(NUMBERS.astype(np.uint16)).save(tmp_path / "b.png")
    np.testing.assert_array_equal(mask(tmp_path / "b.png"), NUMBERS)


def test_gray_with_transparency(tmp_path: Path) -> None:
    Image.merge("LA", (Image.fromarray(GRAY), Image.fromarray(COLOURS[..., 1]))).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), np.repeat(GRAY[..., None], 3, 2))
    np.testing.assert_array_equal(mask(tmp_path / "a.png"), GRAY)


def test_one_bit(tmp_path: Path) -> None:
    Image.fromarray(GRAY > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png")[..., 1], (GRAY > 100) * 255)
    np.testing.assert_array_equal(mask(tmp_path / "a.png"), GRAY > 100)


def test_cmyk(tmp_path: Path) -> None:
    flat = np.broadcast_to(np.array([200, 40, 90], np.uint8), (32, 32, 3))
    Image.fromarray(flat).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    assert np.abs(read(tmp_path / "a.jpg").astype(int) - flat).max() <= 3


def test_a_photograph_is_turned_as_its_camera_says(tmp_path: Path) -> None:
    picture = np.zeros((16, 32, 3), np.uint8)
    picture[:, 16:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise
    Image.fromarray(picture).save(tmp_path / "a.jpg", exif=exif, quality=95)
    found = read(tmp_path / "a.jpg")
    assert found.shape == (32, 16, 3) and found[:15].max() < 20 and found[17:].min() > 235


def test_colour_masks(tmp_path: Path) -> None:
    Image.fromarray(np.repeat(NUMBERS[..., None], 3, 2)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(mask(tmp_path / "a.png"), NUMBERS)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_image_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(Failed, match=r"a\.png` is not an image: "):
        read(tmp_path / "a.png")


def test_a_truncated_file_is_said(tmp_path: Path) -> None:
    Image.fromarray(np.kron(COLOURS, np.ones((9, 9, 1), np.uint8))).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(Failed, match="is not an image: image file is truncated"):
        read(tmp_path / "a.jpg")


@pytest.mark.parametrize(("workers", "most"), [(0, 1), (1, 1), (3, 3)])
def test_workers_bound_the_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, most: int) -> None:
    Image.fromarray(COLOURS).save(tmp_path / "a.png")
    seen: set[int] = set()
    image = decode.image

    def watched(path: Path, gray: bool, span: Span) -> object:
        seen.add(threading.get_ident())
        return image(path, gray, span)

    monkeypatch.setattr(decode, "image", watched)
    assert len(decode.images([tmp_path / "a.png"] * 200, False, SPAN, workers)) == 200
    assert 1 <= len(seen) <= most
    assert (threading.get_ident() in seen) == (workers < 2)
