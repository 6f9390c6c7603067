"""Streams: what is learned of one, the windows cut from it, and predictions for its continuation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import dlc
from dlc.runtime.failure import BadInput

FORECAST = """dlspec 1

data Sunspots {
  source = builtin("sunspots")
  split  = contiguous(train = 0.7, val = 0.15, test = 0.15)

  let window = source.value -> standardize -> window(25, 1)
  past: f32[24] = window[:-1]
  next: f32     = window[-1]
}

model Forecast(past: f32[B, 24]) -> (ahead: [B]) {
  y = past -> Linear(1)
  ahead = y[:, 0]
}

train {
  model     = Forecast
  data      = Sunspots
  loss      = mse(ahead, next)
  optimizer = AdamW(lr = 1e-2)
  batch     = 64
  duration  = 60 epochs
}

export {
  model      = Forecast
  preprocess = true
}
"""


def values() -> np.ndarray:
    from dlc.runtime.data.builtin.series import sunspots

    return sunspots()["value"].array  # type: ignore[union-attr]


def test_a_stream_of_numbers_is_standardized_by_its_train_part(workspace) -> None:
    body = FORECAST[FORECAST.index("data Sunspots {") + 15 : FORECAST.index("}\n\nmodel")]
    data = workspace.open(body)
    series = values()
    train = series[: data.parts["train"].stream[1]].astype(np.float64)
    fitted = next(iter(data.graph.fitted.values()))
    assert fitted["mean"] == pytest.approx(train.mean()) and fitted["std"] == pytest.approx(train.std())
    test = workspace.everything(body, "test")
    begin, end = data.parts["test"].stream
    assert len(test["next"]) == end - begin - 24
    wanted = (series[begin + 24 : end] - train.mean()) / train.std()
    np.testing.assert_allclose(test["next"].numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert torch.equal(test["past"][1:, -1], test["next"][:-1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> dlc.Run:
    folder = tmp_path_factory.mktemp("forecast")
    (folder / "forecast.dlspec").write_text(FORECAST, "utf-8")
    return dlc.train(folder / "forecast.dlspec", out=folder / "run", device="cpu")


def test_a_forecast_is_in_the_units_of_the_series(run: dlc.Run) -> None:
    series = values()
    found = dlc.predict(run, {"value": series}).values["ahead"]
    assert len(found) == len(series) - 24 + 1  # the last one is for the year behind the series
    error = np.sqrt(np.mean((found[:-1] - series[24:]) ** 2))
    assert error < 0.6 * series.std()
    alone = dlc.predict(run, {"value": series[-24:]}).values["ahead"]
    np.testing.assert_allclose(alone, found[-1:], rtol=1e-5)


def test_a_series_from_a_file(run: dlc.Run, tmp_path: Path) -> None:
    file = tmp_path / "years.csv"
    file.write_text("value\n" + "\n".join(map(str, values()[-30:])) + "\n", "utf-8")
    assert len(dlc.predict(run, file)) == 7
    file.write_text("value\n1\n2\n", "utf-8")
    with pytest.raises(BadInput, match="it has 2 values, the model reads 24"):
        dlc.predict(run, file)


def test_an_exported_graph_takes_and_gives_raw_values(run: dlc.Run, tmp_path: Path) -> None:
    model = dlc.export(run, tmp_path / "m.onnx").path
    past = values()[-24:]
    raw = dlc.Session(model, "cpu").predict({"past": past[None]})["ahead"]
    said = dlc.predict(run, {"value": past}).values["ahead"]
    np.testing.assert_allclose(raw, said, rtol=1e-3)
    np.testing.assert_array_equal(dlc.Session(model, "cpu").answer({"value": past}).values["ahead"], raw)


TEXT = """source = text("a.txt")
    split = contiguous(train = 0.5, val = 0.5)
    x: i64[4] = source.tokens -> window(4, 4)"""


def test_characters_of_a_text_are_those_of_its_train_part(workspace) -> None:
    workspace.write("a.txt", "cbcbcbcb" + "zbca!bcz")
    data = workspace.open(TEXT)
    assert next(iter(data.graph.fitted.values())) == {"names": ["b", "c"]}
    assert workspace.everything(TEXT)["x"].tolist() == [[1, 0, 1, 0], [1, 0, 1, 0]]
    assert workspace.everything(TEXT, "val")["x"].tolist() == [[2, 0, 1, 2], [2, 0, 1, 2]]


def test_the_vocabulary_of_a_text_counts_unknown_characters(workspace) -> None:
    from dlc.runtime.data import facts

    workspace.write("a.txt", "cbcbcbcb" + "zbca!bcz")
    found = facts.of(workspace.open(TEXT)).fields["x"]
    assert found.vocabulary == 3


def test_lines_as_tokens(workspace) -> None:
    workspace.write("a.txt", "one\ntwo\none\ntwo\n" + "three\none\ntwo\ntwo\n")
    body = TEXT.replace('"a.txt"', '"a.txt", unit = "line"')
    assert workspace.everything(body, "val")["x"].tolist() == [[2, 0, 1, 1]]


def test_a_text_with_unknown_characters_is_predicted(workspace, tmp_path: Path) -> None:
    workspace.write("a.txt", "abcabcabcabc" * 20)
    spec = workspace.write(
        "m.dlspec",
        """dlspec 1
data D {
  source = text("a.txt")
  split  = contiguous(train = 0.8, val = 0.2)
  let window = source.tokens -> random_window(7)
  tokens:  i64[6] = window[:-1]
  targets: i64[6] = window[1:]
}
model M(tokens: i64[B, T]) -> (logits: [B, T, 4]) {
  logits = tokens -> Embedding(4, 8) -> Linear(4)
}
train {
  model = M
  data = D
  loss = cross_entropy(logits, targets)
  optimizer = AdamW(lr = 0.05)
  batch = 16
  duration = 20 steps
}
""",
    )
    run = dlc.train(spec, out=tmp_path / "run", device="cpu")
    text = workspace.write("b.txt", "abc?ca")
    found = dlc.predict(run, text).values["logits"]
    assert found.shape == (1, 6, 4)
    assert found[0, [0, 1, 4]].argmax(-1).tolist() == [1, 2, 0]
