"""Rows of libraries that must stay out of the test process, measured by a process of their own.

The process reads ids of rows from its standard input and answers each with one line of JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import traceback
from pathlib import Path
from typing import IO

from dlc.benchmarks.measure import PEERS, admit_peers

from .comparison import Comparison, measure
from .reference import APART, Reference, rows

ROOT = Path(__file__).resolve().parents[2]


class Failure(AssertionError):
    """A row that failed in the other process; the text is its traceback."""


class Worker:
    """Measures rows: in this process, or in one with the folder of references where the library needs it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def measure(self, row: Reference) -> Comparison:
        """Raises Failure with the other process's traceback."""
        if row.library not in APART:
            return measure(row)
        stdin, stdout = self._pipes()
        stdin.write(f"{row.id}\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise Failure(f"the process ended while it measured {row.id}")
        answer = json.loads(line)
        if "failure" in answer:
            raise Failure(answer["failure"])
        return Comparison(**answer | {"overrides": tuple(answer["overrides"])})

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate(timeout=60)

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        if self._process is None:
            assert PEERS.is_dir(), f"there is no {PEERS}: run `make env-references`"
            self._process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        return self._process.stdin, self._process.stdout


def serve() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what a library prints is no answer
    admit_peers()
    known = {row.id: row for row in rows()}
    for line in sys.stdin:
        try:
            answer = dataclasses.asdict(measure(known[line.strip()]))
        except Exception:  # noqa: BLE001 - whatever fails is the answer
            answer = {"failure": traceback.format_exc()}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve()
