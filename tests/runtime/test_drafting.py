"""`dlc new --from`: what is drafted for data as people have it passes the check, fits the data, trains, and predicts from raw rows."""

from __future__ import annotations

import csv
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

import dlc
from dlc.compiler.check import check
from dlc.runtime.data.facts import gather
from dlc.runtime.data.text_columns import Cells
from dlc.runtime.drafting import rhythm, sample, texts
from dlc.runtime.drafting.calendar import Parts, parts_of
from dlc.runtime.drafting.columns import describe
from dlc.runtime.drafting.draft import draft
from dlc.runtime.failure import BadInput

Dlc = Callable[..., Any]


def penguins(folder: Path, separator: str = ",", missing: str = "NA") -> Path:
    """A table as they come: names with blanks and brackets, a number of each record, missing cells, a constant, dates, remarks."""
    random = np.random.default_rng(0)
    rows: list[Sequence[Any]] = []
    for i in range(90):
        kind = i % 3
        rows.append(
            [
                i + 1,
                ["Adelie", "Gentoo", 'Chin "strap"'][kind],
                missing if i % 17 == 0 else round(float(random.normal(40 + 5 * kind, 1)), 1),
                int(random.normal(3500 + 500 * kind, 100)),
                missing if i % 13 == 0 else ["male", "female"][i % 2],
                f"2008-11-{i % 28 + 1:02}",
                f"seen near the {i} th stone at noon",
                "Anvers",
            ]
        )
    file = folder / "penguins.csv"
    header = ["rowid", "Species", "Culmen Length (mm)", "class", "Sex", "Date", "Comments", "Region"]
    with file.open("w", newline="", encoding="utf-8") as written:
        csv.writer(written, delimiter=separator).writerows([header, *rows])
    return file


def houses(folder: Path) -> Path:
    random = np.random.default_rng(1)
    sizes = random.uniform(30, 200, 80)
    lines = [f"{size:.1f},{['yes', 'no'][i % 2]},{size * 2000 + 1e4 * (i % 2):.0f}" for i, size in enumerate(sizes)]
    file = folder / "houses.csv"
    file.write_text("\n".join(["size,garden,price", *lines, "55.5,no,", ""]), "utf-8")
    return file


def pictures(folder: Path, size: int = 40) -> Path:
    for number, name in enumerate(("cat", "dog")):
        (folder / "pets" / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.full((size, size + 6, 3), 100 * number + i, np.uint8)
            Image.fromarray(pixels).save(folder / "pets" / name / f"{i}.png")
    return folder / "pets"


def poem(folder: Path) -> Path:
    file = folder / "poem.txt"
    file.write_text("the quick brown fox jumps over the lazy dog, and again\n" * 60, "utf-8")
    return file


def letters(folder: Path) -> Path:
    """Texts in a folder for each class."""
    for name, words in (("sea", "ship wave gull salt"), ("sky", "cloud bird wind blue")):
        (folder / "letters" / name).mkdir(parents=True)
        for i in range(12):
            text = " ".join(words.split()[(i + j) % 4] for j in range(20 + i))
            (folder / "letters" / name / f"{i}.txt").write_text(f"{text}.\nyours, {i}\n", "utf-8")
    return folder / "letters"


def books(folder: Path) -> Path:
    """Texts next to each other."""
    (folder / "books").mkdir()
    for number in range(2):
        poem(folder / "books").rename(folder / "books" / f"{number}.txt")
    return folder / "books"


def sales(folder: Path, gap: int = 40) -> Path:
    """Two stores with a row a day and a season of a week, one day missing, a price that is missing at times."""
    random = np.random.default_rng(2)
    rows = [
        [
            (date(2024, 1, 1) + timedelta(day)).isoformat(),
            store,
            round(level * (1 + 0.3 * math.sin(2 * math.pi * day / 7)) + random.normal(), 2),
            "" if day % 40 == 3 else round(random.uniform(1, 2), 2),
            "sun" if day % 3 else "rain",
        ]
        for store, level in (("north", 100), ("south", 40))
        for day in range(130)
        if day != gap
    ]
    file = folder / "sales.csv"
    with file.open("w", newline="", encoding="utf-8") as written:
        csv.writer(written).writerows([["date", "store", "sales", "price", "weather"], *rows])
    return file


def talks(folder: Path, pairs: bool = False) -> Path:
    """Sums, asked and answered: as messages, or as requests with answers."""
    rows: list[dict[str, Any]] = []
    for i in range(60):
        question, answer = f"what is {i} and {i + 1}?", f"it is {2 * i + 1}"
        turns = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        rows.append({"instruction": question, "output": answer} if pairs else {"messages": turns})
    file = folder / "talks.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return file


def drafted(path: Path, target: str | None = None, time: str | None = None) -> str:
    """The spec in one line, written beside its data; it passes the check without a warning and fits the data."""
    text = draft(path, path.name, target, time).text
    spec = path.with_suffix(".dlspec")
    spec.write_text(text, "utf-8")
    checked = check(spec)
    assert not checked.report.diagnostics, (text, checked.report.diagnostics)
    assert checked.spec is not None
    facts = {section.name: gather(section, path.parent) for section in checked.spec.recipe.data}
    again = check(spec, (), None, facts)
    assert not [one for one in again.report.diagnostics if one.code not in ("W0416", "W0417")], again.report.diagnostics
    return " ".join(text.split())


def test_a_table_with_classes(tmp_path: Path) -> None:
    text = drafted(penguins(tmp_path), "Species")
    assert 'numbers: f32[2] = source.columns("Culmen Length (mm)", "class") -> impute("median") -> standardize' in text
    assert 'date_days: f32 = source.Date -> date("%Y-%m-%d") -> standardize' in text and "date_month" not in text
    assert 'date_weekday: f32[2] = source.Date -> date("%Y-%m-%d", "weekday", cyclic = true)' in text
    assert "contiguous(train = 0.7, val = 0.15, test = 0.15, by = source.Date)" in text
    assert 'sex: i64 = source.Sex -> impute("missing") -> category("female", "male", "missing", unknown = true)' in text
    assert 'species: i64 = source.Species -> category("Adelie", "Chin \\"strap\\"", "Gentoo")' in text
    for name, why in (
        ("rowid", "a different"),
        ("Comments", "free text"),
        ("Region", "always the same"),
    ):
        assert f"# left out: `{name}`, " in text and text.split(f"# left out: `{name}`, ")[1].startswith(why)
    assert "stratify = source.Species" in text


@pytest.mark.parametrize(("separator", "missing"), [(";", "?"), ("\t", "-")])
def test_how_it_is_written_is_part_of_the_spec(tmp_path: Path, separator: str, missing: str) -> None:
    text = drafted(penguins(tmp_path, separator, missing), "Species")
    assert f'separator = "{separator}"'.replace("\t", "\\t") in text
    assert f'missing = ["{missing}"]' in text


def test_a_number_is_predicted_as_one(tmp_path: Path) -> None:
    text = drafted(houses(tmp_path), "price")
    assert "price: f32 = source.price -> standardize" in text
    assert "drop = [source.price] # it is missing in 1 " in text
    assert "mean = mse(pred, price)" in text


def test_images_and_texts(tmp_path: Path) -> None:
    assert "image: f32[3, 32, 32]" in drafted(pictures(tmp_path))
    assert "text(" in drafted(poem(tmp_path))
    assert 'source = text_folder("letters")' in drafted(letters(tmp_path))
    assert 'source = text("books")' in drafted(books(tmp_path))


def test_folders_of_splits(tmp_path: Path) -> None:
    for split in ("train", "Test"):
        (tmp_path / "data" / split).mkdir(parents=True)
        pictures(tmp_path / "data" / split).rename(tmp_path / "data" / split / "x")
        for name in ("cat", "dog"):
            (tmp_path / "data" / split / "x" / name).rename(tmp_path / "data" / split / name)
        (tmp_path / "data" / split / "x").rmdir()
    text = drafted(tmp_path / "data")
    assert 'split = folders(train = "train", test = "Test", val = 0.15)' in text


def test_large_images_are_cut(tmp_path: Path) -> None:
    assert "random_resized_crop(96" in drafted(pictures(tmp_path, 110))


@pytest.mark.parametrize(
    ("make", "target", "short"),
    [
        (penguins, "Species", {"train.duration": "2 epochs"}),
        (houses, "price", {"train.duration": "2 epochs"}),
        (letters, None, {"train.duration": "2 epochs"}),
        pytest.param(
            talks, None, {"train.duration": "4 steps", "train.validate": "every(2 steps)"}, marks=pytest.mark.long
        ),
        pytest.param(pictures, None, {"train.duration": "1 epochs"}, marks=pytest.mark.long),
        pytest.param(
            poem,
            None,
            {"train.duration": "4 steps", "train.validate": "every(2 steps, batches = 1)"},
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_whole_way(make: Callable[[Path], Path], target: str | None, short: dict[str, str], tmp_path: Path) -> None:
    data = make(tmp_path)
    drafted(data, target)
    settings = dict(short)
    if make in (penguins, houses):
        settings["train.stop"] = "plateau(val.loss, patience = 2 epochs)"
    run = dlc.train(dlc.load(data.with_suffix(".dlspec"), **settings), base=tmp_path / "runs", device="cpu")
    assert all(np.isfinite(value) for value in dlc.evaluate(run, "test", device="cpu").values())
    exported = dlc.export(run, tmp_path / "model.onnx")
    assert exported is not None
    ways = [dlc.predict(way, data, device="cpu").rows() for way in (run, tmp_path / "model.onnx")]
    assert len(ways[0]) == len(ways[1])
    for one, other in zip(*ways, strict=True):
        for value, same in zip(one.values(), other.values(), strict=True):  # a class, its probability, or a number
            assert same == (pytest.approx(value, rel=1e-3, abs=1e-4) if isinstance(value, float) else value)


def test_a_series(tmp_path: Path) -> None:
    text = drafted(sales(tmp_path), "sales", "date")
    assert "series = source.store" in text and "time = source.date" in text
    assert 'gaps = "cut" # 2 of 256 steps are longer' in text
    assert "param horizon = 4 " in text and "param period = 7 " in text
    assert 'date("%Y-%m-%d", "weekday", cyclic = true) -> window(rows, horizon = horizon)' in text
    assert 'source.columns("price") -> forward_fill -> standardize' in text
    assert "shape = (past - past[:, -1:]) / scale" in text and "preprocess = true" in text
    assert "# left out: `weather`, not a column of numbers" in text
    assert "# the season before: it is off by" in text


def test_dates_of_a_series_without_signs(tmp_path: Path) -> None:
    file = sales(tmp_path)
    file.write_text(re.sub(r"\b(20\d\d)-(\d\d)-(\d\d)\b", r"\1\2\3", file.read_text("utf-8")), "utf-8")
    text = drafted(file, "sales", "date")
    assert "param period = 7 " in text and 'gaps = "cut" # 2 of 256 steps are longer' in text
    assert 'date("%Y%m%d", "weekday", cyclic = true) -> window(rows, horizon = horizon)' in text


def test_a_gap_that_leaves_a_split_too_little(tmp_path: Path) -> None:
    text = drafted(sales(tmp_path, gap=90), "sales", "date")
    assert (
        'gaps = "join" # 2 of 256 steps are longer than usual: windows of what lies between them would be too few'
        in text
    )


def test_a_series_of_one_column(tmp_path: Path) -> None:
    """Years have no season in a calendar: it is found in the values. The column of numbers that is left is the target."""
    lines = [f"{1900 + i},{math.sin(2 * math.pi * i / 11) + i / 50:.3f}" for i in range(120)]
    (tmp_path / "t.csv").write_text("\n".join(["year,value", *lines, ""]), "utf-8")
    text = drafted(tmp_path / "t.csv", time="year")
    assert "param period = 11 " in text and "series =" not in text and "calendar" not in text
    assert "source.value -> standardize -> window(rows, horizon = horizon, period = period)" in text


def test_a_year_of_days(tmp_path: Path) -> None:
    """Days that are like those before without a week: the season is the year. The first cell is missing."""
    days = [date(2020, 1, 1) + timedelta(i) for i in range(1600)]
    lines = [f"{day:%Y/%m/%d},{10 * math.sin(2 * math.pi * i / 365.25):.2f}" for i, day in enumerate(days)]
    lines[0] = lines[0].split(",")[0] + ","
    (tmp_path / "t.csv").write_text("\n".join(["day,value", *lines, ""]), "utf-8")
    text = drafted(tmp_path / "t.csv", "value", "day")
    assert 'date("%Y/%m/%d", "yearday", cyclic = true)' in text and "period" not in text
    assert 'source.value -> forward_fill -> impute("median") -> standardize' in text


def test_weekends_are_no_gaps(tmp_path: Path) -> None:
    days = [day for day in (date(2024, 1, 1) + timedelta(i) for i in range(200)) if day.weekday() < 5]
    lines = [f"{day.isoformat()},{day.weekday() ** 2 + i % 3}" for i, day in enumerate(days)]
    (tmp_path / "t.csv").write_text("\n".join(["day,value", *lines, ""]), "utf-8")
    text = drafted(tmp_path / "t.csv", "value", "day")
    assert 'gaps = "join"' in text and "param period = 5 " in text


def test_conversations(tmp_path: Path) -> None:
    text = drafted(talks(tmp_path))
    assert "let talk = source.messages -> chat -> bpe(train = 400) -> truncate(ctx + 1)" in text
    assert "talk.labels[1:] -> pad(-100)" in text and "ignore = -100" in text
    assert "let talk = (source.instruction, source.output) -> chat" in drafted(talks(tmp_path, pairs=True))


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.jsonl"])
def test_a_part_of_a_large_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is at its end is seen, and that not all of it was."""
    monkeypatch.setattr(sample, "LARGE", 20_000)
    monkeypatch.setattr(sample, "PIECE", 1000)
    monkeypatch.setattr(sample, "ROWS", 40)
    rows = [{"x": i, "kind": ("first", "last")[i > 3900], "code": f"c{i % 50}"} for i in range(4000)]
    if name.endswith("csv"):
        content = "x,kind,code\n" + "".join(f"{row['x']},{row['kind']},{row['code']}\n" for row in rows)
        (tmp_path / name).write_text(content, "utf-8")
    elif name.endswith("jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    else:
        parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / name, row_group_size=100)
    found = draft(tmp_path / name, name, "kind").text
    assert 'category("first", "last")' in found and "hash(" in found
    (note,) = [line for line in found.splitlines() if "were looked at" in line]
    seen, about = (int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", note))
    assert seen < 1500 and 3500 < about < 4500
    drafted(tmp_path / name, "kind")


def test_quoted_lines_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where cells have line breaks, the first records are read."""
    monkeypatch.setattr(sample, "LARGE", 2000)
    monkeypatch.setattr(sample, "PIECE", 500)
    lines = [f'{i},"a, line\nand {i % 3}",{"yn"[i % 2]}\n' for i in range(2000)]
    (tmp_path / "t.csv").write_text("x,remark,kind\n" + "".join(lines), "utf-8")
    assert 'category("n", "y")' in drafted(tmp_path / "t.csv", "kind")


def test_a_large_text_is_read_in_byte_pairs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "LARGE", 1000)
    monkeypatch.setattr(texts, "FIRST", 2501)
    file = tmp_path / "t.txt"
    file.write_text("bären " * 1000, "utf-8")
    text = draft(file, file.name).text
    assert "source.tokens -> bpe(train = 8000) -> random_window" in text and "characters were looked at" in text


@pytest.mark.long
def test_a_table_of_a_gigabyte(tmp_path: Path) -> None:
    """Drafted within 3 seconds of the processor and 500 MB."""
    rows = "".join(f"{i * 7919 % 10_007},{i % 13 / 7:.5f},{['red', 'green', 'blue'][i % 3]}\n" for i in range(50_000))
    with (tmp_path / "t.csv").open("w") as file:
        file.write("a,b,colour\n")
        while file.tell() < 1e9:
            file.write(rows)
    program = """
import resource, sys
from pathlib import Path
from dlc.runtime.drafting.draft import draft
assert "were looked at" in draft(Path(sys.argv[1]), "t.csv", "colour").text
used = resource.getrusage(resource.RUSAGE_SELF)
peak = Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]  # `ru_maxrss` begins with that of the parent
print(used.ru_utime + used.ru_stime, peak)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "t.csv")], capture_output=True, text=True, check=True
    )
    seconds, kilobytes = map(float, done.stdout.split())
    assert seconds < 3 and kilobytes < 500_000


@pytest.mark.parametrize(
    ("target", "time", "said"),
    [
        ("sales", "Date", "did you mean `date`?"),
        ("weather", "date", "cannot be forecast: it is not a column of numbers"),
        (None, "date", "the column to predict is not given"),
        ("sales", "store", '"north" is not a time'),
        ("sales", "price", "`price` is missing"),
    ],
)
def test_a_series_that_cannot_be(tmp_path: Path, target: str | None, time: str, said: str) -> None:
    file = sales(tmp_path)
    with pytest.raises(BadInput) as raised:
        draft(file, file.name, target, time)
    assert said in "\n".join([str(raised.value), *raised.value.helps])


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        (
            ["2024-01-01,1", "2024-01-01,2", "2024-01-02,4"],
            "several rows at one `day`, and no column names a series of each",
        ),
        (["2024-01-01,1", "2024-01-02,2", "2024-01-03,4"], "too few to learn a series from"),
    ],
)
def test_a_series_of_too_little(tmp_path: Path, cells: list[str], said: str) -> None:
    (tmp_path / "t.csv").write_text("\n".join(["day,value", *cells, ""]), "utf-8")
    with pytest.raises(BadInput, match=said) as raised:
        draft(tmp_path / "t.csv", "t.csv", "value", "day")
    assert raised.value.helps


def test_forecasts_of_a_drafted_spec(tmp_path: Path) -> None:
    """It trains, is evaluated next to baselines, and forecasts from raw rows by the run and by its file."""
    data = sales(tmp_path)
    drafted(data, "sales", "date")
    settings = {"train.duration": "2 epochs", "train.stop": "plateau(val.loss, patience = 2 epochs)"}
    run = dlc.train(dlc.load(data.with_suffix(".dlspec"), **settings), base=tmp_path / "runs", device="cpu")
    figures = dlc.evaluate(run, "test", device="cpu")
    assert {"rmse", "rmse.last_value", "rmse.season_7"} <= set(figures)
    assert dlc.export(run, tmp_path / "model.onnx") is not None
    ways = [dlc.predict(way, data, device="cpu").rows() for way in (run, tmp_path / "model.onnx")]
    assert len(ways[0]) == 2, "one forecast of each store"
    for one, other in zip(*ways, strict=True):
        assert one["store"] == other["store"] and one["date"] == other["date"]
        assert other["forecast"] == pytest.approx(one["forecast"], rel=1e-3)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["2024-01-01", "2024-01-02", ""], Parts("%Y-%m-%d", orders=False, cycles=())),
        ([f"{1 + i % 28}.{1 + i % 12}.2024" for i in range(50)], Parts("%d.%m.%Y", False, ("month", "weekday"))),
        ([f"2024/1/{1 + i} 0{i % 9}:30" for i in range(20)], Parts("%Y/%m/%d %H:%M", True, ("weekday", "hour"))),
        (["2024-01-01", "1.2.2024"], None),
    ],
)
def test_what_dates_are_read_as(cells: list[str], found: Parts | None) -> None:
    assert parts_of(Cells(cells)) == found


def test_what_a_column_is() -> None:
    def kind(*texts: str, name: str = "x") -> str:
        return describe(name, Cells(list(texts))).kind

    assert kind("1", "2.5", "", "3") == "numbers"
    assert kind("1", "1", "") == "constant"
    assert kind("", "NA") == "empty"
    assert kind("true", "false") == "names"
    assert kind("2024-01-31", "2024-02-01") == "date"
    assert kind(*map(str, range(20)), name="any") == "record"
    assert kind(*(str(7 * i * i) for i in range(20)), name="user_id") == "record"
    assert kind(*(str(7 * i * i) for i in range(20)), name="humid") == "numbers"
    assert kind(*(f"k{i}" for i in range(30))) == "record"
    assert kind(*(f"what a nice day it is {i}" for i in range(30))) == "text"
    assert kind("a", "b", "a") == "names"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (None, "the column to predict is not given"),
        ("species", "did you mean `Species`?"),
        ("Comments", "cannot be predicted: free text"),
    ],
)
def test_a_target_that_cannot_be(tmp_path: Path, target: str | None, said: str) -> None:
    file = penguins(tmp_path)
    with pytest.raises(BadInput) as raised:
        draft(file, file.name, target)
    assert said in "\n".join([str(raised.value), *raised.value.helps])


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(b"a,b\n1,2\n3\n")
    (tmp_path / "short.txt").write_text("too short")
    (tmp_path / "flat").mkdir()
    for name, target, said in (
        ("none.csv", "a", "there is no file or directory"),
        ("t.csv", "b", "t.csv:3: 1 cells, but the header has 2"),
        ("short.txt", None, "too few to learn from"),
        ("flat", None, "has no images"),
        ("flat", "label", "it has no column `label`"),
    ):
        with pytest.raises(BadInput) as raised:
            draft(tmp_path / name, name, target)
        assert said in str(raised.value)
        assert raised.value.helps


def test_the_error_of_a_baseline_where_values_are_missing() -> None:
    """A season of 2 is right where both are known; the last value never is."""
    values = [np.array([1.0, 5.0, np.nan, 5.0, 1.0, 5.0, 1.0])]
    assert rhythm.error(values, 2, 2) == 0 < rhythm.error(values, 1, 1)
    assert rhythm.error([np.full(5, np.nan)], 1, 1) == float("inf")
