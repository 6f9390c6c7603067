"""Rows of a table as series: which windows each split has, what is learned from which rows, and forecasts by every way in."""

from __future__ import annotations

import csv
import datetime
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import dlc
from dlc.runtime.data import series
from dlc.runtime.data.feed import Data, Feed
from dlc.runtime.exporting.pipeline import as_json
from dlc.runtime.inference import answering
from dlc.runtime.inference import pipeline as entry
from dlc.runtime.inference.predict import pipeline_of
from dlc.runtime.inference.records import tables
from dlc.runtime.training.reopen import reopen

Table = dict[str, list[Any]]


def sales(days: int = 40) -> Table:
    """Two stores with a row a day, in no order."""
    draws = np.random.default_rng(0)
    rows = [
        [
            (datetime.date(2024, 1, 1) + datetime.timedelta(day)).isoformat(),
            store,
            round(level * (1 + 0.3 * np.sin(2 * np.pi * day / 7)) + draws.normal(), 2),
            int(draws.integers(0, 2)),
        ]
        for store, level in (("north", 100), ("south", 40))
        for day in range(days)
    ]
    rows = [rows[i] for i in draws.permutation(len(rows))]
    return dict(zip(("date", "store", "sales", "promo"), map(list, zip(*rows, strict=True)), strict=True))


def as_csv(file: Path, table: Mapping[str, Sequence[Any]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return file


BODY = """source = csv("t.csv")
  series = source.store
  time   = source.date
  split  = contiguous(train = 0.6, val = 0.2, test = 0.2)
  let window = source.sales -> standardize -> window(5, horizon = 3, period = 4)
  past: f32[5] = window.past
  next: f32[3] = window.next
  planned: f32[3] = (source.promo -> window(5, horizon = 3)).next
  store: i64 = source.store -> category"""


@pytest.fixture
def opened(workspace) -> Callable[..., Data]:
    def make(table: Table | None = None, body: str = BODY) -> Data:
        as_csv(workspace.path / "t.csv", table or sales())
        return workspace.open(body)

    return make


def in_order(table: Table) -> dict[str, list[int]]:
    """The rows of each store by date."""
    rows = sorted(range(len(table["date"])), key=lambda i: table["date"][i])
    return {store: [i for i in rows if table["store"][i] == store] for store in dict.fromkeys(table["store"])}


def test_windows_are_of_one_series_and_of_one_split(opened, workspace) -> None:
    table = sales()
    data = opened(table)
    days = sorted(set(table["date"]))
    bounds = {"train": (0, 24), "val": (24, 32), "test": (32, 40)}
    scaled = np.array(table["sales"])
    learned = [i for i, date in enumerate(table["date"]) if date < days[24]]
    scaled = (scaled - scaled[learned].mean()) / scaled[learned].std()
    for split, (begin, end) in bounds.items():
        wanted: dict[int, tuple[np.ndarray, np.ndarray, list[int]]] = {}
        for rows in in_order(table).values():
            for at in range(4, 40 - 3):  # the anchor, whose next three days are forecast
                past, ahead = rows[at - 4 : at + 1], rows[at + 1 : at + 4]
                if begin <= at + 1 and at + 4 <= end and (split != "train" or at - 4 >= begin):
                    wanted[rows[at]] = scaled[past], scaled[ahead], [table["promo"][i] for i in ahead]
        assert sorted(data.parts[split].records.tolist()) == sorted(wanted)
        found = workspace.everything(BODY, split)
        for number, anchor in enumerate(data.parts[split].records.tolist()):
            past, ahead, planned = wanted[anchor]
            np.testing.assert_allclose(found["past"][number], past, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(found["next"][number], ahead, rtol=1e-5, atol=1e-6)
            assert found["planned"][number].tolist() == planned
            assert found["store"][number] == ["north", "south"].index(table["store"][anchor])


def test_no_target_of_one_split_is_read_by_training(opened) -> None:
    table = sales()
    data = opened(table)
    series = data.graph.series
    assert series is not None
    node = next(node for node in data.section.nodes if node.op == "window")
    rows = {split: series.rows(node, part.records) for split, part in data.parts.items()}
    targets = {split: set(found[:, 5:].ravel().tolist()) for split, found in rows.items()}
    assert not targets["val"] & targets["test"]
    for split in ("val", "test"):
        assert not targets[split] & set(rows["train"].ravel().tolist())
        assert max(table["date"][i] for i in rows["train"].ravel()) < min(table["date"][i] for i in targets[split])


def test_without_times_the_order_is_that_of_the_file(opened) -> None:
    table = {"store": ["a"] * 20 + ["b"] * 30, "sales": [*range(20), *range(100, 130)], "promo": [0] * 50}
    body = BODY.replace("time   = source.date\n", "").replace(", val = 0.2, test = 0.2", ", val = 0.4")
    data = opened(table, body)
    assert data.parts["train"].records.tolist() == [*range(4, 9), *range(24, 35)]
    assert data.parts["val"].records.tolist() == [*range(11, 17), *range(37, 47)]


def test_series_may_be_split_whole(opened) -> None:
    body = BODY.replace(
        "contiguous(train = 0.6, val = 0.2, test = 0.2)", "random(train = 0.5, val = 0.5, group = source.store)"
    )
    table = sales()
    data = opened(table, body.replace("  store: i64 = source.store -> category", ""))
    stores = {split: {table["store"][i] for i in part.records} for split, part in data.parts.items()}
    assert len(stores["train"]) == len(stores["val"]) == 1 and stores["train"] != stores["val"]
    assert len(data.parts["val"]) == 40 - 8 + 1


def test_a_stride_and_windows_without_a_horizon(workspace) -> None:
    np.savez(workspace.path / "t.npz", x=np.arange(20.0).reshape(10, 2))
    body = 'source = npz("t.npz")\nsplit = all("train")\nx: f32[3, 2] = source.x -> window(3, stride = 2)'
    found = workspace.everything(body)["x"]
    assert found[:, :, 0].tolist() == [[0, 2, 4], [4, 6, 8], [8, 10, 12], [12, 14, 16]]
    assert found[0, :, 1].tolist() == [1, 3, 5]


def changed(column: str, row: int, value: Any) -> Table:
    table = sales()
    table[column][row] = value
    return table


def shortened(*days: str) -> Table:
    table = sales()
    kept = [i for i, date in enumerate(table["date"]) if date not in days]
    return {name: [column[i] for i in kept] for name, column in table.items()}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (changed("date", 3, ""), "t.csv:5, `date` is missing"),
        (changed("date", 3, "31.01.2024"), 't.csv:5, column `date`: "31.01.2024" is not a time'),
        (changed("store", 3, ""), "t.csv:5, `store` is missing"),
        (changed("sales", 3, "closed"), 't.csv:5, column `sales`: "closed" is not a number'),
        (changed("sales", 4, ""), "t.csv:6, column `sales`"),
        (shortened("2024-01-09"), "from 2024-01-08 to 2024-01-10 is longer than usual; there are 2 such steps"),
        ({name: column for name, column in sales().items() if name != "store"}, "no field `store`"),
        (sales(12), "E0411: the train split has 14 rows and no window: one takes 5 rows and 3 that follow"),
    ],
)
def test_mistakes(workspace, table: Table, said: str) -> None:
    as_csv(workspace.path / "t.csv", table)
    assert said in workspace.mistake(BODY)


def test_a_time_twice(workspace) -> None:
    table = sales()
    north = [i for i, store in enumerate(table["store"]) if store == "north"]
    table["date"][north[1]] = table["date"][north[0]]
    as_csv(workspace.path / "t.csv", table)
    said = workspace.mistake(BODY)
    assert f"t.csv:{north[0] + 2}" in said and f"t.csv:{north[1] + 2}" in said
    assert f"the same `date` and `store`: {table['date'][north[0]]}" in said


def test_gaps(opened) -> None:
    table = shortened("2024-01-09")
    count = {
        policy: len(opened(table, BODY.replace("time ", f'gaps = "{policy}"\n  time ')).parts["train"])
        for policy in ("cut", "join")
    }
    assert count == {"cut": 2 * (1 + 8), "join": 2 * 16}
    months = {
        "date": [f"{year}-{month:02}" for year in (2020, 2021, 2022, 2023) for month in range(1, 13)],
        "store": ["a"] * 48,
        "sales": list(range(48)),
        "promo": [0] * 48,
    }
    assert len(opened(months).parts["train"]) > 0, "months are of different lengths"


@pytest.mark.parametrize("kind", [str, int, float])
@pytest.mark.parametrize("months", [False, True])
def test_dates_without_signs_are_dates(opened, kind: type, months: bool) -> None:
    """The 1st of February is a day after the 31st of January, and January a month after December: nothing is a gap."""
    table = sales()
    if months:
        days = [datetime.date.fromisoformat(day) - datetime.date(2024, 1, 1) for day in table["date"]]
        table["date"] = [f"{2020 + day.days // 12}{day.days % 12 + 1:02}" for day in days]
    else:
        table["date"] = [day.replace("-", "") for day in table["date"]]
    expected = {split: len(part) for split, part in opened().parts.items()}
    table["date"] = list(map(kind, table["date"]))
    assert {split: len(part) for split, part in opened(table).parts.items()} == expected


def test_numbers_that_are_not_all_dates_stay_numbers() -> None:
    for numbers in ([20240131, 20240132], [20240131, 202402], [20240131.5], [999], [28400000, 28400001], []):
        assert series.dates_of(np.array(numbers, np.float64)) is None, numbers
    days = series.dates_of(np.array([20240201.0, 20240131.0, 20240201.0]))
    assert days is not None and (days // 86_400_000_000).tolist() == [19754, 19753, 19754]


# ---- forecasts ---------------------------------------------------------------------------------------------------------------

MODEL = """
model M(past: [B, 5], planned: [B, 3], store: i64[B]) -> (forecast: [B, 3]) {
  forecast = concat(past, planned, store -> Embedding(2, 2), axis = -1) -> Linear(3)
}
train main {
  model = M; data = D; loss = mse(forecast, next); metrics { rmse = rmse(forecast, next) }
  optimizer = AdamW(0.05); batch = 8; duration = 20 epochs
}
export plain { train = main; onnx = "plain.onnx" }
export inside { train = main; onnx = "inside.onnx"; preprocess = true }
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[dlc.Run, Path, Path]:
    folder = tmp_path_factory.mktemp("series")
    as_csv(folder / "t.csv", sales())
    (folder / "m.dlspec").write_text(f"dlspec 1\ndata D {{\n  {BODY}\n}}\n{MODEL}", "utf-8")
    run = dlc.train(folder / "m.dlspec", out=folder / "run", device="cpu")
    plain, inside = (dlc.export(run, folder / f"{name}.onnx", section=name).path for name in ("plain", "inside"))
    return run, plain, inside


def ahead(days: int = 3) -> Table:
    """What is known when a forecast is made: the sales of the last days, and what is planned for the next three."""
    table = sales()
    last = sorted(set(table["date"]))[-days:]
    return {**table, "sales": ["" if d in last else v for d, v in zip(table["date"], table["sales"], strict=True)]}


def test_every_way(made, tmp_path: Path) -> None:
    run, *files = made
    table = ahead()
    raw = as_csv(tmp_path / "now.csv", {"note": ["x,y"] * 80, **table})
    opened = reopen(run, "cpu")
    pipeline = pipeline_of(opened)
    (of_run,) = (arrays for found in tables(pipeline, [raw]) for _, arrays in pipeline.batches(found, 100))
    data = opened.data()  # every value is there: the last window of each store is one of the test split
    rows = in_order(table)
    anchors = [rows[store][-4] for store in rows]
    whole = pipeline_of(opened).batches(data.table, 100)
    ((_, wanted),) = whole
    for name, array in of_run.items():
        np.testing.assert_array_equal(array, wanted[name])
        assert len(array) == 2
    answers = dlc.predict(run, raw, device="cpu").rows()
    assert sorted((row["store"], row["date"]) for row in answers) == sorted(
        (table["store"][i], table["date"][i]) for i in anchors
    )
    assert list(answers[0]) == ["input", "store", "date", "forecast"]
    actual = {store: [sales()["sales"][i] for i in rows[store][-3:]] for store in rows}
    for row in answers:
        assert np.abs(np.array(row["forecast"]) - actual[row["store"]]).max() < 40, "in units of the data"
    for file in files:
        session = dlc.Session(file, "cpu")
        ((_, arrays),) = answering.feeds(session, [raw], 100)
        for name, array in arrays.items():
            if name in of_run and array.dtype == of_run[name].dtype and file.stem == "plain":
                np.testing.assert_array_equal(array, of_run[name])
        found = session.answer([raw]).rows()
        assert found == dlc.predict(file, [raw], device="cpu").rows()
        assert [(r["input"], r["store"], r["date"]) for r in found] == [
            (r["input"], r["store"], r["date"]) for r in answers
        ]
        np.testing.assert_allclose([r["forecast"] for r in found], [r["forecast"] for r in answers], rtol=1e-4)


def test_a_graph_with_preprocessing_reads_sales_as_they_are(made) -> None:
    run, _, inside = made
    session = dlc.Session(inside, "cpu")
    past = np.array([[100.0, 110, 120, 110, 90]], np.float32)
    raw = session.predict({"past": past, "planned": np.zeros((1, 3), np.float32), "store": np.array(["north"])})
    table = {
        "date": [f"2025-01-0{i}" for i in range(1, 9)],
        "store": ["north"] * 8,
        "sales": [*past[0].tolist(), np.nan, np.nan, np.nan],
        "promo": [0.0] * 8,
    }
    np.testing.assert_allclose(raw["forecast"], dlc.predict(run, table).values["forecast"], rtol=1e-4)


def test_baselines(made, tmp_path: Path) -> None:
    """Metrics of the last value and of the season before, at the end of training and at evaluation."""
    run, *_ = made
    opened = reopen(run, "cpu")
    feed = Feed(opened.data(), "test", training=False, device=torch.device("cpu"))
    (batch,) = feed.batches(1000)
    past, ahead = batch["past"].numpy(), batch["next"].numpy()
    error = lambda found: float(np.sqrt(np.mean((found - ahead) ** 2)))
    wanted = {"rmse.last_value": error(past[:, -1:]), "rmse.season_4": error(past[:, 1:4])}
    figures = dlc.evaluate(run, device="cpu")
    for name, value in wanted.items():
        assert figures[name] == pytest.approx(value, rel=1e-5)
        assert run.figures[f"test.{name}"] == figures[name]


@pytest.mark.parametrize(
    ("column", "said"),
    [("store", "has no field `store`"), ("date", "has no field `date`"), ("", "ends with 6 rows, the model reads 8")],
)
def test_what_forecasts_need(made, tmp_path: Path, column: str, said: str) -> None:
    run, plain, _ = made
    table = {name: values for name, values in ahead().items() if name != column}
    if not column:
        rows = sorted(in_order(sales())["south"][-6:] + in_order(sales())["north"])
        table = {name: [values[i] for i in rows] for name, values in table.items()}
    raw = as_csv(tmp_path / "now.csv", table)
    with pytest.raises((dlc.SpecError, dlc.RunFailure)) as of_run:
        dlc.predict(run, raw, device="cpu")
    with pytest.raises(dlc.RunFailure, match=said) as of_file:
        dlc.Session(plain, "cpu").answer([raw])
    assert said in str(of_run.value)
    assert of_file.value.code == getattr(of_run.value, "code", of_file.value.code)


def test_the_order_of_rows_in_the_metadata_is_checked(made) -> None:
    _, plain, _ = made
    session = dlc.Session(plain, "cpu")
    assert session.pipeline is not None
    said = json.loads(as_json(session.pipeline, ()))
    assert entry.read(json.dumps(said), ("past", "planned", "store")).section.order is not None
    for wrong in ({"gaps": "guess"}, {"series": 3}, {"time": ["date"]}):
        changed = {**said, "section": {**said["section"], "order": {**said["section"]["order"], **wrong}}}
        with pytest.raises(entry.NotAPipeline):
            entry.read(json.dumps(changed), ("past", "planned", "store"))
