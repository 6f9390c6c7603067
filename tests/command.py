"""`dlc` in a process of its own that need not load torch first: it is forked from one that has."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

#: A process that has loaded libraries and nothing of ours; each command starts as a copy of it.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["click", "numpy", "onnx", "onnxruntime", "pydantic", "rich.console", "torch"])


def _run(arguments: tuple[str, ...], folder: str, cwd: str, environment: Mapping[str, str]) -> None:
    """The body of the forked process: what the system and `python -m dlc` do before the first line of ours."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        file = os.open(Path(folder, name), os.O_RDONLY if name == "stdin" else os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(file, number)
    sys.stdin = os.fdopen(0, "r", encoding="utf-8")
    sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="backslashreplace")
    sys.argv = ["dlc", *arguments]
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)

    from dlc.cli import main

    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    sys.exit(code)


def dlc_command(
    *arguments: str, cwd: Path, environment: Mapping[str, str], stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """`dlc ARGUMENTS` in a directory, with these environment variables and no others."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "stdin").write_text(stdin, "utf-8")
        process = SERVER.Process(target=_run, args=(arguments, folder, str(cwd), dict(environment)))
        process.start()
        process.join()
        out, err = (Path(folder, name).read_bytes().decode("utf-8", "surrogateescape") for name in ("stdout", "stderr"))
    assert process.exitcode is not None
    return subprocess.CompletedProcess(["dlc", *arguments], process.exitcode, out, err)
