"""Output survives every console: what cannot be printed has an ASCII stand-in."""

from __future__ import annotations

import io
import sys

import pytest

from dlc.cli import console


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437", "latin-1", "utf-8"])
def test_every_character_can_be_printed(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding, newline="\n"))
    console.prepare()
    console.out("⌊H/8⌋ → [B, 3] ≤ 1e-4 × scale, größer, 日本, 🙂, \udcff, \ud800")
    sys.stdout.flush()
    printed = raw.getvalue().decode(encoding)
    assert "H/8" in printed
    assert "gr" in printed


def test_stand_ins_are_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii", newline="\n"))
    console.prepare()
    console.out("⌊H/8⌋ → 3 × 4 … é 日")
    sys.stdout.flush()
    assert raw.getvalue().decode("ascii") == "floor(H/8) -> 3 x 4 ... e \\u65e5\n"


def test_colour_only_where_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    console.headed("error", "a", "31")
    monkeypatch.setenv("FORCE_COLOR", "1")
    console.headed("error", "b", "31")
    monkeypatch.setenv("NO_COLOR", "1")
    console.headed("error", "c", "31")
    assert stream.getvalue() == "error: a\n\x1b[31merror\x1b[0m: b\nerror: c\n"


@pytest.mark.parametrize("colour", ["0", "1"])
def test_text_from_files_moves_no_cursor(
    colour: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if colour == "1":
        monkeypatch.setenv("FORCE_COLOR", "1")
    hostile = "a\x1b[31mb\x1b]0;c\x07\r\x08\x7f\x9b2J\u202ed\u2066e\u200f\u2028\ufeff\U000e0041"
    for print_ in (console.out, console.part, console.err, lambda text: console.headed(text, text, "31")):
        print_(hostile)
    done = capsys.readouterr()
    text = (done.out + done.err).replace("\x1b[31m", "", colour == "1").replace("\x1b[0m", "", colour == "1")
    assert all(character.isprintable() or character == "\n" for character in text)
    assert text.count(r"a\x1b[31mb\x1b]0;c\x07\x0d\x08\x7f\x9b2J\u202ed\u2066e\u200f\u2028\ufeff\U000e0041") == 5


def test_text_that_is_harmless_stays(capsys: pytest.CaptureFixture[str]) -> None:
    text = "größer\t日本 👩\u200d🚀 \u00a0 می\u200cخواهم\nnext"
    console.out(text)
    assert capsys.readouterr().out == text + "\n"
