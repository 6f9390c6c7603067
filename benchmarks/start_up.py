"""From `dlc train` to the first step: the processor time that a run of the digits MLP takes until its first figures, beside a Python
that imports torch and reads the same file.

Each is a process of its own that prints a line when it is ready, in turn, one thread. The peer reads the file as scikit-learn does,
without importing scikit-learn, which takes longer than torch. Ours parses and checks the spec, writes the module, initializes
it, trains a step and validates. `python -m dlc.benchmarks.start_up` prints the figures.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .measure import Figure

SPEC = Path(__file__).resolve().parent.parent / "specs" / "digits_mlp.dlspec"
PEER = """
import gzip, numpy, torch
from importlib.util import find_spec
path = find_spec("sklearn").submodule_search_locations[0] + "/datasets/data/digits.csv.gz"
numpy.loadtxt(gzip.open(path), delimiter=",")
print("ready")
"""
TICKS = os.sysconf("SC_CLK_TCK")


def until(line: str, arguments: list[str]) -> tuple[float, float]:
    """Seconds on the clock and on the processor until a process prints a line that begins so."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, *arguments], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        seen = any(text.startswith(line) for text in process.stdout)
        took = time.perf_counter() - start
        fields = Path(f"/proc/{process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
        process.kill()
    assert seen, f"{arguments} printed no `{line}`"
    return took, (int(fields[11]) + int(fields[12])) / TICKS


def ours() -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        return until(
            "step", ["-m", "dlc", "train", str(SPEC), "train.duration=1 steps", "--out", run, "--device", "cpu"]
        )


def figures(full: bool) -> list[Figure]:
    pairs = [(ours(), until("ready", ["-c", PEER])) for _ in range(22 if full else 4)][1:]  # the first fills caches
    clock, processor = (statistics.median(mine[kind] / peer[kind] for mine, peer in pairs) for kind in range(2))
    return [
        Figure("start.train", statistics.median(mine[1] for mine, _ in pairs), "s"),
        Figure("start.torch_and_data", statistics.median(peer[1] for _, peer in pairs), "s"),
        Figure("start.ratio", processor, "x", 1.3 if full else 1.6),
        Figure("start.ratio_of_clock", clock, "x"),
    ]


def main() -> None:
    for figure in figures(True):
        print(f"{figure.name:<24} {figure.value:8.3f} {figure.unit}")


if __name__ == "__main__":
    main()
