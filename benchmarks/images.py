"""Photographs on their way to a model: JPEG files decoded, a random part scaled to 224 pixels, flipped, its colours changed, normalised,
in batches of 64; ours beside the same written by hand with Pillow in a DataLoader of PyTorch, with as many threads as it has worker
processes, and beside kornia on batches.

Files of 224 pixels, and of 500 x 375 as photographs in data sets often are. By hand each step is what it costs least to write with
Pillow: the crop is a box of `resize`, the colours are three of `ImageEnhance`. `python -m dlc.benchmarks.images` prints the figures.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from .measure import Figure, alternate

SIZES = {"224": (224, 224), "500": (375, 500)}
BATCH = 64
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SPEC = """dlspec 1
data D {
  source = image_folder(".")
  split  = all("train")
  image: f32[3, 224, 224] = source.image -> random_resized_crop(224) -> hflip -> color_jitter(0.4, 0.4, 0.4)
    -> normalize("imagenet")
  label: i64 = source.label
}
"""


def write_photographs(folder: Path, count: int, height: int, width: int) -> None:
    """Smooth colours with some noise: JPEG files of about the size that a photograph has."""
    from PIL import Image

    r = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(r.integers(0, 256, (height // 16, width // 16, 3)).astype(np.uint8))
        smooth = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int64)
        at = folder / f"class{number % 2}" / f"{number}.jpg"
        at.parent.mkdir(parents=True, exist_ok=True)
        noisy = (smooth + r.integers(-12, 13, smooth.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(at, quality=90)


class Photographs(Dataset[tuple[torch.Tensor, int]]):
    """The peer, by hand."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.rglob("*.jpg"))
        self.mean, self.std = (torch.tensor(values).reshape(3, 1, 1) for values in (MEAN, STD))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, int]:
        from PIL import Image, ImageEnhance

        with Image.open(self.files[at]) as opened:
            image = opened.convert("RGB")
        u = torch.rand(8).tolist()
        area = image.width * image.height * (0.08 + 0.92 * u[0])
        ratio = math.exp(math.log(3 / 4) + u[1] * math.log(16 / 9))
        width, height = min(image.width, math.sqrt(area * ratio)), min(image.height, math.sqrt(area / ratio))
        left, top = u[2] * (image.width - width), u[3] * (image.height - height)
        box = (left, top, left + width, top + height)
        image = image.resize((224, 224), Image.Resampling.BILINEAR, box=box)
        if u[4] < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        image = ImageEnhance.Brightness(image).enhance(0.6 + 0.8 * u[5])
        image = ImageEnhance.Contrast(image).enhance(0.6 + 0.8 * u[6])
        image = ImageEnhance.Color(image).enhance(0.6 + 0.8 * u[7])
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32).div_(255)
        return x.sub_(self.mean).div_(self.std), at % 2


def loader(folder: Path, workers: int) -> Callable[[], int]:
    made = DataLoader(
        Photographs(folder), BATCH, shuffle=True, drop_last=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: sum(len(labels) for _, labels in made)


def ours(folder: Path, workers: int) -> Callable[[], int]:
    """Nothing is kept in memory from epoch to epoch: each decodes again, as the loader does."""
    from dlc.compiler.check import check
    from dlc.runtime.data.feed import Feed, open_data

    spec = folder / "spec.dlspec"
    spec.write_text(SPEC, "utf-8")
    checked = check(spec)
    assert checked.spec is not None, checked.report.diagnostics
    data = open_data(checked.spec.recipe.data[0], folder, workers=workers)
    feed = Feed(data, "train", training=True, device=torch.device("cpu"), share=0.0)
    epochs = iter(range(1 << 30))
    return lambda: sum(len(part["label"]) for (part,) in feed.epoch(0, next(epochs), BATCH))


class Decoded(Dataset[torch.Tensor]):
    """Images as they are in their files, for transforms of batches."""

    def __init__(self, folder: Path) -> None:
        self.files = sorted(folder.rglob("*.jpg"))

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, at: int) -> torch.Tensor:
        from PIL import Image

        with Image.open(self.files[at]) as opened:
            return torch.from_numpy(np.array(opened)).permute(2, 0, 1)


def kornia_on_batches(folder: Path) -> Callable[[], int]:
    import kornia.augmentation as K

    steps = torch.nn.Sequential(
        K.RandomResizedCrop((224, 224), scale=(0.08, 1.0)),
        K.RandomHorizontalFlip(),
        K.ColorJitter(0.4, 0.4, 0.4),
        K.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    )
    made = DataLoader(Decoded(folder), BATCH, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True)
    return lambda: sum(len(steps(images.to(torch.float32) / 255)) for images in made)


def figures(full: bool) -> list[Figure]:
    count, rounds = (512, 7) if full else (BATCH * 2, 3)
    found: list[Figure] = []
    for name, size in SIZES.items() if full else [("224", SIZES["224"])]:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            write_photographs(folder, count, *size)
            functions: dict[str, Any] = {}
            for workers in (0, 2):
                functions[f"ours{workers}"] = ours(folder, workers)
                functions[f"loader{workers}"] = loader(folder, workers)
            if full and name == "224":
                functions["kornia"] = kornia_on_batches(folder)
            seconds = alternate(functions, rounds)
            seen = {key: function() for key, function in functions.items()}
            assert set(seen.values()) == {count // BATCH * BATCH}
        for workers in (0, 2):
            own, theirs = seconds[f"ours{workers}"], seconds[f"loader{workers}"]
            label = f"images.of_{name}_pixels_{workers}_workers"
            found += [
                Figure(label, count / own, "images/s"),
                Figure(f"{label}_loader", count / theirs, "images/s"),
                Figure(f"{label}_of_loader", own / theirs, "x", 1.0 if full else 1.5),
            ]
        if "kornia" in seconds:
            found.append(Figure("images.kornia_2_workers", count / seconds["kornia"], "images/s"))
    return found


def main(arguments: list[str]) -> None:
    for figure in figures("--quick" not in arguments):
        print(f"{figure.name:<45} {figure.value:10.4g} {figure.unit}")


if __name__ == "__main__":
    main(sys.argv[1:])
