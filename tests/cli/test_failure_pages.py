"""The pages of E06xx: each shows a failure as the command line prints it and the commands that get out. Here they are typed."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from dlc.cli import main
from dlc.compiler.messages.register import REGISTER
from dlc.runtime import locks

SPEC = Path(__file__).resolve().parents[2] / "specs" / "digits_mlp.dlspec"
CODES = [code for code in REGISTER if code.startswith("E06")]
RUN = Path("runs/digits_mlp/1")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the spec and a short run of it, which keeps its best weights and its last."""
    home = tmp_path_factory.mktemp("pages")
    shutil.copy(SPEC, home)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        assert main(["train", SPEC.name, "train.duration=2 epochs", "train.keep=best(val.acc)"]) == 0
    return home


@contextmanager
def another_process() -> Iterator[None]:
    with locks.held(RUN / locks.NAME):
        yield


@contextmanager
def another_version() -> Iterator[None]:
    written = json.loads((RUN / "ir.json").read_text("utf-8"))
    written["dlc"] = "0.0.1"
    written["recipe"]["trains"][0]["since_then"] = "renamed"
    (RUN / "ir.json").write_text(json.dumps(written), "utf-8")
    yield


@contextmanager
def weights() -> Iterator[None]:
    tensors = load_file(RUN / "last" / "model.safetensors")
    save_file(tensors, "earlier.safetensors")
    tensors["fc1.weight"][3, 5] = torch.nan
    save_file(tensors, "last.safetensors")
    yield


#: What happened before the first command.
BEFORE: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "E0601": another_process,
    "E0605": another_version,
    "E0606": weights,
}


def commands(example: str) -> list[tuple[str, list[str]]]:
    """Each line that is typed, with the lines after it."""
    found: list[tuple[str, list[str]]] = []
    for line in example.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def pattern(lines: list[str]) -> str:
    """A regular expression for what is printed: `..` is any lines; numbers of processes and versions of dlc differ."""
    text = "".join(r"(?:.*\n)*?" if line == ".." else re.escape(line) + "\n" for line in lines)
    return re.sub(r"dlc\\ 0\\\.1\\\.0", r"dlc \\S+", text.replace(r"process\ 4711", r"(?:process \d+|another process)"))


@pytest.mark.parametrize("code", CODES)
def test_a_page_is_what_is_printed(
    code: str,
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    seen: list[str] = []
    with BEFORE.get(code, nullcontext)():
        for typed, lines in commands(REGISTER[code].example):
            program, *arguments = shlex.split(typed)
            if program == "cat":
                Path(arguments[0]).write_text("\n".join(lines) + "\n", "utf-8")
            elif program != "dlc":
                subprocess.run(typed, shell=True, check=True)
            else:
                capsys.readouterr()
                result, said = main(arguments), capsys.readouterr().err
                seen += re.findall(r"^error\[(\w+)\]", said, re.MULTILINE)
                assert (result != 0) == bool(lines), said
                assert not lines or re.fullmatch(pattern(lines), said), said
    assert seen == [code]
