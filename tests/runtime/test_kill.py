"""A run killed at any instant goes on from a whole checkpoint, and ends bitwise where the undisturbed run ends."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

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

# trains, resuming where there is something to resume, and saves after every few steps
PROGRAM = """
import sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from dlc.runtime import api
from dlc.runtime.checkpoints.rundir import is_run
from dlc.runtime.training import prepare  # before the clock starts: loading takes longer than training
spec, out = Path(sys.argv[1]), Path(sys.argv[2])
print("ready", flush=True)
api.train(api.load(spec), out=out, resume=is_run(out), device="cpu", save_every=0.005)
"""


def start(spec: Path, out: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(spec), str(out)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def test_killed_at_random_instants(tmp_path: Path, sizes: Any) -> None:
    spec = tmp_path / "spec.dlspec"
    spec.write_text(SPEC, "utf-8")
    whole = start(spec, tmp_path / "whole")
    assert whole.stdout is not None
    whole.stdout.readline()
    begun = time.monotonic()
    finish(whole)
    took = time.monotonic() - begun
    chance = random.Random(0)
    out, killed, steps = tmp_path / "killed0", 0, set[int]()
    while killed < sizes.kills:
        process = start(spec, out)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, took))
        if process.poll() is None:
            process.kill()
            process.communicate()
            killed += 1
            if atomic.settle(out / "last"):
                steps.add(checkpoint.read(out / "last").loop["step"])
        else:
            finish(process)
            compare(tmp_path / "whole", out)
            out = tmp_path / f"killed{killed}"
    finish(start(spec, out))
    compare(tmp_path / "whole", out)
    assert steps or sizes.kills < 3, "no kill came after the first checkpoint"


def compare(whole: Path, killed: Path) -> None:
    for which in ("best", "last"):
        one, other = checkpoint.read(whole / which), checkpoint.read(killed / which)
        assert one.weights.keys() == other.weights.keys()
        assert all(torch.equal(one.weights[name], other.weights[name]) for name in one.weights)
        assert one.state.keys() == other.state.keys()
        assert all(torch.equal(one.state[name], other.state[name]) for name in one.state)
    assert (whole / "metrics.csv").read_text("utf-8") == (killed / "metrics.csv").read_text("utf-8")
