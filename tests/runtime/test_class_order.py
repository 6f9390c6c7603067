"""One order of classes, wherever their names come from."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dlc.runtime.data import facts

NAMES = ["10", "2", "1", "b", "a10", "B", "-1", "1.5", "01"]
ORDER = ["-1", "01", "1", "1.5", "2", "10", "B", "a10", "b"]
ALL = 'split = all("train")'
FIELD = "label: i64 = source.label -> category"


def folders(root: Path, names: Sequence[str], count: int = 1) -> None:
    for name in names:
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(root / name / f"{number}.png")


def of_folders(folder: Path) -> str:
    folders(folder / "images", NAMES)
    return f'source = image_folder("images")\n{ALL}\nlabel: i64 = source.label'


def of_split_folders(folder: Path) -> str:
    folders(folder / "images" / "one", NAMES[:5])
    folders(folder / "images" / "two", NAMES[4:])
    files = 'split = folders(train = "one", val = "two")'
    return f'source = image_folder("images/{{split}}")\n{files}\nlabel: i64 = source.label'


def of_csv(folder: Path) -> str:
    (folder / "t.csv").write_text("label\n" + "\n".join(NAMES) + "\n")
    return f'source = csv("t.csv")\n{ALL}\n{FIELD}'


def of_jsonl(folder: Path) -> str:
    (folder / "t.jsonl").write_text("".join(json.dumps({"label": name}) + "\n" for name in NAMES))
    return f'source = jsonl("t.jsonl")\n{ALL}\n{FIELD}'


def of_parquet(folder: Path) -> str:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"label": NAMES}), folder / "t.parquet")
    return f'source = parquet("t.parquet")\n{ALL}\n{FIELD}'


def of_lines(folder: Path) -> str:
    (folder / "t.txt").write_text("\n".join(NAMES) + "\n")
    return f'source = text_lines("t.txt")\n{ALL}\nlabel: i64 = source.text -> category'


@pytest.mark.parametrize("source", [of_folders, of_split_folders, of_csv, of_jsonl, of_parquet, of_lines])
def test_numbers_by_value_before_other_names(workspace, source: Callable[[Path], str]) -> None:
    found = facts.of(workspace.open(source(workspace.path)))
    assert found.fields["label"].classes == tuple(ORDER)
