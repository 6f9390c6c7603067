"""Transforms in the graph against the data pipeline itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import dlc
from dlc.compiler.check import check
from dlc.runtime.api import export
from dlc.runtime.data.feed import Feed, open_data

MODEL = """
model M(x: [B, 4]) -> (y: [B, 4]) { gain = Param([], init = ones)\n y = x * gain }
train { model = M\n data = D\n loss = mean(y * y)\n optimizer = SGD(0.0)\n batch = 8\n duration = 1 steps }
export { onnx = "m.onnx"; preprocess = true }
"""


def compared(
    folder: Path, data: str, raw: np.ndarray, model: str = MODEL
) -> tuple[np.ndarray, np.ndarray, dlc.Session]:
    """What the exported graph makes of the raw records, what the data pipeline makes of them, and the session."""
    file = folder / "m.dlspec"
    file.write_text(f"dlspec 1\ndata D {{\n{data}\n}}\n{model}", "utf-8")
    np.savez(folder / "d.npz", x=raw)
    checked = check(file)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    run = dlc.train(file, out=folder / "run", device="cpu")
    session = dlc.Session(export(run, folder / "m.onnx").path, "cpu", threads=1)
    opened = open_data(checked.spec.recipe.data[0], folder)
    feed = Feed(opened, "train", training=False, device=torch.device("cpu"))
    batch = torch.cat([b["x"] for b in feed.batches(64)]).numpy()
    order = np.asarray(opened.parts["train"].records)
    return session.predict({"x": raw[order]})["y"], batch, session


@pytest.mark.parametrize(
    "transforms",
    [
        "scale(1 / 16)",
        "standardize",
        "clip(min = -1, max = 1)",
        "clip(min = 0) -> log1p",
        "scale(2) -> normalize(0.5, 0.25)",
        'impute("mean") -> standardize',
        "scale(3) -> standardize -> clip(max = 1)",
    ],
)
def test_table_transforms(tmp_path: Path, transforms: str) -> None:
    raw = np.random.default_rng(0).standard_normal((32, 4)).astype(np.float32) * 3 + 1
    if "impute" in transforms:
        raw[::5, 1] = np.nan
    found, wanted, _ = compared(
        tmp_path, f'source = npz("d.npz")\nsplit = all("train")\nx: f32[4] = source.x -> {transforms}', raw
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_one_hot_of_classes(tmp_path: Path) -> None:
    raw = np.arange(32, dtype=np.int64) % 4
    found, wanted, session = compared(
        tmp_path, 'source = npz("d.npz")\nsplit = all("train")\nx: f32[4] = source.x -> one_hot(4)', raw
    )
    np.testing.assert_array_equal(found, wanted)
    assert str(session.inputs[0]) == "x: int64[B]"


def test_bytes_are_read_as_shares_of_255(tmp_path: Path) -> None:
    """An export without a run or data: the graph begins behind decoding and resizing."""
    file = tmp_path / "m.dlspec"
    file.write_text(
        """dlspec 1
data D {
  source = image_folder("pets")
  split = all("train")
  x: f32[3, 4, 4] = source.image
    -> if training { random_resized_crop(4) -> hflip(0.5) } else { resize(8) -> center_crop(4) } -> normalize("imagenet")
}
"""
        + MODEL.replace("[B, 4]", "[B, 3, 4, 4]"),
        "utf-8",
    )
    session = dlc.Session(export(file, tmp_path / "m.onnx").path, "cpu", threads=1)
    assert str(session.inputs[0]) == "x: uint8[B, 3, 4, 4]"
    x = np.random.default_rng(0).integers(0, 256, (2, 3, 4, 4)).astype(np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    wanted = (x / 255 - mean[:, None, None]) / std[:, None, None]
    np.testing.assert_allclose(session(x=x)["y"], wanted, rtol=1e-4, atol=1e-5)


def test_bytes_that_only_the_data_shows_stay_outside(tmp_path: Path) -> None:
    raw = np.random.default_rng(0).integers(0, 256, (32, 3, 4, 4)).astype(np.uint8)
    data = 'source = npz("d.npz")\nsplit = all("train")\nx: f32[3, 4, 4] = source.x -> normalize("imagenet")'
    found, _, session = compared(tmp_path, data, raw, MODEL.replace("[B, 4]", "[B, 3, 4, 4]"))
    assert str(session.inputs[0]) == "x: float32[B, 3, 4, 4]"
    np.testing.assert_array_equal(found, raw.astype(np.float32))


def test_what_is_not_fitted_stays_outside(tmp_path: Path) -> None:
    file = tmp_path / "m.dlspec"
    data = 'data D { source = npz("d.npz")\nsplit = all("train")\nx: f32[4] = source.x -> scale(2) -> standardize -> clip(max = 1) }'
    file.write_text(f"dlspec 1\n{data}\n{MODEL}", "utf-8")
    session = dlc.Session(export(file, tmp_path / "m.onnx").path, "cpu")
    x = np.full((1, 4), 3, np.float32)
    np.testing.assert_array_equal(session(x=x)["y"], np.ones((1, 4)), err_msg="only `clip` is in the graph")


def test_a_gray_image_as_a_colour_image(tmp_path: Path) -> None:
    """The file takes what the source has, one channel; the network sees three."""
    file = tmp_path / "m.dlspec"
    file.write_text(
        """dlspec 1
data D {
  source = builtin("digits")
  split  = all("train")
  x: f32[3, 8, 8] = source.image -> scale(1 / 16) -> rgb -> normalize("imagenet")
}
model M(x: [B, 3, 8, 8]) -> (y: [B, 3, 8, 8]) { gain = Param([], init = ones)\n y = x * gain }
train { model = M\n data = D\n loss = mean(y * y)\n optimizer = SGD(0.0)\n batch = 8\n duration = 1 steps }
export { onnx = "m.onnx"; preprocess = true }
""",
        "utf-8",
    )
    checked = check(file)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    session = dlc.Session(export(dlc.train(file, out=tmp_path / "run", device="cpu"), tmp_path / "m.onnx").path, "cpu")
    opened = open_data(checked.spec.recipe.data[0], tmp_path)
    feed = Feed(opened, "train", training=False, device=torch.device("cpu"))
    batch = torch.cat([b["x"] for b in feed.batches(64)]).numpy()
    raw = load_digits().images.astype(np.float32)[:, None][np.asarray(opened.parts["train"].records)]
    np.testing.assert_allclose(session.predict({"x": raw})["y"], batch, rtol=1e-5, atol=1e-5)


def test_rgb_takes_images(tmp_path: Path) -> None:
    file = tmp_path / "m.dlspec"
    data = 'data D {{ source = {}\n split = all("train")\n x: f32[3, 8, 8] = source.image -> {} -> normalize("imagenet") }}\n'
    file.write_text("dlspec 1\n" + data.format('image_folder("pets")', "resize(8) -> center_crop(8) -> rgb"), "utf-8")
    assert not check(file).report.errors
    file.write_text("dlspec 1\n" + data.format('builtin("iris")', "rgb").replace("source.image", "source.x"), "utf-8")
    assert [d.code for d in check(file).report.errors] == ["E0204"]
