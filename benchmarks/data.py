"""Reading tables and texts: a CSV file and a parquet file as columns that a model can be fed with, beside what people use.

Of a CSV file ours counts everything up to numbers and the names of classes: the file read, numbers parsed, each distinct text
found and numbered; of a parquet file its columns as arrays. The peers are `pandas.read_csv`, and `pyarrow.parquet.read_table`,
which ours calls. Memory is the growth of a process that reads the file,
over the size of the frame that pandas makes of it. `python -m dlc.benchmarks.data` prints the figures.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .measure import Figure, alternate

NUMBERS = 8  # columns of numbers with four decimals; then one of whole numbers, and two of names


def write_tables(folder: Path, rows: int) -> None:
    """The same table as `rows.csv` and `rows.parquet`."""
    import pyarrow
    from pyarrow import csv, parquet

    random = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{i}": random.normal(size=rows).round(4) for i in range(NUMBERS)}
    columns["id"] = random.integers(0, 10**9, rows)
    columns["city"] = np.array(["Rome", "Oslo", "Paris", "Berlin"])[random.integers(0, 4, rows)]
    columns["label"] = np.array(["yes", "no"])[random.integers(0, 2, rows)]
    table = pyarrow.table(columns)
    csv.write_csv(table, folder / "rows.csv", csv.WriteOptions(quoting_style="none"))
    parquet.write_table(table, folder / "rows.parquet")


def read(path: Path) -> dict[str, Any]:
    """The columns of a file; of CSV with numbers parsed and names numbered."""
    from dlc.compiler.messages.source import Span
    from dlc.runtime.data.sources import reader
    from dlc.runtime.data.table import Cells

    columns, count, _, _ = reader(path.suffix[1:])({"path": path.name}, path.parent.joinpath, Span("", 0, 0))
    every = np.arange(count)
    for name, column in columns.items() if path.suffix == ".csv" else ():
        assert isinstance(column, Cells)
        assert column.coded if name in ("city", "label") else len(column.numbers(every)) == count
    return columns


def growth(path: Path) -> int:
    """Bytes by which a process grows at most while it reads a file."""
    import pyarrow.compute
    import pyarrow.csv  # noqa: F401

    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), 100)
        read(Path(folder) / path.name)
    Path("/proc/self/clear_refs").write_text("5")  # the largest size so far is the present one
    before = peak()
    columns = read(path)
    assert columns
    return peak() - before


def peak() -> int:
    """The largest size of this process, in bytes."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def text_figures(full: bool) -> list[Figure]:
    """Lines of the documentation of Python, tokenized by 8,000 pairs that were learned from it: as arrays of ids, beside the library
    alone, which gives its own objects, in batches of 1,000 lines."""
    import itertools
    from pydoc_data.topics import topics

    from dlc.runtime.data import tokenizing

    lines = [line for topic in topics.values() for line in topic.splitlines() if line]
    args = {"train": 8000, "bos": None, "eos": None, "first": None}
    made = tokenizing.loaded(tokenizing.learn_bpe(lines, [], args), True)
    size, texts = (100 if full else 1) << 20, list[str]()
    for line in itertools.cycle(lines):
        texts.append(line)
        size -= len(line)
        if size < 0:
            break
    batches = [texts[at : at + 1000] for at in range(0, len(texts), 1000)]

    def library() -> None:
        for batch in batches:
            made.made.encode_batch_fast(batch, add_special_tokens=False)

    seconds = alternate({"ours": lambda: made.encode(texts), "library": library}, 3)
    return [
        Figure("data.tokens", seconds["ours"], "s"),
        Figure("data.tokens_of_tokenizers", seconds["ours"] / seconds["library"], "x", 1.1 if full else 3.3),
    ]


def figures(full: bool) -> list[Figure]:
    import pandas
    import pyarrow
    from pyarrow import parquet

    rows, rounds = (1_000_000, 5) if full else (50_000, 3)
    with tempfile.TemporaryDirectory() as folder:
        write_tables(Path(folder), rows)
        csv_file, parquet_file = Path(folder) / "rows.csv", Path(folder) / "rows.parquet"
        # two by two: each runs after the other of the same file, whose memory it finds ready; and with the threads that
        # pyarrow takes in a program of its own, of which the variables of a test leave one
        threads = pyarrow.cpu_count()
        pyarrow.set_cpu_count(os.cpu_count() or 1)
        seconds = alternate({"csv": lambda: read(csv_file), "pandas": lambda: pandas.read_csv(csv_file)}, rounds)
        seconds |= alternate(
            {"parquet": lambda: read(parquet_file), "pyarrow": lambda: parquet.read_table(parquet_file)}, rounds
        )
        pyarrow.set_cpu_count(threads)
        frame = int(pandas.read_csv(csv_file).memory_usage(deep=True).sum())
        command = [sys.executable, "-m", "dlc.benchmarks.data", "--growth", str(csv_file)]
        grown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    wide = 1 if full else 3  # a small file on a busy machine
    return [
        Figure("data.csv", seconds["csv"], "s"),
        Figure("data.csv_of_pandas", seconds["csv"] / seconds["pandas"], "x", 1.5 * wide),
        Figure(
            "data.csv_memory_of_frame", grown / frame, "x", 2.0 if full else None
        ),  # threads take as much as a small file
        Figure("data.parquet", seconds["parquet"], "s"),
        Figure("data.parquet_of_pyarrow", seconds["parquet"] / seconds["pyarrow"], "x", 1.2 * wide),
        *text_figures(full),
    ]


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--growth"]:
        print(growth(Path(arguments[1])))
        return
    for figure in figures("--quick" not in arguments):
        print(f"{figure.name:<30} {figure.value:10.4f} {figure.unit}")


if __name__ == "__main__":
    main(sys.argv[1:])
