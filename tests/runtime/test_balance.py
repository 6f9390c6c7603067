"""Classes of unequal size: weights of a loss by their counts, and records that are drawn by class or weight."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import dlc
from dlc.compiler.catalogue import balanced
from dlc.compiler.check import check
from dlc.compiler.ir.data import DataFacts, FieldFacts
from dlc.runtime.data import batching, sampling
from dlc.runtime.training.events import Event, Note

SPEC = """dlspec 1
data Rows {
  source = csv("rows.csv")
  split  = contiguous(train = 0.9, val = 0.1)
  x: f32[2]  = source.all_except("kind", "w")
  kind: i64  = source.kind -> category("fig", "kiwi", "plum")
  w: f32     = source.w
  ids: i64[2] = source.all_except("kind", "w") -> threshold(0)
}
model M(x: [B, 2]) -> (logits: [B, 3], one: [B]) {
  logits = x -> fc: Linear(3)
  one = x -> g: Linear(1) -> squeeze(-1)
}
train {
  model = M; data = Rows; optimizer = SGD(0.1); batch = 8; duration = 2 epochs
  LINES
}
"""
LOSS = "loss = cross_entropy(logits, kind)"
BALANCED = 'loss = cross_entropy(logits, kind, weight = "balanced")'


def write(folder: Path, *lines: str, spec: str = SPEC) -> Path:
    folder.mkdir(exist_ok=True)
    random = np.random.default_rng(0)
    rows = ["a,b,kind,w"]
    for at in range(80):
        kind = "plum" if at % 10 == 0 else "fig"
        rows.append(f"{random.normal():.3f},{random.normal():.3f},{kind},{at % 4}")
    (folder / "rows.csv").write_text("\n".join(rows) + "\n")
    (folder / "s.dlspec").write_text(spec.replace("LINES", "\n  ".join(lines)))
    return folder / "s.dlspec"


# ---- weights of classes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_those_of_the_reference(seed: int) -> None:
    labels = np.random.default_rng(seed).choice(5, 60, p=[0.5, 0.3, 0.1, 0.1, 0])
    counts = np.bincount(labels, minlength=5)
    present = np.flatnonzero(counts)
    expected = dict(zip(present, compute_class_weight("balanced", classes=present, y=labels), strict=True))
    found = balanced.weights(counts.tolist(), 5, None)
    assert found == pytest.approx([expected.get(at, 1.0) for at in range(5)], abs=1e-6)
    without = labels[labels != 1]
    some = np.unique(without)
    expected = dict(zip(some, compute_class_weight("balanced", classes=some, y=without), strict=True))
    assert balanced.weights(counts.tolist(), 5, 1) == pytest.approx(
        [expected.get(at, 1.0) for at in range(5)], abs=1e-6
    )


def test_a_run_counts_the_train_split(tmp_path: Path) -> None:
    events: list[Event] = []
    run = dlc.train(write(tmp_path, BALANCED), out=tmp_path / "run", device="cpu", listener=events.append)
    # 72 records in two classes, 8 plums; no kiwi
    said = [event.text for event in events if isinstance(event, Note)]
    assert "class weights of kind: fig 0.5625, kiwi 1, plum 4.5" in said
    assert "0.5625, 1.0, 4.5" in (run.path / "recipe.py").read_text("utf-8")
    listed = write(tmp_path / "listed", LOSS.replace("kind)", "kind, weight = [0.5625, 1.0, 4.5])"))
    other = dlc.train(listed, out=tmp_path / "other", device="cpu")
    assert run.figures == other.figures
    assert dlc.evaluate(run, "val") == dlc.evaluate(other, "val")


def mistakes(folder: Path, *lines: str, facts: Any = None, spec: str = SPEC) -> list[tuple[str, str]]:
    return [(d.code, d.message) for d in check(write(folder, *lines, spec=spec), facts=facts).report.diagnostics]


def test_a_target_that_is_computed_has_no_classes_to_count(tmp_path: Path) -> None:
    ((code, message),) = mistakes(tmp_path, BALANCED.replace("kind,", "kind + 0 * kind,"))
    assert code == "E0304" and "counts the classes of a field" in message
    ((code, message),) = mistakes(tmp_path, BALANCED.replace("balanced", "equal"))
    assert code == "E0304" and '"balanced"' in message


def test_without_the_data_there_is_nothing_to_count(tmp_path: Path) -> None:
    from dlc.runtime.generated.build import sources

    spec = check(write(tmp_path, BALANCED)).spec
    assert spec is not None
    with pytest.raises(Exception, match="counts the classes of the train split"):
        sources(spec, spec.recipe.trains[0], 72)


def test_one_logit_distinguishes_two_classes(tmp_path: Path) -> None:
    fields = {"kind": FieldFacts(dtype="i64", shape=(), classes=("fig", "kiwi", "plum"))}
    facts = {"Rows": DataFacts(records={"train": 72, "val": 8}, fields=fields)}
    ((code, message),) = mistakes(tmp_path, LOSS, "metrics { m = mcc(one, kind) }", facts=facts)
    assert code == "E0205" and "one logit an example distinguishes 0 and 1" in message


# ---- sampling --------------------------------------------------------------------------------------------------------


def test_draws_follow_the_weights_and_nothing_else() -> None:
    weights = np.array([0.0, 1, 2, 0, 5, 0])
    weights = np.tile(weights, 500)
    order, turns = batching.drawn(weights, 7, "order", 0)
    assert len(order) == len(weights) and (weights[order] > 0).all()
    shares = np.bincount(order % 6, minlength=6) / len(order)
    assert shares == pytest.approx(np.array([0, 1, 2, 0, 5, 0]) / 8, abs=0.03)
    for record in np.unique(order)[:50]:
        assert turns[order == record].tolist() == list(range((order == record).sum()))
    assert np.array_equal(order, batching.drawn(weights, 7, "order", 0)[0])
    assert not np.array_equal(order, batching.drawn(weights, 7, "order", 1)[0])
    assert set(batching.drawn(np.array([0.0, 0.0, 1e-300, 0.0]), 1)[0].tolist()) == {2}


def test_a_class_is_drawn_as_often_as_another() -> None:
    numbers = np.array([0] * 90 + [2] * 9 + [-1])
    found = sampling.weigher("balanced")(numbers)
    assert found[:90].sum() == pytest.approx(1) and found[90:99].sum() == pytest.approx(1) and found[99] == 0


def epochs(folder: Path, line: str, start: int = 0, field: str = "kind") -> list[list[float]]:
    """What two epochs draw, from a step on."""
    import torch

    from dlc.runtime.data.feed import Feed, open_data

    spec = check(write(folder, LOSS, line)).spec
    assert spec is not None
    data = open_data(spec.recipe.dataset("Rows"), folder)
    use = spec.recipe.trains[0].phases[0].sampling
    assert use is not None
    feed, weights = Feed(data, "train", training=True, device=torch.device("cpu")), sampling.weights(data, use)
    return [
        [value for (part,) in feed.epoch(0, epoch, 8, start=start, weights=weights) for value in part[field].tolist()]
        for epoch in (0, 1)
    ]


def test_an_epoch_of_the_feed(tmp_path: Path) -> None:
    whole = epochs(tmp_path, "sampling = balanced(kind)")
    assert [len(part) for part in whole] == [72, 72] and whole[0] != whole[1]
    assert 40 < sum(value == 2 for part in whole for value in part) < 104  # half of 144, of which 16 are plums
    assert epochs(tmp_path, "sampling = balanced(kind)", start=5) == [part[40:] for part in whole]
    drawn = epochs(tmp_path, "sampling = weighted(w)", field="w")
    assert all(value > 0 for part in drawn for value in part)


def test_a_run_that_is_resumed_draws_the_same(tmp_path: Path) -> None:
    file = write(tmp_path, LOSS, "sampling = balanced(kind)")
    short = dlc.load(file, **{"train.duration": "13 steps"})
    dlc.train(short, out=tmp_path / "a", device="cpu")
    whole = dlc.load(file, **{"train.duration": "20 steps"})
    resumed = dlc.train(whole, out=tmp_path / "a", resume=True, device="cpu")
    straight = dlc.train(whole, out=tmp_path / "b", device="cpu")
    weights = [(run.path / "last" / "model.safetensors").read_bytes() for run in (resumed, straight)]
    assert weights[0] == weights[1]
    assert json.loads((tmp_path / "a" / "ir.json").read_text())["recipe"]["trains"][0]["phases"][0]["sampling"]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("sampling = balanced(kinds)", "E0301", "has no field `kinds`"),
        ("sampling = balanced(w)", "E0304", "one class number a record"),
        ("sampling = balanced(ids)", "E0304", "one class number a record"),
        ("sampling = weighted(kind)", "E0304", "one number a record"),
        ("sampling = weighted(source.w)", "E0304", "the name of a field"),
        ("sampling = balance(kind)", "E0301", "balance"),
        ("sampling = balanced", "E0304", "`balanced` needs `field`"),
        ("sampling = weighted(w); batch = 64 tokens", "E0403", "puts records of one length together"),
    ],
)
def test_misuse_of_sampling(tmp_path: Path, line: str, code: str, words: str) -> None:
    spec = SPEC.replace("batch = 8; ", "") if "tokens" in line else SPEC
    found = mistakes(tmp_path, LOSS, line, spec=spec)
    assert [each for each, _ in found] == [code]
    assert words in found[0][1]


def test_weights_that_are_none(tmp_path: Path) -> None:
    file = write(tmp_path, LOSS, "sampling = weighted(w)")
    text = (tmp_path / "rows.csv").read_text().splitlines()
    for change, words in (("-1", "rows.csv:4: `w` is -1"), ("0", "no record of the train split a weight above 0")):
        rows = [
            row.rpartition(",")[0] + f",{change}" if at == 3 or change == "0" else row for at, row in enumerate(text)
        ]
        rows[0] = text[0]
        (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
        with pytest.raises(dlc.SpecError, match=words):
            dlc.train(file, out=tmp_path / f"run{change}", device="cpu")
