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
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert console.style("error", "31") == "error"
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert console.style("error", "31") == "\x1b[31merror\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.style("error", "31") == "error"
