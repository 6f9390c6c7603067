"""What a command costs as a whole process: Python, imports, parse, check."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from .measure import Figure

EXAMPLES = Path(__file__).resolve().parent.parent / "tests" / "language" / "examples"


def best(arguments: list[str], times: int) -> float:
    """The shortest of several runs: what the command needs when nothing else wants the machine."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    found: list[float] = []
    for _ in range(times + 1):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, check=True)
        found.append(time.perf_counter() - start)
    return min(found[1:])


def figures(full: bool) -> list[Figure]:
    times = 30 if full else 8
    gpt2, llama = str(EXAMPLES / "e_gpt2.dlspec"), str(EXAMPLES / "f_llama3.dlspec")
    return [
        Figure("check.gpt2", best(["-m", "dlc", "check", gpt2], times), "s", 0.3),
        Figure("summary.llama3", best(["-m", "dlc", "build", llama, "--emit", "summary"], times), "s", 0.4),
    ]
