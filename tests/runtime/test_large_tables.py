"""Tables of very many columns, of rows that grow shorter, and JSON of any depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import dlc
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.source import Span
from dlc.runtime.data.sources import csv_files
from dlc.runtime.data.sources.tables import csv, jsonl
from dlc.runtime.data.text_columns import Cells

HERE = Span("m.dlspec", 0, 1)


def test_a_hundred_thousand_columns(tmp_path: Path, within: Any) -> None:
    path = tmp_path / "wide.csv"
    names = ",".join(f"c{i}" for i in range(100_000))
    path.write_text(f"{names}\n" + f"{','.join(['1'] * 100_000)}\n" * 3, "utf-8")
    with within(5):
        columns, count, _, _ = csv({"path": "wide.csv"}, lambda name: tmp_path / name, HERE)
        assert (len(columns), count) == (100_000, 3)
        path.write_text(f"{names},c5\n" + f"{','.join(['1'] * 100_001)}\n", "utf-8")
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


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"])
def test_json_of_any_depth(text: str, tmp_path: Path) -> None:
    (tmp_path / "deep.jsonl").write_text(text + "\n", "utf-8")
    with pytest.raises(Failed) as failure:
        jsonl({"path": "deep.jsonl"}, lambda name: tmp_path / name, HERE)
    assert failure.value.diagnostic.code == "E0412"


def test_threads_of_a_session(tmp_path: Path) -> None:
    with pytest.raises(dlc.RunFailure, match="between 1 and 1024"):
        dlc.Session(tmp_path / "m.onnx", "cpu", threads=10_000)
