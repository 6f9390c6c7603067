"""Means, deviations and metrics over nothing, or over one number: a stated value or a message, never a fault."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dlc
from dlc.compiler.check import check
from dlc.compiler.ir.data import DataFacts
from dlc.runtime.api import export
from dlc.runtime.training.events import Event, Note

ALL = 'split = all("train")'


def trained(folder: Path, text: str) -> tuple[dlc.Run, list[Note]]:
    """A run of the spec, and what was said to the user."""
    (folder / "s.dlspec").write_text(f"dlspec 1\n{text}\n", "utf-8")
    events: list[Event] = []
    run = dlc.train(folder / "s.dlspec", out=folder / "run", device="cpu", listener=events.append)
    return run, [event for event in events if isinstance(event, Note)]


def figures(run: dlc.Run) -> dict[str, float]:
    """Those of the result, which is JSON: a figure that is not a number is null there, and NaN in `Run.figures`."""
    found = json.loads((run.path / "result.json").read_text("utf-8"), parse_constant=pytest.fail)["figures"]
    assert {name for name, value in found.items() if value is None} == {
        n for n, v in run.figures.items() if math.isnan(v)
    }
    return run.figures


LABELS = """data D {{
  source = csv("t.csv")
  split  = contiguous(train = 0.5, val = 0.5)
  x: f32[2] = source.all_except("y")
  y: i64 = source.y
}}
model M(x: [B, 2]) -> (logits: [B, 3]) {{ logits = x -> fc: Linear(3) }}
train {{
  model = M; data = D; loss = {loss}; optimizer = SGD(0.1)
  metrics {{ acc = accuracy(logits, y, ignore = 2); ppl = perplexity(logits, y, ignore = 2) }}
  {batch}; duration = 8 steps
}}"""


@pytest.mark.parametrize("batch", ["batch = 2", "batch = 4; micro_batch = 2"])
@pytest.mark.parametrize(
    "loss",
    [
        "cross_entropy(logits, y, ignore = 2)",
        "cross_entropy(logits, y, ignore = 2, smoothing = 0.1)",
        "cross_entropy(logits, y, weight = [1.0, 2.0, 0.0])",
        "cross_entropy(logits, y, ignore = 2, weight = [1.0, 2.0, 3.0])",
        "2 * cross_entropy(logits, y, ignore = 2) + mean(logits ** 2)",
    ],
)
def test_a_step_in_which_no_target_counts(tmp_path: Path, loss: str, batch: str) -> None:
    """Most steps have none, the val split has none at all."""
    rows = [f"{i % 5},{i % 3},{0 if i == 3 else 2}" for i in range(16)]
    (tmp_path / "t.csv").write_text("a,b,y\n" + "\n".join(rows) + "\n")
    run, notes = trained(tmp_path, LABELS.format(loss=loss, batch=batch))
    found = figures(run)
    assert math.isfinite(found["val.loss"]) and (found["val.loss"] == 0 or "mean" in loss)
    assert math.isnan(found["val.acc"]) and math.isnan(found["val.ppl"])
    said = [note.text.partition(" is")[0] for note in notes if note.code == "W0412"]
    assert said == ["`val.acc`", "`val.ppl`"]


def test_the_mean_over_targets_that_count_is_that_of_torch() -> None:
    """The function that a recipe contains, against PyTorch's own where it is defined."""
    from dlc.backends.pytorch.support import source, support

    name = "counted_cross_entropy"
    calls = [f"{support(name)}(y, t, {options})" for options in ("ignore_index=0", "weight=w, label_smoothing=0.1")]
    names: dict[str, Any] = {"F": torch.nn.functional, "Tensor": torch.Tensor}
    exec(source(name, name, calls), names)
    ours: Any = names[name]
    theirs: Any = torch.nn.functional.cross_entropy
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, 3, dtype=torch.float64, generator=generator, requires_grad=True)
    for _ in range(20):
        target = torch.randint(0, 4, (6, 3), generator=generator)
        weight = torch.rand(4, dtype=torch.float64, generator=generator) + 0.1
        ignore, smooth = {"ignore_index": 1}, {"label_smoothing": 0.1}
        for options in (ignore, {"weight": weight}, {**ignore, **smooth}, {**ignore, "weight": weight}):
            torch.testing.assert_close(ours(logits, target, **options), theirs(logits, target, **options))
    nothing = ours(logits, torch.ones(6, 3, dtype=torch.int64), ignore_index=1)
    nothing.backward()
    assert nothing.item() == 0 and logits.grad is not None and not logits.grad.any()


NORM = """dlspec 1
data D {{
  source = npz("t.npz")
  split  = {split}
  x: f32[4] = source.x
  y: i64 = source.y
}}
block Unit(x: [N, C]) -> (y: [N, 8]) {{ y = x -> Linear(8) -> {norm} -> relu }}
model M(x: [B, 4]) -> (logits: [B, 2]) {{ logits = x -> one: Unit -> two: Unit -> fc: Linear(2) }}
train {{ model = M; data = D; loss = cross_entropy(logits, y); optimizer = SGD(0.1); {batch}; duration = 2 steps }}
"""


@pytest.mark.parametrize(
    ("batch", "norm", "wrong"),
    [
        ("batch = 1", "BatchNorm", True),
        ("batch = 4; micro_batch = 1", "BatchNorm", True),
        ("batch = 2", "BatchNorm", False),
        ("batch = 1", "LayerNorm", False),
        ("batch = 1", "[N, (8, 1)] => [N, 8, 1] -> BatchNorm -> flatten", True),
        ("batch = 1", "[N, (4, 2)] => [N, 4, 2] -> BatchNorm -> flatten", False),
        ('batch = 1; freeze "*.norm.**"', "norm: BatchNorm", False),  # it uses its running statistics
        ('batch = 1; freeze "one.**"', "norm: BatchNorm", True),
        ('batch = 1; freeze "*.norm.weight"', "norm: BatchNorm", True),
        ('batch = 1; freeze "*.norm.**" { until = 1 steps }', "norm: BatchNorm", True),
        ('batch = 1; freeze "*.block.0.**"', "block: repeat 2 { BatchNorm }", True),
        ('batch = 1; freeze "*.block.**"', "block: repeat 2 { BatchNorm }", False),
    ],
)
def test_batch_statistics_of_one_number(tmp_path: Path, batch: str, norm: str, wrong: bool) -> None:
    file = tmp_path / "s.dlspec"
    file.write_text(NORM.format(split=ALL.partition("= ")[2], norm=norm, batch=batch))
    found = check(file)
    assert [d.code for d in found.report.errors] == ["E0206"] * wrong
    if not wrong:
        np.savez(tmp_path / "t.npz", x=np.random.rand(9, 4).astype(np.float32), y=np.arange(9) % 2)
        dlc.train(file, out=tmp_path / "run", device="cpu")


def test_batch_statistics_of_few_records(tmp_path: Path) -> None:
    file = tmp_path / "s.dlspec"
    file.write_text(NORM.format(split=ALL.partition("= ")[2], norm="BatchNorm", batch="batch = 4; micro_batch = 2"))
    for records, codes in ((8, []), (3, ["E0206"]), (1, ["E0206"])):
        facts = {"D": DataFacts(records={"train": records})}
        assert [d.code for d in check(file, facts=facts).report.errors] == codes


def test_a_group_of_one_number() -> None:
    from dlc.compiler.catalogue.ops import find
    from dlc.compiler.catalogue.ops.base import Rejected
    from dlc.compiler.sizes.dims import var
    from dlc.compiler.sizes.facts import Facts
    from dlc.compiler.sizes.types import TensorType

    norm = find("GroupNorm")
    assert norm is not None
    with pytest.raises(Rejected, match="only one element"):
        norm(groups=6).infer(Facts(), TensorType("f32", (var("B"), 6)))


TEXTS = """data D {{
  source = csv("t.csv")
  split  = {split}
  x: i64[T <= 6] = source.text -> words -> vocab(20) -> truncate(6) -> pad(0)
  y: i64 = source.y
}}
model M(x: i64[B, T]) -> (logits: [B, 2]) {{
  h = x -> e: Embedding(20, 8, pad = 0)
  g = {layer}
  logits = g -> fc: Linear(2)
}}
train {{ model = M; data = D; loss = cross_entropy(logits, y); optimizer = SGD(0.1); batch = 2; duration = 2 epochs }}
export {{ onnx = "m.onnx" }}"""
LAYERS = [
    "(h -> rnn: LSTM(8, lengths = sum(x != 0, axis = 1))).h[0]",
    "(h -> rnn: GRU(8)).y[:, -1]",
    "h -> attention: MultiHeadAttention(2) -> max(axis = 1)",
    "h -> [B, T, 8] => [B, 8, T] -> conv: Conv(8, 3, pad = 1) -> mean(axis = 2)",
]


@pytest.mark.parametrize("layer", LAYERS)
def test_batches_of_empty_texts(tmp_path: Path, layer: str) -> None:
    """All records, some of them, and one to predict."""
    for name, texts in (("none", ["", "", "", ""]), ("some", ["a b", "", "", "c"])):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "t.csv").write_text("text,y\n" + "".join(f'"{text}",{i % 2}\n' for i, text in enumerate(texts)))
        run, _ = trained(folder, TEXTS.format(split=ALL.partition("= ")[2], layer=layer))
        lone = dlc.predict(run, {"text": [""]}, device="cpu").values["logits"]
        among = dlc.predict(run, {"text": ["", "a"]}, device="cpu").values["logits"]
        assert np.isfinite(lone).all() and lone.shape == (1, 2)
        if "pad" not in layer and "lengths" in layer:
            np.testing.assert_allclose(lone[0], among[0], rtol=1e-5)
    model = export(run, folder / "m.onnx").path
    np.savez(folder / "x.npz", x=np.zeros((2, 1), np.int64))
    assert len(dlc.predict(model, [folder / "x.npz"], device="cpu")) == 2


def test_a_metric_that_is_never_a_number(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", x=np.random.rand(40, 4).astype(np.float32), y=np.arange(40) % 2 * (np.arange(40) < 20))
    text = NORM.removeprefix("dlspec 1\n").format(
        split="contiguous(train = 0.5, val = 0.5)", norm="LayerNorm", batch="batch = 10"
    )
    text = text.replace("duration = 2 steps", "duration = 9 epochs; metrics { auc = auroc(logits, y) }")
    _, notes = trained(tmp_path, text.replace("9 epochs", "9 epochs; keep = best(val.auc)"))
    said = [note.text for note in notes]
    assert said[-1] == "`val.auc` was never a number, so the last weights are kept" and notes[-1].code == "W0412"
    (tmp_path / "more").mkdir()
    (tmp_path / "t.npz").rename(tmp_path / "more" / "t.npz")
    stop = "9 epochs; stop = plateau(val.auc, patience = 2 epochs)"
    _, notes = trained(tmp_path / "more", text.replace("9 epochs", stop))
    assert any("stopped at step 4: val.auc was never a number in 4 steps" in note.text for note in notes)


@pytest.mark.parametrize("value", [0.1, 1e-9, 3e8])
def test_a_constant_column_stays_where_it_is(workspace, value: float) -> None:
    """The mean of equal numbers may differ from them in the last digit: that is no deviation."""
    workspace.write("t.csv", "x,y,z\n" + f"{value},1,0\n" * 20 + f"{2 * value},1,0\n")
    body = """source = csv("t.csv")
    split = contiguous(train = 0.95, val = 0.05)
    x: f32[2] = source.all_except("z") -> standardize"""
    assert workspace.everything(body)["x"].abs().max() == 0
    assert workspace.everything(body, "val")["x"][0, 0].item() == pytest.approx(value, rel=1e-5)


def test_a_column_without_a_number(workspace) -> None:
    workspace.write("t.csv", "a,b\n1,\n2,NA\n")
    body = f'source = csv("t.csv")\n{ALL}\nb: f32 = source.b -> impute("%s")'
    for kind in ("mean", "median"):
        assert "E0201: `impute` has nothing to learn from" in workspace.mistake(body % kind)
    assert workspace.everything(body.replace('"%s"', "3"))["b"].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("source", "name", "content"),
    [
        ('csv("t.csv")', "t.csv", b""),
        ('csv("t.csv")', "t.csv", b"x\n"),
        ('jsonl("t.jsonl")', "t.jsonl", b"\n\n"),
        ('npz("t.npz")', "t.npz", b""),
        ('parquet("t.parquet")', "t.parquet", b""),
        ('feather("t.arrow")', "t.arrow", b""),
        ('text_lines("t.txt")', "t.txt", b""),
        ('idx("t")', "t-images-idx3-ubyte", b""),
        ('image_folder("t")', "t/a/note.txt", b"hello"),
    ],
)
def test_an_empty_file(workspace, source: str, name: str, content: bytes) -> None:
    file = workspace.path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    (workspace.path / "t-labels-idx1-ubyte").write_bytes(b"")
    field = {"text_lines": "x: i64[T] = source.text -> words -> vocab(9) -> pad(0)", "idx": "x: i64 = source.label",
             "image_folder": "x: i64 = source.label"}.get(source.partition("(")[0], "x: f32 = source.x")  # fmt: skip
    assert workspace.mistake(f"source = {source}\n{ALL}\n{field}").startswith("E0412: `t")
