"""`dlc new` copies a shipped spec and never overwrites."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from dlc.cli.new import shipped

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]


def test_lists_every_shipped_spec(dlc: Dlc) -> None:
    listed = [line.split()[0] for line in dlc("new").stdout.splitlines()]
    assert listed == list(shipped())
    assert listed


def test_every_shipped_spec_says_what_it_is(dlc: Dlc) -> None:
    assert all(len(line.split(maxsplit=1)) == 2 for line in dlc("new").stdout.splitlines())


def test_copies(dlc: Dlc, tmp_path: Path) -> None:
    name = next(iter(shipped()))
    dlc("new", name, "here/there")
    copy = tmp_path / "here" / "there" / f"{name}.dlspec"
    assert copy.read_bytes() == shipped()[name].read_bytes()
    copy.write_text("mine", "utf-8")
    assert "already exists" in dlc("new", name, "here/there", code=2).stderr
    assert copy.read_text("utf-8") == "mine"


def test_near_names(dlc: Dlc) -> None:
    name = next(iter(shipped()))
    assert f"did you mean `{name}`?" in dlc("new", f"{name}x", code=2).stderr
    assert "`dlc new` lists them" in dlc("new", "zzzzzzzz", code=2).stderr
