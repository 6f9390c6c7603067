"""The command line is a contract: commands, arguments and options change only on purpose."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import click
import pytest

from dlc.cli.app import COMMANDS, root

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]


def shape(command: click.Command) -> list[str]:
    """Arguments in capitals, then options, as the help spells them."""
    arguments = [p.make_metavar(click.Context(command)) for p in command.params if isinstance(p, click.Argument)]
    options = [f"{'/'.join(p.opts)}" for p in command.params if isinstance(p, click.Option)]
    return [*arguments, *sorted(options)]


CONTRACT = {
    "new": ["[NAME]", "[DIR]", "--from", "--target", "--time"],
    "check": ["FILE...", "--format"],
    "build": ["FILE[@variant]", "[key=value...]", "--data-root", "--emit", "--format", "--look", "--resolved", "-o"],
    "train": ["FILE[@variant]", "[key=value...]", "--data-root", "--device", "--out", "--resume", "--section"],
    "runs": ["[DIR...]", "--format"],
    "evaluate": ["RUN", "--data-root", "--device", "--edited", "--format", "--report", "--save", "--split", "--worst"],
    "export": [
        "RUN|FILE[@variant]",
        "[key=value...]",
        "--cached",
        "--linked",
        "--net",
        "--no-verify",
        "--section",
        "--weights",
        "-o",
    ],
    "import-weights": ["FILE[@variant]", "WEIGHTS", "[key=value...]", "--map", "--model", "--suggest"],
    "predict": ["RUN|MODEL.onnx", "INPUT...", "--device", "--format", "--probabilities", "-o"],
    "generate": ["MODEL.onnx", "--device", "--prompt", "--seed", "--temperature", "--tokens", "--top-k"],
    "explain": ["CODE|NAME"],
    "doctor": [],
    "fmt": ["FILE...", "--check", "--stdin"],
    "diff": ["A[@variant]", "B[@variant]", "--format"],
}


@pytest.mark.parametrize("name", CONTRACT)
def test_shape(name: str) -> None:
    command = root.get_command(click.Context(root), name)
    assert command is not None
    assert shape(command) == CONTRACT[name]


def test_commands() -> None:
    assert set(COMMANDS) == set(CONTRACT)


def test_help_of_everything(dlc: Dlc) -> None:
    assert all(name in dlc("--help").stdout for name in COMMANDS)
    for name in COMMANDS:
        assert dlc(name, "-h").stdout.startswith(f"Usage: dlc {name}")


def test_version(dlc: Dlc) -> None:
    assert dlc("--version").stdout.split()[0] == "dlc"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["chek"], "did you mean `dlc check`?"),
        (["xyzzy"], "the commands are new, check"),
        (["doctor", "--nope"], "error[E0607]: no such option"),
        (["check"], "error[E0607]: missing argument 'FILE...'\n  = help: `dlc check --help`"),
        (
            ["build", "a.dlspec", "--emit", "elaborat"],
            "error[E0607]: unknown value `elaborat` for `--emit`\n  = help: did you mean `elaborate`?",
        ),
        (["check", "a.dlspec", "--format", "xml"], "unknown value `xml` for `--format`\n  = help: use `text`, `json`"),
        (["fmt"], "no file is given\n  = help: name the files to format"),
        (["check", "seed=3"], "`seed=3` is not a file\n  = help: `dlc build FILE seed=3`"),
    ],
)
def test_a_mistake_on_the_command_line_is_exit_2(arguments: list[str], hint: str, dlc: Dlc) -> None:
    assert hint in dlc(*arguments, code=2).stderr
