"""`dlc(...)` runs the command line as a user does: in a process of its own, from an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from dlc.tests.command import dlc_command

Done = subprocess.CompletedProcess[str]
Dlc = Callable[..., Done]


def _started(*arguments: str, cwd: Path, environment: Mapping[str, str], stdin: str) -> Done:
    return subprocess.run(
        [sys.executable, "-m", "dlc", *arguments],
        cwd=cwd,
        env=environment,
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=False,
    )


def _runner(way: Callable[..., Done], folder: Path) -> Dlc:
    def run(
        *arguments: str, code: int | None = 0, env: dict[str, str] | None = None, cwd: Path = folder, stdin: str = ""
    ) -> Done:
        environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
        environment |= {"PYTHONIOENCODING": "utf-8"} | (env or {})
        done = way(*arguments, cwd=cwd, environment=environment, stdin=stdin)
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def dlc(tmp_path: Path) -> Dlc:
    """The process is a copy of one that has loaded the libraries."""
    return _runner(dlc_command, tmp_path)


@pytest.fixture
def dlc_started(tmp_path: Path) -> Dlc:
    """The process starts Python anew: for what the interpreter itself reads from the environment."""
    return _runner(_started, tmp_path)
