"""Training opens each file of its data once, whatever the kind of source, or as often as is stated here: facts, fitting and batches
share what was read."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import feather, parquet

import dlc
from dlc.compiler.catalogue import SOURCES

from .file_opens import counted

RECORDS = 24
LABELS = ["ab"[i % 2] for i in range(RECORDS)]
TEXTS = [f"word{i % 2} text" for i in range(RECORDS)]
PIXELS = np.random.default_rng(0).integers(0, 2, (RECORDS, 8, 8), np.uint8)

SPLIT = "random(train = 0.5, val = 0.25, test = 0.25)"
NAMED = "label: i64 = source.label -> category"
NUMBERS = f'x: f32[1] = source.all_except("label") -> standardize\n{NAMED}'
IMAGES = "x: f32[3, 8, 8] = source.{} -> scale(1 / 255) -> standardize\n"
WORDS = "x: i64[T] = source.{} -> words -> vocab(40) -> pad(0)\n"
WINDOWS = "let w = source.tokens -> window(9)\nx: i64[8] = w[:8]\nlabel: i64[8] = w[1:]"

LINEAR = "x: [B, 1]) -> (z: [B, 2]) { z = x -> a: Linear(2) }"
FLAT = "x: [B, 3, 8, 8]) -> (z: [B, 2]) { z = x -> flatten -> a: Linear(2) }"
PIXELWISE = "x: [B, 3, 8, 8]) -> (z: [B, 2, 8, 8]) { z = x -> a: Conv(2, 1) }"
BAG = "x: i64[B, T]) -> (z: [B, 2]) { z = x -> e: Embedding(50, 2) -> mean(axis = 1) }"
TOKENS = "x: i64[B, T]) -> (z: [B, T, 50]) { z = x -> e: Embedding(50, 50) }"


class Case(NamedTuple):
    """How a source is written and used. `opens` is how often it opens a file at most."""

    source: str
    fields: str
    model: str
    write: Callable[[Path], None]
    split: str = SPLIT
    opens: int = 1


def table(suffix: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        numbers = [i / 7 for i in range(RECORDS)]
        path = folder / f"a{suffix}"
        columns = pyarrow.table({"x": numbers, "label": LABELS})
        match suffix:
            case ".csv":
                path.write_text("x,label\n" + "".join(f"{x},{y}\n" for x, y in zip(numbers, LABELS, strict=True)))
            case ".jsonl":
                path.write_text(
                    "".join(json.dumps({"x": x, "label": y}) + "\n" for x, y in zip(numbers, LABELS, strict=True))
                )
            case ".npz":
                labels = np.array([label == "b" for label in LABELS], np.int64)
                np.savez(path, x=np.array(numbers, np.float32)[:, None], label=labels)
            case ".parquet":
                parquet.write_table(columns, path)
            case _:
                feather.write_feather(columns, path)

    return write


def images(folder: Path) -> None:
    rows = ["file,label"]
    for i, (label, mask) in enumerate(zip(LABELS, PIXELS, strict=True)):
        for place in (f"images/{label}", "first", "second"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        colours = Image.fromarray(np.repeat(255 * mask[..., None], 3, 2))
        colours.save(folder / f"images/{label}/{i}.png")
        colours.save(folder / f"first/{i}.png")
        Image.fromarray(mask).save(folder / f"second/{i}.png")
        rows.append(f"images/{label}/{i}.png,{label}")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


def shards(folder: Path) -> None:
    images(folder)
    with tarfile.open(folder / "a.tar", "w") as tar:
        for i, label in enumerate(LABELS):
            tar.add(folder / "images" / label / f"{i}.png", f"{i}.png")
            (folder / f"{i}.cls").write_text(label)
            tar.add(folder / f"{i}.cls", f"{i}.cls")


def idx(folder: Path) -> None:
    (folder / "mnist").mkdir()
    for name in ("train", "t10k"):
        header, label_header = np.array([0x803, RECORDS, 8, 8], ">i4"), np.array([0x801, RECORDS], ">i4")
        (folder / f"mnist/{name}-images-idx3-ubyte").write_bytes(header.tobytes() + PIXELS.tobytes())
        (folder / f"mnist/{name}-labels-idx1-ubyte").write_bytes(
            label_header.tobytes() + bytes(i % 2 for i in range(RECORDS))
        )


def texts(folder: Path) -> None:
    lines = "".join(f"{text}\n" for text in TEXTS)
    for name in ("first.txt", "second.txt", "input.txt"):
        (folder / name).write_text(lines)
    for i, (label, text) in enumerate(zip(LABELS, TEXTS, strict=True)):
        (folder / "notes" / label).mkdir(parents=True, exist_ok=True)
        (folder / "notes" / label / f"{i}.txt").write_text(text)
    np.arange(800, dtype=np.uint16).__mod__(40).tofile(folder / "tokens.bin")


#: Encoding, header, quotes, the cells, the digest, and where a shown record is: the text is never held as a whole.
PASSES_OF_CSV = 6
#: The first records for the facts, the train split for what is learned from it, and each batch: pixels are held only where they fit.
PASSES_OF_IMAGES = 3

#: Its beginning and end, by which it is known, for the index and its digest; its headers and texts; once to map it.
PASSES_OF_SHARDS = 4

CASES = {
    "csv": Case('csv("a.csv")', NUMBERS, LINEAR, table(".csv"), opens=PASSES_OF_CSV),
    "parquet": Case('parquet("a.parquet")', NUMBERS, LINEAR, table(".parquet")),
    "feather": Case('feather("a.feather")', NUMBERS, LINEAR, table(".feather")),
    "jsonl": Case('jsonl("a.jsonl")', NUMBERS, LINEAR, table(".jsonl")),
    "npz": Case('npz("a.npz")', "x: f32[1] = source.x -> standardize\nlabel: i64 = source.label", LINEAR, table(".npz")),
    "image_table": Case('image_table("labels.csv")', IMAGES.format("file") + NAMED, FLAT, images, opens=PASSES_OF_CSV),
    "image_folder": Case('image_folder("images")', IMAGES.format("image") + "label: i64 = source.label", FLAT, images, opens=PASSES_OF_IMAGES),
    "image_pairs": Case(
        'image_pairs("first", "second")', IMAGES.format("first") + "label: i64[8, 8] = source.second", PIXELWISE, images, opens=PASSES_OF_IMAGES
    ),
    "tar_shards": Case(
        'tar_shards("a.tar")', IMAGES.format("image") + "label: i64 = source.cls -> category", FLAT, shards, opens=PASSES_OF_SHARDS
    ),
    "idx": Case(
        'idx("mnist")',
        "x: f32[1, 8, 8] = source.image -> scale(1 / 255) -> standardize\nlabel: i64 = source.label",
        FLAT.replace("3", "1"),
        idx,
        'files(train = "train", test = "t10k")',
    ),
    "text": Case('text("input.txt")', WINDOWS, TOKENS, texts, "contiguous(train = 0.5, val = 0.5)"),
    "token_file": Case('token_file("tokens.bin", "u16")', WINDOWS, TOKENS, texts, "contiguous(train = 0.5, val = 0.5)"),
    "text_lines": Case('text_lines("first.txt")', WORDS.format("text") + "label: i64 = source.text -> category", BAG, texts),
    "text_folder": Case('text_folder("notes")', WORDS.format("text") + "label: i64 = source.label", BAG, texts),
    "parallel_text": Case(
        'parallel_text("first.txt", "second.txt")',
        WORDS.format("first") + "label: i64 = source.second -> category",
        BAG,
        texts,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_file_is_opened_once(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    case = CASES[name]
    data = tmp_path / "data"
    data.mkdir()
    case.write(data)
    spec = tmp_path / "s.dlspec"
    spec.write_text(
        f"""dlspec 1
data D {{
source = {case.source}
split = {case.split}
{case.fields}
}}
model M({case.model}
train {{
model = M
data = D
loss = cross_entropy(z, label{", axis = 1" if case.model is PIXELWISE else ""})
optimizer = SGD(lr = 0.1)
batch = 4
duration = 1 epochs
}}
"""
    )
    with counted(data) as opened:
        dlc.train(spec, out=tmp_path / "run", device="cpu", data_root=data)
    assert opened, "nothing was read"
    often = {file: times for file, times in opened.items() if times > case.opens}
    assert not often


def test_every_source_of_files_is_here() -> None:
    of_files = {name for name, source in SOURCES.items() if any(kind == "Path" for _, kind, _ in source.arguments)}
    assert of_files == set(CASES)
