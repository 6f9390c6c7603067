"""A spec for a directory of images, one folder per class: their size, a residual network of a depth that fits, augmentation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ...compiler.dataclass import dataclass
from ..data import decode, sources
from ..data.table import Images, Numbers
from ..failure import BadInput
from .drafted import NOWHERE, Draft, laid_out
from .notation import listed, quoted, shown
from .recipes import repeated

SIDES = (32, 48, 64, 96, 128, 160, 192, 224)
SMALL = 64  # images of at most so many pixels are shifted, not cut: every pixel counts
LOOKED_AT = 64
#: What the folders of splits are called.
SPLITS = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}


@dataclass(frozen=True)
class FoundImages:
    """Images as they are: how many of each class, and their usual sides in pixels. `splits` are folders above those of classes."""

    classes: dict[str, int]
    short: int
    long: int
    gray: bool
    splits: dict[str, str]

    @property
    def count(self) -> int:
        return sum(self.classes.values())


def draft(path: Path, place: str) -> Draft:
    """A spec that classifies images; the classes are the folders in `path`."""
    found = look(path)
    side = next((side for side in reversed(SIDES) if side <= max(found.short, SIDES[0])), SIDES[0])
    if len(found.classes) < 2:
        raise BadInput(
            f"`{path}` has one class: there is nothing to learn", helps=("give each class a folder of images",)
        )
    lines = [
        "dlspec 1",
        f"# One of {len(found.classes)} classes of images in {shown(place)}. Drafted by `dlc new` from what the folder holds.",
        "",
        *_data(found, place, side),
        "",
        *_model(found, side),
        "",
        *_train(found),
        "",
        'export { onnx = "model.onnx"; preprocess = true; outputs { probs = softmax(logits) } }',
    ]
    sizes = f"about {found.short} x {found.long} pixels{', all gray' if found.gray else ''}"
    text = f"{found.count:,} images in {len(found.classes)} classes: {listed(found.classes)}; {sizes}"
    return Draft(laid_out(lines), (text,))


def look(path: Path) -> FoundImages:
    """Counts images by class, and opens some of them. Raises Failed for one that cannot be read."""
    folders = {entry.name.lower(): entry.name for entry in sorted(path.iterdir()) if entry.is_dir()}
    splits = {
        split: next(folders[name] for name in names if name in folders)
        for split, names in SPLITS.items()
        if any(name in folders for name in names)
    }
    splits = splits if "train" in splits and len(splits) > 1 else {}
    reader = sources.reader("image_folder")
    classes: dict[str, int] = {}
    paths: list[Any] = []
    for name in splits.values() or [""]:
        columns = reader({"path": str(path / name)}, Path, NOWHERE)[0]
        images, labels = columns["image"], columns["label"]
        assert isinstance(images, Images) and isinstance(labels, Numbers)
        for label, count in zip(labels.classes or (), np.bincount(labels.array).tolist(), strict=True):
            classes[label] = classes.get(label, 0) + count
        paths += images.paths
    step = max(1, len(paths) // LOOKED_AT)
    opened = decode.images(paths[::step][:LOOKED_AT], False, NOWHERE)
    short = int(np.median([min(image.shape[1:]) for image in opened]))
    long = int(np.median([max(image.shape[1:]) for image in opened]))
    gray = all((image == image[:1]).all() for image in opened)
    return FoundImages(classes, short, long, gray, splits)


def _data(found: FoundImages, place: str, side: int) -> list[str]:
    lines = ["data Photos {"]
    if found.splits:
        names = [f"{split} = {quoted(name)}" for split, name in found.splits.items()]
        rest = [f"{split} = 0.15" for split in ("val", "test") if split not in found.splits]
        lines += [
            f"  source = image_folder({quoted(place + '/{split}')})",
            f"  split  = folders({', '.join([*names, *rest])})"
            + ("  # a fraction is taken from train" if rest else ""),
        ]
    else:
        stratify = ", stratify = source.label" if min(found.classes.values()) >= 6 else ""
        lines += [
            f"  source = image_folder({quoted(place)})",
            f"  split  = random(train = 0.7, val = 0.15, test = 0.15{stratify}, seed = 0)",
            "  # of images of one thing (frames, patches), keep all in one split: `files(..)` or folders of splits",
        ]
    mirrored = "  # images are mirrored in training: take `hflip` out where left and right differ, as in letters"
    if side <= SMALL:
        pixels = [
            f"source.image -> resize({side}) -> center_crop({side})",
            f"if training {{ shift({side // 8}) -> hflip }}",
        ]
    else:
        other = f"resize({round(side * 1.14)}) -> center_crop({side})"
        cut = f"random_resized_crop({side}, scale = (0.4, 1.0)) -> hflip -> color_jitter(0.2, 0.2, 0.2)"
        pixels = ["source.image", f"if training {{ {cut} }} else {{ {other} }}"]
    return [
        *lines,
        mirrored,
        f"  image: f32[3, {side}, {side}] = {pixels[0]}",
        f'    -> {pixels[1]} -> normalize("imagenet")',
        "  label: i64 = source.label",
        "}",
    ]


def _model(found: FoundImages, side: int) -> list[str]:
    """Stages halve the image until it is about 8 pixels wide."""
    stages = [(32, 1), (64, 2), (128, 2)] if side <= 48 else [(32, 1), (64, 2), (128, 2), (192, 2)]
    large = side > 96
    stem = "Conv(32, 3, stride = 2, pad = 1, bias = false)" if large else "Conv(32, 3, pad = 1, bias = false)"
    pool = " -> max_pool(2)" if large else ""
    units = ", ".join(f"({width}, {stride})" for width, stride in stages)
    return [
        "block Unit(width: int, stride = 1)(x: [B, C, H, W]) -> [B, width, _, _] {",
        "  shortcut = x -> if stride != 1 or C != width {",
        "    short: { Conv(width, 1, stride = stride, bias = false) -> BatchNorm }",
        "  }",
        "  x -> conv1: Conv(width, 3, stride = stride, pad = 1, bias = false) -> norm1: BatchNorm -> relu",
        "    -> conv2: Conv(width, 3, pad = 1, bias = false) -> norm2: BatchNorm -> add(shortcut) -> relu",
        "}",
        "",
        "# A small residual network from scratch. With few images, start from trained weights instead: `dlc new finetune`.",
        f"model PhotoNet(classes = {len(found.classes)})(image: [B, 3, {side}, {side}]) -> (logits: [B, classes]) {{",
        f"  x = image -> stem: {stem} -> stem_norm: BatchNorm -> relu{pool}",
        f"    -> units: for (width, stride) in [{units}] {{ Unit(width, stride) }}",
        "  logits = x -> global_avg_pool -> dropout(0.2) -> head: Linear(classes)",
        "}",
    ]


def _train(found: FoundImages) -> list[str]:
    train = round(found.count * 0.7)
    batch = max(8, min(64, train // 8))
    epochs = repeated(train, batch, 10, 40)
    most = max(found.classes.values()) / found.count
    return [
        "train {",
        "  model = PhotoNet",
        "  data = Photos",
        "  loss = cross_entropy(logits, label, smoothing = 0.1)",
        f"  # always answering the most frequent class has an accuracy of {most:.3f}",
        "  metrics { acc = accuracy(logits, label) }",
        "  optimizer = AdamW(lr = 0 -> linear(2e-3, 1 epochs) -> cosine(0, rest), weight_decay = 0.05)",
        "  group rank < 2 { weight_decay = 0 }  # biases and norms",
        f"  batch = {batch}",
        f"  duration = {epochs} epochs",
        "  keep = best(val.acc)",
        "}",
    ]
