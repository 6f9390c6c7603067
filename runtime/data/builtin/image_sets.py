"""Images cut from photographs that ship inside scikit-image.

Three photographs give few pixels, so patches overlap. Overlapping patches in two splits would make a test of what was
trained on; therefore each photograph is divided into regions first, no patch crosses the border of one, and `region`
names the one a record is from: `random(.., group = source.region)` keeps the splits apart.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..table import Column, Numbers
from .packaged import packaged
from .tables import digits

TEXTURES = ("brick", "grass", "gravel")
REGION = 128  # pixels; a photograph has 512 x 512
PATCH = 64
STRIDE = 16
SCENES_A_REGION = 100
GLYPHS = (1, 2, 3)  # how many digits a scene may have
GLYPH_SIZES = (20, 24, 28, 32)

Pixels = NDArray[np.uint8]


def textures() -> dict[str, Column]:
    """`image` u8 [1, 64, 64], `label` and `region`. A region is one place in all three photographs, so that every
    division by regions has the classes in equal numbers."""
    regions = _regions()
    places = [(y, x) for y in range(0, REGION - PATCH + 1, STRIDE) for x in range(0, REGION - PATCH + 1, STRIDE)]
    images = [region[y : y + PATCH, x : x + PATCH] for pictures in regions for region in pictures for y, x in places]
    count, classes = len(regions), len(TEXTURES)
    labels = np.tile(np.repeat(np.arange(classes, dtype=np.int64), len(places)), count)
    return {
        "image": Numbers(np.stack(images)[:, None]),
        "label": Numbers(labels, TEXTURES),
        "region": Numbers(np.repeat(np.arange(count, dtype=np.int64), classes * len(places))),
    }


def digit_scenes() -> dict[str, Column]:
    """`image` u8 [1, 64, 64], `mask` i64 [64, 64] (1 where a digit is) and `region`: one to three digits of scikit-learn,
    enlarged, lighter or darker than the photograph below them. Digits are dealt to regions too: none is in two."""
    glyphs = digits()["image"]
    assert isinstance(glyphs, Numbers)
    images: list[Pixels] = []
    masks: list[NDArray[np.int64]] = []
    regions = _regions()
    for number, pictures in enumerate(regions):
        own = glyphs.array[number :: len(regions), 0].astype(np.float64) / 16
        random = np.random.Generator(np.random.PCG64(number))
        for _ in range(SCENES_A_REGION):
            image, mask = _scene(random, pictures, own)
            images.append(image)
            masks.append(mask)
    return {
        "image": Numbers(np.stack(images)[:, None]),
        "mask": Numbers(np.stack(masks), ("ground", "digit")),
        "region": Numbers(np.repeat(np.arange(len(regions), dtype=np.int64), SCENES_A_REGION)),
    }


def _regions() -> list[list[Pixels]]:
    """For each place of the grid the part of every photograph there."""
    photographs = [_photograph(name) for name in TEXTURES]
    edges = range(0, photographs[0].shape[0], REGION)
    return [[photo[y : y + REGION, x : x + REGION] for photo in photographs] for y in edges for x in edges]


def _photograph(name: str) -> Pixels:
    from PIL import Image

    with Image.open(packaged("skimage", f"data/{name}.png")) as picture:
        return np.asarray(picture)


def _scene(
    random: np.random.Generator, pictures: list[Pixels], glyphs: NDArray[np.float64]
) -> tuple[Pixels, NDArray[np.int64]]:
    picture = pictures[_below(random, len(pictures))]
    y, x = _below(random, REGION - PATCH + 1), _below(random, REGION - PATCH + 1)
    ground = picture[y : y + PATCH, x : x + PATCH].astype(np.float64)
    covered = np.zeros((PATCH, PATCH))
    for _ in range(GLYPHS[_below(random, len(GLYPHS))]):
        size = GLYPH_SIZES[_below(random, len(GLYPH_SIZES))]
        glyph = enlarged(glyphs[_below(random, len(glyphs))], size)
        y, x = _below(random, PATCH - size + 1), _below(random, PATCH - size + 1)
        part = covered[y : y + size, x : x + size]
        np.maximum(part, glyph, out=part)
    # ink is a share of the way to black or white, whichever is farther from the ground
    ink = 255.0 if ground.mean() < 128 else 0.0
    strength = 0.5 + 0.1 * _below(random, 5)
    image = ground + strength * covered * (ink - ground)
    return image.round().astype(np.uint8), (covered > 0.5).astype(np.int64)


def _below(random: np.random.Generator, count: int) -> int:
    """A whole number below `count`. Made of raw 64-bit words, whose sequence numpy never changes (its distributions
    may)."""
    return int(random.bit_generator.random_raw() % count)  # type: ignore[attr-defined]


def enlarged(image: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """A square image of `size` pixels by linear interpolation between pixel centres; zeros around it."""
    edge = len(image)
    at = (np.arange(size) + 0.5) * (edge / size) - 0.5
    weights = np.maximum(0, 1 - np.abs(at[:, None] - np.arange(edge)))
    return weights @ image @ weights.T
