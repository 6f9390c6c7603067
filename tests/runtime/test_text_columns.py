"""Columns of texts are read many cells at once, and as each cell alone is; a CSV file as its exact reader reads it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.source import Span
from dlc.runtime.data import cells
from dlc.runtime.data.cells import CellRule
from dlc.runtime.data.sources.csv_files import CsvFile
from dlc.runtime.data.text_columns import Cells, JoinedFiles, distinct, joined

HERE = Span("m.dlspec", 0, 1)
NUMBERS = st.one_of(st.integers(), st.integers(-(10**21), 10**21), st.floats(), st.integers(2**53 - 2, 2**53 + 2)).map(
    str
)
ODD = st.sampled_from(
    ["", " ", "1_0", "0x10", "nan(1)", "-nan", "NaN", "NA", "null", "inf", "+1", " 7 ", "1.", ".5", "1e999", "1e-400", "True", "?",
     "-999", "1,5", "1.234,5", "1,234.5", "1 234", "12,34", "٣", "1d", "\x1f1", "1e5", "-0"]
)  # fmt: skip
COLUMNS = st.lists(st.one_of(NUMBERS, ODD, st.text("019.,-+eE xXnaN_", max_size=4)), min_size=1, max_size=6)
RULES = st.sampled_from(
    [CellRule(), CellRule(frozenset(("?", "-999", ""))), CellRule(decimal=","), CellRule(decimal=",", thousands="."), CellRule(thousands=","),
     CellRule(decimal=",", thousands=" ")]
)  # fmt: skip


def in_chunks(texts: list[str]) -> pyarrow.ChunkedArray:
    return pyarrow.chunked_array([texts[:2], texts[2:]], pyarrow.string())


@given(COLUMNS, RULES)
def test_numbers_of_a_column_are_those_of_its_cells(texts: list[str], rule: CellRule) -> None:
    column, every = Cells(in_chunks(texts), rule), np.arange(len(texts))
    wrong = None
    for position, text in enumerate(texts):
        try:
            alone = cells.number(text, rule)
        except cells.NotANumber:
            wrong = position if wrong is None else wrong
            with pytest.raises(cells.NotANumber):
                column.numbers(every[position : position + 1])
            continue
        np.testing.assert_array_equal(column.numbers(every[position : position + 1]), [alone])
    if wrong is not None:
        with pytest.raises(cells.NotANumber) as found:
            column.numbers(every)
        assert found.value.position == wrong
        return
    exact = cells.whole_numbers(texts, rule)
    for one, other in zip(column.whole_numbers(every), exact, strict=True):
        assert one == other or (other is None and one is None)


@given(COLUMNS)
def test_names_of_a_column(texts: list[str]) -> None:
    column = Cells(in_chunks(texts))
    codes, names = distinct(column.select(np.arange(len(texts))[::-1]))
    assert [names[code] for code in codes] == texts[::-1] and len(set(names)) == len(names)
    assert (
        list(column) == texts
        and column[len(texts) - 1] == texts[-1]
        and list(joined([column, column], JoinedFiles())) == texts * 2
    )


def test_half_a_surrogate_is_a_text_like_others() -> None:
    column = Cells(["1", "\ud800", "1"])
    assert column.numbers(np.array([0, 2])).tolist() == [1, 1] and column.coded[0].tolist() == [0, 1, 0]
    assert list(joined([column, column], JoinedFiles())) == [*column, *column]
    with pytest.raises(cells.NotANumber):
        column.numbers(np.arange(3))


ENDS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", "\r\n\r\n"])
WRITTEN = st.sampled_from(
    ["a", "", "1", " b ", "é", '"x"', '""', '"a,b"', '"a ""b"""', '"two\nlines"', '"two\r\nlines"', 'a"b', '"a"b', '"', "NA", "\x0c"]
)  # fmt: skip
ROWS = st.lists(st.tuples(st.lists(WRITTEN, min_size=2, max_size=2), ENDS), min_size=1, max_size=5)


@given(
    ROWS,
    st.sampled_from(["", "\ufeff", "\n", "\ufeff\r\n"]),
    st.sampled_from(["a,b", '"a",b', "a,a", '"a\n1",b']),
    ENDS,
    st.booleans(),
)
@example([(["1", '"a,b"'], "\n"), (['"x\ny"', ""], "\n")], "\ufeff", "a,b", "\n", True)
def test_a_csv_file_is_read_as_its_exact_reader_reads_it(
    tmp_path_factory: pytest.TempPathFactory, rows: Any, before: str, head: str, end: str, last: bool
) -> None:
    text = before + head + end + "".join(",".join(row) + ends for row, ends in rows)
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text(text if last else text.rstrip("\r\n"), "utf-8", newline="")
    file = CsvFile(path, HERE, {})
    found = file.columns()
    try:
        columns, lines = CsvFile(path, HERE, {}).exact_columns()
    except Failed:
        assert found is None
        return
    if found is not None:
        assert {name: list(column) for name, column in found.items()} == columns
        assert list(file.lines) == list(lines)
    elif not any(odd in text for odd in ('a"b', '"a"b')):
        assert text.count('"') % 2, "a plain file must be read by pyarrow"


def written(path: Path, rows: int) -> CsvFile:
    path.write_text("n,city\n" + "".join(f"{i},c{i % 3}\n" for i in range(rows)), "utf-8")
    return CsvFile(path, HERE, {})


def test_texts_that_have_become_numbers_are_read_again_where_a_message_shows_them(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", 9)
    columns = file.columns()
    assert columns is not None
    assert columns["n"].numbers(np.arange(9)).tolist() == list(range(9))
    assert columns["n"][3] == "3" and columns["city"][4] == "c1"
    columns = written(tmp_path / "a.csv", 9).columns()
    assert columns is not None
    columns["n"].numbers(np.arange(9))
    written(tmp_path / "a.csv", 10)
    with pytest.raises(Failed, match="changed since"):
        list(columns["n"])


def test_a_row_longer_than_what_is_read_at_a_time(tmp_path: Path) -> None:
    from dlc.runtime.data.sources.tables import csv

    cell = "x" * (3 << 20)
    (tmp_path / "a.csv").write_text(f"a,b\n1,{cell}\n2,\n", "utf-8")
    columns, count, place, _ = csv({"path": "a.csv"}, tmp_path.joinpath, HERE)
    assert count == 2 and columns["b"][0] == cell and place(1).endswith("a.csv:3")
    assert math.isnan(columns["b"].numbers(np.array([1]))[0])
