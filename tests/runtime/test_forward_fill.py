"""Missing cells of series, filled from the rows before: per series, never from a later row, equal by every way in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlc
from dlc.runtime.inference import answering
from dlc.runtime.inference.predict import pipeline_of
from dlc.runtime.training.reopen import reopen

HOLES = (("", 3), ("NA", 4), ("", 9), ("", 20), ("", 21))  # cells, by day

BODY = """source = csv("t.csv")
  series = source.store
  time = source.day
  split = contiguous(train = 0.6, val = 0.4)
  past: f32[4] = source.sales -> forward_fill -> window(4)
  both: f32[4, 2] = source.columns("sales", "price") -> forward_fill -> window(4)
  sky: i64[4] = source.sky -> forward_fill -> category("rain", "sun") -> window(4)"""


def rows(first: int = 0) -> dict[str, list[Any]]:
    """Two stores with 25 days each, the last day first; cells are missing on different days."""
    found: dict[str, list[Any]] = {"store": [], "day": [], "sales": [], "price": [], "sky": []}
    for number, store in enumerate(("north", "south")):
        sales = {day - number: cell for cell, day in HOLES}
        for day in reversed(range(25)):
            found["store"].append(store)
            found["day"].append(day)
            found["sales"].append(sales.get(day, 100 * number + day))
            found["price"].append("" if day % 5 == 2 else day / 10)
            found["sky"].append("" if day % 4 == 1 else ("rain", "sun")[day % 2])
    return {name: cells[first:] for name, cells in found.items()}


def written(folder: Path, table: dict[str, list[Any]]) -> Path:
    lines = [",".join(table), *(",".join(map(str, row)) for row in zip(*table.values(), strict=True))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n", "utf-8")
    return folder / "t.csv"


def filled(cells: list[Any], names: bool = False) -> list[Any]:
    """Of one series in the order of time."""
    found: list[Any] = []
    for cell in cells:
        found.append(found[-1] if cell in ("", "NA") else cell)
    return [("rain", "sun").index(name) for name in found] if names else found


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_cell_is_that_of_the_row_before_in_its_series(workspace, split: str) -> None:
    table = rows()
    written(workspace.path, table)
    found = workspace.everything(BODY, split)
    wanted: dict[str, list[Any]] = {"past": [], "both": [], "sky": []}
    for store in ("south", "north"):
        own = [i for i in range(50) if table["store"][i] == store][::-1]
        sales, price = (filled([table[name][i] for i in own]) for name in ("sales", "price"))
        sky = filled([table["sky"][i] for i in own], names=True)
        for end in reversed(range(3, 15) if split == "train" else range(18, 25)):
            span = slice(end - 3, end + 1)
            wanted["past"].append(sales[span])
            wanted["both"].append(list(zip(sales[span], price[span], strict=True)))
            wanted["sky"].append(sky[span])
    for name, values in wanted.items():
        order = np.lexsort(np.array(values).reshape(len(values), -1).T)
        have = found[name].numpy()
        np.testing.assert_allclose(
            have[np.lexsort(have.reshape(len(have), -1).T)], np.array(values)[order], rtol=1e-6, err_msg=name
        )


def test_later_rows_change_nothing(workspace) -> None:
    """What a row is filled with depends on no row after it."""
    table = rows()
    written(workspace.path, table)
    before = workspace.everything(BODY, "train")
    for at, day in enumerate(table["day"]):
        if day >= 15:
            table["sales"][at], table["price"][at], table["sky"][at] = 7777, 7, "sun"
    written(workspace.path, table)
    after = workspace.everything(BODY, "train")
    for name, value in before.items():
        np.testing.assert_array_equal(value.numpy(), after[name].numpy())


def test_nothing_before(workspace) -> None:
    table = rows()
    table["sales"][24] = ""  # the first day of the first store
    written(workspace.path, table)
    assert "t.csv:26, column `sales`: the cell is empty" in workspace.mistake(BODY)
    body = BODY.replace("source.sales -> forward_fill", 'source.sales -> forward_fill -> impute("mean")').replace(
        '("sales", "price") -> forward_fill', '("sales", "price") -> forward_fill -> impute(0)'
    )
    assert bool(workspace.everything(body)["past"].isfinite().all())


SPEC = f"""dlspec 1
data D {{
  {BODY.replace('category("rain", "sun")', "category")}
  next: f32 = (source.sales -> forward_fill -> standardize -> window(4, horizon = 1)).next[0]
  now: f32 = source.price -> forward_fill -> standardize
}}
model M(past: [B, 4], both: [B, 4, 2], sky: i64[B, 4], now: [B]) -> (forecast: [B]) {{
  forecast = concat(past, both -> flatten, sky -> Embedding(2, 2) -> flatten, now[:, none], axis = 1) / 100 -> Linear(1) -> squeeze(1)
}}
train {{
  model = M; data = D; loss = mse(forecast, next); optimizer = SGD(1e-3); batch = 8; duration = 2 epochs
}}
export {{ onnx = "m.onnx"; preprocess = true }}
"""


def test_every_way_in(tmp_path: Path) -> None:
    table = written(tmp_path, rows())
    (tmp_path / "m.dlspec").write_text(SPEC, "utf-8")
    run = dlc.train(tmp_path / "m.dlspec", out=tmp_path / "run", device="cpu")
    file = dlc.export(run, tmp_path / "m.onnx").path
    opened = reopen(run, "cpu")
    pipeline = pipeline_of(opened)
    ((_, wanted),) = pipeline.batches(opened.data().table, 100)
    answers = dlc.predict(run, table, device="cpu").rows()
    assert len(answers) == 2 * 22, "a window without a horizon ends at each row"
    session = dlc.Session(file, "cpu")
    ((_, arrays),) = answering.feeds(session, [table], 100)
    for name, array in arrays.items():
        if array.dtype == wanted[name].dtype and name != "now":
            np.testing.assert_array_equal(array, wanted[name])
    found = session.answer([table]).rows()
    assert found == dlc.predict(file, [table], device="cpu").rows()
    np.testing.assert_allclose([r["forecast"] for r in found], [r["forecast"] for r in answers], rtol=1e-4)
