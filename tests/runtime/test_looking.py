"""`dlc build --look`: one page that needs nothing else, with what goes into the model, and no markup from data."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from dlc.compiler.check import check
from dlc.runtime.looking import fields, look
from dlc.runtime.looking.drawings import png
from dlc.tests.runtime.test_drafting import drafted, penguins, pictures, poem

EVIL = '<script>alert("x")</script>'


class Tags(HTMLParser):
    """The tags of a page, with what is open at its end."""

    VOID = frozenset(("meta", "img"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page(path: Path, target: str | None = None) -> str:
    drafted(path, target)
    checked = check(path.with_suffix(".dlspec"))
    assert checked.spec is not None
    look.write(checked.spec.recipe.data, path.parent, path.parent / "build" / "look.html", path.stem)
    return alone((path.parent / "build" / "look.html").read_text("utf-8"))


def alone(text: str) -> str:
    """A page that needs nothing else and runs nothing."""
    tags = Tags(text)
    assert not tags.open
    assert not {tag for tag, _ in tags.found} & {"script", "link", "iframe", "object"}
    assert all(
        value is None or not re.match("https?:|//|file:", value) for _, attrs in tags.found for value in attrs.values()
    )
    assert all(attrs["src"].startswith("data:image/png") for tag, attrs in tags.found if tag == "img")  # type: ignore[union-attr]
    assert 'name="viewport"' in text and "default-src 'none'" in text
    return text


def test_a_table(tmp_path: Path) -> None:
    file = penguins(tmp_path)
    file.write_text(file.read_text("utf-8").replace("Gentoo", f'"{EVIL.replace(chr(34), chr(34) * 2)}"'), "utf-8")
    text = page(file, "Species")
    assert "<script>" not in text and "&lt;script&gt;" in text
    assert "numbers, 6 missing (6.7 %)" in text  # of the lengths of culmens
    assert text.count('aria-label="histogram"') >= 2
    balance = text.split("<h2>species: i64")[1]
    assert balance.count("<td>Adelie</td>") == 3  # in each split
    assert "<td>21</td>" in balance  # 0.7 of 30


def test_images_as_they_are_augmented(tmp_path: Path) -> None:
    text = page(pictures(tmp_path))
    assert "as epoch 1 of training sees them" in text and "as epoch 2 of training sees them" in text
    uris = re.findall(r"data:image/png;base64,([^\"]+)", text)
    assert len(uris) == 16
    with Image.open(BytesIO(base64.b64decode(uris[0]))) as opened:
        assert opened.size == (64, 64)


def test_tokens_have_their_texts(tmp_path: Path) -> None:
    text = page(poem(tmp_path))
    tokens = re.findall(r'<span class="token[^"]*">(.*?)</span>', text)
    assert "q" in tokens and len(tokens) >= 8 * 64


def test_tokens_of_a_tokenizer_have_their_texts(tmp_path: Path) -> None:
    lines = ["the cat sat on the mat", "a dog ran to the cat <b>"] * 20
    (tmp_path / "t.txt").write_text("\n".join(lines), "utf-8")
    (tmp_path / "t.dlspec").write_text(
        """dlspec 1
data D {
  source = text_lines("t.txt")
  split  = all("train")
  x: i64[T <= 20] = source.text -> bpe(train = 300, eos = 2) -> truncate(20) -> pad(0)
}
"""
    )
    checked = check(tmp_path / "t.dlspec")
    assert checked.spec is not None
    look.write(checked.spec.recipe.data, tmp_path, tmp_path / "look.html", "t")
    tokens = re.findall(r'<span class="token([^"]*)">(.*?)</span>', alone((tmp_path / "look.html").read_text("utf-8")))
    assert ("", " cat") in tokens and (" silent", "&lt;|eos|&gt;") in tokens
    assert not [text for kind, text in tokens if kind == " masked"]


def test_columns_next_to_each_other_are_not_a_series(tmp_path: Path) -> None:
    names = [f"c{i}" for i in range(20)]
    rows = [",".join([*names, "y"]), *(",".join(str((i * j) % 7) for j in range(21)) for i in range(60))]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    text = page(tmp_path / "t.csv", "y")
    assert 'aria-label="series"' not in text


def test_a_png_is_read_by_others() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    with Image.open(BytesIO(png(pixels))) as opened:
        assert (np.asarray(opened) == pixels).all()


def test_short_windows_are_drawn_and_rounded_numbers_are_zero() -> None:
    window = np.zeros((3, 2), np.float32)
    assert "polyline" in "".join(fields._samples([[window]], ["row 1"], None, True))
    vector = np.array([6.123e-17, 1.0, np.inf, np.nan, -2e-4], np.float64)
    assert fields._numbers(vector) == ["0", "1", "inf", "nan", "-0.0002"]
    assert fields._numbers(np.array([6.123e-17])) == ["6.123e-17"], "all that there is"
