"""Tables as people keep them: parquet, JSON lines, data sets of the hub, parallel texts, pairs of images."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ALL = 'split = all("train")'


def parquet(path: Path, **columns: object) -> None:
    import pyarrow
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)


def test_columns_of_parquet(workspace) -> None:
    import pyarrow

    parquet(
        workspace.path / "a.parquet",
        x=[1.5, None, 3.0],
        count=[1, 2, 2**53 + 1],
        city=["Rome", "Oslo", "Rome"],
        done=[True, False, None],
        kind=pyarrow.array(["u", "v", "u"]).dictionary_encode(),
        half=pyarrow.array(np.array([1, 2, 3], np.float16)),
        vector=[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        tokens=[[4], [5, 6], [7, 8, 9]],
    )
    batch = workspace.everything(
        f"""source = parquet("a.parquet")\n{ALL}
        x: f32 = source.x -> impute("mean")
        count: i64 = source.count
        city: i64 = source.city -> category
        kind: i64 = source.kind -> category("u", "v")
        done: f32 = source.done -> impute(0.5)
        half: f32 = source.half
        vector: f32[2] = source.vector
        tokens: i64[T <= 3] = source.tokens -> pad(0)"""
    )
    assert batch["x"].tolist() == [1.5, 2.25, 3.0]
    assert batch["count"].tolist() == [1, 2, 2**53 + 1]
    assert batch["city"].tolist() == [1, 0, 1] and batch["kind"].tolist() == [0, 1, 0]
    assert batch["done"].tolist() == [1, 0, 0.5] and batch["half"].tolist() == [1, 2, 3]
    assert batch["vector"].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert batch["tokens"].tolist() == [[4, 0, 0], [5, 6, 0], [7, 8, 9]]


def test_columns_of_feather(workspace) -> None:
    import pyarrow
    from pyarrow import feather

    table = pyarrow.table({"x": [1.5, None, 3.0], "city": ["Rome", "Oslo", "Rome"], "tokens": [[4], [5, 6], [7, 8, 9]]})
    for name, compression in (("a.feather", "zstd"), ("a.arrow", "uncompressed")):
        feather.write_feather(table, workspace.path / name, compression=compression)
        batch = workspace.everything(
            f"""source = feather("{name}")\n{ALL}
            x: f32 = source.x -> impute("mean")
            city: i64 = source.city -> category
            tokens: i64[T <= 3] = source.tokens -> pad(0)"""
        )
        assert batch["x"].tolist() == [1.5, 2.25, 3.0] and batch["city"].tolist() == [1, 0, 1]
        assert batch["tokens"].tolist() == [[4, 0, 0], [5, 6, 0], [7, 8, 9]]


def test_what_is_not_feather(workspace) -> None:
    body = f'source = feather("a.feather")\n{ALL}\nx: f32 = source.x'
    assert "a.feather" in workspace.mistake(body)
    workspace.write("a.feather", "x,y\n1,2\n")
    assert "is not a feather file" in workspace.mistake(body)


def test_parquet_divided_by_time(workspace) -> None:
    days = [datetime.date(2024, 1, day) for day in (5, 1, 4, 2, 3)]
    parquet(workspace.path / "a.parquet", day=days, y=[5, 1, 4, 2, 3])
    body = (
        'source = parquet("a.parquet")\nsplit = contiguous(train = 0.6, val = 0.4, by = source.day)\ny: i64 = source.y'
    )
    assert workspace.everything(body)["y"].tolist() == [1, 2, 3]
    assert workspace.everything(body, "val")["y"].tolist() == [4, 5]


def test_parquet_mistakes(workspace) -> None:
    parquet(workspace.path / "a.parquet", x=[1.0, None], tokens=[[1.5], [2.0, 3.0]], deep=[{"a": 1}, {"a": 2}])
    body = f'source = parquet("a.parquet")\n{ALL}\n'
    assert "a.parquet record 1: field `x` is not a finite number" in workspace.mistake(body + "x: f32 = source.x")
    assert '`parquet("a.parquet")` has no field `z`' in workspace.mistake(body + "x: f32 = source.z")
    found = workspace.mistake(body + "t: i64[T] = source.tokens -> pad(0)")
    assert "a.parquet record 0: 1.5 in field `t` is not a whole number" in found
    assert 'column `deep`: "{"a": 1}" is not a number' in workspace.mistake(body + "x: f32 = source.deep")
    (workspace.path / "a.parquet").write_bytes(b"hello")
    assert "`a.parquet` is not a parquet file" in workspace.mistake(body + "x: f32 = source.x")


def test_lists_and_texts_of_json_lines(workspace) -> None:
    workspace.write(
        "a.jsonl",
        '{"v": [1, 2], "r": [[1, 2]], "text": "h\\u00e9", "n": null, "ok": true}\n'
        '{"v": [3, 4.5], "r": [[3, 4], [5, 6]], "text": "b", "ok": false, "n": 7}\n',
    )
    batch = workspace.everything(
        f"""source = jsonl("a.jsonl")\n{ALL}
        v: f32[2] = source.v
        r: i64[T, 2] = source.r -> pad(0)
        text: i64[C] = source.text -> chars -> vocab(9) -> pad(0)
        n: f32 = source.n -> impute(0)
        ok: i64 = source.ok"""
    )
    assert batch["v"].tolist() == [[1, 2], [3, 4.5]]
    assert batch["r"].tolist() == [[[1, 2], [0, 0]], [[3, 4], [5, 6]]]
    assert batch["text"].shape == (2, 2) and batch["n"].tolist() == [0, 7] and batch["ok"].tolist() == [1, 0]


def test_one_dimension_is_one_length_a_record(workspace) -> None:
    workspace.write("a.jsonl", '{"x": [1, 2], "y": [1, 2]}\n{"x": [3], "y": [3]}\n{"x": [3, 4], "y": [3]}\n')
    body = f'source = jsonl("a.jsonl")\n{ALL}\nx: i64[T] = source.x -> pad(0)\ny: i64[%s] = source.y -> pad(0)'
    found = workspace.mistake(body % "T")
    assert "E0201: a.jsonl:3: T is 2 in field `x` and 1 in field `y`" in found and "another letter" in found
    assert workspace.everything(body % "U")["y"].tolist() == [[1, 2], [3, 0], [3, 0]]


def png(value: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_a_directory_in_place_of_a_hub_name(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", workspace.path / "cache")
    workspace.write("reviews/train.csv", "text,stars\nfine,2\nbad,0\nbad fine,1\n")
    batch = workspace.everything(
        f"""source = hub("reviews")\n{ALL}
        text: i64[T] = source.text -> words -> vocab(9) -> pad(0)
        stars: i64 = source.stars"""
    )
    assert batch["text"].tolist() == [[3, 0], [2, 0], [2, 3]] and batch["stars"].tolist() == [2, 0, 1]


def test_splits_of_a_hub_data_set(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", workspace.path / "cache")
    workspace.write("numbers/train.csv", "y\n" + "\n".join(map(str, range(10))) + "\n")
    workspace.write("numbers/test.csv", "y\n100\n101\n")
    body = 'source = hub("numbers")\nsplit = files(train = "train", val = 0.2, test = "test")\ny: f32 = source.y'
    assert workspace.everything(body, "test")["y"].tolist() == [100, 101]
    assert len(workspace.everything(body)["y"]) == 8 and len(workspace.everything(body, "val")["y"]) == 2
    found = workspace.mistake(body.replace('"test")', '"exam")'))
    assert 'E0412: the data set "numbers" cannot be read' in found and "exam" in found


def test_images_and_classes_of_a_hub_data_set(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", workspace.path / "cache")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    made = datasets.Dataset.from_dict(
        {"image": [{"bytes": png(9), "path": None}, {"bytes": png(200), "path": None}], "label": [1, 0]},
        features=features,
    )
    (workspace.path / "pets").mkdir()
    made.to_parquet(workspace.path / "pets" / "train.parquet")
    body = f"""source = hub("pets")\n{ALL}
        image: f32[3, 4, 4] = source.image -> center_crop(4) -> scale(1 / 10)
        label: i64 = source.label"""
    batch = workspace.everything(body)
    assert batch["image"][:, 0, 0, 0].tolist() == pytest.approx([0.9, 20]) and batch["label"].tolist() == [1, 0]
    from dlc.runtime.data import facts

    assert facts.of(workspace.open(body)).fields["label"].classes == ("cat", "dog")


def test_a_hub_name_that_cannot_be_reached(workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    found = workspace.mistake(f'source = hub("no/such-data")\n{ALL}\ny: i64 = source.y')
    assert 'E0412: the data set "no/such-data" cannot be read' in found and "give a directory" in found


def test_parallel_texts(workspace) -> None:
    workspace.write("en.txt", "a b\nc\n")
    workspace.write("de.txt", "x\ny z\n")
    body = f"""source = parallel_text("en.txt", "de.txt")\n{ALL}
        let de = source.second -> words -> vocab(9, bos = 2, eos = 3)
        en: i64[S] = source.first -> words -> vocab(9) -> pad(0)
        before: i64[T] = de[:-1] -> pad(0)
        after: i64[T] = de[1:] -> pad(0)"""
    batch = workspace.everything(body)
    assert batch["en"].tolist() == [[2, 3], [4, 0]]
    assert batch["before"].tolist() == [[2, 4, 0], [2, 5, 6]]
    assert batch["after"].tolist() == [[4, 3, 0], [5, 6, 3]]
    workspace.write("de.txt", "x\n")
    assert "`en.txt` and `de.txt` do not correspond: 2 and 1 lines" in workspace.mistake(body)


def test_only_line_ends_end_lines(workspace) -> None:
    workspace.write("en.txt", "a\u2028b\x0cc\r\nd\x85\n")
    workspace.write("de.txt", "x\ny\n")
    body = (
        f'source = parallel_text("en.txt", "de.txt")\n{ALL}\nx: i64[T] = source.first -> chars -> vocab(20) -> pad(0)'
    )
    assert workspace.everything(body)["x"].shape == (2, 5)
    workspace.write("a.jsonl", '{"t": "a\u2028b"}\n{"t": "c"}\n')
    body = f'source = jsonl("a.jsonl")\n{ALL}\nx: i64[T] = source.t -> chars -> vocab(20) -> pad(0)'
    assert workspace.everything(body)["x"].shape == (2, 3)


def test_a_long_document_in_a_cell(workspace) -> None:
    workspace.write("a.csv", "text,y\n" + "word " * 40_000 + ",1\n")
    body = f'source = csv("a.csv")\n{ALL}\nx: i64[T] = source.text -> words -> vocab(20) -> pad(0)'
    assert workspace.everything(body)["x"].shape == (1, 40_000)


def test_text_lines(workspace) -> None:
    workspace.write("a.txt", "one two\n\nthree\n")
    body = f'source = text_lines("a.txt")\n{ALL}\nx: i64[T <= 1] = source.text -> words -> vocab(9) -> pad(0)'
    assert "a.txt:1: field `x` has T = 2, but is declared T <= 1" in workspace.mistake(body)


def test_pairs_of_images(workspace) -> None:
    for number in range(3):
        picture, mask = workspace.path / "imgs" / f"{number}.jpg", workspace.path / "masks" / f"{number}_mask.png"
        picture.parent.mkdir(exist_ok=True)
        mask.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((6, 8, 3), 50 * number, np.uint8)).save(picture)
        Image.fromarray(np.full((6, 8), number, np.uint8)).save(mask)
    body = f"""source = image_pairs("imgs", "masks")\n{ALL}
        let pair = (source.first, source.second) -> if training {{ hflip(0.5) -> random_crop(4) }} else {{ center_crop(4) }}
        image: f32[3, 4, 4] = pair.first -> scale(1 / 50)
        mask: i64[4, 4] = pair.second"""
    for training in (True, False):
        batch = workspace.everything(body, training=training)
        assert batch["mask"][:, 2, 2].tolist() == [0, 1, 2]
        np.testing.assert_allclose(batch["image"][:, 0, 2, 2].numpy(), [0, 1, 2], atol=0.05)
    (workspace.path / "masks" / "2_mask.png").unlink()
    assert "do not correspond: `2` is only in the first" in workspace.mistake(body)


def test_a_large_table_takes_a_few_times_its_file(tmp_path: Path) -> None:
    import tracemalloc

    from dlc.compiler.messages.source import Span
    from dlc.runtime.data.sources import reader

    numbers = np.random.default_rng(0).normal(size=(60_000, 4)).round(4)
    file = tmp_path / "a.csv"
    with file.open("w", encoding="utf-8") as out:
        out.write("a,b,c,d,city\n")
        for i, row in enumerate(numbers.tolist()):
            out.write(",".join(map(str, row)) + ("," + ("Rome", "Oslo")[i % 2] + "\n"))
    tracemalloc.start()
    try:
        columns, count, place, _ = reader("csv")({"path": "a.csv"}, tmp_path.joinpath, Span("s", 0, 1))
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = file.stat().st_size
    assert count == 60_000 and place(59_999).endswith("a.csv:60001") and len(columns) == 5
    assert kept < 8 * size and peak < 11 * size  # a Python string of 7 characters alone takes 56 bytes
