"""Tar files of records give the records, images and orders of a directory, and nothing but plain files is read from them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from dlc.compiler.messages.diagnostics import Failed
from dlc.runtime import api
from dlc.runtime.data import laid_out
from dlc.runtime.data.feed import Feed, open_data

SHARDS, EACH = 3, 8
SPEC = """dlspec 1
data D {{
  source = {source}
  split = random(train = 0.75, val = 0.25, seed = 0, stratify = source.cls)
  image: f32[3, 8, 8] = source.image -> if training {{ random_resized_crop(8) }} else {{ center_crop(8) }} -> scale(1 / 255)
  label: i64 = source.cls -> category
  size: f32 = source.size
}}
"""


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def png(number: int) -> bytes:
    pixels = np.random.default_rng(number).integers(0, 256, (9 + number % 4, 10, 3), np.uint8)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def members(numbers: Iterable[int]) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for number in numbers:
        about = json.dumps({"size": number / 2, "tags": {"a": 1}}).encode()
        texts = [("cls", f"{'cat' if number % 2 else 'dog'}\n".encode()), ("json", about), ("seg.npy", b"\x93NUMPY")]
        found += [(f"some/{number:04}.{end}", content) for end, content in [("png", png(number)), *texts]]
    return found


def write(path: Path, found: Iterable[tuple[str, bytes]], form: int = tarfile.PAX_FORMAT) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in found:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def shards(folder: Path) -> Any:
    for shard in range(SHARDS):
        write(folder / f"train-{shard:03}.tar", members(range(shard * EACH, (shard + 1) * EACH)))
    return section(folder, 'tar_shards("train-{000..002}.tar")')


def section(folder: Path, source: str, spec: str = SPEC) -> Any:
    (folder / "spec.dlspec").write_text(spec.format(source=source), "utf-8")
    return api.load(folder / "spec.dlspec").spec.recipe.dataset("D")


def as_table(folder: Path) -> Any:
    """The same records as files and a table of their names."""
    rows = ["file,cls,size"]
    for number in range(SHARDS * EACH):
        (folder / f"{number}.png").write_bytes(png(number))
        rows.append(f"{number}.png,{'cat' if number % 2 else 'dog'},{number / 2}")
    (folder / "t.csv").write_text("\n".join(rows), "utf-8")
    return section(folder, 'image_table("t.csv")', SPEC.replace("source.image", "source.file"))


def batches(data: Any, start: int = 0) -> list[dict[str, torch.Tensor]]:
    feed = Feed(data, "train", training=True, device=torch.device("cpu"), share=0)
    return [batch for (batch,) in feed.epoch(3, 0, 4, start=start)]


def equal(ones: list[dict[str, torch.Tensor]], others: list[dict[str, torch.Tensor]]) -> bool:
    return len(ones) == len(others) and all(
        torch.equal(one[name], other[name]) for one, other in zip(ones, others, strict=True) for name in one
    )


@pytest.mark.parametrize("workers", [0, 2, 4])
def test_records_orders_and_resume_are_those_of_files(workers: int, tmp_path: Path) -> None:
    data = open_data(shards(tmp_path), tmp_path, workers=workers)
    whole = batches(data)
    assert equal(whole, batches(open_data(as_table(tmp_path), tmp_path, workers=workers)))
    again = open_data(shards(tmp_path), tmp_path, dict(data.graph.fitted), workers=workers)
    assert equal(whole[3:], batches(again, 3))
    assert sorted(np.concatenate([part.records for part in data.parts.values()]).tolist()) == list(range(SHARDS * EACH))
    assert data.table.place(9).endswith("train-001.tar: some/0009")


def test_the_index_is_read_again_until_a_shard_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = shards(tmp_path)
    first = open_data(known, tmp_path).table.laid_out
    made: list[int] = []
    laid = laid_out.write
    monkeypatch.setattr(laid_out, "write", lambda *given: made.append(1) or laid(*given))
    assert open_data(known, tmp_path).table.laid_out == first
    assert not made
    write(tmp_path / "train-002.tar", members(range(16, 23)), tarfile.GNU_FORMAT)
    assert open_data(known, tmp_path).table.count == SHARDS * EACH - 1
    assert made


def test_shards_of_splits(tmp_path: Path) -> None:
    write(tmp_path / "train.tar", members(range(9)))
    write(tmp_path / "val.tar", members(range(9, 12)))
    spec = SPEC.replace(
        "random(train = 0.75, val = 0.25, seed = 0, stratify = source.cls)", 'files(train = "train", val = "val")'
    )
    data = open_data(section(tmp_path, 'tar_shards("{{split}}.tar")'.format(), spec), tmp_path)
    assert {split: part.records.tolist() for split, part in data.parts.items()} == {
        "train": list(range(9)),
        "val": [9, 10, 11],
    }


def member(kind: bytes, **more: Any) -> Callable[[tarfile.TarFile], None]:
    def add(tar: tarfile.TarFile) -> None:
        found = tarfile.TarInfo("0009.png")
        found.type = kind
        for name, value in more.items():
            setattr(found, name, value)
        tar.addfile(found)

    return add


WRONG: dict[str, tuple[Any, str]] = {
    "a symbolic link": (member(tarfile.SYMTYPE, linkname="/etc/passwd"), "0009.png is a link, not a file"),
    "a hard link": (member(tarfile.LNKTYPE, linkname="some/0000.png"), "0009.png is a link, not a file"),
    "a device": (member(tarfile.CHRTYPE), "0009.png is a device, not a file"),
    "a pipe": (member(tarfile.FIFOTYPE), "0009.png is a device, not a file"),
    "an absolute path": ([("/tmp/0009.png", b"x")], "leads out of the tar file"),
    "a path upwards": ([("a/../../0009.png", b"x")], "leads out of the tar file"),
    "an end twice": ([("0009.cls", b"x"), ("0009.cls", b"y")], "is there twice"),
    "two images": ([("0009.png", b"x"), ("0009.jpg", b"y")], "has two images"),
    "no image": ([("0009.cls", b"cat")], "has no image"),
    "no text": ([("0009.png", png(9)), ("0009.cls", b"\xff")], "0009.cls is not UTF-8"),
    "no JSON": ([("0009.png", png(9)), ("0009.json", b"{")], "0009.json is not JSON"),
    "no object": ([("0009.png", png(9)), ("0009.json", b"[" * 100_000)], "0009.json is not JSON"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_refused(name: str, tmp_path: Path) -> None:
    more, text = WRONG[name]
    found = members(range(8))
    write(tmp_path / "a.tar", found if callable(more) else [*found, *more])
    if callable(more):
        with tarfile.open(tmp_path / "a.tar", "a") as tar:
            more(tar)
    with pytest.raises(Failed, match="a.tar") as failure:
        open_data(section(tmp_path, 'tar_shards("a.tar")'), tmp_path)
    assert failure.value.diagnostic.code == "E0412"
    assert text in failure.value.diagnostic.message
    assert failure.value.diagnostic.helps


def cut(content: bytes) -> bytes:
    return content[: 3 * 512 + 100]


@pytest.mark.parametrize(
    "damage", [lambda _: b"", lambda _: b"not a tar file" * 100, cut, lambda content: content[:700] + bytes(600)]
)
def test_a_damaged_file_is_a_message(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    write(tmp_path / "a.tar", members(range(8)))
    (tmp_path / "a.tar").write_bytes(damage((tmp_path / "a.tar").read_bytes()))
    with pytest.raises(Failed, match="a.tar"):
        batches(open_data(section(tmp_path, 'tar_shards("a.tar")'), tmp_path))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("none.tar", "there is no file"),
        ("train-{000..003}.tar", "train-003.tar"),
        ("train-{2..1}.tar", "its range ends"),
    ],
)
def test_files_that_are_not_there(path: str, text: str, tmp_path: Path) -> None:
    shards(tmp_path)
    with pytest.raises(Failed, match=text):
        open_data(section(tmp_path, f'tar_shards("{path}")'), tmp_path)
