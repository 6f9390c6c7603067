"""What a command reads once may come through a pipe; what it reads again is refused with a way out."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dlc.cli.app import run
from dlc.compiler.messages.source import Span
from dlc.runtime.data.sources import tables
from dlc.runtime.failure import BadInput
from dlc.runtime.inference import input_files
from dlc.runtime.inference.columns import InputColumns
from dlc.runtime.inference.ports import Port

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]
STDIN, DESCRIPTORS = "/dev/stdin", "/dev/fd"
pytestmark = pytest.mark.skipif(not Path(DESCRIPTORS).is_dir(), reason="the system has no files for descriptors")

SPEC = """\
dlspec 1
model Net(n = 2)(x: [B, 4]) -> (y: [B, n]) { y = x -> fc: Linear(n) }
variant wide { Net.n = 3 }
"""
TABLE = "b,a\n1,2\n3,4\n"


def piped(text: str) -> Path:
    """The reading end of a pipe that holds a text."""
    reads, writes = os.pipe()
    os.write(writes, text.encode())
    os.close(writes)
    return Path(DESCRIPTORS) / str(reads)


def test_check(dlc_started: Dlc, tmp_path: Path) -> None:
    """With a variant, for which a file would be read again, and an import from the current directory."""
    (tmp_path / "parts.dlspec").write_text("dlspec 1\nblock Part(x: [B, D]) -> [B, D] { x -> relu }\n", "utf-8")
    text = SPEC.replace("model", 'from "parts.dlspec" import Part\nmodel').replace("x ->", "x -> p: Part ->")
    assert dlc_started("check", STDIN, stdin=text).stdout == f"{STDIN}: ok\n"
    said = dlc_started("check", STDIN, stdin=SPEC.replace("Linear(n)", "Linaer(n)"), code=2).stderr
    assert "did you mean `Linear`?" in said
    assert "<stdin>:2:" in said


def test_a_dash_is_standard_input(dlc_started: Dlc) -> None:
    """Where a file is read once; where it is read again, the message is that of a pipe."""
    assert dlc_started("check", "-", stdin=SPEC).stdout == f"{STDIN}: ok\n"
    assert "save the spec as a file" in dlc_started("build", "-", "Net.n=3", stdin=SPEC, code=2).stderr


def test_fmt(dlc_started: Dlc) -> None:
    assert (
        "which cannot be formatted in place\n  = help: use `dlc fmt --stdin`"
        in dlc_started("fmt", STDIN, stdin=SPEC, code=2).stderr
    )
    assert (
        dlc_started("fmt", "--check", STDIN, stdin=SPEC.replace("(n)", "( n )"), code=1).stdout
        == f"{STDIN}: would change\n"
    )


@pytest.mark.parametrize("command", ["build", "build --emit=ast", "build --emit=ir", "train", "export"])
def test_a_spec_that_is_read_again(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    name, *options = command.split()
    assert run([name, str(piped(SPEC)), *options]) == 2
    said = capsys.readouterr().err
    assert "error[E0315]" in said
    assert "save the spec as a file; `dlc check` reads a pipe too" in said


def test_a_text_without_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    """What some shells make of `<<`: a file that is deleted already."""
    with tempfile.TemporaryFile() as file:
        file.write(SPEC.encode())
        file.flush()
        path = f"{DESCRIPTORS}/{file.fileno()}"
        assert run(["check", path]) == 0
    assert capsys.readouterr().out == f"{path}: ok\n"


@pytest.mark.parametrize("numbers", [True, False])
def test_a_table_for_a_model(numbers: bool) -> None:
    ports = (Port("x", np.float32, ("B", 2)),)
    text = TABLE if not numbers else TABLE.partition("\n")[2]
    names, found = input_files.read(ports, [piped(text)], {"x": InputColumns(("a", "b"), False)})
    assert found["x"].tolist() == ([[1, 2], [3, 4]] if numbers else [[2, 1], [4, 3]])
    assert len(names) == 2


def test_an_empty_pipe_for_a_model() -> None:
    with pytest.raises(BadInput, match="is empty"):
        input_files.read((Port("x", np.float32, ("B", 2)),), [piped("")])


def test_a_table_for_a_run() -> None:
    columns, count, place, _ = tables.csv({"path": str(piped(TABLE))}, Path, Span("", 0, 0))
    assert (list(columns), count) == (["b", "a"], 2)
    assert place(1).endswith(":3")
