"""Loading costs the file once in memory, and about what reading it costs in time; safetensors' own loading is the peer."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/status")

SPEC = """dlspec 1

data D {{
  source = builtin("digits")
  split  = random(train = 0.8, val = 0.1, test = 0.1, seed = 0)
  x: f32[1, 8, 8] = source.image
  label: i64 = source.label
}}

block Wide(x: [B, D]) -> [B, D] {{
  x -> fc: Linear({width}) -> relu
}}

model M(x: [B, 1, 8, 8]) -> (logits: [B, 10]) {{
  logits = x -> flatten -> up: Linear({width}) -> layers: repeat 8 {{ Wide }} -> head: Linear(10)
}}

train {{
  model     = M
  data      = D
  weights   = file("w.safetensors")
  loss      = cross_entropy(logits, label)
  optimizer = SGD(0.1)
  batch     = 32
  duration  = 1 epochs
}}
"""

MEASURED = """
import ctypes, sys, time
from pathlib import Path
import torch, dlc
from safetensors.torch import load_model
from dlc.runtime.generated import build as programs
from dlc.runtime.weights import load

def kilobytes(name, file="status"):
    lines = Path("/proc/self", file).read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))

spec = dlc.load("m.dlspec").spec
train, cpu = spec.recipe.trains[0], torch.device("cpu")
programs.build(spec, train, None, cpu, initial=False)
torch.zeros(1000, 1000) @ torch.zeros(1000, 1000)  # what the first product sets up is no cost of loading
ctypes.CDLL(None).malloc_trim(0)
Path("/proc/self/clear_refs").write_text("5")      # the peak begins anew
before, start = kilobytes("Rss", "smaps_rollup"), time.perf_counter()
if sys.argv[1] == "ours":
    found = list(load.fitted(spec, train, Path(".")))
    program = programs.build(spec, train, None, cpu, given={path for one in found for path in one.paths})
    built = time.perf_counter()
    for one in found:
        load.fill(one, program.tensors())
else:
    program = programs.build(spec, train, None, cpu, initial=False)
    built = time.perf_counter()
    load_model(program.nets[""], "w.safetensors")
end = time.perf_counter()
print(end - built, (kilobytes("VmHWM") - before) * 1024, program.tensors()["layers.7.fc.weight"].sum().item())
"""


@pytest.mark.long
def test_memory_and_time(tmp_path: Path, sizes: Any, record_figure: Callable[[str, float, str], None]) -> None:
    width = 4000 if sizes.full else 1500  # 520 MB, 72 MB
    torch.manual_seed(0)
    tensors = {"up.weight": torch.rand(width, 64), "up.bias": torch.rand(width)}
    for layer in range(8):
        tensors[f"layers.{layer}.fc.weight"] = torch.rand(width, width)
        tensors[f"layers.{layer}.fc.bias"] = torch.rand(width)
    tensors |= {"head.weight": torch.rand(10, width), "head.bias": torch.rand(10)}
    save_file(tensors, tmp_path / "w.safetensors")
    total = float(tensors["layers.7.fc.weight"].sum())
    del tensors
    size = (tmp_path / "w.safetensors").stat().st_size
    (tmp_path / "m.dlspec").write_text(SPEC.format(width=width), "utf-8")
    (tmp_path / "measured.py").write_text(MEASURED, "utf-8")
    seconds: dict[str, list[float]] = {"ours": [], "safetensors": []}
    peaks: dict[str, list[float]] = {"ours": [], "safetensors": []}
    for _ in range(5 if sizes.full else 1):
        for who in ("ours", "safetensors"):  # in turn
            done = subprocess.run(
                [sys.executable, "measured.py", who], cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            took, peak, found = map(float, done.stdout.split())
            assert found == pytest.approx(total, rel=1e-5)
            seconds[who].append(took)
            peaks[who].append(peak / size)
    peak, took = statistics.median(peaks["ours"]), statistics.median(seconds["ours"])
    assert peak <= (1.2 if sizes.full else 1.6), (
        f"{peak:.2f} times the file"
    )  # what is no tensor weighs more beside 72 MB
    if sizes.full:
        assert took <= 2 * statistics.median(seconds["safetensors"])
    record_figure("weights.load.peak_ratio", peak, "x")
    record_figure("weights.load.seconds", took, "s")
    record_figure("weights.load.gigabytes_per_second", size / took / 1e9, "GB/s")
    record_figure("weights.load.safetensors.peak_ratio", statistics.median(peaks["safetensors"]), "x")
    record_figure("weights.load.safetensors.seconds", statistics.median(seconds["safetensors"]), "s")
