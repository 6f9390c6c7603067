"""Bad data as a user meets it, through the command line: one message with the place and the remedy, and nothing written.

Damaged runs, wrong arguments and interruptions are in tests/cli/test_failures.py, resuming into a changed model in
tests/runtime/test_train.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlc.cli import main

Write = Callable[[Path], None]

TRAIN = "train { model = M; data = D; loss = {loss}; optimizer = SGD(0.1); batch = 4; duration = 1 epochs }\n"

TABLE = """dlspec 1
data D {
  source = csv("houses.csv")
  split  = random(train = 0.5, val = 0.25, test = 0.25, seed = 0)
  x: f32[3] = source.all_except("price") -> standardize
  y: f32    = source.price
}
model M(x: [B, 3]) -> (pred: [B]) { pred = x -> fc: Linear(1) -> squeeze(-1) }
""" + TRAIN.replace("{loss}", "mse(pred, y)")

ARRAYS = """dlspec 1
data D {
  source = npz("waves.npz")
  split  = random(train = 0.5, val = 0.25, test = 0.25, seed = 0)
  x: f32[6] = source.x
  y: f32    = source.y
}
model M(x: [B, 6]) -> (pred: [B]) { pred = x -> fc: Linear(1) -> squeeze(-1) }
""" + TRAIN.replace("{loss}", "mse(pred, y)")

IMAGES = """dlspec 1
data D {
  source = image_folder("pets")
  split  = random(train = 0.5, val = 0.25, test = 0.25, seed = 0)
  image: f32[3, 4, 4] = source.image -> scale(1 / 255)
  label: i64          = source.label
}
model M(classes = 2)(image: [B, 3, 4, 4]) -> (logits: [B, classes]) { logits = image -> flatten -> fc: Linear(classes) }
""" + TRAIN.replace("{loss}", "cross_entropy(logits, label)")

DIGITS = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.5, val = 0.25, test = 0.25, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64          = source.label
}
model M(classes = 10)(image: [B, 1, 8, 8]) -> (logits: [B, classes]) { logits = image -> flatten -> fc: Linear(classes) }
""" + TRAIN.replace("{loss}", "cross_entropy(logits, label)")

TEXT = """dlspec 1
data D {
  source = text("book.txt")
  split  = contiguous(train = 0.8, val = 0.2)
  let window = source.tokens -> random_window(9)
  tokens: i64[8] = window[:-1]
  next: i64[8]   = window[1:]
}
model M(tokens: i64[B, T]) -> (logits: [B, T, 8]) { logits = tokens -> wte: Embedding(8, 4) -> fc: Linear(8) }
""" + TRAIN.replace("{loss}", "cross_entropy(logits, next)")


def rows(line: int | None = None, text: str = "") -> Write:
    """`houses.csv` with a header and twenty lines; one of them replaced."""
    lines = ["rooms,area,age,price", *(f"{n},{n * 10},{n * n},{n * 100}" for n in range(1, 21))]

    def write(folder: Path) -> None:
        if line is not None:
            lines[line - 1] = text
        (folder / "houses.csv").write_text("\n".join(lines) + "\n", "utf-8")

    return write


def arrays(**more: np.ndarray) -> Write:
    def write(folder: Path) -> None:
        whole = {"x": np.zeros((20, 6), np.float32), "y": np.zeros(20, np.float32)}
        np.savez(folder / "waves.npz", **{**whole, **more})

    return write


def raw(name: str, data: bytes) -> Write:
    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)

    return write


def truncated_arrays(folder: Path) -> None:
    arrays()(folder)
    whole = (folder / "waves.npz").read_bytes()
    (folder / "waves.npz").write_bytes(whole[: len(whole) // 2])


def pickled_arrays(folder: Path) -> None:
    np.savez(folder / "waves.npz", x=np.array([{"a": 1}] * 20, dtype=object), y=np.zeros(20))


def pets(kinds: int = 2, bad: bytes | None = None, size: int = 4) -> Write:
    def write(folder: Path) -> None:
        from PIL import Image

        for kind in range(kinds):
            home = folder / "pets" / f"kind{kind}"
            home.mkdir(parents=True)
            for number in range(4):
                Image.fromarray(np.full((4, 4, 3), number, np.uint8)).save(home / f"{number}.png")
        if bad is not None:
            (folder / "pets" / "kind1" / "2.png").write_bytes(bad)
        if size != 4:
            Image.fromarray(np.zeros((size, 4, 3), np.uint8)).save(folder / "pets" / "kind1" / "3.png")

    return write


def nothing(folder: Path) -> None: ...


CASES: dict[str, tuple[str, Write, tuple[str, ...]]] = {
    "no file": (TABLE, nothing, ("E0412", "houses.csv`", "did you mean|relative to the spec")),
    "a file of nearly that name": (TABLE, raw("house.csv", b"a\n1\n"), ("E0412", "did you mean `.*house.csv`")),
    "a directory": (TABLE, lambda folder: (folder / "houses.csv").mkdir(), ("E0412", "houses.csv")),
    "an empty file": (TABLE, raw("houses.csv", b""), ("E0412", "houses.csv")),
    "only a header": (TABLE, raw("houses.csv", b"rooms,area,age,price\n"), ("E0412", "houses.csv")),
    "binary rubbish": (TABLE, raw("houses.csv", bytes(range(256)) * 4), ("E0412", r"houses.csv:\d+")),
    "a cell that is no number": (TABLE, rows(8, "7,many,49,700"), ("E0201", "houses.csv:8", "`area`", '"many"')),
    "an empty cell": (TABLE, rows(8, "7,,49,700"), ("E0201", "houses.csv:8", "`area`", "impute")),
    "a target that is no number": (TABLE, rows(9, "8,80,64,dear"), ("E0201", "houses.csv:9", "`price`", '"dear"')),
    "an infinite cell": (TABLE, rows(9, "8,inf,64,800"), ("E0201", "houses.csv:9", "`area`", "finite")),
    "a line too short": (TABLE, rows(5, "4,40,16"), ("E0412", "houses.csv:5", "3 cells")),
    "a quote that never ends": (TABLE, rows(5, '4,"40,16,400'), ("E0412", r"houses.csv:\d+")),
    "no such column": (TABLE, rows(1, "rooms,area,age,prize"), ("E0301", "`price`", "did you mean `prize`")),
    "a column too many": (
        TABLE.replace('all_except("price")', 'all_except("price", "age")'), rows(), ("E0201", "`x`", r"\[2\]", r"\[3\]")
    ),
    "no archive": (ARRAYS, raw("waves.npz", b"PK but no archive"), ("E0412", "waves.npz")),
    "half an archive": (ARRAYS, truncated_arrays, ("E0412", "waves.npz")),
    "pickled objects": (ARRAYS, pickled_arrays, ("E0204|E0412", "waves.npz", "Python objects")),
    "an array of another shape": (ARRAYS, arrays(x=np.zeros((20, 7))), ("E0201", "`x`", r"\[7\]", r"\[6\]")),
    "arrays of unlike lengths": (ARRAYS, arrays(y=np.zeros(19)), ("E0202", "waves.npz", "20", "19")),
    "a NaN": (ARRAYS, arrays(y=np.full(20, np.nan)), ("E0201", r"waves.npz record \d+", "`y`", "finite")),
    "no such array": (ARRAYS.replace("source.x", "source.xs"), arrays(), ("E0301", "`xs`", "it has x, y")),
    "no image": (IMAGES, pets(bad=b"GIF? no"), ("E0412", "pets/kind1/2.png", "remove|convert")),
    "half an image": (IMAGES, pets(bad=b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), ("E0412", "pets/kind1/2.png")),
    "an image of another size": (IMAGES, pets(size=5), ("E0201", "pets/kind1/3.png", r"\[3, 5, 4\]", "resize")),
    "no folder": (IMAGES, nothing, ("E0412", "pets`", "relative to the spec")),
    "more classes than the model has": (IMAGES, pets(kinds=3), ("E0205", "2", "3", "classes = 3")),
    "fewer classes than the model has": (IMAGES, pets(kinds=1), ("E0205", "1", "2", "classes = 1")),
    "classes of a builtin": (DIGITS.replace("classes = 10", "classes = 9"), nothing, ("E0205", "9", "10")),
    "the shape of a builtin": (DIGITS.replace("f32[1, 8, 8]", "f32[1, 9, 9]").replace("1, 8, 8", "1, 9, 9"), nothing,
                               ("E0201", "`image`", r"\[1, 8, 8\]", r"\[1, 9, 9\]")),
    "a text in Latin-1": (TEXT, raw("book.txt", b"abc\ncaf\xe9\n" * 99), ("E0412", "book.txt:2", "UTF-8")),
    "a text that is too short": (TEXT, raw("book.txt", b"abc"), ("E0411", "window")),
    "more characters than the model knows": (
        TEXT, raw("book.txt", bytes(range(97, 117)) * 40), ("E0205", "20", "8")
    ),
}  # fmt: skip


def said_by(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command that must fail writes: exactly one error, and no word of a fault."""
    capsys.readouterr()
    assert main(list(arguments)) == 2
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    assert "internal error" not in err, err
    return err


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", ["build", "train"])
def test_bad_data(
    case: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text, write, words = CASES[case]
    monkeypatch.chdir(tmp_path)
    Path("spec.dlspec").write_text(text, "utf-8")
    write(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    said = said_by(capsys, command, "spec.dlspec")
    assert len(re.findall(r"^error", said, re.MULTILINE)) == 1, said
    assert "--> spec.dlspec:" in said
    for word in words:
        assert re.search(word, said), f"{word!r} is not in\n{said}"
    assert "= help: " in said or "the pipeline gives" in said, said
    written = {path for path in set(tmp_path.rglob("*")) - set(before) if path.is_file()}
    assert all(path.parts[-2:] == ("facts", "D.json") for path in written), f"half-written: {written}"


MISTAKES = """dlspec 1
data Digits {
  source = builtin("digits")
  split  = random(train = 0.7, val = 0.1, test = 0.3, seed = 0)
  image: f32[1, 8, 8] = source.image -> scael(1 / 16)
  label: i64          = source.label
}
model Net(classes = 10)(image: [B, 1, 8, 8]) -> (logits: [B, classes]) {
  logits = image -> flatten -> fc1: Linaer(32) -> relu -> head: Linear(classes)
}
model Other(x: [B, 4]) -> (y: [B, 5]) { y = x -> fc: Linear(6) }
train {
  model     = Net
  data      = Digits
  loss      = cross_entropy(logits, label)
  optimiser = AdamW(1e-3)
  batch     = 64
  duration  = 10 epochs
}
"""


def test_several_mistakes_are_told_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("spec.dlspec").write_text(MISTAKES, "utf-8")
    for command in ("check", "build", "train", "export"):
        said = said_by(capsys, command, "spec.dlspec")
        found = re.findall(r"^error\[(E\d+)\].*\n +--> spec\.dlspec:(\d+):", said, re.MULTILINE)
        assert sorted(found) == [("E0201", "11"), ("E0301", "5"), ("E0301", "9"), ("E0401", "16"), ("E0411", "4")], said
        for word in ("did you mean `scale`", "did you mean `Linear`", "did you mean `optimizer`", "sum 1.1"):
            assert word in said, said
    assert [path.name for path in tmp_path.rglob("*")] == ["spec.dlspec"]
