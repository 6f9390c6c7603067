"""Files of the splits that hold a column in different kinds: one rule reads both, or a message names both."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.source import Span
from dlc.runtime.data import laid_out
from dlc.runtime.data.sources import csv_files, one_after_another, tables
from dlc.runtime.data.table import Column, Numbers, Ragged
from dlc.runtime.data.text_columns import Cells

HERE = Span("m.dlspec", 0, 1)
LARGE = 2**53 + 1  # is not an f64


def column(folder: Path, form: str, train: Sequence[Any], test: Sequence[Any]) -> Column:
    """The column `x` of two files with these values."""
    parts: Any = {}
    for split, values in (("train", train), ("test", test)):
        path = folder / f"{split}.{form}"
        if form == "parquet":
            parquet.write_table(pyarrow.table({"x": values}), path)
        elif form == "csv":
            path.write_text("x,other\n" + "".join(f"{value},1\n" for value in values))
        else:
            np.savez(path, x=np.array(values))
        parts[split] = getattr(tables, form)({"path": path.name}, folder.joinpath, HERE)
    return one_after_another.columns(parts, HERE)["x"]


@pytest.mark.parametrize("form", ["parquet", "csv", "npz"])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    "values", [([1, 2], [0.5]), ([1, 2], ["a"]), ([0.1, 2.0], ["a", "b"]), ([LARGE], [0.5]), ([LARGE], ["a"])]
)
def test_numbers_next_to_others_keep_their_values(form: str, turned: bool, values: Any, tmp_path: Path) -> None:
    train, test = reversed(values) if turned else values
    found = column(tmp_path, form, train, test)
    wanted = [*train, *test]
    assert len(found) == len(wanted)
    if isinstance(found, Numbers):
        assert found.array.tolist() == wanted
        return
    assert isinstance(found, Cells)
    for record, value in enumerate(wanted):
        cell = found[record]
        assert type(value)(cell) == value


def test_whole_numbers_of_which_some_are_missing_stay_exact(tmp_path: Path) -> None:
    found = column(tmp_path, "parquet", [LARGE, 3], [None, LARGE])
    assert isinstance(found, Cells)
    assert list(found) == [str(LARGE), "3", "", str(LARGE)]


def test_lists_of_one_length_next_to_others(tmp_path: Path) -> None:
    found = column(tmp_path, "parquet", [[1, 2], [3, 4]], [[0.5], [], [1.5, 2.5, 3.5]])
    assert isinstance(found, Ragged)
    assert [None if row is None else row.tolist() for row in found.arrays] == [
        [1, 2],
        [3, 4],
        [0.5],
        [],
        [1.5, 2.5, 3.5],
    ]


@pytest.mark.parametrize(
    "train, test, kinds",
    [
        ([[1, 2]], ["a"], ("lists", "texts")),
        ([3], [[1, 2]], ("numbers", "lists")),
        ([[1, 2]], [3], ("lists", "numbers")),
    ],
)
def test_what_no_kind_holds_is_a_mistake_with_both_places(
    train: Any, test: Any, kinds: tuple[str, str], tmp_path: Path
) -> None:
    with pytest.raises(Failed) as failure:
        column(tmp_path, "parquet", train, test)
    found = failure.value.diagnostic
    assert found.code == "E0412"
    first, second = tmp_path / "train.parquet", tmp_path / "test.parquet"
    assert found.message == f"column `x` has {kinds[0]} at {first} record 0, but {kinds[1]} at {second} record 0"


def test_images_of_other_sizes_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(
        Failed, match=r"arrays of shape \[2, 3\] at .*train.npz record 0, but arrays of shape \[3, 3\] at .*test.npz"
    ):
        column(tmp_path, "npz", np.zeros((4, 2, 3)).tolist(), np.zeros((4, 3, 3)).tolist())


def test_numbers_of_csv_files_are_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[int] = []
    monkeypatch.setattr(csv_files.CsvFile, "column", lambda _, number: again.append(number))
    found = column(tmp_path, "csv", ["1", "2"], ["0.25"])
    assert isinstance(found, Cells)
    assert found.numbers(np.arange(3)).tolist() == [1, 2, 0.25]
    assert not again


def test_a_decimal_comma_of_one_file_holds_for_all(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x;y\n1;2\n3;4\n")
    (tmp_path / "test.csv").write_text("x;y\n1,5;2\n")
    parts: Any = {split: tables.csv({"path": f"{split}.csv"}, tmp_path.joinpath, HERE) for split in ("train", "test")}
    found = one_after_another.columns(parts, HERE)["x"]
    assert isinstance(found, Cells)
    assert found.numbers(np.arange(3)).tolist() == [1, 3, 1.5]


def test_fractions_after_texts_are_laid_out_as_texts(tmp_path: Path) -> None:
    about = laid_out.write(
        tmp_path, iter([({"x": Cells(["a"])}, 1), ({"x": Numbers(np.array([0.1, np.nan, 3]))}, 3)]), {}
    )
    found = laid_out.opened(tmp_path, about)["x"]
    assert isinstance(found, Cells) and list(found) == ["a", "0.1", "", "3"]
