"""`dlc fmt`: in place, as a check, and from standard input."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]
UGLY = "dlspec 1\n# größer\nmodel   Net(x:[B,4])->(y:[B,2]) {\ny=x->fc:Linear( 2 )\n}\n"


def test_in_place_and_idempotent(tmp_path: Path, dlc: Dlc) -> None:
    file = tmp_path / "net.dlspec"
    file.write_text(UGLY, "utf-8")
    assert dlc("fmt", "net.dlspec", "--check", code=1).stdout == "net.dlspec: would change\n"
    assert file.read_text("utf-8") == UGLY
    assert dlc("fmt", "net.dlspec").stdout == "net.dlspec: formatted\n"
    first = file.read_text("utf-8")
    assert "# größer" in first
    assert "  y = x -> fc: Linear(2)" in first
    assert dlc("fmt", "net.dlspec").stdout == ""
    assert dlc("fmt", "net.dlspec", "--check").stdout == ""
    assert file.read_text("utf-8") == first
    assert dlc("fmt", "--stdin", stdin=UGLY).stdout == first
    assert [path.name for path in tmp_path.iterdir()] == ["net.dlspec"]


def test_a_broken_spec_is_left_alone(tmp_path: Path, dlc: Dlc) -> None:
    file = tmp_path / "net.dlspec"
    file.write_text("dlspec 1\nmodel Net(", "utf-8")
    assert "error[E0101]" in dlc("fmt", "net.dlspec", "missing.dlspec", code=2).stderr
    assert file.read_text("utf-8") == "dlspec 1\nmodel Net("


def test_usage(dlc: Dlc) -> None:
    assert "no file is given" in dlc("fmt", code=2).stderr
