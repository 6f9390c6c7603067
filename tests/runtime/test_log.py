"""`log { every, images, values }`: pictures in the run directory, columns in metrics.csv, and runs that hold nothing back."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from kornia_rs.io import read_image

from dlc.runtime import api
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.training.events import Event, Validated
from dlc.runtime.training.image_grid import as_bytes, write_grid

DATA = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.1, test = 0.6, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
}
"""
VAE = """
model Vae(image: [B, 1, 8, 8]) -> (recon: [B, 64], mu: [B, 4]) {
  mu    = image -> flatten -> to_mu: Linear(4)
  z     = if training { mu + randn(mu) } else { mu }
  recon = z -> decoder: Linear(64)
  seen  = sigmoid(recon) -> [B, (1, 8, 8)] => [B, 1, 8, 8]
}
train {
  model = Vae
  data = D
  let drawn = rand(mu)
  loss = bce(recon, flatten(image))
  optimizer = Adam(1e-2)
  batch = 64
  duration = 20 steps
  LOG
}
"""
GAN = """
model Gen(z: [B, 4]) -> (image: [B, 1, 8, 8]) { image = z -> Linear(64) -> sigmoid -> [B, (1, 8, 8)] => [B, 1, 8, 8] }
model Disc(image: [B, 1, 8, 8]) -> (score: [B, 1]) { score = image -> flatten -> Linear(1) }
train {
  data = D
  let gen = Gen()
  let disc = Disc()
  let fake = randn([B, 4]) -> gen
  step disc {
    loss { on_real = bce(image -> disc, 1); on_fake = bce(stop_grad(fake) -> disc, 0) }
    optimizer = Adam(1e-3)
  }
  step gen { loss = bce(fake -> disc, 1); optimizer = Adam(1e-3) }
  batch = 64
  duration = 2 epochs
  LOG
}
"""


def fit(folder: Path, out: str, text: str, log: str = "", **more: Any) -> api.Run:
    file = folder / f"{out}.dlspec"
    file.write_text(DATA + text.replace("LOG", log), "utf-8")
    return api.train(api.load(file), out=folder / out, device="cpu", **more)


def rows(run: api.Run) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_images_and_values(tmp_path: Path) -> None:
    run = fit(tmp_path, "run", VAE, "log { every = 5 steps; images = [image, seen]; values = [mu, drawn] }")
    images = sorted(path.name for path in (run.path / "images").iterdir())
    assert images == sorted(f"{name}-{step:06}.png" for name in ("image", "seen") for step in (5, 10, 15, 20))
    kept = {row["step"]: row for row in rows(run)}
    assert list(kept) == ["5", "8", "10", "15", "16", "20"]  # a validation is a row too, without pictures
    assert kept["5"]["mu"] != kept["20"]["mu"]
    assert 0.4 < float(kept["5"]["drawn"]) < 0.6
    assert kept["5"]["drawn"] == kept["20"]["drawn"], "the same chance every time, so that rows can be compared"
    first, last = ((run.path / "images" / f"image-{step}.png").read_bytes() for step in ("000005", "000020"))
    assert first == last, "the same records every time"


def test_looking_changes_nothing(tmp_path: Path) -> None:
    looked = fit(tmp_path, "looked", VAE, "log { every = 3 steps; images = [seen]; values = [drawn] }")
    plain = fit(tmp_path, "plain", VAE)
    one, other = (checkpoint.read(run.path / "last").weights for run in (looked, plain))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_several_nets_without_figures(tmp_path: Path) -> None:
    """Nothing can be validated: a row and a line an epoch, each net's losses by name and no sum over nets."""
    events: list[Event] = []
    run = fit(tmp_path, "run", GAN, "log { images = [fake] }", listener=events.append)
    assert [row["step"] for row in rows(run)] == ["8", "16"]
    assert list(rows(run)[0]) == ["step", "epoch", "lr", "disc.on_real", "disc.on_fake", "gen"]
    assert set(run.figures) == {"train.disc.on_real", "train.disc.on_fake", "train.gen"}
    assert run.figures["train.gen"] == pytest.approx(float(rows(run)[-1]["gen"]))
    assert [(event.step, event.split) for event in events if isinstance(event, Validated)] == [
        (8, "train"),
        (16, "train"),
    ]
    assert sorted(path.name for path in (run.path / "images").iterdir()) == ["fake-000008.png", "fake-000016.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_grid_is_a_picture(tmp_path: Path, channels: int) -> None:
    """Read back with another library: every image at its place, enlarged by whole pixels."""
    images = np.random.default_rng(0).integers(0, 256, (5, channels, 40, 50), np.uint8)
    write_grid(tmp_path / "made" / "grid.png", images)
    seen = np.asarray(read_image(str(tmp_path / "made" / "grid.png")))
    scale = round(512 / (3 * 51))
    assert seen.shape[:2] == ((2 * 41 - 1) * scale, (3 * 51 - 1) * scale)
    small = seen[::scale, ::scale].reshape(81, 152, -1)
    for index, image in enumerate(images):
        top, left = index // 3 * 41, index % 3 * 51
        found = small[top : top + 40, left : left + 50]
        assert np.array_equal(found[..., :channels], image.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("values", "bytes_"),
    [([0.0, 0.5, 1.0], [0, 128, 255]), ([-1.0, 0.0, 1.0], [0, 128, 255]), ([-2.0, 0.0, 6.0], [0, 64, 255])],
)
def test_numbers_become_shades(values: list[float], bytes_: list[int]) -> None:
    made = as_bytes(np.array(values, np.float32).reshape(1, 1, 3))
    assert made.ravel().tolist() == bytes_
    assert as_bytes(np.array([[[0, 1, 1]]])).ravel().tolist() == [0, 255, 255]  # a mask


PHASES = """
model M(image: [B, 1, 8, 8]) -> (recon: [B, 64]) { recon = image -> flatten -> Linear(8) -> Linear(64) }
train {
  model = M
  data = D
  let drawn = randn(recon)
  metrics { noise = mean(abs(recon + drawn)) }
  optimizer = Adam(1e-2)
  batch = 64
  phase one { loss = mse(recon, flatten(image)); duration = 1 epochs }
  phase two {
    loss { near = mse(recon, flatten(image)); far = l1_loss(recon, flatten(image)) }
    duration = 1 epochs
    log { every = 4 steps }
  }
}
"""


def test_phases_with_other_losses_share_a_file(tmp_path: Path) -> None:
    run = fit(tmp_path, "run", PHASES)
    found = rows(run)
    assert [row["step"] for row in found] == ["8", "12", "16"]
    assert [bool(row["near"]) for row in found] == [False, True, True]
    assert all(row["loss"] for row in found)


def test_what_is_random_in_evaluation_is_drawn_alike_every_time(tmp_path: Path) -> None:
    run = fit(tmp_path, "run", PHASES)
    first, second = (api.evaluate(run, "test", device="cpu") for _ in range(2))
    assert first == second
    assert first["noise"] == pytest.approx(run.figures["test.noise"])
