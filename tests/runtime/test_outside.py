"""What depends on the data ends with E0414 at its place in the spec: in training, in evaluation, and in the comparison of an export."""

from __future__ import annotations

from pathlib import Path

import pytest

import dlc

WINE = """dlspec 1

data Wine {
  source = builtin("wine")
  split  = random(train = 0.6, val = 0.2, test = 0.2, seed = 0)
  x: f32[13] = source.x -> standardize
  label: i64 = source.label
}

model M(x: [B, 13]) -> (logits: [B, 3]) {
  h = BODY
  logits = h -> head: Linear(3)
}

train {
  model     = M
  data      = Wine
  loss      = LOSS
  metrics { figure = METRIC }
  optimizer = Adam(1e-3)
  batch     = 16
  duration  = 2 steps
}
"""
BODY, LOSS, METRIC = "x -> fc: Linear(8) -> relu", "cross_entropy(logits, label)", "accuracy(logits, label)"


def spec(folder: Path, body: str = BODY, loss: str = LOSS, metric: str = METRIC) -> Path:
    path = folder / "m.dlspec"
    path.write_text(WINE.replace("BODY", body).replace("LOSS", loss).replace("METRIC", metric), "utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "place", "note"),
    [
        ({"body": "cast(x, i64) -> table: Embedding(4, 2) -> flatten"}, "table: Embedding(4, 2)", "0 to 3"),
        ({"body": "gather(x, cast(x, i64), 1)"}, "gather(x, cast(x, i64), 1)", "0 to 12"),
        ({"loss": "cross_entropy(logits, label + 5)"}, "cross_entropy(logits, label + 5)", "go from 5 to 7"),
        ({"loss": "nll(log_softmax(logits), label - 1)"}, "nll(log_softmax(logits), label - 1)", "go from -1 to 1"),
        ({"metric": "perplexity(logits, label + 5)"}, "perplexity(logits, label + 5)", ""),
        ({"metric": "iou(logits, label + 5)"}, "iou(logits, label + 5)", ""),
        ({"metric": "f1(logits, label - 1)"}, "f1(logits, label - 1)", ""),
        ({"metric": "mean(cast(label % label, f32))"}, "label % label", ""),
        ({"metric": "mean(cast(label // label, f32))"}, "label // label", ""),
    ],
)
def test_training_and_evaluation(change: dict[str, str], place: str, note: str, tmp_path: Path) -> None:
    path = spec(tmp_path, **change)
    with pytest.raises(dlc.SpecError) as failure:
        dlc.train(path, out=tmp_path / "run", device="cpu")
    (found,) = failure.value.diagnostics
    text = path.read_text("utf-8")
    assert found.code == "E0414"
    assert text[found.span.start : found.span.end] == place.removeprefix("table: ")
    assert note in " ".join(found.notes)


def test_comparison(tmp_path: Path) -> None:
    path = spec(tmp_path, body="cast(1000 * x, i64) -> table: Embedding(4, 2) -> flatten")
    with pytest.raises(dlc.SpecError) as failure:
        dlc.export(path, tmp_path / "m.onnx")
    assert [d.code for d in failure.value.diagnostics] == ["E0414"]
    assert not (tmp_path / "m.onnx").exists()


def test_other_exceptions_stay_faults(tmp_path: Path) -> None:
    import torch

    from dlc.runtime.generated.outside import explained

    loaded = dlc.load(spec(tmp_path))
    with pytest.raises(IndexError), explained(loaded.spec, {"": loaded.module()}):
        raise IndexError("list index out of range")
    with pytest.raises(RuntimeError), explained(loaded.spec, {"": loaded.module()}):
        loaded.module()(torch.zeros(2, 3))


def test_an_export_in_bf16_is_told_before_training(tmp_path: Path) -> None:
    from dlc.runtime.exporting.halves import without_kernels
    from dlc.runtime.training.events import Note

    path = spec(tmp_path)
    path.write_text(path.read_text("utf-8") + '\nexport { onnx = "m.onnx"; precision = "bf16" }\n', "utf-8")
    loaded = dlc.load(path)
    told: list[Note] = []
    dlc.train(
        loaded, out=tmp_path / "run", device="cpu", listener=lambda e: told.append(e) if isinstance(e, Note) else None
    )
    codes = [note.code for note in told if note.code]
    assert codes == (["W0411"] if without_kernels(loaded.spec) else [])


def test_growth_by_epochs_ends_the_run(tmp_path: Path) -> None:
    path = spec(tmp_path)
    grown = "SGD(0.1 -> decay(1e200, every = 1 steps))"
    path.write_text(path.read_text("utf-8").replace("Adam(1e-3)", grown).replace("2 steps", "1 epochs"), "utf-8")
    with pytest.raises(dlc.RunFailure, match="beyond any number|not a finite number"):
        dlc.train(path, out=tmp_path / "run", device="cpu")
