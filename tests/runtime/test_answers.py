"""`dlc predict` answers in the units of the data, whichever way the loss is written: from a run and from its ONNX file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dlc
from dlc.cli.app import run as command_line
from dlc.runtime.data.builtin.tables import diabetes
from dlc.runtime.inference.answers import Answer, as_json
from dlc.runtime.inference.file_facts import FileFacts
from dlc.runtime.training.reopen import reopen

SPEC = """dlspec 1
data Patients {
  source = builtin("diabetes")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  let all = source.x -> standardize
  x: f32[10] = all
  y: f32     = source.y -> standardize
  logs: f32  = source.y -> log1p
  parts: f32 = source.y -> scale(0.001)
  high: i64  = source.y -> threshold(140)
  row: f32[2] = all[2:4]
}
model Net(x: [B, 10]) -> (y_hat: [B], other: [B], pair: [B, 2], logits: [B, 2]) {
  h      = x -> fc: Linear(16) -> relu
  y_hat  = h -> a: Linear(1) -> squeeze(-1)
  other  = h -> b: Linear(1) -> squeeze(-1)
  pair   = h -> c: Linear(2)
  logits = h -> d: Linear(2)
}
train {
  model = Net
  data = Patients
  LOSS
  optimizer = AdamW(1e-2)
  batch = 64
  duration = 1 epochs
}
export { model = Net; preprocess = true }
"""
X = np.asarray(diabetes()["x"].array[:3], np.float32)  # type: ignore[union-attr]
Y = np.asarray(diabetes()["y"].array, np.float64)  # type: ignore[union-attr]


def fitted(run: dlc.Run, axes: int) -> dict[str, Any]:
    """What `standardize` learned of the target (a number) or of the inputs (a vector)."""
    everything = json.loads((run.path / "data.json").read_text("utf-8"))["fitted"].values()
    return next(learned for learned in everything if np.ndim(learned["mean"]) == axes)


class Answers:
    """What a run and its file say of three patients, and what the net itself gives."""

    def __init__(self, folder: Path, loss: str) -> None:
        spec = folder / "m.dlspec"
        spec.write_text(SPEC.replace("LOSS", loss), "utf-8")
        self.run = dlc.train(spec, out=folder / "run", device="cpu")
        self.file = dlc.export(self.run, folder / "m.onnx").path
        np.savez(folder / "x.npz", x=X)
        self.fitted = fitted(self.run, axes=0)
        self.raw = self._raw()

    def _raw(self) -> dict[str, Any]:
        """What the network gives."""
        inputs, opened = fitted(self.run, axes=1), reopen(self.run, "cpu")
        x = ((X - np.array(inputs["mean"])) / np.array(inputs["std"])).astype(np.float32)
        (net,) = opened.program.nets.values()
        with torch.no_grad():
            made = net.eval()(torch.from_numpy(x))
        return {name: value.numpy() for name, value in zip(("y_hat", "other", "pair", "logits"), made, strict=True)}

    def rows(self, capsys: pytest.CaptureFixture[str]) -> tuple[list[dict[str, Any]], list[str]]:
        """The rows and notes of `dlc predict`, the same from the run and from the file."""
        found = []
        for source in (self.run.path, self.file):
            capsys.readouterr()
            assert command_line(["predict", str(source), str(self.file.parent / "x.npz"), "--format", "json"]) == 0
            out, err = capsys.readouterr()
            found.append((json.loads(out), err.splitlines()))
        (rows, notes), (others, same) = found
        assert notes == same
        for row, other in zip(rows, others, strict=True):
            for name in row.keys() - {"input"}:
                if isinstance(row[name], str):
                    assert row[name] == other[name]
                else:
                    np.testing.assert_allclose(row[name], other[name], rtol=1e-4, atol=1e-4)
        return rows, notes


@pytest.fixture
def answers(tmp_path: Path) -> Callable[[str], Answers]:
    return lambda loss: Answers(tmp_path, loss)


@pytest.mark.parametrize(
    "loss",
    [
        "loss = huber(y_hat, y)",
        "loss = mean((y_hat - y) ** 2)",
        "loss = mean(abs(y - y_hat))",
        "loss = mean(((y_hat - y) / 2) ** 2)",
        "let error = y_hat - y\n  loss = mean(error ** 2)",
    ],
)
def test_a_standardized_target_is_answered_in_its_own_units(
    answers: Callable[[str], Answers], capsys: pytest.CaptureFixture[str], loss: str
) -> None:
    said = answers(loss)
    rows, notes = said.rows(capsys)
    wanted = said.raw["y_hat"] * said.fitted["std"] + said.fitted["mean"]
    assert said.fitted["mean"] == pytest.approx(Y.mean(), rel=0.1)
    np.testing.assert_allclose([row["y_hat"] for row in rows], wanted, rtol=1e-4)
    assert notes == [
        f"note: `{name}` is printed as the model gives it: the loss compares it with no field of the data"
        for name in ("other", "pair", "logits")
    ]
    np.testing.assert_allclose([row["other"] for row in rows], said.raw["other"], rtol=1e-4, atol=1e-5)


def test_several_outputs_with_fields_of_their_own(
    answers: Callable[[str], Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    said = answers("loss { a = mse(2 * y_hat + 1, y); b = l1_loss(other, logs); c = mean((pair - row) ** 2) }")
    rows, notes = said.rows(capsys)
    y = (2 * said.raw["y_hat"].astype(float) + 1) * said.fitted["std"] + said.fitted["mean"]
    np.testing.assert_allclose([row["y_hat"] for row in rows], y, rtol=1e-4)
    np.testing.assert_allclose([row["other"] for row in rows], np.expm1(said.raw["other"]), rtol=1e-4, atol=1e-5)
    inputs = fitted(said.run, axes=1)
    pair = said.raw["pair"] * np.array(inputs["std"])[2:4] + np.array(inputs["mean"])[2:4]
    np.testing.assert_allclose([row["pair"] for row in rows], pair, rtol=1e-4, atol=1e-6)
    assert len(notes) == 1


@pytest.mark.parametrize(
    "loss",
    [
        "loss = cross_entropy(logits, high)",
        "loss = nll(log_softmax(logits), high)",
        "loss = focal(logits, high)",
        "loss = dice_loss(logits, high)",
        "let scores = logits\n  loss = cross_entropy(scores, high)",
    ],
)
def test_classes(answers: Callable[[str], Answers], capsys: pytest.CaptureFixture[str], loss: str) -> None:
    said = answers(loss)
    rows, notes = said.rows(capsys)
    shares = np.exp(said.raw["logits"]) / np.exp(said.raw["logits"]).sum(1, keepdims=True)
    assert [row["class"] for row in rows] == shares.argmax(1).tolist()
    np.testing.assert_allclose([row["probability"] for row in rows], shares.max(1), rtol=1e-4)
    assert not any("`logits`" in note for note in notes)


def test_a_binary_loss_gives_a_probability(
    answers: Callable[[str], Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    said = answers("loss = bce(other, high -> cast(f32))")
    rows, notes = said.rows(capsys)
    np.testing.assert_allclose([row["probability"] for row in rows], 1 / (1 + np.exp(-said.raw["other"])), rtol=1e-4)
    assert not any("`other`" in note for note in notes)


def test_shares_are_told_in_the_units_of_their_field(
    answers: Callable[[str], Answers], capsys: pytest.CaptureFixture[str]
) -> None:
    """A target that was scaled to 0 to 1: the sigmoid of the output is scaled back."""
    said = answers("loss = bce(other, parts)")
    rows, _ = said.rows(capsys)
    np.testing.assert_allclose([row["other"] for row in rows], 1000 / (1 + np.exp(-said.raw["other"])), rtol=1e-4)


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("loss = mse(exp(y_hat), y)", "it is compared with `y` only after `exp`"),
        ("loss = mse(y_hat, y) + mse(y_hat, logs)", "the loss compares it with `y` and `logs`"),
        ("loss = mse(y_hat, high -> cast(f32))", "it stands for `high`, and `threshold` cannot be undone"),
    ],
)
def test_what_cannot_be_told_is_said(
    answers: Callable[[str], Answers], capsys: pytest.CaptureFixture[str], loss: str, why: str
) -> None:
    said = answers(loss)
    rows, notes = said.rows(capsys)
    assert notes[0] == f"note: `y_hat` is printed as the model gives it: {why}"
    np.testing.assert_allclose([row["y_hat"] for row in rows], said.raw["y_hat"], rtol=1e-4, atol=1e-5)


def test_initial_weights_have_learned_no_units(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "m.dlspec"
    spec.write_text(SPEC.replace("LOSS", "loss = mse(y_hat, y)"), "utf-8")
    file = dlc.export(spec, tmp_path / "m.onnx").path
    np.savez(tmp_path / "x.npz", x=X)
    assert command_line(["predict", str(file), str(tmp_path / "x.npz")]) == 0
    assert "it stands for `y`, and `standardize` is not fitted yet" in capsys.readouterr().err


def test_outputs_that_an_export_computes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = tmp_path / "m.dlspec"
    loss = "loss { a = mse(y_hat, y); b = cross_entropy(logits, high) }"
    text = SPEC.replace("LOSS", loss).replace(
        "preprocess = true", "preprocess = true; outputs { probs = softmax(logits); tens = 10 * y_hat }"
    )
    spec.write_text(text, "utf-8")
    run = dlc.train(spec, out=tmp_path / "run", device="cpu")
    session = dlc.Session(dlc.export(run, tmp_path / "m.onnx").path, "cpu")
    assert session.answers["probs"].kind == "probabilities"
    tens = session.answers["tens"]
    assert (tens.kind, tens.field, tens.scale, tens.undo) == ("value", "y", 1.0, ())
    found = session.predict({"x": X})["tens"]
    np.testing.assert_array_equal(session.answers["tens"].values(found), found)
    np.testing.assert_allclose(found, dlc.predict(run, {"x": X}).values["y_hat"], rtol=1e-4)


@pytest.mark.parametrize(
    ("metric", "field", "factor"),
    [("rmse(y_hat, y)", "y", 1), ("mae(y_hat / 50, y / 50)", "y", 50), ("rmse(other, parts)", "parts", 1)],
)
def test_figures_in_the_units_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], metric: str, field: str, factor: float
) -> None:
    spec = tmp_path / "m.dlspec"
    loss = f"loss {{ a = mse(y_hat, y); b = mse(other, parts) }}\n  metrics {{ error = {metric}; r2 = r2(y_hat, y) }}"
    spec.write_text(SPEC.replace("LOSS", loss), "utf-8")
    run = dlc.train(spec, out=tmp_path / "run", device="cpu")
    figure = dlc.evaluate(run, "val")["error"]
    scale = 1000.0 if field == "parts" else float(fitted(run, axes=0)["std"])
    found = dlc.judge(run, "val").in_units["error"]
    assert found.field == field and found.figure == pytest.approx(figure * factor * scale, rel=1e-6)
    assert command_line(["evaluate", str(run.path), "--split", "val"]) == 0
    words = f"{found.figure:.4g} in the units of `{field}`, "
    assert f"{figure:.4f}  {words}" in capsys.readouterr().out


def test_a_figure_of_a_curved_transform_is_computed_from_what_is_undone(tmp_path: Path) -> None:
    spec = tmp_path / "m.dlspec"
    text = SPEC.replace("LOSS", "loss = mse(other, logs)\n  metrics { error = rmse(other, logs) }")
    spec.write_text(text, "utf-8")
    run = dlc.train(spec, out=tmp_path / "run", device="cpu")
    save = tmp_path / "all.jsonl"
    found = dlc.judge(run, "val", save=save, form="jsonl")
    rows = [json.loads(line) for line in save.read_text("utf-8").splitlines()]
    errors = np.array([row["target"] for row in rows]) - np.array([row["other"] for row in rows])
    assert found.in_units["error"].figure == pytest.approx(float(np.sqrt((errors**2).mean())), rel=1e-6)
    assert found.in_units["error"].undone == ("log1p",)


def test_a_reconstruction_has_the_bytes_of_its_image(tmp_path: Path) -> None:
    """Bytes were read as value / 255 and normalized a channel; both are undone."""
    from PIL import Image

    random = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(12):
            pixels = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{number}.png")
    spec = tmp_path / "m.dlspec"
    spec.write_text(
        """dlspec 1
data Pictures {
  source = image_folder("images")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  image: f32[3, 8, 8] = source.image -> normalize((0.5, 0.4, 0.3), (0.2, 0.25, 0.3))
}
model Auto(image: [B, 3, 8, 8]) -> (recon: [B, 3, 8, 8]) { recon = image -> conv: Conv(3, 1) }
train {
  model = Auto
  data = Pictures
  loss = mean((recon - image) ** 2)
  optimizer = AdamW(1e-1)
  batch = 8
  duration = 100 epochs
}
""",
        "utf-8",
    )
    run = dlc.train(spec, out=tmp_path / "run", device="cpu")
    file = tmp_path / "images" / "a" / "0.png"
    found = dlc.predict(run, [file])
    pixels = np.asarray(Image.open(file)).transpose(2, 0, 1)
    assert found.notes == []
    assert np.abs(found.values["recon"][0] - pixels).max() < 10


def test_answers_in_the_metadata_of_a_file() -> None:
    several = {
        "a": Answer("value", "y", undo=(("affine", [2.0, 3.0], 1.0), ("expm1",)), shape=(2, None)),
        "b": Answer("scores", "label", axis=-3, scale=0.5, classes=("cat", "dog")),
        "c": Answer("unknown", why="so"),
    }
    assert FileFacts(Path("m.onnx"), {"dlc.outputs": as_json(several)}).answers() == several


def test_figures_of_a_field_stand_for_its_own_axes() -> None:
    """A column [B, 3, 1] of a field [B, 3] with a mean for each of three numbers."""
    answer = Answer("value", "y", undo=(("affine", [1.0, 10.0, 100.0], 0.0),), shape=(3,))
    np.testing.assert_array_equal(answer.values(np.ones((2, 3, 1)))[0, :, 0], [1, 10, 100])
    ragged = np.empty(2, object)
    ragged[:] = [np.ones(2), np.ones(4)]
    scaled = Answer("value", "y", undo=(("affine", 2.0, 0.0),), shape=(None,)).values(ragged)
    assert [row.tolist() for row in scaled] == [[2, 2], [2, 2, 2, 2]]
