"""Tables of very many columns, of rows that grow shorter, and JSON of any depth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlc
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.source import Span
from dlc.runtime.data import array_files
from dlc.runtime.data.sources import csv_files, split_files, tables
from dlc.runtime.data.sources.split_files import MOST_COLUMNS
from dlc.runtime.data.sources.tables import csv, jsonl
from dlc.runtime.data.text_columns import Cells

HERE = Span("m.dlspec", 0, 1)
WIDE = """dlspec 1
data D {
  source = csv("wide.csv")
  split  = random(train = 0.8, val = 0.2)
  x: f32 = source.c0
}
model M(x: [B]) -> (y: [B]) { y = x -> relu }
"""


def test_as_many_columns_as_are_read(tmp_path: Path, within: Any) -> None:
    path = tmp_path / "wide.csv"
    names = ",".join(f"c{i}" for i in range(MOST_COLUMNS))
    path.write_text(f"{names}\n" + f"{','.join(['1'] * MOST_COLUMNS)}\n" * 3, "utf-8")
    with within(2):
        columns, count, _, _ = csv({"path": "wide.csv"}, lambda name: tmp_path / name, HERE)
        assert (len(columns), count) == (MOST_COLUMNS, 3)
        path.write_text(f"{names.rpartition(',')[0]},c5\n" + f"{','.join(['1'] * MOST_COLUMNS)}\n", "utf-8")
        with pytest.raises(Failed, match="c5"):
            csv({"path": "wide.csv"}, lambda name: tmp_path / name, HERE)


def test_more_rows_than_the_first_ones_promise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "BLOCK", 1 << 10)
    long, short = [f"{i / 7:.12f}" for i in range(50)], [str(i % 10) for i in range(30_000)]
    rows = [*(f"{x},{'a' * 200}" for x in long), *(f"{x}," for x in short)]
    (tmp_path / "t.csv").write_text("x,name\n" + "\n".join(rows) + "\n", "utf-8")
    columns, count, _, _ = csv({"path": "t.csv"}, lambda name: tmp_path / name, HERE)
    x = columns["x"]
    assert isinstance(x, Cells) and count == len(rows)
    assert x.numbers(np.arange(count)).tolist() == [float(cell) for cell in (*long, *short)]


def test_a_hundred_thousand_columns_end_in_a_message(tmp_path: Path, within: Any) -> None:
    """Before any row is split, and before torch is loaded."""
    names = ",".join(f"c{i}" for i in range(100_000))
    (tmp_path / "wide.csv").write_text(f"{names}\n" + f"{','.join(['1'] * 100_000)}\n" * 3, "utf-8")
    with within(1), pytest.raises(Failed) as failure:
        csv({"path": "wide.csv"}, lambda name: tmp_path / name, HERE)
    assert failure.value.diagnostic.code == "E0412"
    assert "100,000 columns; a table has at most 65,536" in failure.value.diagnostic.message
    (tmp_path / "m.dlspec").write_text(WIDE, "utf-8")
    script = (
        "import sys; sys.modules['torch'] = None; from dlc.cli.app import run; sys.exit(run(['build', 'm.dlspec']))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "numpy.savez" in done.stderr


def test_every_kind_of_table_has_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow
    from pyarrow import feather, parquet

    monkeypatch.setattr(split_files, "MOST_COLUMNS", 3)
    monkeypatch.setattr(array_files, "MOST", 3)
    columns = {name: [1.0, 2.0] for name in "abcd"}
    (tmp_path / "t.csv").write_text("a,b,c,d\n1,2,3,4\n", "utf-8")
    (tmp_path / "t.jsonl").write_text('{"a": 1, "b": 2}\n{"c": 3, "d": 4}\n', "utf-8")
    parquet.write_table(pyarrow.table(columns), tmp_path / "t.parquet")
    feather.write_feather(pyarrow.table(columns), tmp_path / "t.feather")
    np.savez(tmp_path / "t.npz", a=[1.0], b=[1.0], c=[1.0], d=[1.0])
    for kind in ("csv", "jsonl", "parquet", "feather", "npz"):
        with pytest.raises(Failed, match="at most 3"):
            getattr(tables, kind)({"path": f"t.{kind}"}, lambda name: tmp_path / name, HERE)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"])
def test_json_of_any_depth(text: str, tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text(text + "\n", "utf-8")
    with pytest.raises(Failed) as failure:
        jsonl({"path": "deep.jsonl"}, lambda name: tmp_path / name, HERE)
    assert failure.value.diagnostic.code == "E0412"


def test_threads_of_a_session(tmp_path: Path) -> None:
    with pytest.raises(dlc.RunFailure, match="between 1 and 1024"):
        dlc.Session(tmp_path / "m.onnx", "cpu", threads=10_000)
