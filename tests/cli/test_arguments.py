"""The order of arguments on the command line."""

from __future__ import annotations

import itertools
from pathlib import Path

import click
import pytest

from dlc.cli.app import COMMANDS, root, run, settings_last

SPEC = "dlspec 1\nmodel M(width = 3)(x: [B, 4]) -> (y: [B, 4]) {\n  y = x -> fc: Linear(width) -> out: Linear(4)\n}\n"


def commands() -> dict[str, click.Command]:
    found = {name: root.get_command(click.Context(root), name) for name in COMMANDS}  # pyright: ignore[reportAttributeAccessIssue]
    return {name: command for name, command in found.items() if command is not None}


def test_settings_may_be_anywhere_in_every_command_that_takes_them() -> None:
    taking = {n: c for n, c in commands().items() if any(p.name == "overrides" for p in c.params)}
    assert set(taking) == {"build", "train", "export", "import-weights"}
    for command in taking.values():
        option = next(p.opts[0] for p in command.params if isinstance(p, click.Option) and not p.is_flag)
        for parts in itertools.permutations((["a.dlspec"], ["M.width=5"], ["seed=3"], [option, "x"])):
            ordered = settings_last(command, [text for part in parts for text in part])
            assert ordered[:3] == [option, "x", "--"]
            assert ordered[3] == "a.dlspec"
            assert sorted(ordered[4:]) == ["M.width=5", "seed=3"]


def test_a_path_that_is_there_is_no_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lr=1.dlspec").write_text(SPEC, "utf-8")
    assert settings_last(commands()["build"], ["lr=1.dlspec", "M.width=5"]) == ["--", "lr=1.dlspec", "M.width=5"]


def test_a_setting_before_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.dlspec").write_text(SPEC, "utf-8")
    shown: list[str] = []
    for arguments in (["M.width=5", "m.dlspec", "--emit", "ir"], ["--emit", "ir", "m.dlspec", "M.width=5"]):
        assert run(["build", *arguments]) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1] and '"width": 5' in shown[0]
