"""Columns of a table are read by their names: a table to predict may have them in any order, and others too."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlc
from dlc.runtime.api import export
from dlc.runtime.failure import BadInput
from dlc.runtime.inference.session import Session


def exported(model: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    return dlc.predict(model, files, device="cpu").rows(raw=True)


SPEC = """dlspec 1
data D {
  source = csv("t.csv")
  split  = random(train = 0.6, val = 0.4, seed = 0)
  x: f32[3] = source.all_except("label", "id") -> impute("mean") -> standardize
  some: f32[2] = source.all_except("label", "id")[1:]
  height: f32 = source.h -> standardize
  label: i64 = source.label -> category
}
model Net(x: [B, 3], some: [B, 2], height: [B]) -> (logits: [B, 2]) {
  logits = (x -> fc: Linear(2)) + (some -> fc2: Linear(2)) + (height[:, none] -> fc3: Linear(2))
}
train { model = Net; data = D; loss = cross_entropy(logits, label); optimizer = SGD(0.1); batch = 4; duration = 2 epochs }
export { onnx = "m.onnx"; preprocess = true }
"""
ROWS = {
    "h": [1.5, 2.5, -3.5, 0.25],
    "w": [7.0, 5.0, 3.0, 1.0],
    "d": [0.1, 0.2, 0.4, 0.8],
}
ORDERS = (("h", "w", "d"), ("d", "h", "w"), ("w", "d", "h"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a run and its file."""
    folder = tmp_path_factory.mktemp("columns")
    draws = np.random.default_rng(0).standard_normal((20, 3)).round(3)
    lines = [f"{i},{a},{b},{c},{'uv'[i % 2]}" for i, (a, b, c) in enumerate(draws.tolist())]
    (folder / "t.csv").write_text("id,h,w,d,label\n" + "\n".join(lines) + "\n")
    (folder / "m.dlspec").write_text(SPEC)
    run = dlc.train(folder / "m.dlspec", out=folder / "run", device="cpu")
    export(run, folder / "m.onnx")
    return folder


def as_csv(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    file = path.with_suffix(".csv")
    file.write_text(
        "\n".join(",".join(map(str, row)) for row in (list(columns), *zip(*columns.values(), strict=True))) + "\n"
    )
    return file


def as_jsonl(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    file = path.with_suffix(".jsonl")
    file.write_text(
        "".join(json.dumps(dict(zip(columns, row, strict=True))) + "\n" for row in zip(*columns.values(), strict=True))
    )
    return file


def as_json(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    file = path.with_suffix(".json")
    file.write_text(json.dumps({name: list(values) for name, values in columns.items()}))
    return file


def as_npz(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    np.savez(path.with_suffix(".npz"), **{name: np.array(values) for name, values in columns.items()})  # type: ignore[arg-type]
    return path.with_suffix(".npz")


def as_parquet(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({k: list(v) for k, v in columns.items()}), path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def as_feather(path: Path, columns: Mapping[str, Sequence[Any]]) -> Path:
    import pyarrow
    from pyarrow import feather

    feather.write_feather(pyarrow.table({k: list(v) for k, v in columns.items()}), path.with_suffix(".arrow"))
    return path.with_suffix(".arrow")


Write = Callable[[Path, Mapping[str, Sequence[Any]]], Path]


def chances(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    return [row["probability"] if row["class"] == "u" else 1 - row["probability"] for row in rows]


def of_run(folder: Path, inputs: Any) -> list[float]:
    return chances(dlc.predict(folder / "run", inputs, device="cpu").rows())


def of_file(folder: Path, file: Path) -> list[float]:
    return chances(exported(folder / "m.onnx", [file]))


@pytest.fixture(scope="module")
def wanted(folder: Path) -> list[float]:
    return of_run(folder, {**ROWS, "label": ["u"] * 4, "id": [0] * 4})


def tables() -> list[dict[str, Sequence[Any]]]:
    """The rows in several orders, alone and among other columns, which may hold texts and may be empty."""
    bare: list[dict[str, Sequence[Any]]] = [{name: ROWS[name] for name in order} for order in ORDERS]
    return [*bare, {"label": ["v", "", "u", "v"], **bare[1], "note": ["p", "q", "r", "s"]}]


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_npz, as_parquet, as_feather])
def test_a_run_reads_columns_by_name(tmp_path: Path, folder: Path, wanted: list[float], write: Write) -> None:
    for number, table in enumerate(tables()):
        found = of_run(folder, [write(tmp_path / str(number), table)])
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_arrays_are_read_by_name(folder: Path, wanted: list[float]) -> None:
    for table in tables():
        np.testing.assert_allclose(of_run(folder, table), wanted, rtol=1e-6)


@pytest.mark.parametrize("write", [as_csv, as_json, as_npz, as_jsonl, as_parquet, as_feather])
def test_a_file_reads_columns_by_name(tmp_path: Path, folder: Path, wanted: list[float], write: Write) -> None:
    for number, table in enumerate(tables()):
        found = of_file(folder, write(tmp_path / str(number), table))
        np.testing.assert_allclose(found, wanted, rtol=1e-4)


def test_what_is_missing_is_named(tmp_path: Path, folder: Path) -> None:
    table = as_csv(tmp_path / "t", {"d": ROWS["d"], "h": ROWS["h"], "label": "uvuv"})
    with pytest.raises(dlc.SpecError) as of_the_run:
        of_run(folder, [table])
    diagnostic = of_the_run.value.diagnostics[0]
    assert diagnostic.code == "E0301" and diagnostic.message == f"column `w` is missing in `{table}`"
    assert diagnostic.notes[1] == "the model was trained on `h`, `w`, `d`"
    with pytest.raises(BadInput) as of_the_file:
        of_file(folder, table)
    assert str(of_the_file.value) == diagnostic.message
    assert of_the_file.value.notes == diagnostic.notes


def test_an_array_of_another_name_is_not_the_input(tmp_path: Path) -> None:
    (tmp_path / "m.dlspec").write_text("dlspec 1\nmodel M(x: [B, 2]) -> (y: [B, 2]) { y = 2 * x }\n")
    model = export(tmp_path / "m.dlspec", tmp_path / "m.onnx").path
    np.savez(tmp_path / "label.npz", label=np.ones((3, 2), np.float32))
    with pytest.raises(BadInput, match="has no `x`"):
        exported(model, [tmp_path / "label.npz"])
    np.savez(tmp_path / "plain.npz", np.ones((3, 2), np.float32))
    assert len(exported(model, [tmp_path / "plain.npz"])) == 3


def test_names_are_in_the_run_and_in_the_file(folder: Path) -> None:
    learned = json.loads((folder / "run" / "data.json").read_text())["fitted"].values()
    assert [entry["names"] for entry in learned if "names" in entry][:2] == [["h", "w", "d"], ["h", "w", "d"]]
    known = Session(folder / "m.onnx", "cpu").columns
    assert {name: found.names for name, found in known.items()} == {
        "x": ("h", "w", "d"), "some": ("w", "d"), "height": ("h",)
    }  # fmt: skip
    assert known["x"].fills and not known["some"].fills


def test_a_line_of_names_that_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("2020,2021,y\n" + "".join(f"{i},{i * i},{i}\n" for i in range(8)))
    (tmp_path / "m.dlspec").write_text(
        """dlspec 1
data D { source = csv("t.csv"); split = all("train"); x: f32[2] = source.all_except("y"); y: f32 = source.y }
model M(x: [B, 2]) -> (z: [B]) { z = x -> fc: Linear(1) -> squeeze(1) }
train { model = M; data = D; loss = mse(z, y); optimizer = SGD(0.0); batch = 4; duration = 1 steps }
"""
    )
    model = export(dlc.train(tmp_path / "m.dlspec", out=tmp_path / "run", device="cpu"), tmp_path / "m.onnx").path
    (tmp_path / "turned.csv").write_text("2021,2020\n9,3\n")
    (tmp_path / "straight.csv").write_text("3,9\n")
    turned, straight = (exported(model, [tmp_path / name]) for name in ("turned.csv", "straight.csv"))
    assert len(turned) == len(straight) == 1 and turned[0]["z"] == straight[0]["z"]


def test_no_column_is_left(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("y\n" + "".join(f"{i}\n" for i in range(8)))
    (tmp_path / "m.dlspec").write_text(
        """dlspec 1
data D { source = csv("t.csv"); split = all("train"); x: f32[2] = source.all_except("y"); y: f32 = source.y }
model M(x: [B, 2]) -> (z: [B]) { z = x -> fc: Linear(1) -> squeeze(1) }
train { model = M; data = D; loss = mse(z, y); optimizer = SGD(0.0); batch = 4; duration = 1 steps }
"""
    )
    with pytest.raises(dlc.SpecError, match="no columns of .* are left"):
        dlc.train(tmp_path / "m.dlspec", out=tmp_path / "run", device="cpu")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n3,\n", "t.csv:3, column `b`: the cell is empty"),
        ("a,b\n1,2\n3,NaN\n", 't.csv:3, column `b`: "NaN" stands for a missing number'),
        ("a,b\n1,1_0\n", "t.csv:2, column `b`: `1_0` is not a number"),
        ("a,b,b\n1,2,3\n", "two columns are called `b`"),
        ("a,b\n1\n", "t.csv:2: expected 2 cells, found 1"),
        ("a,b\n", "has a header and no records"),
    ],
)
def test_a_bad_table_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.dlspec").write_text("dlspec 1\nmodel M(x: [B, 2]) -> (y: [B, 2]) { y = 2 * x }\n")
    model = export(tmp_path / "m.dlspec", tmp_path / "m.onnx").path
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(BadInput) as caught:
        exported(model, [tmp_path / "t.csv"])
    assert said in str(caught.value)
