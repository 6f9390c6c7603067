"""Transforms without torch give what those with torch give, bit for bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from dlc.compiler.catalogue import NOTATIONS, TRANSFORMS
from dlc.runtime import randomness
from dlc.runtime.data import arrays, transforms
from dlc.runtime.data.arrays import text as array_text
from dlc.runtime.data.transforms.text import mlm_mask

DRAWN = np.random.default_rng(0)
COLUMNS = np.concatenate([DRAWN.standard_normal((50, 3)) * 1000 + 500, [[0.0, -1.0, 3e38], [1e-30, np.nan, -0.0]]])
WHOLE = DRAWN.integers(-3, 300, (40, 3))
BYTES = DRAWN.integers(0, 256, (3, 3, 37, 23)).astype(np.uint8)
NUMBERS: dict[str, list[dict[str, Any]]] = {
    "scale": [{"k": 1 / 16}, {"k": 0.1}],
    "threshold": [{"v": 0.1}, {"v": 4.0}],
    "clip": [{"min": 0.1, "max": None}, {"min": -0.3, "max": 700.7}],
    "log1p": [{}],
    "standardize": [{"mean": [0.1, 3.3, 1e9], "std": [1e-3, 7.7, 1.0]}],
    "impute": [{"fill": [0.1, 0.2, 0.3]}],
}
IMAGES: dict[str, list[dict[str, Any]]] = {
    "resize": [{"n": 16}, {"n": 50}, {"n": 23}, {"n": 30, "width": 11}],
    "letterbox": [{"n": 30, "width": None, "fill": 114.0}, {"n": 20, "width": 60, "fill": 0.0}],
    "grayscale": [{"channels": 1}, {"channels": 3}],
    "gamma": [{"gamma": 2.2}, {"gamma": 0.5}],
    "solarize": [{"threshold": 0.5}, {"threshold": 0.3}],
    "posterize": [{"bits": 3}, {"bits": 8}],
    "center_crop": [{"n": 20}, {"n": 40}],
    "blur": [{"kernel": 5}, {"kernel": 1}],
    "normalize": [{"mean": "imagenet", "std": None}, {"mean": 0.3, "std": 0.7}, {"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.5, 0.6)}],
}  # fmt: skip


def same(found: Any, wanted: torch.Tensor) -> None:
    assert found.dtype == wanted.numpy().dtype
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers(name: str) -> None:
    function, with_torch = arrays.function(name), transforms.function(name)
    assert function is not None and with_torch is not None
    for args in NUMBERS[name]:
        for x in (COLUMNS, COLUMNS.astype(np.float32), WHOLE, WHOLE.astype(np.int32)):
            with np.errstate(all="ignore"):
                same(function(x, args), with_torch(torch.from_numpy(x), args))


@pytest.mark.parametrize("name", IMAGES)
def test_images(name: str) -> None:
    function, with_torch = arrays.function(name), transforms.function(name)
    assert function is not None and with_torch is not None
    for args in IMAGES[name]:
        masks = (
            [BYTES[:, 0], BYTES[:, 0].astype(np.int64)]
            if TRANSFORMS.module_of(name) == "image" and name != "normalize"
            else []
        )
        for x in (BYTES, BYTES.astype(np.float32) / 7, BYTES.transpose(0, 1, 3, 2), *masks):
            same(function(x, args), with_torch(torch.from_numpy(np.ascontiguousarray(x)), args, torch.zeros(0)))


def test_gray_images_become_colour_images() -> None:
    same(
        arrays.function("rgb")(BYTES[:, :1], {}),
        transforms.function("rgb")(torch.from_numpy(BYTES[:, :1]), {}, torch.zeros(0)),
    )  # type: ignore[misc]


def test_masked_tokens() -> None:
    tokens = DRAWN.integers(0, 90, (1, 400))
    args = {"p": 0.3, "mask": 90, "random": 0.2, "keep": 0.3, "special": (3, 4)}
    keys = randomness.record_keys(7, np.arange(1))
    drawn = randomness.uniform_array(keys, 800)
    same(drawn, randomness.uniform(randomness.as_tensor(keys), 800))
    found = array_text.mlm_mask(tokens, args, drawn, 91)
    wanted = mlm_mask(torch.from_numpy(tokens), args, torch.from_numpy(drawn), 91)
    for name in ("ids", "labels"):
        same(found[name], wanted[name])  # type: ignore[arg-type]


def test_a_size_is_the_mean_of_the_pixels_that_it_covers() -> None:
    """The halves of an image of pairs are its pixels; a constant one stays as it is; nothing is lost at the border."""
    from dlc.runtime.data.arrays.image import scaled

    flat = np.full((1, 1, 9, 13), 77, np.uint8)
    assert (scaled(flat, 4, 31) == 77).all()
    ramp = np.arange(64, dtype=np.float32)[None, None, None].repeat(8, 2)
    np.testing.assert_allclose(scaled(ramp, 8, 16)[0, 0, 0, 2:-2], (np.arange(16) * 4 + 1.5)[2:-2], atol=1e-4)
    wanted = torch.nn.functional.interpolate(
        torch.from_numpy(BYTES.astype(np.float32)), (16, 50), mode="bilinear", antialias=True
    )
    np.testing.assert_allclose(scaled(BYTES.astype(np.float32), 16, 50), wanted.numpy(), atol=1e-3)


def test_every_transform_that_means_something_outside_training_is_there() -> None:
    """`None` in its place says where it is done instead."""
    lacking = [
        step
        for family in (TRANSFORMS, NOTATIONS)
        for name in family
        for step in arrays.steps(name)
        if name not in ("source", "columns", "tuple", "member", "choose")
        if not has(step)
    ]
    assert lacking == []


def has(name: str) -> bool:
    try:
        arrays.function(name)
    except AttributeError:
        return False
    return True
