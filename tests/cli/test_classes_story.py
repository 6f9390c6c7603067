"""Ana's folders: one more than the model has classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

SPEC = """dlspec 1
data Flowers {
  source = image_folder("flowers")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  image: f32[3, 4, 4] = source.image -> scale(1 / 255)
  label: i64 = source.label
}
model SmallCnn(classes = 5)(image: [B, 3, 4, 4]) -> (logits: [B, classes]) {
  logits = image -> conv: Conv(8, 3, pad = 1) -> relu -> flatten -> head: Linear(classes)
}
train {
  model     = SmallCnn
  data      = Flowers
  loss      = cross_entropy(logits, label)
  optimizer = SGD(0.05)
  batch     = 4
  duration  = 2 epochs
}
"""
KINDS = ("daisy", "dandelion", "rose", "sunflower", "tulip")
SAID = """\
error[E0205]: the data has {count} classes, but the logits end in 5
  --> cnn.dlspec:14:15
   |
 6 |   label: i64 = source.label
   |   ----- `label`
14 |   loss      = cross_entropy(logits, label)
   |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `label` has {count} classes
   |
   = note: the classes are {names}
   = help: set `classes = {count}`, or {remedy}

1 error
"""


def folders(place: Path, *names: str) -> None:
    for name in names:
        folder = place / "flowers" / name
        folder.mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (4, 4), (number, 0, 0)).save(folder / f"{number}.png")


@pytest.mark.parametrize(
    ("more", "remedy"),
    [
        (["unsorted"], 'leave one out with `skip = ["unsorted"]`'),
        (["background"], 'leave one out with `skip = ["background"]`'),
        (["violet"], 'leave one out with `skip = ["violet"]`'),
        (["Misc", "unsorted"], 'leave 2 out with `skip = ["Misc", "unsorted"]`'),
    ],
)
def test_more_folders_than_classes(tmp_path: Path, dlc: Callable[..., Any], more: list[str], remedy: str) -> None:
    (tmp_path / "cnn.dlspec").write_text(SPEC, "utf-8")
    folders(tmp_path, *KINDS, *more)
    names = ", ".join(f"`{name}`" for name in sorted([*KINDS, *more]))
    assert dlc("build", "cnn.dlspec", code=2).stderr == SAID.format(count=5 + len(more), names=names, remedy=remedy)


@pytest.mark.parametrize(
    "old, new",
    [('image_folder("flowers")', 'image_folder("flowers")\n  skip   = ["unsorted"]'), ("classes = 5", "classes = 6")],
)
def test_each_remedy_helps(tmp_path: Path, dlc: Callable[..., Any], old: str, new: str) -> None:
    (tmp_path / "cnn.dlspec").write_text(SPEC.replace(old, new), "utf-8")
    folders(tmp_path, *KINDS, "unsorted")
    classes = "6 classes: daisy dandelion rose sunflower tulip unsorted"
    shown = classes if "classes = 6" in new else "5 classes: daisy dandelion rose sunflower tulip   train"
    assert shown in dlc("build", "cnn.dlspec").stdout
