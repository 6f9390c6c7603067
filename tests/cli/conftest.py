"""`dlc(...)` runs the command line as a user does: in a process of its own, from an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def dlc(tmp_path: Path) -> Dlc:
    def run(
        *arguments: str, code: int | None = 0, env: dict[str, str] | None = None, cwd: Path = tmp_path, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        environment = {key: value for key, value in os.environ.items() if key not in ("FORCE_COLOR", "NO_COLOR")}
        done = subprocess.run(
            [sys.executable, "-m", "dlc", *arguments],
            cwd=cwd,
            env=environment | {"PYTHONIOENCODING": "utf-8"} | (env or {}),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        if code is not None:
            assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run
