"""A run killed at any instant goes on from a whole checkpoint, and ends bitwise where the undisturbed run ends."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dlc.runtime.checkpoints import atomic, checkpoint

SPEC = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.4, val = 0.6, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16) -> if training { shift(1) }
  label: i64 = source.label
}
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> conv: Conv(8, 3) -> bn: BatchNorm -> relu -> flatten -> dropout(0.2) -> head: Linear(10)
}
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))
  batch = 64
  duration = 6 epochs
  keep = best(val.acc)
  ema = 0.98
}
"""

# For each line "seconds folder", a process that trains in the folder, resuming where there is something to resume, and saves
# after every few steps; it is killed after the seconds. Answers with its exit code. It is forked, as loading torch takes
# longer than the training.
PROGRAM = """
import os, signal, sys, time, traceback
from pathlib import Path
import sklearn.datasets
import torch
torch.set_num_threads(1)
from dlc.runtime import api
from dlc.runtime.checkpoints.rundir import is_run
from dlc.runtime.training import prepare
spec = Path(sys.argv[1])
for line in sys.stdin:
    seconds, _, folder = line.removesuffix(chr(10)).partition(" ")
    child = os.fork()
    if child == 0:
        try:
            api.train(api.load(spec), out=Path(folder), resume=is_run(Path(folder)), device="cpu", save_every=0.005)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    if float(seconds):
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class Trainer:
    """Trains `spec`, each run in a process of its own."""

    def __init__(self, spec: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(spec)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def train(self, out: Path, kill_after: float = 0) -> bool:
        """Whether the run came to its end before it was killed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{kill_after} {out}\n")
        self.process.stdin.flush()
        code = int(self.process.stdout.readline())
        assert code in (0, -signal.SIGKILL)
        return code == 0


@pytest.fixture
def trainer(tmp_path: Path) -> Iterator[Trainer]:
    (tmp_path / "spec.dlspec").write_text(SPEC, "utf-8")
    trainer = Trainer(tmp_path / "spec.dlspec")
    with trainer.process:
        yield trainer


def test_killed_at_random_instants(tmp_path: Path, trainer: Trainer, sizes: Any) -> None:
    took = float("inf")
    for name in ("first", "whole"):  # the first may wait for a disk
        begun = time.monotonic()
        assert trainer.train(tmp_path / name)
        took = min(took, time.monotonic() - begun)
    chance = random.Random(0)
    out, killed, steps = tmp_path / "killed0", 0, set[int]()
    while killed < sizes.kills:
        if trainer.train(out, kill_after=chance.uniform(0, took)):
            compare(tmp_path / "whole", out)
            out = tmp_path / f"killed{killed}"
            continue
        killed += 1
        if atomic.settle(out / "last"):
            steps.add(checkpoint.read(out / "last").loop["step"])
    assert trainer.train(out)
    compare(tmp_path / "whole", out)
    assert steps or sizes.kills < 5, "no kill came after the first checkpoint"


def compare(whole: Path, killed: Path) -> None:
    for which in ("best", "last"):
        one, other = checkpoint.read(whole / which), checkpoint.read(killed / which)
        assert one.weights.keys() == other.weights.keys()
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
        assert one.state.keys() == other.state.keys()
        assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
    assert (whole / "metrics.csv").read_text("utf-8") == (killed / "metrics.csv").read_text("utf-8")
