"""What cells of a table become: dates, names by the thousand, ordered names, truth; records without them; and what is said of a
cell that cannot be read, with its line and its column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlc.runtime.data import facts
from dlc.runtime.data.feed import Feed
from dlc.runtime.data.sources import csv_files
from dlc.runtime.data.text_columns import Cells

ALL = 'split = all("train")\n'


def table(folder: Path, *rows: str) -> str:
    (folder / "t.csv").write_text("".join(row + "\n" for row in rows), "utf-8")
    return f'source = csv("t.csv")\n{ALL}'


def in_form(folder: Path, form: str, columns: dict[str, Sequence[Any]]) -> str:
    """A source with these columns."""
    import pyarrow
    from pyarrow import feather, parquet

    if form == "csv":
        rows = ["" if cell is None else cell.isoformat(" ") for cell in columns["t"]]
        return table(folder, "t,n", *(f"{row},{n}" for n, row in enumerate(rows)))
    write = {"parquet": parquet.write_table, "feather": feather.write_feather}[form]
    write(pyarrow.table(columns), folder / f"t.{form}")
    return f'source = {form}("t.{form}")\n{ALL}'


TIMES = [datetime(2024, 2, 29, 18, 30), datetime(1969, 12, 31), None, datetime(2023, 12, 3, 0, 0, 1)]
PARTS = {
    "days": [19782 + 18.5 / 24, -1, 19694 + 1 / 86400], "year": [2024, 1969, 2023], "month": [2, 12, 12], "day": [29, 31, 3],
    "weekday": [3, 2, 6], "yearday": [60, 365, 337], "hour": [18, 0, 0], "minute": [30, 0, 0],
}  # fmt: skip


@pytest.mark.parametrize("form", ["csv", "parquet", "feather"])
def test_parts_of_times(workspace, form: str) -> None:
    """Whatever the format given: a file that knows times has them as such."""
    text = in_form(workspace.path, form, {"t": TIMES, "n": [0, 1, 2, 3]})
    given = "" if form == "csv" else '"%d/%m/%y", '
    fields = "".join(f'{part}: f64 = source.t -> date({given}part = "{part}")\n' for part in PARTS)
    batch = workspace.everything(f'{text}where = source.t != ""\n{fields}')
    for part, wanted in PARTS.items():
        np.testing.assert_allclose(batch[part].numpy(), wanted, rtol=1e-12, err_msg=part)


def test_formats_circles_and_missing_dates(workspace) -> None:
    text = table(workspace.path, "d,t", "03.12.2023,5 PM", "?,11 AM", " 29.02.2024 ,1 AM").replace(
        '"t.csv"', '"t.csv", missing = ["?"]'
    )
    batch = workspace.everything(
        f"""{text}
        month: f32[2] = source.d -> date("%d.%m.%Y", "month", cyclic = true) -> impute(0)
        day: f32      = source.d -> date("%d.%m.%Y") -> impute("mean")
        hour: i64     = source.t -> date("%I %p", "hour")
        noon: f32[24] = source.t -> date("%I %p", "hour") -> one_hot(24)"""
    )
    angle = 2 * math.pi * 11 / 12
    np.testing.assert_allclose(batch["month"][0].numpy(), [math.sin(angle), math.cos(angle)], atol=1e-6)
    assert batch["month"][1].tolist() == [0, 0]
    assert batch["day"].tolist() == [19694, 19738, 19782]
    assert batch["hour"].tolist() == [17, 11, 1] and batch["noon"].argmax(1).tolist() == [17, 11, 1]


def test_columns_as_one_vector(workspace) -> None:
    text = table(workspace.path, "a,b (cm),c,d", "1,2,x,3", "4,,y,6")
    batch = workspace.everything(f'{text}x: f32[3] = source.columns("d", "b (cm)", "a") -> impute(-1)')
    assert batch["x"].tolist() == [[3, 2, 1], [6, -1, 4]]
    assert "has no field `e`" in workspace.mistake(f'{text}x: f32[2] = source.columns("a", "e")')
    found = workspace.mistake(f'{text}x: f32[2] = source.columns("a", "b (cm)")')
    assert "t.csv:3, column `b (cm)`: the cell is empty" in found


def test_hashes_of_names(workspace) -> None:
    """The same number for a name wherever and whenever; any name has one, but a missing one."""
    text = table(workspace.path, "city", "Oslo", "Rome", "Oslo", "Paris")
    batch = workspace.everything(f"{text}city: i64 = source.city -> hash(1000)")
    assert batch["city"].tolist() == [765, 324, 765, 203]
    table(workspace.path, "city", "Oslo", "NA")
    found = workspace.mistake(f"{text}city: i64 = source.city -> hash(1000)")
    assert 't.csv:3, column `city`: "NA" stands for a missing value' in found


def test_truth_and_order(workspace) -> None:
    """Words of truth are 0 and 1; names in a given order are classes in it, or numbers."""
    text = table(workspace.path, "a,b,c,d,size", "yes,T,true,1,large", "No,f,FALSE,0,small", "y,t,True,1,medium")
    batch = workspace.everything(
        f"""{text}a: f32 = source.a
        b: bool = source.b
        x: f32[2] = source.columns("c", "d")
        size: i64 = source.size -> category("small", "medium", "large")
        height: f32 = source.size -> category("small", "medium", "large") -> scale(2)"""
    )
    assert batch["a"].tolist() == [1, 0, 1] and batch["b"].tolist() == [True, False, True]
    assert batch["x"].tolist() == [[1, 1], [0, 0], [1, 1]]
    assert batch["size"].tolist() == [2, 0, 1] and batch["height"].tolist() == [4, 0, 2]


CONDITIONS = {
    'source["mass (g)"] > 3000': [1, 3],
    'source["mass (g)"] != ""': [0, 1, 3],
    'source.sex == "f" and source["mass (g)"] != ""': [0],
    'not (source.sex == "f")': [1, 3],
    'source.day >= "2024-01-01"': [1, 2],
    "year == 2023": [0, 3],
    "source.kept == true": [0, 1],
    'source.sex != "" or source.kept == false': [0, 1, 2, 3],
}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_where_over_any_column(workspace, condition: str) -> None:
    rows = "2023-05-01,f,2900,yes,0", "2024-05-01,m,3100,yes,1", "2024-06-01,f,NA,no,2", "2023-01-09,NA,3300,no,3"
    text = table(workspace.path, "day,sex,mass (g),kept,n", *rows)
    batch = workspace.everything(
        f'{text}let year = source.day -> date(part = "year")\nwhere = {condition}\nn: i64 = source.n'
    )
    assert batch["n"].tolist() == CONDITIONS[condition]


ROWS = [f"{n},{'' if n % 7 == 3 else n % 5},{'NA' if n % 9 == 4 else 'ab'[n % 2]},{n / 4}" for n in range(59)] + [
    "59,1,b,"
]
FIELDS = "x: f32 = source.x\nlabel: i64 = source.label -> category\nn: i64 = source.n\nz: f32 = source.z -> impute(0)"
SPLIT = "split = random(train = 0.6, val = 0.2, test = 0.2, stratify = source.label, seed = 3)\n"


def complete(row: str) -> bool:
    _, x, label, _ = row.split(",")
    return x != "" and label != "NA"


@pytest.mark.parametrize("drop", ['"missing"', "[source.x, source.label]"])
def test_dropped_records_are_as_if_they_were_not_there(workspace, drop: str) -> None:
    (workspace.path / "holes.csv").write_text("\n".join(["n,x,label,z", *ROWS]) + "\n")
    (workspace.path / "whole.csv").write_text("\n".join(["n,x,label,z", *filter(complete, ROWS)]) + "\n")
    with_drop = workspace.open(f'source = csv("holes.csv")\n{SPLIT}drop = {drop}\n{FIELDS}')
    without = workspace.open(f'source = csv("whole.csv")\n{SPLIT}{FIELDS}')
    for split in ("train", "val", "test"):
        one, other = (numbers(data, split) for data in (with_drop, without))
        assert one == other and len(one)
    known = facts.of(with_drop)
    assert known.dropped == 60 - sum(map(complete, ROWS))
    assert known.lacking == {"x": 8, "label": 7} and facts.of(without).dropped == 0


def numbers(data: Any, split: Any) -> list[int]:
    import torch

    (batch,) = Feed(data, split, training=False, device=torch.device("cpu")).batches(1000)
    return batch["n"].tolist()


def test_drop_that_leaves_nothing(workspace) -> None:
    text = table(workspace.path, "x,y", "1,NA", ",2")
    found = workspace.mistake(f'{text}drop = "missing"\nx: f32 = source.x\ny: f32 = source.y')
    assert "E0411" in found and "`drop` leaves none of the 2 records" in found and "`x` 1, `y` 1" in found


#: Rows, a field, and what is said: each names the file, the line of the record and the column.
MISTAKES = [
    (["1", "2", "soon"], "x: f32 = source.a", 't.csv:4, column `a`: "soon" is not a number'),
    (["1", "2", "2024-05-31"], "x: f32 = source.a", '-> date("%Y-%m-%d")'),
    (["1", "2", "31.05.2024"], "x: f32 = source.a -> standardize", '-> date("%d.%m.%Y")'),
    (["1", "2", ""], "x: f32 = source.a", "t.csv:4, column `a`: the cell is empty"),
    (["1", "2", "n/a"], "x: i64 = source.a", 't.csv:4, column `a`: "n/a" stands for a missing number'),
    (["1", "2", "1e39"], "x: f32 = source.a", "t.csv:4, column `a`"),
    (["1", "2", "2.5"], "x: i64 = source.a", "t.csv:4, column `a`"),
    (["1", "2", "300"], "x: u8 = source.a", "t.csv:4, column `a`"),
    (["1", "2", "3"], "x: f32[3] = source.a -> one_hot(3)", "t.csv:4, column `a`"),
    (["1", "2", "-2"], "x: f32 = source.a -> log1p", "t.csv:4, column `a`"),
    (["b", "b", "c"], 'x: i64 = source.a -> category("a", "b")', 't.csv:4, column `a`: "c" is not one of the categories'),
    (["b", "a", "b "], 'x: i64 = source.a -> category("a", "b")', 't.csv:4, column `a`: the names "b " and "b" differ only in blanks'),
    (["b", "a", " b"], "x: i64 = source.a -> category", "t.csv:4, column `a`: the names"),
    (["b", "a", "NA"], "x: i64 = source.a -> category", 't.csv:4, column `a`: "NA" stands for a missing value'),
    (["2024-01-01", "2024-01-02", "2024-13-01"], "x: f32 = source.a -> date", 't.csv:4, column `a`: "2024-13-01" is not a date'),
    (["2024-01-01", "2024-01-02", "03.01.2024"], "x: f32 = source.a -> date", 'date("%d.%m.%Y")'),
    (["1", "2", "x"], 'y: f32[1] = source.columns("a") -> standardize', 't.csv:4, column `a`: "x" is not a number'),
    (["1", "2", "x"], "x: i64 = source.n\nwhere = source.a > 1", 't.csv:4, column `a`: "x" is not a number'),
]  # fmt: skip


@pytest.mark.parametrize(("cells", "field", "said"), MISTAKES)
def test_the_line_and_the_column_of_a_mistake(workspace, cells: list[str], field: str, said: str) -> None:
    text = table(workspace.path, "n,a", *(f"{n},{cell}" for n, cell in enumerate(cells)))
    assert said in workspace.mistake(f"{text}{field}")


def test_nothing_is_read_or_parsed_twice(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file is read once for facts, what is learned and what is fed; a column becomes numbers, or numbered names, once."""
    counts: dict[str, int] = {}

    def counted(home: Any, name: str, key: str) -> None:
        function = getattr(home, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            counts[key] = counts.get(key, 0) + 1
            return function(*args, **kwargs)

        monkeypatch.setattr(home, name, call)

    counted(csv_files.CsvFile, "_reading", "read")
    counted(csv_files, "_columns", "read exactly")
    parsed, coded = Cells._parsed.func, Cells.coded.func  # type: ignore[attr-defined]
    count = lambda key: counts.update({key: counts.get(key, 0) + 1})
    monkeypatch.setattr(Cells._parsed, "func", lambda self: (count("parsed"), parsed(self))[1])  # type: ignore[attr-defined]
    monkeypatch.setattr(Cells.coded, "func", lambda self: (self._numbered or count("coded"), coded(self))[1])  # type: ignore[attr-defined]
    rows = [f"{n},{n / 4},{'NA' if n == 250 else n},{'ab'[n % 2]},{'xyz'[n % 3]}" for n in range(300)]
    text = table(workspace.path, "n,x,late,label,name", *rows).replace(ALL, SPLIT)
    data = workspace.open(
        f"""{text}drop = "missing"
        where = source.label != ""
        x: f32[2] = source.columns("x", "late") -> standardize
        label: i64 = source.label -> category
        name: i64 = source.name -> strip -> category
        n: i64 = source.n"""
    )
    facts.of(data)
    for split in ("train", "val"):
        assert numbers(data, split)
    assert counts == {"read": 1, "coded": 2}
