"""A missing value is never a value: not a class, not a number, not the end of an order. And whole numbers are read exactly."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlc.runtime.data import cells

Write = Callable[[Path, dict[str, Sequence[Any]]], str]


def as_csv(folder: Path, columns: dict[str, Sequence[Any]]) -> str:
    rows = [list(columns), *zip(*columns.values(), strict=True)]
    text = "".join(",".join("" if cell is None else str(cell) for cell in row) + "\n" for row in rows)
    (folder / "t.csv").write_text(text)
    return 'csv("t.csv")'


def as_jsonl(folder: Path, columns: dict[str, Sequence[Any]]) -> str:
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    present = [{name: value for name, value in row.items() if value is not None} for row in rows[::2]]
    lines = [line for pair in zip(present, rows[1::2], strict=True) for line in pair]  # left out, and null
    (folder / "t.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return 'jsonl("t.jsonl")'


def as_parquet(folder: Path, columns: dict[str, Sequence[Any]]) -> str:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({name: list(values) for name, values in columns.items()}), folder / "t.parquet")
    return 'parquet("t.parquet")'


def as_feather(folder: Path, columns: dict[str, Sequence[Any]]) -> str:
    import pyarrow
    from pyarrow import feather

    feather.write_feather(pyarrow.table({name: list(values) for name, values in columns.items()}), folder / "t.arrow")
    return 'feather("t.arrow")'


def as_npz(folder: Path, columns: dict[str, Sequence[Any]]) -> str:
    """Which has no nulls: NaN in their place, or an empty text."""

    def array(values: Sequence[Any]) -> Any:
        text = any(isinstance(value, str) for value in values)
        return np.array([("" if text else np.nan) if value is None else value for value in values])

    np.savez(folder / "t.npz", **{name: array(values) for name, values in columns.items()})
    return 'npz("t.npz")'


WRITERS = [as_csv, as_jsonl, as_parquet, as_feather, as_npz]
PLACES: dict[Any, str] = {as_csv: "t.csv:4", as_jsonl: "t.jsonl:3", as_parquet: "t.parquet record 2", as_feather: "t.arrow record 2",
          as_npz: "t.npz record 2"}  # fmt: skip
HOLES: dict[str, Sequence[Any]] = {
    "x": [1.0, 2.0, None, 4.0],
    "n": [3, 10, None, 5],
    "label": ["a", "b", None, "a"],
}
ALL = 'split = all("train")'


@pytest.fixture(params=WRITERS)
def holes(request: pytest.FixtureRequest, workspace) -> tuple[str, str]:
    """A source with one missing value in every column, and the place of the record that lacks them."""
    return f"source = {request.param(workspace.path, HOLES)}\n", PLACES[request.param]


@pytest.mark.parametrize("field", ["label: i64 = source.label -> category", "n: i64 = source.n -> category"])
def test_a_missing_name_is_no_class(workspace, holes: tuple[str, str], field: str) -> None:
    source, place = holes
    if "npz" in source:
        return  # arrays have numbers in the place of names
    name = field.partition(":")[0]
    found = workspace.mistake(f"{source}{ALL}\n{field}")
    assert f"E0205: {place}, column `{name}`: the cell is empty, so its class is missing" in found
    assert f'leave such records out: `where = source.{name} != ""`' in found


@pytest.mark.parametrize(
    "field",
    ["x: f32 = source.x", "x: f32 = source.x -> standardize", 'x: f32[1] = source.all_except("n", "label")'],
)
def test_a_missing_number_is_none(workspace, holes: tuple[str, str], field: str) -> None:
    source, place = holes
    found = workspace.mistake(f"{source}{ALL}\n{field}")
    assert place in found and "`x`" in found and "impute" in found


def test_a_missing_whole_number_is_none(workspace, holes: tuple[str, str]) -> None:
    source, place = holes
    found = workspace.mistake(f"{source}{ALL}\nn: i64 = source.n")
    assert place in found and "`n`" in found


@pytest.mark.parametrize("condition", ['source.x != ""', "source.x > 0", 'source.label != "" and source.n >= 3'])
def test_where_leaves_them_out_before_anything_is_learned(workspace, holes: tuple[str, str], condition: str) -> None:
    label = "" if "npz" in holes[0] else "label: i64 = source.label -> category"
    batch = workspace.everything(
        f"""{holes[0]}{ALL}
        where = {condition}
        x: f32 = source.x -> standardize
        n: i64 = source.n
        {label}"""
    )
    assert batch["n"].tolist() == [3, 10, 5] and (not label or batch["label"].tolist() == [0, 1, 0])
    assert abs(float(batch["x"].mean())) < 1e-6


@pytest.mark.parametrize("write", WRITERS)
def test_one_missing_number_does_not_make_texts_of_the_others(workspace, write: Write) -> None:
    source = write(workspace.path, {"year": [1999, 20000, None, 3], "y": [1, 2, 3, 4]})
    kept = workspace.everything(f"source = {source}\n{ALL}\nwhere = source.year >= 1000\ny: i64 = source.y")
    assert kept["y"].tolist() == [1, 2]


@pytest.mark.parametrize("write", WRITERS)
def test_a_missing_place_in_an_order(workspace, write: Write) -> None:
    source = write(workspace.path, {"t": [9, 10, None, 2], "y": [1, 2, 3, 4]})
    split = "split = contiguous(train = 0.5, val = 0.5, by = source.t)"
    found = workspace.mistake(f"source = {source}\n{split}\ny: i64 = source.y")
    assert f"E0201: {PLACES[write]}, `t` is missing" in found
    source = write(workspace.path, {"t": [9, 10, 1, 2], "y": [1, 2, 3, 4]})
    assert workspace.everything(f"source = {source}\n{split}\ny: i64 = source.y")["y"].tolist() == [3, 4]


@pytest.mark.parametrize("write", [as_jsonl, as_parquet, as_feather])
def test_a_missing_list_is_not_an_empty_one(workspace, write: Write) -> None:
    source = write(workspace.path, {"t": [[1], [], None, [2, 3]]})
    field = "t: i64[T] = source.t -> pad(0)"
    assert f"{PLACES[write]}, `t` is missing" in workspace.mistake(f"source = {source}\n{ALL}\n{field}")


def test_the_word_for_a_missing_number_is_shown(workspace) -> None:
    workspace.write("t.csv", "x\n1\nNaN\n")
    found = workspace.mistake(f'source = csv("t.csv")\n{ALL}\nx: f32 = source.x')
    assert '"NaN" stands for a missing number' in found and 'where = source.x != "NaN"' in found
    batch = workspace.everything(f'source = csv("t.csv")\n{ALL}\nx: f32 = source.x -> impute(7)')
    assert batch["x"].tolist() == [1, 7]


@pytest.mark.parametrize("cell", ["1_0", "١٢", "0x10", "1,5", "1 0", "--1", "1e", "."])
@pytest.mark.parametrize("field", ["x: f32 = source.x", "x: i64 = source.x", "x: f32 = source.x -> scale(2)"])
def test_what_is_not_a_number(workspace, cell: str, field: str) -> None:
    workspace.write("t.csv", f'x\n5\n"{cell}"\n')
    assert f'E0201: t.csv:3, column `x`: "{cell}" is not a number' in workspace.mistake(
        f'source = csv("t.csv")\n{ALL}\n{field}'
    )


def test_members_of_a_record_are_numbers_too(workspace) -> None:
    workspace.write("t.csv", "a,b\n1,2\n3,oops\n")
    body = f'source = csv("t.csv")\n{ALL}\nlet pair = (source.a, source.b) -> standardize\nx: f32 = pair.first'
    assert 't.csv:3, column `b`: "oops" is not a number' in workspace.mistake(body)
    workspace.write("t.csv", "a,b\n1,2\n3,4\n")
    assert workspace.everything(body)["x"].tolist() == pytest.approx([-1.3416, 0.4472], abs=1e-4)
    assert workspace.everything(f'source = csv("t.csv")\n{ALL}\nlet pair = (source.a, source.b)\nx: i64 = pair.second')[
        "x"
    ].tolist() == [2, 4]


BIG = 2**63 - 1


@pytest.mark.parametrize("write", WRITERS)
def test_whole_numbers_are_read_exactly(workspace, write: Write) -> None:
    values = [2**53 + 1, BIG, -(2**63), -3]
    source = write(workspace.path, {"n": values})
    assert workspace.everything(f"source = {source}\n{ALL}\nn: i64 = source.n")["n"].tolist() == values


@pytest.mark.parametrize("write", [as_csv, as_jsonl, as_parquet, as_feather])
def test_whole_numbers_are_exact_where_others_are_missing(workspace, write: Write) -> None:
    source = write(workspace.path, {"n": [2**53 + 1, None, None, BIG]})
    body = f'source = {source}\n{ALL}\nwhere = source.n != ""\nn: i64 = source.n'
    assert workspace.everything(body)["n"].tolist() == [2**53 + 1, BIG]


@pytest.mark.parametrize("value", [2**63, 1e300, -(2**63) - 1, "1e999999999"])
def test_whole_numbers_that_do_not_fit(workspace, value: Any) -> None:
    source = as_csv(workspace.path, {"n": [1, value]})
    found = workspace.mistake(f"source = {source}\n{ALL}\nn: i64 = source.n")
    assert "t.csv:3" in found and ("does not fit `i64`" in found or "is not a finite number" in found)


def test_numbers_of_arrays_that_do_not_fit(workspace) -> None:
    body = f'source = npz("t.npz")\n{ALL}\n'
    np.savez(workspace.path / "t.npz", n=np.array([1, 2**63], np.uint64), f=np.array([1.0, 2.0**63]), x=[1.0, 1e39])
    for name in ("n", "f"):
        found = workspace.mistake(f"{body}n: i64 = source.{name}")
        assert "t.npz record 1" in found and "does not fit `i64`" in found
    assert "t.npz record 1, column `x`: 1e+39 in field `x` does not fit `f32`" in workspace.mistake(
        f"{body}x: f32 = source.x"
    )
    np.savez(workspace.path / "t.npz", n=np.array([1, 300]), half=[1.0, 7e4])
    assert "300 in field `n` does not fit `u8`" in workspace.mistake(f"{body}n: u8 = source.n")
    assert "300 in field `n` does not fit `bool`" in workspace.mistake(f"{body}n: bool = source.n")
    assert "70000 in field `half` does not fit `f16`" in workspace.mistake(f"{body}half: f16 = source.half")


def test_lists_of_numbers_that_do_not_fit_or_are_mixed(workspace) -> None:
    body = f'source = jsonl("t.jsonl")\n{ALL}\nv: i64[2] = source.v'
    workspace.write("t.jsonl", f'{{"v": [1, 2]}}\n{{"v": [1, {2**63}]}}\n')
    assert "t.jsonl:2: 9.22337e+18 in field `v` does not fit `i64`" in workspace.mistake(body)
    workspace.write("t.jsonl", f'{{"v": [1, {2**24 + 1}]}}\n{{"v": [1.0, 2.0]}}\n')
    assert workspace.everything(body)["v"].tolist() == [[1, 2**24 + 1], [1, 2]]


def test_a_label_of_minus_one_in_a_data_set_of_the_hub(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", workspace.path / "cache")
    features = datasets.Features({"label": datasets.ClassLabel(names=["no", "yes"]), "n": datasets.Value("int64")})
    made = datasets.Dataset.from_dict({"label": [1, -1, 0], "n": [1, 2, 3]}, features=features)
    (workspace.path / "set").mkdir()
    made.to_parquet(str(workspace.path / "set" / "train.parquet"))
    body = f'source = hub("set")\n{ALL}\nlabel: i64 = source.label\n'
    assert "record 1: -1 in field `label` is not a class" in workspace.mistake(body)
    assert workspace.everything(body + "where = source.label >= 0")["label"].tolist() == [1, 0]


@given(st.lists(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=4)), max_size=5))
def test_cells_are_read_alike_alone_and_together(values: list[Any]) -> None:
    texts = [str(value) for value in values]
    try:
        alone = [cells.number(text) for text in texts]
    except cells.NotANumber:
        with pytest.raises(cells.NotANumber):
            cells.numbers(texts)
        return
    np.testing.assert_array_equal(cells.numbers(texts), alone)
    for text, number in zip(texts, cells.whole_numbers(texts), strict=True):
        assert (cells.exact(text) == number) or (number is None and cells.is_missing(text))


@given(st.integers())
def test_whole_numbers_of_any_size(value: int) -> None:
    assert cells.exact(str(value)) == value
    assert cells.exact(f"{value}.0") == value
