"""Folders of classes as people have them: an order that is shown, folders without images, files that are not images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dlc.tests.sizes import thinned

Dlc = Callable[..., Any]


def folders(root: Path, names: Sequence[str], count: int) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(count):
            Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(root / name / f"{number}.png")


SPEC = """dlspec 1
data D {
  source = image_folder("images")
  split  = contiguous(train = 0.8, val = 0.2)
  image: f32[3, 4, 4] = source.image -> scale(1 / 255)
  label: i64 = source.label
}
model N(image: [B, 3, 4, 4]) -> (logits: [B, 3]) { logits = image -> flatten -> fc: Linear(3) }
train { model = N; data = D; loss = cross_entropy(logits, label); optimizer = SGD(0.1); batch = 4; duration = 1 epochs }
"""


def test_the_order_is_shown_and_empty_folders_are_reported(tmp_path: Path, dlc: Dlc) -> None:
    (tmp_path / "s.dlspec").write_text(SPEC)
    folders(tmp_path / "images", ["10", "2", "1"], 5)
    for name in ("__MACOSX", "empty", ".hidden"):
        (tmp_path / "images" / name).mkdir()
    built = dlc("build", "s.dlspec")
    assert "15 images in 3 classes: 1 2 10" in built.stdout
    for name in ("__MACOSX", "empty"):
        assert f"warning[W0413]: the folder `{name}` has no images: it is not a class" in built.stderr
    assert "hidden" not in built.stderr
    trained = dlc("train", "s.dlspec").stdout
    assert "note[W0413]: the folder `empty` has no images: it is not a class" in trained
    (tmp_path / "s.dlspec").write_text(SPEC.replace("split  =", 'skip = ["__MACOSX", "empty"]\n  split ='))
    assert "W0413" not in dlc("build", "s.dlspec").stderr


@pytest.mark.parametrize("content", thinned([b"broken\n", b"", b"\x89PNG\r\n\x1a\nno", b"GIF89a"], 4))
def test_a_broken_image_among_many(tmp_path: Path, dlc: Dlc, content: bytes) -> None:
    (tmp_path / "s.dlspec").write_text(SPEC)
    folders(tmp_path / "images", ["1", "2", "10"], 12)
    (tmp_path / "images" / "2" / "7.png").write_bytes(content)
    assert dlc("build", "s.dlspec").returncode == 0
    for command in (("build", "s.dlspec", "--look"), ("train", "s.dlspec")):
        found = dlc(*command, code=2).stderr
        assert "error[E0412]: `" in found and "images/2/7.png` is not an image: " in found
        assert "its format is not known" in found or content != b"broken\n"


def test_looking_at_every_record_of_a_table(tmp_path: Path, dlc: Dlc) -> None:
    text = """dlspec 1
data D { source = csv("t.csv"); split = all("train"); x: f32 = source.x; y: f32 = source.y }
model M(x: [B]) -> (z: [B]) { z = x[:, none] -> fc: Linear(1) -> squeeze(1) }
train { model = M; data = D; loss = mse(z, y); optimizer = SGD(0.1); batch = 4; duration = 1 epochs }
"""
    (tmp_path / "s.dlspec").write_text(text)
    (tmp_path / "t.csv").write_text("x,y\n" + "1,2\n" * 600 + "1,\n")
    assert dlc("build", "s.dlspec").returncode == 0
    assert "t.csv:602, column `y`: the cell is empty" in dlc("build", "s.dlspec", "--look", code=2).stderr
