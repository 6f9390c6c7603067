"""Which axis of an output counts the records."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import dlc
from dlc.runtime.inference.batch_axis import batch_axes, records_first
from dlc.runtime.inference.session import Session

SPEC = """dlspec 1
data D {
  source = csv("d.csv")
  split = all("train")
  x: f32[2] = source.all_except("y")
  y: f32 = source.y
}
model M(x: [N, 2]) -> (pred: [N], each: [3, N], table: [4]) {
  each = x -> fc: Linear(3) -> [N, K] => [K, N]
  pred = mean(each, axis = 0)
  table = Param([4], init = normal(std = 1.0)) * 2
}
train { model = M; data = D; loss = mse(pred, y); optimizer = SGD(0.1); batch = 4; duration = 2 steps }
"""


def test_axes() -> None:
    assert batch_axes([("B", 4)], {"a": ("B", 3), "b": (8, "B"), "c": (5,), "d": ("2*B", 3)}) == {
        "a": 0, "b": 1, "c": None, "d": 0,
    }  # fmt: skip
    assert batch_axes([(1, 4)], {"a": (1, 3)}) == {"a": 0}
    found = records_first({"b": np.arange(6).reshape(3, 2), "c": np.ones(5)}, {"b": 1, "c": None}, 2)
    assert found["b"].tolist() == [[0, 2, 4], [1, 3, 5]] and found["c"].shape == (2, 5)


def test_run_and_file_tell_each_record_its_own(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,b,y\n" + "".join(f"{i},{i * i % 7},{i % 3}\n" for i in range(12)))
    (tmp_path / "s.dlspec").write_text(SPEC)
    run = dlc.train(tmp_path / "s.dlspec", out=tmp_path / "run", device="cpu")
    dlc.export(run, tmp_path / "m.onnx")
    by_run = dlc.predict(run, tmp_path / "d.csv", device="cpu").rows()
    by_file = Session(tmp_path / "m.onnx", "cpu").answer(tmp_path / "d.csv").rows()
    for rows in (by_run, by_file):
        assert len(rows) == 12
        for row in rows:
            assert len(row["each"]) == 3 and np.mean(row["each"]) == pytest.approx(row["pred"], rel=1e-4, abs=1e-5)
            assert len(row["table"]) == 4
