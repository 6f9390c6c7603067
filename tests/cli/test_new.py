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


def test_from_a_table(dlc: Dlc, tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{'ab'[i % 2]},{'yes' if i % 3 else 'no'}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("size,kind,answer\n" + rows, "utf-8")
    done = dlc("new", "--from", "t.csv", "--target", "answer")
    assert done.stdout.splitlines() == [
        "t.dlspec  60 records: `answer`, one of 2 classes, from 1 number and 1 category",
        "  next     dlc build t.dlspec --look",
    ]
    assert dlc("check", "t.dlspec").stdout == "t.dlspec: ok\n"
    assert dlc("fmt", "--check", "t.dlspec").returncode == 0
    assert "`t.dlspec` already exists" in dlc("new", "--from", "t.csv", "--target", "answer", code=2).stderr
    dlc("new", "other", "below", "--from", "t.csv", "--target", "answer")
    assert 'csv("../t.csv")' in (tmp_path / "below" / "other.dlspec").read_text("utf-8")
    assert "name the table: `--from TABLE`" in dlc("new", "--target", "answer", code=2).stderr
    assert (
        "error[E0607]: `t.csv` has no column `anser`"
        in dlc("new", "x", "--from", "t.csv", "--target", "anser", code=2).stderr
    )
