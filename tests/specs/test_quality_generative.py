"""What the shipped generative models, forecasters, the distilled student and CLIP reach, each beside a simple peer.

Full size trains them, or their small variant where there is one, as they ship; the normal size leaves the longest out and
shortens others. Samples are drawn by the code of docs/generate.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.linalg import sqrtm
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

import dlc
from dlc.runtime.data.feed import Feed, open_data
from dlc.runtime.inference.session import Session

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
Record = Callable[[str, float, str], None]
Array = NDArray[Any]

DIGITS: Array = load_digits().data / 16
LABELS: Array = load_digits().target


def trained(name: str, folder: Path, **overrides: Any) -> Any:
    return dlc.train(dlc.load(SPECS / name, **overrides), out=folder, device="cpu")


def parts(name: str) -> dict[str, Array]:
    """Which digits a spec trains and tests with."""
    data = open_data(dlc.load(SPECS / name).spec.recipe.data[0], SPECS)
    return {split: part.records for split, part in data.parts.items()}


def code(page: str) -> list[str]:
    """The Python of a page of the documentation."""
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / page).read_text("utf-8"), re.DOTALL)


def drawn(run: Any, file: str, how: int, monkeypatch: pytest.MonkeyPatch, section: str | None = None) -> Array:
    """Samples by the documentation's code, as [256, pixels]."""
    dlc.export(run, run.path / file, section=section)
    monkeypatch.chdir(run.path)
    text = code("generate.md")[how].replace("dcgan.onnx", file)
    found: list[Array] = []
    for seed in range(4):
        names: dict[str, Any] = {}
        exec(text.replace("default_rng(0)", f"default_rng({seed})"), names)
        found.append(names["images"].reshape(64, 64))
    return np.concatenate(found)


def frechet(one: Array, other: Array) -> float:
    """The Frechet distance of two sets of images as normal distributions of pixels (Heusel et al. 2017, without a net)."""
    a, b = np.cov(one.T), np.cov(other.T)
    root = np.real(sqrtm((a + 1e-9 * np.eye(len(a))) @ (b + 1e-9 * np.eye(len(b)))))
    return float(np.sum((one.mean(0) - other.mean(0)) ** 2) + np.trace(a + b - 2 * root))


def nearest(images: Array) -> float:
    """The median distance to the nearest real digit."""
    distances, _ = NearestNeighbors(n_neighbors=1).fit(DIGITS).kneighbors(images)
    return float(np.median(distances))


def normal_peer() -> Array:
    """Images from the normal distribution with the pixels' means and covariances: right in moments, no digits."""
    random = np.random.default_rng(0)
    return np.clip(random.multivariate_normal(DIGITS.mean(0), np.cov(DIGITS.T), 256), 0, 1)


def independent_peer() -> Array:
    """Every pixel drawn from its own values, without the others."""
    random = np.random.default_rng(0)
    return np.stack([random.choice(DIGITS[:, pixel], 256) for pixel in range(64)], axis=1)


def judge(name: str, samples: Array, record: Record, *, full: bool, peer: Array) -> None:
    """Samples are nearer to digits than a peer's images, their moments are nearer to those of digits than independent
    pixels' are, and several digits are among them (all ten in full size)."""
    assert samples.min() >= -1e-3
    assert samples.max() <= 1 + 1e-3
    near, moments = nearest(samples), frechet(samples, DIGITS)
    shares = np.bincount(KNeighborsClassifier(5).fit(DIGITS, LABELS).predict(samples), minlength=10) / len(samples)
    record(f"{name}.nearest", near, "")
    record(f"{name}.frechet", moments, "")
    record(f"{name}.rarest_digit", 100 * float(shares.min()), "%")
    assert near < nearest(peer), (near, moments)
    assert moments < frechet(independent_peer(), DIGITS), (near, moments)
    assert (shares > 0).sum() >= (10 if full else 7), shares


def test_autoencoder_against_pca(tmp_path: Path, sizes: Any, record_figure: Record) -> None:
    """Eight numbers found by a network say more about a digit than the eight best linear ones."""
    run = trained("autoencoder.dlspec", tmp_path / "run", **{} if sizes.full else {"train.duration": "40 epochs"})
    records = parts("autoencoder.dlspec")
    pca = PCA(8).fit(DIGITS[records["train"]])
    test = DIGITS[records["test"]]
    linear = float(np.sqrt(np.mean((pca.inverse_transform(pca.transform(test)) - test) ** 2)))
    record_figure("autoencoder.rmse", run.figures["test.rmse"], "")
    record_figure("autoencoder.pca.rmse", linear, "")
    assert run.figures["test.rmse"] < 0.95 * linear


def test_vae(tmp_path: Path, sizes: Any, record_figure: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    run = trained("vae.dlspec", tmp_path / "run", **{} if sizes.full else {"train.duration": "50 epochs"})
    judge(
        "vae",
        drawn(run, "vae_generator.onnx", 0, monkeypatch, "generator"),
        record_figure,
        full=sizes.full,
        peer=normal_peer(),
    )


@pytest.mark.long
def test_dcgan(tmp_path: Path, sizes: Any, record_figure: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """On eight by eight pixels the generator has one hidden layer: its samples do not come as near as normal noise."""
    run = trained("dcgan.dlspec@small", tmp_path / "run")
    judge(
        "dcgan",
        (drawn(run, "dcgan.onnx", 0, monkeypatch) + 1) / 2,
        record_figure,
        full=sizes.full,
        peer=independent_peer(),
    )


@pytest.mark.long
def test_wgan_gp(tmp_path: Path, sizes: Any, record_figure: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """The critic still tells samples from digits that it has not seen: its distance is positive."""
    run = trained("wgan_gp.dlspec@small", tmp_path / "run")
    record_figure("wgan_gp.distance", run.figures["test.distance"], "")
    assert run.figures["test.distance"] > 0
    judge("wgan_gp", drawn(run, "wgan_gp.onnx", 0, monkeypatch), record_figure, full=sizes.full, peer=normal_peer())


@pytest.mark.long
def test_ddpm(tmp_path: Path, sizes: Any, record_figure: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    """Guessing no noise at all is a loss of 1."""
    run = trained("ddpm.dlspec@small", tmp_path / "run")
    record_figure("ddpm.loss", run.figures["test.loss"], "")
    assert run.figures["test.loss"] < 0.25
    judge("ddpm", (drawn(run, "ddpm.onnx", 1, monkeypatch) + 1) / 2, record_figure, full=sizes.full, peer=normal_peer())


@pytest.mark.long
def test_distillation(tmp_path: Path, record_figure: Record) -> None:
    """A student with soft answers, beside the same student with the labels alone."""
    taught = trained("distillation.dlspec", tmp_path / "taught").figures
    alone = trained(
        "distillation.dlspec", tmp_path / "alone", **{"soft_share": 0.0, "train.phase.teach.duration": "1 steps"}
    ).figures
    record_figure("distillation.student.accuracy", 100 * taught["test.acc"], "%")
    record_figure("distillation.alone.accuracy", 100 * alone["test.acc"], "%")
    record_figure("distillation.teacher.accuracy", 100 * taught["test.teacher_acc"], "%")
    assert taught["test.acc"] >= 0.93
    assert taught["test.teacher_acc"] > taught["test.acc"]
    assert taught["test.acc"] >= alone["test.acc"] - 0.02


@pytest.mark.parametrize("kind", ["gru", "tcn"])
def test_sunspots(kind: str, tmp_path: Path, sizes: Any, record_figure: Record) -> None:
    """The last sixty years, one year ahead: no value of them was seen in training."""
    from statsmodels.datasets import sunspots

    values = sunspots.load_pandas().data["SUNACTIVITY"].to_numpy()
    persistence = float(np.sqrt(np.mean((values[-60:] - values[-61:-1]) ** 2)))
    assert len(parts(f"sunspots_{kind}.dlspec")["test"]) == 60
    found = [
        trained(f"sunspots_{kind}.dlspec", tmp_path / str(seed), **{"train.seed": seed}).figures["test.rmse"]
        for seed in sizes.seeds
    ]
    record_figure(f"sunspots.{kind}.rmse", float(np.median(found)), "")
    record_figure("sunspots.persistence.rmse", persistence, "")
    assert persistence == pytest.approx(32.9, abs=0.05)
    assert np.median(found) <= 24


@pytest.mark.long
def test_el_nino(tmp_path: Path, sizes: Any, record_figure: Record) -> None:
    """Six months ahead in the last years of the record, in standard deviations: the season before gives 0.554."""
    found = [
        trained("el_nino_lstm.dlspec", tmp_path / str(seed), **{"train.seed": seed}).figures["test.rmse"]
        for seed in sizes.seeds
    ]
    record_figure("el_nino.lstm.rmse", float(np.median(found)), "")
    assert np.median(found) <= 0.45, found


@pytest.mark.long
def test_clip_finds_the_name(tmp_path: Path, sizes: Any, record_figure: Record) -> None:
    """Which of ten spelled names is nearest to an image of the test part; guessing gives 10 %."""
    run = trained("clip.dlspec@small", tmp_path / "run", **{} if sizes.full else {"train.duration": "8 epochs"})
    for tower in ("image", "text"):
        dlc.export(run, tmp_path / f"{tower}.onnx", section=tower)
    data = open_data(dlc.load(SPECS / "clip.dlspec@small").spec.recipe.data[0], SPECS)
    (batch,) = Feed(data, "test", training=False, device=torch.device("cpu")).batches(1000)
    images, tokens = batch["image"].numpy(), batch["tokens"].numpy()
    labels = LABELS[data.parts["test"].records]
    names = np.stack([tokens[np.flatnonzero(labels == digit)[0]] for digit in range(10)])
    pictures = Session(tmp_path / "image.onnx", "cpu").predict({"image": images})["image_embeds"]
    words = Session(tmp_path / "text.onnx", "cpu").predict({"tokens": names})["text_embeds"]
    accuracy = float(np.mean((pictures @ words.T).argmax(1) == labels))
    record_figure("clip.retrieval.accuracy", 100 * accuracy, "%")
    assert accuracy >= (0.95 if sizes.full else 0.6)
