"""Answers that are names: one of two classes, several labels of a record, the class at each place of it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

import dlc
from dlc.runtime.api import judge, predict

SPEC = """dlspec 1
data D {
  source = jsonl("rows.jsonl")
  split  = random(train = 0.6, val = 0.2, test = 0.2, seed = 0)
  x: f32[6]     = source.x
  kind: f32     = source.kind -> category("no", "yes")
  tags: f32[3]  = source.tags -> multi_hot("sea", "sky", "wood", separator = ";")
  state: i64[6] = source.state
}

model M(x: [B, 6]) -> (kind_hat: [B], tags_hat: [B, 3], state_hat: [B, 4, 6]) {
  kind_hat  = x -> kind: Linear(1) -> squeeze(1)
  tags_hat  = x -> tags: Linear(3)
  state_hat = x -> state: Linear(24) -> [B, (4, T)] => [B, 4, T]
}

train {
  model     = M
  data      = D
  loss      { kind = bce(kind_hat, kind); tags = bce(tags_hat, tags); state = cross_entropy(state_hat, state, axis = 1) }
  optimizer = Adam(1e-2)
  batch     = 16
  duration  = 2 steps
}

export { onnx = "m.onnx" }
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("named")
    rng = np.random.default_rng(0)
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for _ in range(60):
            row = {
                "x": rng.normal(size=6).round(3).tolist(),
                "kind": str(rng.choice(["no", "yes"])),
                "tags": ";".join(name for name in ("sea", "sky", "wood") if rng.random() < 0.5),
                "state": rng.integers(0, 4, 6).tolist(),
            }
            file.write(json.dumps(row) + "\n")
    (folder / "m.dlspec").write_text(SPEC, "utf-8")
    return dlc.train(folder / "m.dlspec", out=folder / "run").path


def test_a_run_and_its_file_name_what_they_found(run: Path) -> None:
    file = dlc.export(run).path
    assert isinstance(file, Path)
    records = [json.loads(line) for line in (run.parent / "rows.jsonl").read_text("utf-8").splitlines()]
    raw = dlc.Session(file).predict({"x": np.array([record["x"] for record in records], np.float32)})
    shares = {name: 1 / (1 + np.exp(-raw[name].astype(float))) for name in ("kind_hat", "tags_hat")}
    for model in (run, file):
        rows = predict(model, run.parent / "rows.jsonl").rows(probabilities=True)
        assert [row["kind_hat class"] for row in rows] == np.where(shares["kind_hat"] > 0.5, "yes", "no").tolist()
        best = np.maximum(shares["kind_hat"], 1 - shares["kind_hat"])
        np.testing.assert_allclose([row["kind_hat probability"] for row in rows], best, rtol=1e-4)
        np.testing.assert_allclose([row["kind_hat probability no"] for row in rows], 1 - shares["kind_hat"], rtol=1e-4)
        names = np.array(["sea", "sky", "wood"])
        assert [row["tags_hat labels"] for row in rows] == [";".join(names[each > 0.5]) for each in shares["tags_hat"]]
        np.testing.assert_allclose(
            [row["tags_hat probability sky"] for row in rows], shares["tags_hat"][:, 1], rtol=1e-4
        )
        assert [row["state_hat class"] for row in rows] == raw["state_hat"].argmax(1).tolist()
        each = np.array([[row[f"state_hat probability {at}"] for at in range(4)] for row in rows])
        np.testing.assert_allclose(each.sum(1), 1, rtol=1e-9)
        assert (each.argmax(1) == raw["state_hat"].argmax(1)).all()


def test_saved_predictions_stand_next_to_their_targets(run: Path, tmp_path: Path) -> None:
    judge(run, save=tmp_path / "p.csv")
    records = [json.loads(line) for line in (run.parent / "rows.jsonl").read_text("utf-8").splitlines()]
    with (tmp_path / "p.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        record = records[int(row["record"])]
        assert (row["target kind"], row["target tags"]) == (record["kind"], record["tags"])
        assert json.loads(row["target state"]) == record["state"]
        assert len(json.loads(row["state_hat class"])) == 6
