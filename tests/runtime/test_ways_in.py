"""One record by every way: evaluation, `dlc predict RUN`, `dlc predict MODEL.onnx`, `dlc.Session`, and plain ONNX Runtime.

What reaches the model is bitwise equal by every way. What comes out is equal between the ways that run the file, and within the
limits of the export between the file and the run.
"""

from __future__ import annotations

import codecs
import csv
import json
import math
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import dlc
from dlc.cli import main
from dlc.runtime.api import export
from dlc.runtime.data.arrays.batches import InputPipeline
from dlc.runtime.data.feed import Feed, open_data
from dlc.runtime.data.sources import pieces
from dlc.runtime.data.table import Stream
from dlc.runtime.data.table import Table as Records
from dlc.runtime.inference import answering
from dlc.runtime.inference.predict import pipeline_of
from dlc.runtime.inference.records import tables
from dlc.runtime.run import Run
from dlc.runtime.training.reopen import reopen

Table = dict[str, list[Any]]


@dataclass(frozen=True)
class Case:
    """A data section over files that `write` makes, its model, and the raw input of the records in `raw`."""

    data: str
    model: str
    loss: str
    write: Callable[[Path], Table | None]
    raw: str = "t.csv"


def as_csv(file: Path, table: Mapping[str, Sequence[Any]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(table)
        writer.writerows(zip(*table.values(), strict=True))
    return file


def birds(folder: Path) -> Table:
    """Measurements, some missing, of birds of three species: names as people write them."""
    draws = np.random.default_rng(1)
    species = draws.integers(0, 3, 40)
    length = (38 + 5 * species + draws.standard_normal(40)).round(1).astype(object)
    length[::7] = "NA"
    table: Table = {
        "Species": [("Adelie", "Chinstrap", "Gentoo")[i] for i in species],
        "Culmen Length (mm)": length.tolist(),
        "year": (2007 + draws.integers(0, 3, 40)).tolist(),
        "Island": [("Torgersen", "Biscoe", "Dream")[i] for i in draws.integers(0, 3, 40)],
        "mass": (3300 + 500 * species + draws.integers(0, 300, 40)).tolist(),
    }
    as_csv(folder / "t.csv", table)
    return table


BIRDS = Case(
    """source = csv("t.csv")
  x: f32[2]    = source.all_except("Species", "Island", "mass") -> impute("median") -> standardize
  species: i64 = source.Species -> category
  island: i64  = source.Island -> lower -> category
  old: f32     = source.year -> standardize
  mass: f32    = source.mass -> log1p -> standardize""",
    """model M(x: [B, 2], species: i64[B], island: i64[B], old: [B]) -> (mass_hat: [B]) {
  a = species -> s: Embedding(3, 4)
  b = island -> i: Embedding(3, 4)
  mass_hat = concat(x, a, b, old[:, none], axis = -1) -> fc: Linear(8) -> tanh -> out: Linear(1) -> squeeze(-1)
}""",
    "mse(mass_hat, mass)",
    birds,
)


def pictures(folder: Path) -> None:
    """Photographs of any size, gray, with alpha and 16 bits, in two folders."""
    draws = np.random.default_rng(2)
    for number in range(12):
        height, width = draws.integers(9, 60, 2)
        pixels = draws.integers(0, 256, (height, width, 3)).astype(np.uint8)
        image = Image.fromarray(pixels)
        image = {0: image.convert("L"), 1: image.convert("RGBA"), 2: image}.get(number % 4, image)
        at = folder / "pictures" / ("dark" if number % 2 else "light") / f"{number}.png"
        at.parent.mkdir(parents=True, exist_ok=True)
        image.save(at)


PICTURES = Case(
    """source = image_folder("pictures")
  image: f32[3, 16, 16] = source.image
    -> if training { random_resized_crop(16) -> hflip(0.5) } else { resize(20) -> center_crop(16) } -> normalize("imagenet")
  label: i64 = source.label""",
    """model M(image: [B, 3, 16, 16]) -> (logits: [B, 2]) { logits = image -> flatten -> fc: Linear(2) }""",
    "cross_entropy(logits, label)",
    pictures,
    raw="pictures",
)


def shards(folder: Path) -> None:
    """The same photographs in a tar file, each with an object of further columns."""
    pictures(folder)
    with tarfile.open(folder / "t.tar", "w") as opened:
        for number, file in enumerate(sorted((folder / "pictures").rglob("*.png"))):
            about = json.dumps({"height": 9.5 + number, "town": f"town {number % 3}", "note": None}).encode()
            for end, content in (("png", file.read_bytes()), ("cls", file.parent.name.encode()), ("json", about)):
                member = tarfile.TarInfo(f"{number:04}.{end}")
                member.size = len(content)
                opened.addfile(member, BytesIO(content))


SHARDS = Case(
    """source = tar_shards("t.tar")
  image: f32[3, 16, 16] = source.image
    -> if training { random_resized_crop(16) -> hflip(0.5) } else { resize(20) -> center_crop(16) } -> normalize("imagenet")
  height: f32 = source.height -> standardize
  town: i64 = source.town -> category
  label: i64 = source.cls -> category""",
    """model M(image: [B, 3, 16, 16], height: [B], town: i64[B]) -> (logits: [B, 2]) {
  logits = concat(image -> flatten, height[:, none], town -> t: Embedding(3, 2), axis = -1) -> fc: Linear(2)
}""",
    "cross_entropy(logits, label)",
    shards,
    raw="t.tar",
)


def clients(folder: Path) -> Table:
    """What has to be said about a table: how its numbers and dates are written and what is missing; names that are rare, many, in an
    order, and words of truth. Some have no target."""
    draws = np.random.default_rng(3)
    income = (20 + 60 * draws.random(40)).round(2)
    table: Table = {
        "Income (k)": ["?" if n % 8 == 5 else f"{value}".replace(".", ",") for n, value in enumerate(income)],
        "age": [-999 if n % 9 == 2 else age for n, age in enumerate(draws.integers(18, 80, 40).tolist())],
        "joined": ["?" if n % 11 == 7 else f"{1 + n % 28:02}.{1 + n % 12:02}.{2000 + n % 20}" for n in range(40)],
        "job": ["smith" if n == 20 else "clerk" if n % 3 else "baker" for n in range(40)],
        "town": [f"town {n * n % 31}" for n in range(40)],
        "member": ["yes" if n % 3 else "No" for n in range(40)],
        "size": [("small", "large", "medium")[n % 3] for n in range(40)],
        "spent": ["?" if n % 10 == 9 else f"{value * 3:.1f}".replace(".", ",") for n, value in enumerate(income)],
    }
    rows = [list(table), *zip(*table.values(), strict=True)]
    (folder / "t.csv").write_text("".join(";".join(map(str, row)) + "\n" for row in rows), "utf-8")
    return table


CLIENTS = Case(
    """source = csv("t.csv", separator = ";", decimal = ",", missing = ["?", "-999"])
  drop = [source.spent]
  x: f32[2]      = source.columns("age", "Income (k)") -> impute("median") -> standardize
  day: f32       = source.joined -> date("%d.%m.%Y") -> impute("mean") -> standardize
  season: f32[2] = source.joined -> date("%d.%m.%Y", "month", cyclic = true) -> impute(0)
  job: i64       = source.job -> category(unknown = true, min_count = 2)
  town: i64      = source.town -> hash(16)
  member: f32    = source.member
  size: f32      = source.size -> category("small", "medium", "large") -> scale(0.5)
  spent: f32     = source.spent -> log1p -> standardize""",
    """model M(x: [B, 2], day: [B], season: [B, 2], job: i64[B], town: i64[B], member: [B], size: [B]) -> (spent_hat: [B]) {
  a = job -> j: Embedding(3, 4)
  b = town -> t: Embedding(16, 4)
  row = concat(x, day[:, none], season, a, b, member[:, none], size[:, none], axis = -1)
  spent_hat = row -> fc: Linear(8) -> tanh -> out: Linear(1) -> squeeze(-1)
}""",
    "mse(spent_hat, spent)",
    clients,
)


def sentences(folder: Path) -> Table:
    topics = ("the cat sat on the mat", "a train leaves at noon", "rain falls on the quiet hill")
    table: Table = {
        "text": [f"{topics[i % 3]} {'again ' * (i % 4)}{i}" for i in range(30)],
        "topic": [("pets", "travel", "weather")[i % 3] for i in range(30)],
    }
    as_csv(folder / "t.csv", table)
    return table


SENTENCES = Case(
    """source = csv("t.csv")
  ids: i64[T <= 12] = source.text -> lower -> words -> vocab(40) -> truncate(9) -> pad(0)
  topic: i64        = source.topic -> category""",
    """model M(ids: i64[B, T]) -> (logits: [B, 3]) { logits = ids -> e: Embedding(40, 8) -> mean(axis = 1) -> fc: Linear(3) }""",
    "cross_entropy(logits, topic)",
    sentences,
)


TOKENS = replace(
    SENTENCES,
    data=SENTENCES.data.replace(
        "lower -> words -> vocab(40) -> truncate(9)", "bpe(train = 280, eos = 2) -> truncate(12)"
    ),
    model=SENTENCES.model.replace("Embedding(40, 8)", "Embedding(280, 8)"),
)


def notes(folder: Path) -> None:
    """A file each, of several lines, in a folder for each topic."""
    for number, (text, topic) in enumerate(zip(*sentences(folder).values(), strict=True)):
        at = folder / "notes" / topic / f"{number}.txt"
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_text(f"{text}\nof note {number}\n", "utf-8")


NOTES = replace(
    TOKENS,
    data=TOKENS.data.replace('csv("t.csv")', 'text_folder("notes")').replace(
        "topic: i64        = source.topic -> category", "topic: i64 = source.label"
    ),
    write=notes,
    raw="notes",
)


def of_sklearn(name: str) -> Callable[[Path], Table]:
    def write(folder: Path) -> Table:
        from sklearn import datasets

        found = getattr(datasets, f"load_{name}")()
        names = [str(each).replace(" ", "_") for each in found.feature_names]
        table: Table = {each: column.tolist() for each, column in zip(names, found.data.T, strict=True)}
        named = hasattr(found, "target_names") and len(found.target_names) > 1
        table["target"] = [found.target_names[i] for i in found.target] if named else found.target.tolist()
        as_csv(folder / "t.csv", table)
        return table

    return write


def of_statsmodels(name: str, rows: int = 400) -> Callable[[Path], Table]:
    def write(folder: Path) -> Table:
        from importlib import import_module

        frame = import_module(f"statsmodels.datasets.{name}").load_pandas().data.iloc[:rows]
        table: Table = {str(each): frame[each].tolist() for each in frame.columns}
        as_csv(folder / "t.csv", table)
        return table

    return write


def classifier(n: int, classes: int) -> Case:
    return Case(
        f"""source = csv("t.csv")
  x: f32[{n}] = source.all_except("target") -> standardize
  y: i64 = source.target -> category""",
        f"model M(x: [B, {n}]) -> (logits: [B, {classes}]) {{ logits = x -> a: Linear(8) -> relu -> b: Linear({classes}) }}",
        "cross_entropy(logits, y)",
        lambda folder: {},
    )


def regression(n: int, target: str, transforms: str) -> Case:
    return Case(
        f"""source = csv("t.csv")
  x: f32[{n}] = source.all_except("{target}") -> impute("mean") -> standardize
  y: f32 = source["{target}"] -> {transforms}""",
        f"model M(x: [B, {n}]) -> (z: [B]) {{ z = x -> a: Linear(8) -> tanh -> b: Linear(1) -> squeeze(-1) }}",
        "mse(z, y)",
        lambda folder: {},
    )


def with_data(case: Case, write: Callable[[Path], Table | None]) -> Case:
    return Case(case.data, case.model, case.loss, write, case.raw)


QUICK = {"birds": BIRDS, "clients": CLIENTS, "pictures": PICTURES, "shards": SHARDS, "tokens": TOKENS}
LONG = {
    "sentences": SENTENCES,
    "notes": NOTES,
    "iris": with_data(classifier(4, 3), of_sklearn("iris")),
    "wine": with_data(classifier(13, 3), of_sklearn("wine")),
    "breast cancer": with_data(classifier(30, 2), of_sklearn("breast_cancer")),
    "diabetes": with_data(regression(10, "target", "standardize"), of_sklearn("diabetes")),
    "fair": with_data(regression(8, "affairs", "log1p -> standardize"), of_statsmodels("fair")),
    "randhie": with_data(regression(9, "mdvis", "log1p"), of_statsmodels("randhie")),
    "stackloss": with_data(regression(3, "STACKLOSS", "scale(0.1) -> standardize"), of_statsmodels("stackloss")),
}
CASES = [*QUICK, *(pytest.param(name, marks=pytest.mark.long) for name in LONG)]


@dataclass(frozen=True)
class Made:
    """A trained case: its directory, its run, and its files without and with the transforms in the graph."""

    folder: Path
    table: Table | None
    case: Case
    run: Run
    plain: Path
    inside: Path

    @property
    def raw(self) -> Path:
        return self.folder / self.case.raw


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Made]]:
    @cache
    def make(name: str) -> Made:
        case = {**QUICK, **LONG}[name]
        folder = tmp_path_factory.mktemp("ways")
        table = case.write(folder)
        text = """dlspec 1
data D {{
  {0}
  split = random(train = 0.6, test = 0.4, seed = 0)
}}
{1}
train {{ model = M; data = D; loss = {2}; optimizer = SGD(0.01); batch = 8; duration = 2 steps }}
export plain {{ train = main; onnx = "plain.onnx" }}
export inside {{ train = main; onnx = "inside.onnx"; preprocess = true }}
"""
        text = text.replace("train {{", "train main {{").format(case.data, case.model, case.loss)
        (folder / "m.dlspec").write_text(text, "utf-8")
        run = dlc.train(folder / "m.dlspec", out=folder / "run", device="cpu")
        plain, inside = (
            export(run, folder / f"{name}.onnx", section=name, verify=name == "inside").path
            for name in ("plain", "inside")
        )
        return Made(folder, table, case, run, plain, inside)

    with pytest.MonkeyPatch.context() as patch:  # an index of tar files is kept
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield make


def evaluated(made: Made) -> tuple[dict[str, np.ndarray[Any, Any]], np.ndarray[Any, Any]]:
    """What evaluation feeds the model for the records of the test split, and which these are."""
    opened = reopen(made.run, "cpu")
    data = opened.data()
    fields = pipeline_of(opened).fields
    feed = Feed(data, "test", training=False, device=torch.device("cpu"), only=frozenset(fields.values()))
    batches = list(feed.batches(10_000))
    assert len(batches) == 1
    return {name: batches[0][field].numpy() for name, field in fields.items()}, data.parts["test"].records


def close(found: Sequence[Mapping[str, Any]], wanted: Sequence[Mapping[str, Any]]) -> None:
    """Rows of a file and of a run: names are equal, numbers within the limits of an export, relative to the largest."""
    assert [row.get("class") for row in found] == [row.get("class") for row in wanted]
    for name in set(wanted[0]) - {"input", "class"}:
        one, other = (np.array([row[name] for row in rows], np.float64) for rows in (found, wanted))
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-4 * max(np.abs(other).max(), 1e-30))


@pytest.mark.parametrize("name", CASES)
def test_every_way(name: str, made: Callable[[str], Made]) -> None:
    case = made(name)
    fed, records = evaluated(case)
    opened, plain, inside = reopen(case.run, "cpu"), dlc.Session(case.plain, "cpu"), dlc.Session(case.inside, "cpu")
    pipeline = pipeline_of(opened)
    (of_run,) = (arrays for table in tables(pipeline, [case.raw]) for _, arrays in pipeline.batches(table, 10_000))
    ((_, of_file),) = answering.feeds(plain, [case.raw], 10_000)
    for each, wanted in fed.items():
        for found in (of_run[each], of_file[each]):
            assert found.dtype == wanted.dtype
            cut = (
                found[records][:, : wanted.shape[1]] if wanted.ndim > 1 else found[records]
            )  # the longest text is elsewhere
            np.testing.assert_array_equal(cut, wanted)
    answers = dlc.predict(case.run, case.raw, device="cpu").rows()
    for session in (plain, inside):
        rows = session.answer([case.raw]).rows()
        assert rows == dlc.predict(session.path, [case.raw], device="cpu").rows()
        assert [row["input"] for row in rows] == [row["input"] for row in answers]
        close(rows, answers)


def files(folder: Path, table: Table) -> dict[str, Any]:
    """The same records in every form that prediction reads."""
    import pyarrow
    from pyarrow import feather, parquet

    folder.mkdir()
    arrow = pyarrow.table(
        {name: pyarrow.array([None if v == "NA" else v for v in column]) for name, column in table.items()}
    )
    parquet.write_table(arrow, folder / "t.parquet")
    feather.write_feather(arrow, folder / "t.arrow")
    as_csv(folder / "t.csv", table)
    lists = {name: [None if v == "NA" else v for v in column] for name, column in table.items()}
    (folder / "t.json").write_text(json.dumps(lists), "utf-8")
    rows = (dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))
    (folder / "t.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    arrays = {name: np.array([np.nan if v is None else v for v in column]) for name, column in lists.items()}
    np.savez(folder / "t.npz", **arrays)  # type: ignore[arg-type]
    return {**{file.suffix: file for file in folder.iterdir()}, "lists": lists, "arrays": arrays}


def test_columns_in_any_order_and_form(made: Callable[[str], Made], tmp_path: Path) -> None:
    """Some left out that no input is from (the target among them), others added, of any type; integers as such."""
    case = made("birds")
    assert case.table is not None
    table = {name: case.table[name] for name in ("year", "Island", "Culmen Length (mm)", "Species")}
    table = {"note": ["", "a,b"] * 20, **table, "when": [f"2007-11-{1 + i % 28}" for i in range(40)], "zero": [0] * 40}
    session = dlc.Session(case.inside, "cpu")
    numbers = [row["mass_hat"] for row in session.answer([case.raw]).rows()]
    for form, raw in files(tmp_path / "forms", table).items():
        found = session.answer(raw).rows()
        assert [row["mass_hat"] for row in found] == numbers, form
        close(found, dlc.predict(case.run, raw, device="cpu").rows())


def test_arrays_mean_what_the_table_means(made: Callable[[str], Made]) -> None:
    """What is missing, dates as NumPy has them, numbers as such; a job that training has not seen is the unknown one in the graph too."""
    case = made("clients")
    assert case.table is not None
    table: Table = {name: list(column) for name, column in case.table.items() if name != "spent"}
    table["job"][3] = "pilot"
    rows = [list(table), *zip(*table.values(), strict=True)]
    file = case.folder / "new.csv"
    file.write_text("".join(";".join(map(str, row)) + "\n" for row in rows), "utf-8")
    income = [math.nan if cell == "?" else float(cell.replace(",", ".")) for cell in table["Income (k)"]]
    iso = ["NaT" if cell == "?" else "-".join(cell.split(".")[::-1]) for cell in table["joined"]]
    for session in (dlc.Session(case.plain, "cpu"), dlc.Session(case.inside, "cpu")):
        wanted = [row["spent_hat"] for row in session.answer(file).rows()]
        for joined in (table["joined"], np.array(iso, "datetime64[D]"), np.array(iso, "datetime64[ns]")):
            given = {**table, "Income (k)": np.array(income), "age": np.array(table["age"]), "joined": joined}
            assert [row["spent_hat"] for row in session.answer(given).rows()] == wanted
    close(dlc.Session(case.inside, "cpu").answer(file).rows(), dlc.predict(case.run, file, device="cpu").rows())
    assert "string" in {port.name: str(port) for port in dlc.Session(case.inside, "cpu").inputs}["job"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"Species": ["Emperor"]}, '"Emperor" is not one of the categories'),
        ({"year": ["soon"]}, 'column `year`: "soon" is not a number'),
        ({"year": [""]}, "t.csv:2, column `year`"),
        ({"Species": None}, "has no field `Species`"),
        ({"Culmen Length (mm)": None}, "column `Culmen Length (mm)` is missing"),
    ],
)
def test_a_mistake_is_the_same_by_every_way(
    made: Callable[[str], Made], tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    case = made("birds")
    assert case.table is not None
    table = {name: column[:1] for name, column in {**case.table, "Culmen Length (mm)": [40.0]}.items()}
    table = {name: column for name, column in {**table, **changed}.items() if column is not None}
    file = as_csv(tmp_path / "t.csv", table)
    with pytest.raises(dlc.SpecError) as of_run:
        dlc.predict(case.run, file, device="cpu")
    diagnostic = of_run.value.diagnostics[0]
    for session in (dlc.Session(case.plain, "cpu"), dlc.Session(case.inside, "cpu")):
        with pytest.raises(dlc.RunFailure) as of_file:
            session.answer(file)
        assert (str(of_file.value), of_file.value.code) == (diagnostic.message, diagnostic.code)
    assert said in diagnostic.message


def test_large_files_are_read_in_pieces(
    made: Callable[[str], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = made("birds")
    assert case.table is not None
    table = {**case.table, "note": ['two\nlines, "quoted"', ""] * 20}
    forms = files(tmp_path / "forms", table)
    session = dlc.Session(case.plain, "cpu")
    ends = (".csv", ".jsonl", ".parquet", ".arrow")
    whole = {end: session.answer(forms[end]).rows() for end in ends}
    monkeypatch.setattr(pieces, "LARGE", 300)
    monkeypatch.setattr(pieces, "ROWS", 7)
    for end in ends:
        parts = list(answering.stream(session, forms[end]))
        assert len(parts) > 2
        assert [row for part in parts for row in part.rows()] == whole[end], end
    for encoding in ("utf-16", "utf-16-be"):
        text = forms[".csv"].read_text("utf-8")
        file = tmp_path / f"{encoding}.csv"
        file.write_bytes((codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b"") + text.encode(encoding))
        parts = list(answering.stream(session, file))
        assert len(parts) > 2
        numbers = [
            [row["mass_hat"] for row in rows] for rows in ([r for part in parts for r in part.rows()], whole[".csv"])
        ]
        assert numbers[0] == numbers[1], encoding
    bad = as_csv(tmp_path / "bad.csv", {**table, "year": [*table["year"][:-1], "soon"]})
    with pytest.raises(dlc.RunFailure, match=rf"bad\.csv:{1 + 39 + 20 + 1}, "):
        session.answer(bad)


def test_outputs(made: Callable[[str], Made], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pyarrow import parquet

    case = made("pictures")
    wanted = dlc.Session(case.plain, "cpu").answer(case.raw).rows(probabilities=True, raw=True)
    assert list(wanted[0]) == ["input", "class", "probability", "probability dark", "probability light", "logits"]
    for row in wanted:
        assert row["probability"] == row[f"probability {row['class']}"]
    command = ["predict", str(case.plain), str(case.raw), "--device", "cpu", "--probabilities"]
    for end in ("csv", "json", "jsonl", "parquet"):
        assert main([*command, "-o", str(tmp_path / f"out.{end}")]) == 0
    assert "12 predictions" in capsys.readouterr().out
    assert json.loads((tmp_path / "out.json").read_text()) == wanted
    assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == wanted
    assert parquet.read_table(tmp_path / "out.parquet").to_pylist() == wanted
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["probability dark"]) for row in rows] == [row["probability dark"] for row in wanted]
    for form in ("json", "csv"):
        assert main([*command, "--format", form]) == 0
        assert capsys.readouterr().out == (tmp_path / f"out.{form}").read_text()
    assert main([*command, "--format", "parquet"]) == 2


def test_a_file_answers_in_the_units_of_the_data(made: Callable[[str], Made]) -> None:
    """Plain ONNX Runtime gives what `dlc.predict` gives, and nothing is left to undo."""
    import onnxruntime

    case = made("birds")
    session = dlc.Session(case.inside, "cpu")
    assert session.answers["mass_hat"].undo == () and dlc.Session(case.plain, "cpu").answers["mass_hat"].undo != ()
    ((_, arrays),) = answering.feeds(session, [case.raw], 10_000)
    plain = onnxruntime.InferenceSession(str(case.inside), providers=["CPUExecutionProvider"])
    (found,) = plain.run(["mass_hat"], arrays)
    wanted = dlc.predict(case.run, case.raw, device="cpu").values["mass_hat"]
    np.testing.assert_allclose(found, wanted, rtol=1e-4)
    assert wanted.min() > 1000, "grams"


def test_no_torch_and_no_builder_of_graphs(made: Callable[[str], Made]) -> None:
    case = made("birds")
    program = f"""
import sys, dlc
print(dlc.Session({str(case.plain)!r}, "cpu").answer({str(case.raw)!r}).rows()[0]["mass_hat"])
assert not {{"torch", "onnx", "onnx_ir", "sympy"}} & sys.modules.keys()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_windows_of_a_series() -> None:
    """A stream is cut as in evaluation; the target, which comes after what is read, need not be there."""
    section = dlc.load(Path(__file__).parents[2] / "specs" / "sunspots_gru.dlspec").spec.recipe.data[0]
    data = open_data(section, Path())
    fields = {field.name: field.name for field in section.fields}
    feed = Feed(data, "test", training=False, device=torch.device("cpu"))
    (wanted,) = feed.batches(10_000)
    begin, end = data.parts["test"].stream
    node = next(node for node in section.nodes if node.op == "source")
    column = data.table.columns[node.args["field"]]
    assert isinstance(column, Stream)
    table = Records(
        {node.args["field"]: replace(column, array=column.array[begin:end])}, end - begin, str, "the test part"
    )
    ((_, found),) = InputPipeline(section, dict(data.graph.fitted), fields).batches(table, 10_000)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.numpy().dtype
        np.testing.assert_array_equal(found[name], tensor.numpy())
