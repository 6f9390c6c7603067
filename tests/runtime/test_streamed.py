"""Tables that do not fit in memory are laid out in files, and give the records, orders and batches that they give in memory."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import random
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from pyarrow import feather, parquet

from dlc.compiler.ir.data import Split
from dlc.compiler.messages.diagnostics import Failed
from dlc.runtime import api, randomness
from dlc.runtime.data import facts, laid_out, memory, table
from dlc.runtime.data.feed import Feed, open_data
from dlc.runtime.data.sources import streamed
from dlc.runtime.writing import NotWritten

COUNT = 400


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No memory is left, pieces are small, and the cache is here."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(memory, "free", lambda: 0)
    monkeypatch.setattr(streamed, "PIECE", 700)
    monkeypatch.setattr(streamed.pieces, "ROWS", 50)
    return tmp_path / "cache"


def rows(count: int = COUNT) -> list[dict[str, Any]]:
    draw = random.Random(0)
    return [
        {
            "n": i,
            "x": None if i % 37 == 5 else round(draw.gauss(0, 1), 3),
            "kind": draw.choice(["a", "b", 'c, "d"']),
            "late": i if i < 300 else f"v{i}",
            "text": f"word{i % 7} and\nline {i}" if i % 5 else "",
        }
        for i in range(count)
    ]


def write_csv(path: Path, found: list[dict[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(found[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(found)


def write_jsonl(path: Path, found: list[dict[str, Any]]) -> None:
    more = [
        {**row, "v": [1, 2, 3], "w": [0.5] * (i % 3), **({"y": 1} if i > 90 else {})} for i, row in enumerate(found)
    ]
    path.write_text("\n".join(json.dumps(row) for row in more), "utf-8")


def as_arrow(found: list[dict[str, Any]]) -> Any:
    table = pyarrow.Table.from_pylist([{**row, "late": str(row["late"])} for row in found])
    hole = pyarrow.array([None if i == 200 else i for i in range(len(found))], pyarrow.int64())
    lists = pyarrow.array([[float(i), 1.0] if i < 300 else [2.0] for i in range(len(found))])
    return table.append_column("hole", hole).append_column("lists", lists)


WRITERS: dict[str, Callable[[Path, list[dict[str, Any]]], None]] = {
    "csv": write_csv,
    "jsonl": write_jsonl,
    "parquet": lambda path, found: parquet.write_table(as_arrow(found), path),
    "feather": lambda path, found: feather.write_feather(as_arrow(found), path),
}
FIELDS = (
    '  n: i64 = source.n\n  x: f32 = source.x -> impute("mean") -> standardize\n  kind: i64 = source.kind -> category\n'
)


def section(kind: str, folder: Path, fields: str = FIELDS, split: str = "", path: str = "") -> Any:
    split = split or "random(train = 0.7, val = 0.3, seed = 0, stratify = source.kind)"
    text = f'dlspec 1\ndata D {{\n  source = {kind}("{path or f"rows.{kind}"}")\n  split = {split}\n{fields}}}\n'
    (folder / "spec.dlspec").write_text(text, "utf-8")
    return api.load(folder / "spec.dlspec").spec.recipe.dataset("D")


def ids(data: Any, epochs: int = 2, start: int = 0) -> str:
    """A hash of all fields of the batches of some epochs, in their order."""
    import torch

    feed, digest = Feed(data, "train", training=True, device=torch.device("cpu")), hashlib.sha256()
    for epoch in range(epochs):
        for (batch,) in feed.epoch(3, epoch, 16, start=start):
            for name in sorted(batch):
                digest.update(batch[name].numpy().tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("kind", WRITERS)
def test_columns_are_those_of_memory(kind: str, tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    WRITERS[kind](tmp_path / f"rows.{kind}", rows())
    known = section(kind, tmp_path)
    streamed_ = open_data(known, tmp_path)
    assert streamed_.table.laid_out is not None
    assert streamed_.table.laid_out.folder.is_relative_to(little)
    monkeypatch.undo()
    whole = open_data(known, tmp_path)
    assert whole.table.laid_out is None
    assert streamed_.table.found == whole.table.found
    assert list(streamed_.table.columns) == list(whole.table.columns)
    for record in (0, 199, COUNT - 1):
        assert streamed_.table.place(record) == whole.table.place(record)
    for name, column in whole.table.columns.items():
        other = streamed_.table.columns[name]
        for one, two in zip(values(column), values(other), strict=True):
            np.testing.assert_array_equal(one, two, name)
    assert streamed_.graph.fitted == whole.graph.fitted
    for split, part in whole.parts.items():
        assert np.array_equal(part.records, streamed_.parts[split].records)
    assert ids(streamed_) == ids(whole)


def values(column: Any) -> list[Any]:
    match column:
        case table.Numbers(array):
            return list(array)
        case table.Ragged(arrays):
            return [np.array([]) if row is None else row for row in arrays]
        case _:
            return list(column)


@pytest.mark.parametrize("workers", [0, 2, 4])
@pytest.mark.parametrize("most", [randomness.SORTED, COUNT - 1], ids=["sorted", "keyed"])
def test_order_and_resume_with_workers(
    workers: int, most: int, tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(randomness, "SORTED", most)
    write_csv(tmp_path / "rows.csv", rows())
    known = section("csv", tmp_path, split='all("train")')
    whole = ids(open_data(known, tmp_path, workers=0))
    data = open_data(known, tmp_path, workers=workers)
    assert ids(data) == whole
    import torch

    feed = Feed(data, "train", training=True, device=torch.device("cpu"))
    assert feed.ahead
    once = [batch["n"] for (batch,) in feed.epoch(3, 0, 16)]
    assert sorted(torch.cat(once).tolist()) == list(range(COUNT))  # none lost, none twice
    later = [batch["n"] for (batch,) in feed.epoch(3, 0, 16, start=11)]
    assert all(torch.equal(one, two) for one, two in zip(once[11:], later, strict=True))


def test_the_cache_is_found_again_and_follows_the_file(
    tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_csv(tmp_path / "rows.csv", rows())
    known = section("csv", tmp_path)
    first = open_data(known, tmp_path).table.laid_out
    assert first is not None
    made: list[Any] = []
    write = laid_out.write
    monkeypatch.setattr(laid_out, "write", lambda *given: made.append(1) or write(*given))
    left = first.folder.parent / ".dead.99999999.new"
    left.mkdir()
    assert open_data(known, tmp_path).table.laid_out == first
    assert not made
    write_csv(tmp_path / "rows.csv", rows(300))
    data = open_data(known, tmp_path)
    assert data.table.laid_out != first
    assert data.table.laid_out is not None
    assert data.table.count == 300
    assert [folder.name for folder in first.folder.parent.iterdir()] == [data.table.laid_out.folder.name]


FIELDS_OF_ALL = (
    FIELDS
    + "  late: i64 = source.late -> category(unknown = true)\n  words: i64[T] = source.text -> words -> vocab(40) -> pad(0)\n"
)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_second_start_computes_nothing_of_all_records(kind: str, tmp_path: Path, little: Path) -> None:
    """Codes of categories, splits, conditions, lengths and facts are kept next to the columns."""
    WRITERS[kind](tmp_path / f"rows.{kind}", rows())
    where = 'random(train = 0.7, val = 0.3, seed = 0, stratify = source.kind)\n  where = source.kind != "a" and T < 40'
    known = section(kind, tmp_path, FIELDS_OF_ALL, where)

    def start(fitted: Any) -> tuple[Any, Any]:
        data = open_data(known, tmp_path, fitted)
        return data, facts.of(data, lengths=True, counts=["kind"])

    first, found = start(None)
    assert first.table.laid_out is not None
    kept = {path: path.stat().st_mtime_ns for path in first.table.laid_out.folder.iterdir()}
    assert len([path for path in kept if path.suffix == ".npy"]) >= 8
    again, same = start({int(k): v for k, v in json.loads(json.dumps(first.graph.fitted)).items()})
    assert same == found
    assert kept == {path: path.stat().st_mtime_ns for path in first.table.laid_out.folder.iterdir()}
    assert ids(first) == ids(again)


@pytest.mark.parametrize("removed", ["*", "0.values", "*.npy", "about.json"])
def test_what_was_removed_is_made_again(removed: str, tmp_path: Path, little: Path) -> None:
    write_csv(tmp_path / "rows.csv", rows())
    known, cache = section("csv", tmp_path), tmp_path / "facts.json"
    found = facts.gather(known, tmp_path, cache)
    whole = ids(open_data(known, tmp_path))
    for path in Path(found.laid_out).glob(removed):
        path.write_bytes(b"")
        path.unlink(missing_ok=removed != "*.npy")
    if removed == "*":
        Path(found.laid_out).rmdir()
    assert facts.gather(known, tmp_path, cache) == found
    assert ids(open_data(known, tmp_path)) == whole
    assert Path(found.laid_out).is_dir()


def test_a_full_disk_is_a_message(tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_csv(tmp_path / "rows.csv", rows())

    def full(*_: Any) -> Iterator[Any]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(laid_out, "write", full)
    with pytest.raises(NotWritten) as failure:
        open_data(section("csv", tmp_path), tmp_path)
    assert failure.value.code == "E0602"
    assert "XDG_CACHE_HOME" in failure.value.helps[0]
    assert not [path for path in little.rglob("*") if path.is_file()]


def test_a_mistake_has_its_line(tmp_path: Path, little: Path) -> None:
    found = rows()
    found[350]["n"] = "seven"
    write_csv(tmp_path / "rows.csv", found)
    line = sum(1 + str(row["text"]).count("\n") for row in found[:350]) + 2
    with pytest.raises(Failed, match=rf"rows.csv:{line}.*seven"):
        for _ in Feed(open_data(section("csv", tmp_path), tmp_path), "train", training=False, device=cpu()).batches(32):
            pass


def cpu() -> Any:
    import torch

    return torch.device("cpu")


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a process")
def test_free_memory_knows_limits() -> None:
    free = memory.free()
    before = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (free // 2, before[1]))
    try:
        assert memory.free() < free // 2
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def test_free_memory_of_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group = tmp_path / "a" / "b"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("0::/a/b\n", "utf-8")
    for name, text in {
        "memory.max": "1000",
        "memory.current": "900",
        "memory.stat": "anon 1\ninactive_file 50\n",
    }.items():
        (group / name).write_text(text, "utf-8")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    monkeypatch.setattr(memory, "OWN_GROUP", tmp_path / "own")
    assert memory.free() == 150


# ---- killed, and larger than the memory --------------------------------------------------------------------------------------

#: Prints a hash of the batches of an epoch, one after another: from a step on, with a number of workers.
BATCHES = """
import hashlib, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from dlc.runtime import api, randomness
from dlc.runtime.data import memory
from dlc.runtime.data.feed import Feed, open_data
memory.free, randomness.SORTED = lambda: 0, 100
folder, start, workers = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
data = open_data(api.load(folder / "spec.dlspec").spec.recipe.dataset("D"), folder, workers=workers)
feed = Feed(data, "train", training=True, device=torch.device("cpu"))
assert data.table.laid_out is not None and feed.ahead
for (batch,) in feed.epoch(3, 0, 8, start=start):
    print(hashlib.sha256(b"".join(batch[name].numpy().tobytes() for name in sorted(batch))).hexdigest(), flush=True)
"""


def test_killed_and_continued(tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(randomness, "SORTED", 100)
    write_jsonl(tmp_path / "rows.jsonl", rows())
    data = open_data(section("jsonl", tmp_path, split='all("train")'), tmp_path, workers=0)
    epoch = Feed(data, "train", training=True, device=cpu()).epoch(3, 0, 8)
    whole = [hashlib.sha256(b"".join(b[name].numpy().tobytes() for name in sorted(b))).hexdigest() for (b,) in epoch]
    assert len(set(whole)) == COUNT // 8
    seen: list[str] = []
    for workers, more in ((2, 9), (4, COUNT)):
        command = [sys.executable, "-c", BATCHES, str(tmp_path), str(len(seen)), str(workers)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for line, _ in zip(process.stdout, range(more), strict=False):
                seen.append(line.strip())
            process.kill()
    assert seen == whole


#: Batches of a file under a limit on private memory: the first ones, and those from step 10**6 on in a process of their own.
LIMITED = """
import json, resource, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))
from dlc.runtime import api
from dlc.runtime.data.feed import Feed, open_data
folder, start = Path(sys.argv[1]), int(sys.argv[2])
section = api.load(folder / "spec.dlspec").spec.recipe.dataset("D")
begun = time.monotonic()
data = open_data(section, folder, json.loads(sys.argv[3]) and {int(k): v for k, v in json.loads(sys.argv[3]).items()})
opened = time.monotonic()
feed = Feed(data, "train", training=True, device=torch.device("cpu"))
batches = feed.epoch(3, 0, 4, start=start)
found = [next(batches)[0]["n"].tolist()]
first = time.monotonic()
assert data.table.laid_out is not None and feed.ahead
found += [next(batches)[0]["n"].tolist() for _ in range(99)]
print(json.dumps([opened - begun, first - begun, found, data.table.count, data.graph.fitted]))
"""


GROUPS, ROWS = 270, 20_000


def write_large(path: Path) -> None:
    """4.3 GB of rows with 200 numbers each."""
    draw, writer = np.random.default_rng(0), None
    for group in range(GROUPS):
        numbers = np.arange(group * ROWS, (group + 1) * ROWS)
        lists = pyarrow.FixedSizeListArray.from_arrays(draw.random(200 * ROWS, np.float32), 200)
        kinds = [f"k{number % 9}" for number in numbers.tolist()]
        table = pyarrow.table({"n": numbers, "x": numbers % 97 + 0.5, "kind": kinds, "v": lists})
        writer = writer or parquet.ParquetWriter(path, table.schema, compression="none", use_dictionary=False)
        writer.write_table(table)
    assert writer is not None
    writer.close()


@pytest.mark.long
def test_four_gigabytes_in_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record_figure: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_large(tmp_path / "rows.parquet")
    fields = "  n: i64 = source.n\n  x: f32 = source.x -> standardize\n  kind: i64 = source.kind -> category\n"
    section("parquet", tmp_path, fields + "  v: f32[200] = source.v\n", split='all("train")')
    command = [sys.executable, "-c", LIMITED, str(tmp_path)]

    def run(start: int, fitted: str) -> Any:
        return json.loads(
            subprocess.run([*command, str(start), fitted], check=True, capture_output=True, text=True).stdout
        )

    made, _, whole, count, fitted = run(0, "{}")
    assert count == GROUPS * ROWS
    _, resumed, later, _, _ = run(10**6, json.dumps(fitted))
    assert not {n for batch in whole for n in batch} & {n for batch in later for n in batch}
    assert run(10**6, json.dumps(fitted))[2] == later
    record_figure("stream.first.seconds", made, "s")
    record_figure("stream.resume.seconds", resumed, "s")
    assert resumed < 1


# ---- directories of texts, and token files -------------------------------------------------------------------------------------


def notes(folder: Path) -> None:
    """Two splits whose classes differ, and a class without files."""
    draw = random.Random(0)
    for split, classes in (("train", "abd"), ("val", "acd")):
        for name in classes:
            (folder / "notes" / split / name / "more").mkdir(parents=True)
            for number in range(0 if name == "d" else 30):
                text = " ".join(f"wörd{draw.randrange(9)}" for _ in range(draw.randrange(30)))
                (folder / "notes" / split / name / ("more" if number % 2 else ".") / f"{number}.txt").write_text(
                    text, "utf-8"
                )


def test_a_directory_of_texts_is_that_of_memory(tmp_path: Path, little: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes(tmp_path)
    fields = "  x: i64[T] = source.text -> words -> vocab(40) -> pad(0)\n  label: i64 = source.label\n"
    known = section("text_folder", tmp_path, fields, 'folders(train = "train", val = "val")', "notes/{split}")
    found: Any = open_data(known, tmp_path)
    made = facts.of(found)
    assert found.table.laid_out is not None
    (tmp_path / "notes/val/c/3.md").write_text("new", "utf-8")
    assert open_data(known, tmp_path).table.count == found.table.count + 1
    (tmp_path / "notes/val/c/3.md").write_bytes(b"one\n\xff")
    with pytest.raises(Failed, match="notes/val/c/3.md"):
        open_data(known, tmp_path)
    (tmp_path / "notes/val/c/3.md").unlink()
    monkeypatch.undo()
    whole: Any = open_data(known, tmp_path)
    assert whole.table.laid_out is None
    assert found.table.files == whole.table.files
    assert list(found.table.columns["text"]) == list(whole.table.columns["text"])
    one, two = found.table.columns["label"], whole.table.columns["label"]
    assert (one.classes, one.empty) == (two.classes, two.empty) == (("a", "b", "c"), ("d",))
    assert np.array_equal(one.array, two.array)
    assert [found.table.place(at) for at in (0, 59, 60, 119)] == [whole.table.place(at) for at in (0, 59, 60, 119)]
    assert made.model_copy(update={"laid_out": ""}) == facts.of(whole)
    assert ids(found) == ids(whole)


def test_token_files_of_splits_stay_mapped(tmp_path: Path) -> None:
    """They follow each other as one stream, of which windows are read in place."""
    sizes: dict[Split, int] = {"train": 300, "val": 90}
    parts: dict[Split, Any] = {split: np.arange(size, dtype="<u2") + size for split, size in sizes.items()}
    for split, tokens in parts.items():
        tokens.tofile(tmp_path / f"{split}.bin")
    (tmp_path / "spec.dlspec").write_text(
        'dlspec 1\ndata D {\n  source = token_file("{split}.bin", "u16")\n  split = files(train = "train", val = "val")\n'
        "  x: i64[8] = source.tokens -> window(8, 3)\n}\n",
        "utf-8",
    )
    data: Any = open_data(api.load(tmp_path / "spec.dlspec").spec.recipe.dataset("D"), tmp_path)
    stream = data.table.columns["tokens"]
    assert isinstance(stream.array, table.JoinedArrays)
    assert all(isinstance(each.base, np.memmap) or isinstance(each, np.memmap) for each in stream.array.arrays)
    together = np.concatenate(list(parts.values()))
    for cut in (slice(None), slice(0, 0), slice(290, 310), slice(300, 301), slice(-5, 1000)):
        assert np.array_equal(stream.array[cut], together[cut])
    at = np.array([[0, 299], [300, 389]])
    assert np.array_equal(stream.array[at], together[at])
    assert facts.of(data).fields["x"].vocabulary == 600
    assert data.table.digest == table.digest_of({"tokens": table.Stream(together)})
    for split, tokens in parts.items():
        found = [batch["x"] for batch in Feed(data, split, training=False, device=cpu()).batches(16)]
        windows = np.lib.stride_tricks.sliding_window_view(tokens, 8)[::3].astype(np.int64)
        assert np.array_equal(np.concatenate(found), windows)
