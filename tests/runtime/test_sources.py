"""Every source reads what it says, and says what is wrong with a file that is not it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dlc.runtime.data.sources import folders
from dlc.runtime.failure import BadInput

ALL = 'split = all("train")'
CSV = "age,city,price\n31,Rome,1.5\n,Oslo,2\n7,Rome,4.25\n"


def test_csv(workspace) -> None:
    workspace.write("a.csv", CSV)
    batch = workspace.everything(
        f"""source = csv("a.csv")\n{ALL}
        x: f32[1] = source.all_except("city", "price") -> impute("mean")
        city: i64 = source.city -> category
        price: f32 = source.price"""
    )
    assert batch["x"].tolist() == [[31], [19], [7]]
    assert batch["city"].tolist() == [1, 0, 1]
    assert batch["price"].tolist() == [1.5, 2.0, 4.25]


def test_csv_with_quotes_and_line_ends(workspace) -> None:
    workspace.write("a.csv", 'text,y\r\n"a, ""b""\nc",1\r\n\r\nplain,2\r\n')
    batch = workspace.everything(
        f"""source = csv("a.csv")\n{ALL}
        t: i64[T] = source.text -> words -> vocab(20) -> pad(0)
        y: f32 = source.y"""
    )
    assert batch["y"].tolist() == [1, 2]
    assert batch["t"].shape[0] == 2


FIELDS = "x: f32 = source.x"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x,y\n1,2\n3,oops\n", 'E0201: a.csv:3, column `y`: "oops" is not a number'),
        ("x,y\n1,2\n3,\n", "E0201: a.csv:3, column `y`: the cell is empty"),
        ("x,y\n1,2\n3\n", "E0412: a.csv:3: 1 cells, but the header has 2"),
        ("x,y,x\n1,2,3\n", "E0412: a.csv:1: two columns are called `x`"),
        ('x,y\n1,"2\n', "E0412: a.csv:2: unexpected end of data"),
        ("x,y\n", "E0412: `a.csv` has no records"),
        ("x,z\n1,2\n", 'E0301: `csv("a.csv")` has no field `y`'),
        ("x,y\n1,NaN\n", 'E0201: a.csv:2, column `y`: "NaN" stands for a missing number'),
        ("x,y\n1,inf\n", 'E0201: a.csv:2, column `y`: "inf" is not a finite number'),
    ],
)
def test_a_bad_csv_names_line_and_column(workspace, text: str, said: str) -> None:
    workspace.write("a.csv", text)
    found = workspace.mistake(f'source = csv("a.csv")\n{ALL}\nx: f32 = source.x\ny: f32 = source.y')
    assert said in found


def test_a_line_after_a_quoted_line_end_has_its_own_number(workspace) -> None:
    workspace.write("a.csv", 'n,y\n"a\nb",1\nc,bad\n')
    assert "a.csv:4, column `y`" in workspace.mistake(f'source = csv("a.csv")\n{ALL}\ny: f32 = source.y')


def test_a_missing_file_is_named_with_a_near_one(workspace) -> None:
    workspace.write("data/housing.csv", CSV)
    found = workspace.mistake(f'source = csv("data/housnig.csv")\n{ALL}\ny: f32 = source.price')
    assert found.startswith("E0412: there is no file `data/housnig.csv`")
    assert "did you mean `data/housing.csv`?" in found


def test_latin_1_is_refused_with_its_line(workspace) -> None:
    (workspace.path / "a.csv").write_bytes("x,y\n1,2\nn\xe9,3\n".encode("latin-1"))
    assert "a.csv:3: not UTF-8" in workspace.mistake(f'source = csv("a.csv")\n{ALL}\ny: f32 = source.y')


def test_npz(workspace) -> None:
    np.savez(workspace.path / "a.npz", x=np.arange(6, dtype=np.uint16).reshape(3, 2), y=np.array([1, 0, 1]))
    batch = workspace.everything(f'source = npz("a.npz")\n{ALL}\nx: f32[2] = source.x\ny: i64 = source.y')
    assert batch["x"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert batch["y"].tolist() == [1, 0, 1]


def test_npz_mistakes(workspace) -> None:
    body = f'source = npz("a.npz")\n{ALL}\nx: f32[2] = source.x'
    (workspace.path / "a.npz").write_bytes(b"PK\x03\x04 not really")
    assert "`a.npz` is not an npz archive" in workspace.mistake(body)
    np.savez(workspace.path / "a.npz", x=np.zeros((3, 2)), y=np.zeros(4))
    assert "`x` has 3 records, but `y` has 4" in workspace.mistake(body)
    np.savez(workspace.path / "a.npz", x=np.zeros((3, 5)))
    assert "field `x` has shape [5], but is declared [2]" in workspace.mistake(body)
    np.savez(workspace.path / "a.npz", x=np.array([[1.0, np.nan]]))
    assert "a.npz record 0: field `x` is not a finite number" in workspace.mistake(body)
    np.savez(workspace.path / "a.npz", x=np.array([object()]))
    assert "is not an npz archive" in workspace.mistake(body)


def test_whole_numbers_only_where_they_are_declared(workspace) -> None:
    workspace.write("a.csv", "y\n1\n2.5\n")
    found = workspace.mistake(f'source = csv("a.csv")\n{ALL}\ny: i64 = source.y')
    assert "E0204: a.csv:3, column `y`: 2.5 in field `y` is not a whole number" in found


def test_jsonl(workspace) -> None:
    workspace.write("a.jsonl", '{"x": 1, "k": "a"}\n\n{"x": 2.5, "k": "b"}\n')
    body = f"{ALL}\nx: f32 = source.x\nk: i64 = source.k -> category"
    batch = workspace.everything(f'source = jsonl("a.jsonl")\n{body}')
    assert (batch["x"].tolist(), batch["k"].tolist()) == ([1, 2.5], [0, 1])
    workspace.write("a.jsonl", '{"x": 1}\n{"x": \n')
    assert "a.jsonl:2: not JSON" in workspace.mistake(f'source = jsonl("a.jsonl")\n{body}')


def test_image_folder(workspace, images: Callable[[Path, int, int, int], None]) -> None:
    for label, value in (("cat", 10), ("dog", 200)):
        for number in range(2):
            images(workspace.path / "pets" / label / f"{number}.png", 6, 4, value)
    images(workspace.path / "pets" / ".cache" / "x.png", 6, 4, 0)
    images(workspace.path / "pets" / "unsorted" / "x.png", 6, 4, 0)
    batch = workspace.everything(
        f"""source = image_folder("pets")\nskip = ["unsorted"]\n{ALL}
        image: f32[3, 4, 4] = source.image -> center_crop(4) -> scale(1 / 10)
        label: i64 = source.label"""
    )
    assert batch["image"].shape == (4, 3, 4, 4)
    assert batch["label"].tolist() == [0, 0, 1, 1]
    assert batch["image"][:, 0, 0, 0].tolist() == [1, 1, 20, 20]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_a_pipe_in_a_directory_is_not_waited_for(tmp_path: Path) -> None:
    for name in ("b/2.txt", "b/1.txt", "a.txt", ".hidden/3.txt", "b/.4.txt", "b/5.png", "d.txt/6.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("a", "utf-8")
    (tmp_path / "b" / "lost.txt").symlink_to("nowhere")  # named where it is read
    (tmp_path / "b" / "round").symlink_to(tmp_path)
    found = [str(path.relative_to(tmp_path)) for path in folders.below(tmp_path, (".txt",))]
    assert found == ["a.txt", "b/1.txt", "b/2.txt", "b/lost.txt", "d.txt/6.txt"]
    os.mkfifo(tmp_path / "b" / "0.txt")
    with pytest.raises(BadInput, match="is a pipe or a device"):
        folders.below(tmp_path, (".txt",))


def test_text_folder(workspace) -> None:
    for name, text in (("b/2.txt", "two"), ("b/sub/1.md", "one\nmore"), ("a/x.TXT", "\ufeffthé"), ("a/y.png", "no")):
        workspace.write(f"notes/{name}", text)
    workspace.write("notes/.hidden/z.txt", "hidden")
    body = f"""source = text_folder("notes")\n{ALL}
        x: i64[T] = source.text -> chars -> vocab(50) -> pad(0)
        label: i64 = source.label"""
    data = workspace.open(body)
    assert data.table.columns["text"][:] == ["thé", "two", "one\nmore"]
    assert workspace.everything(body)["label"].tolist() == [0, 1, 1]
    assert data.table.place(2).endswith("notes/b/sub/1.md")
    (workspace.path / "notes/b/3.txt").write_bytes(b"\xff")
    assert "notes/b/3.txt" in workspace.mistake(body)
    assert (
        "`flat` has no directories of text files, one per class"
        in (workspace.write("flat/a.txt", "text"), workspace.mistake(body.replace("notes", "flat")))[1]
    )


def test_the_texts_of_a_directory_as_one(workspace) -> None:
    """In the order of their paths; the last line of each is ended."""
    for name, text in (("b.txt", "second"), ("a/z.txt", "first\n"), ("c.md", "third"), ("d.csv", "no")):
        workspace.write(f"books/{name}", text)
    stream = workspace.open(f'source = text("books")\n{ALL}\nx: i64[4] = source.tokens -> window(4, 4)').table
    tokens = stream.columns["tokens"]
    assert "".join(tokens.names[i] for i in tokens.array) == "first\nsecond\nthird\n"
    assert len(stream.files) == 3
    (workspace.path / "none").mkdir()
    empty = f'source = text("none")\n{ALL}\nx: i64[4] = source.tokens -> window(4, 4)'
    assert "`none` has no text files (.txt, .text, .md)" in workspace.mistake(empty)


def test_a_file_that_is_no_image(workspace, images: Callable[[Path, int, int, int], None]) -> None:
    body = (
        f'source = image_folder("p")\n{ALL}\nimage: f32[3, 4, 4] = source.image -> scale(1)\nlabel: i64 = source.label'
    )
    assert "there is no directory `p`" in workspace.mistake(body)
    (workspace.path / "p").mkdir()
    assert "`p` has no images" in workspace.mistake(body)
    images(workspace.path / "p" / "a" / "0.png", 4, 4, 1)
    workspace.write("p/b/1.png", "hello")
    assert "`p/b/1.png` is not an image" in workspace.mistake(body)
    images(workspace.path / "p" / "b" / "1.png", 5, 4, 1)
    assert "p/b/1.png: field `image` has shape [3, 5, 4], but is declared [3, 4, 4]" in workspace.mistake(body)


def test_idx(workspace) -> None:
    pixels = np.arange(2 * 4 * 4, dtype=np.uint8)
    folder = workspace.path / "mnist"
    folder.mkdir()
    (folder / "train-images-idx3-ubyte").write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 4, 4) + pixels.tobytes())
    (folder / "train-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 2) + bytes([3, 9]))
    body = 'source = idx("mnist/{split}")\nsplit = files(train = "train")\nimage: f32[1, 4, 4] = source.image -> scale(1)\nlabel: i64 = source.label'
    batch = workspace.everything(body)
    assert batch["label"].tolist() == [3, 9]
    assert batch["image"][1, 0].flatten().tolist() == list(range(16, 32))
    (folder / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03\0\0\0\x02")
    assert "is not an idx file" in workspace.mistake(body)


@pytest.mark.parametrize("path", ["mnist", "mnist/{split}"])
def test_idx_files_of_a_folder_are_told_apart(workspace, path: str) -> None:
    folder = workspace.path / "mnist"
    folder.mkdir()
    for name, label in ("train", 1), ("t10k", 0):
        (folder / f"{name}-images-idx3-ubyte").write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 2, 4, 4) + bytes(32))
        (folder / f"{name}-labels-idx1-ubyte").write_bytes(struct.pack(">BBBBI", 0, 0, 8, 1, 2) + bytes([label, label]))
    fields = "image: f32[1, 4, 4] = source.image -> scale(1)\nlabel: i64 = source.label"
    body = f'source = idx("{path}")\nsplit = files(train = "train", test = "t10k")\n{fields}'
    assert workspace.everything(body)["label"].tolist() == [1, 1]
    assert workspace.everything(body, "test")["label"].tolist() == [0, 0]
    one = f'source = idx("mnist/train")\n{ALL}\n{fields}'
    assert workspace.everything(one)["label"].tolist() == [1, 1]
    both = f'source = idx("mnist")\n{ALL}\n{fields}'
    assert "E0412: `mnist` has `t10k-images-idx3-ubyte` and `train-images-idx3-ubyte`" in workspace.mistake(both)


def test_text_stream_and_windows(workspace) -> None:
    workspace.write("a.txt", "abcabcabcabc" * 3)
    body = """source = text("a.txt")
    split = contiguous(train = 0.5, val = 0.5)
    let window = source.tokens -> random_window(5)
    x: i64[4] = window[:-1]
    y: i64[4] = window[1:]"""
    val = workspace.everything(body, "val")
    assert val["x"].tolist() == [
        [0, 1, 2, 0],
        [2, 0, 1, 2],
        [1, 2, 0, 1],
    ]  # in order, without overlap, the rest left out
    feed = workspace.feed(body)
    assert len(feed) == 4  # ceil(18 / 5)
    batch = next(feed.epoch(0, 0, 4))[0]
    assert torch.equal(batch["x"][:, 1:], batch["y"][:, :-1])


def test_token_file(workspace) -> None:
    np.arange(100, dtype=np.uint16).tofile(workspace.path / "t.bin")
    batch = workspace.everything(
        f'source = token_file("t.bin", "u16")\n{ALL}\nx: i64[10] = source.tokens -> window(10, 5)'
    )
    assert batch["x"][:, 0].tolist() == list(range(0, 91, 5))
    (workspace.path / "t.bin").write_bytes(b"abc")
    found = workspace.mistake(f'source = token_file("t.bin", "u16")\n{ALL}\nx: i64[1] = source.tokens -> window(1, 1)')
    assert "3 bytes are not a multiple of 2" in found


def test_a_stream_shorter_than_its_window(workspace) -> None:
    workspace.write("a.txt", "abcdef")
    found = workspace.mistake(f'source = text("a.txt")\n{ALL}\nx: i64[10] = source.tokens -> random_window(10)')
    assert "the train part of the stream has 6 tokens, but a window takes 10" in found


@pytest.mark.parametrize(
    ("name", "records", "shape"),
    [
        ("digits", 1797, (1, 8, 8)),
        ("iris", 150, (4,)),
        ("wine", 178, (13,)),
        ("breast_cancer", 569, (30,)),
        ("diabetes", 442, (10,)),
    ],
)
def test_builtin(workspace, name: str, records: int, shape: tuple[int, ...]) -> None:
    x = "image" if name == "digits" else "x"
    sizes = ", ".join(map(str, shape))
    batch = workspace.everything(f'source = builtin("{name}")\n{ALL}\nx: f32[{sizes}] = source.{x}')
    assert batch["x"].shape == (records, *shape)
    assert bool(torch.isfinite(batch["x"]).all())


def test_python_docs_are_the_same_at_every_reading(workspace) -> None:
    body = f'source = builtin("python_docs")\n{ALL}\nx: i64[64] = source.tokens -> window(64, 64)'
    first, second = workspace.open(body), workspace.open(body)
    assert first.table.digest == second.table.digest
    assert first.table.count > 400_000


def test_splits_that_are_files(workspace) -> None:
    workspace.write("train.csv", "y\n" + "\n".join(map(str, range(10))) + "\n")
    workspace.write("test.csv", "y\n100\n101\n")
    data = workspace.open(
        'source = csv("{split}.csv")\nsplit = files(train = "train", test = "test", val = 0.2)\ny: f32 = source.y'
    )
    assert {split: len(part) for split, part in data.parts.items()} == {"train": 8, "val": 2, "test": 2}
    assert data.table.place(10).endswith("test.csv:2")
