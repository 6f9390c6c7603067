"""What the shipped vision specs reach: their small variants on digits, textures and digit scenes, on the test split.

Recipes were tuned on validation parts. The full size trains each as its small variant ships; the normal size trains one for
a few epochs and asks for what no model reaches that sees nothing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
import torch

import dlc
from dlc.runtime.data.feed import Feed, open_data

SPECS = Path(__file__).resolve().parents[2] / "specs"
Record = Callable[[str, float, str], None]


def figures(directory: Path, spec: str, **overrides: Any) -> Mapping[str, float]:
    """Those of one run of a shipped spec."""
    return dlc.train(dlc.load(f"{SPECS}/{spec}", **overrides), out=directory, device="cpu").figures


def shorter(epochs: int) -> dict[str, str]:
    """A short run whose schedule still ends at zero."""
    return {"train.duration": f"{epochs} epochs"}


@pytest.mark.parametrize(
    ("spec", "figure", "least"),
    [
        ("lenet5.dlspec", "digits.lenet5.accuracy", 98.0),
        pytest.param("resnet18.dlspec@small", "digits.resnet18.accuracy", 96.0, marks=pytest.mark.long),
    ],
)
def test_digits(spec: str, figure: str, least: float, tmp_path: Path, sizes: Any, record_figure: Record) -> None:
    """In short, four of five digits: the most frequent one is a tenth of them."""
    if not sizes.full:
        assert 100 * figures(tmp_path / "run", spec, **shorter(6))["test.acc"] >= 80
        return
    found = [100 * figures(tmp_path / str(seed), spec, **{"train.seed": seed})["test.acc"] for seed in sizes.seeds]
    record_figure(figure, median(found), "%")
    assert median(found) >= least, found


@pytest.mark.long
@pytest.mark.parametrize(
    ("spec", "least"), [("vgg16", 90), ("resnet50", 94), ("mobilenet_v3", 92), ("efficientnet_b0", 92), ("vit_b16", 94)]
)
def test_textures(spec: str, least: float, tmp_path: Path, record_figure: Record) -> None:
    """Brick, grass or gravel, on regions of the photographs that training never saw; each is a third of the patches."""
    found = 100 * figures(tmp_path / "run", f"{spec}.dlspec@small")["test.acc"]
    record_figure(f"textures.{spec}.accuracy", found, "%")
    assert found >= least


@pytest.mark.long
def test_fine_tuning(tmp_path: Path, record_figure: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """The story of finetune.dlspec: two commands, the second finds the run of the first."""
    monkeypatch.chdir(tmp_path)
    for name in ("resnet18", "finetune"):
        shutil.copy(SPECS / f"{name}.dlspec", tmp_path)
    dlc.train(dlc.load("resnet18.dlspec@small"), device="cpu")
    found = 100 * dlc.train(dlc.load("finetune.dlspec@small"), device="cpu").figures["test.acc"]
    record_figure("textures.finetune.accuracy", found, "%")
    assert found >= 85


def scenes(part: str) -> tuple[Any, Any]:
    """Gray images in [0, 1] and masks of a split of unet.dlspec."""
    data = open_data(dlc.load(f"{SPECS}/unet.dlspec").spec.recipe.data[0], SPECS)
    batches = list(Feed(data, part, training=False, device=torch.device("cpu")).batches(256))
    return torch.cat([b["image"] for b in batches])[:, 0].numpy(), torch.cat([b["mask"] for b in batches]).numpy()


def iou(found: Any, mask: Any) -> float:
    """Mean over ground and digit, as the metric of the spec."""
    return float(np.mean([(found == c)[mask == c].sum() / ((found == c) | (mask == c)).sum() for c in (0, 1)]))


@pytest.mark.long
def test_segmentation_against_a_threshold(tmp_path: Path, record_figure: Record) -> None:
    """The peer: how far a pixel's gray is from the middle gray of its image, with the threshold that is best in training."""

    def away(images: Any) -> Any:
        return np.abs(images - np.median(images, axis=(1, 2), keepdims=True))

    train, test = scenes("train"), scenes("test")
    best = max(np.linspace(0.02, 0.8, 40), key=lambda t: iou(away(train[0]) > t, train[1]))
    threshold = iou(away(test[0]) > best, test[1])
    spec = "unet.dlspec@small"
    found = figures(tmp_path / "run", spec)["test.iou"]
    record_figure("digit_scenes.unet.iou", found, "")
    record_figure("digit_scenes.threshold.iou", threshold, "")
    assert found >= threshold + 0.15, (found, threshold)
