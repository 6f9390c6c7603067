"""What a command costs as a whole process: Python, imports, parse, check."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from .measure import Figure

EXAMPLES = Path(__file__).resolve().parent.parent / "tests" / "language" / "examples"


def best(arguments: list[str], times: int) -> tuple[float, float]:
    """The shortest of several runs, as seconds on the clock and on the processor."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    found: list[tuple[float, float]] = []
    for _ in range(times + 1):
        start = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], env=environment, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        took = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, arguments
        found.append((took, usage.ru_utime + usage.ru_stime))
    return min(clock for clock, _ in found[1:]), min(processor for _, processor in found[1:])


def figures(full: bool) -> list[Figure]:
    gpt2, llama = str(EXAMPLES / "e_gpt2.dlspec"), str(EXAMPLES / "f_llama3.dlspec")
    commands = [
        ("check.gpt2", ["-m", "dlc", "check", gpt2], 0.3),
        ("summary.llama3", ["-m", "dlc", "build", llama, "--emit", "summary"], 0.4),
    ]
    if full:
        return [Figure(name, best(arguments, 30)[0], "s", limit) for name, arguments, limit in commands]
    # beside other tests the clock says little: the processor's time, with room for a shared core
    return [Figure(name, best(arguments, 5)[1], "s", 2 * limit) for name, arguments, limit in commands]
