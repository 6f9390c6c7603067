"""Two equal runs write equal files: what is written depends on the spec, the data and the seed alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SPEC = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.3, test = 0.4, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16) -> if training { shift(1) }
  label: i64 = source.label
}
block Part(x: [B, D]) -> [B, D] { x + (x -> fc: Linear(D) -> norm: BatchNorm -> relu -> dropout(0.1)) }
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> flatten -> stem: Linear(16) -> a: Part -> b: Part -> head: Linear(10)
}
weights theirs for M {
  "head.*" <- "classifier.*"
  "**"     <- "**"
}
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = AdamW(lr = 1e-2)
  batch = 64
  duration = 2 epochs
  keep = best(val.acc)
  ema = 0.9
  log { images = [image] }
}
export { onnx = "m.onnx"; preprocess = true; outputs { probs = softmax(logits) } }
"""
PROGRAM = """
import sys
from dlc.cli import main
for line in sys.argv[1:]:
    assert main(line.split()) == 0, line
"""
COMMANDS = (
    "build s.dlspec",
    "train s.dlspec --out run --device cpu",
    "export run --no-verify",
    "export run -o linked.onnx --linked --no-verify",
    "export run --weights theirs -o theirs.safetensors",
    "export run --weights own",
)
#: The time stands in these, and with it their differences.
TIMES = {"log.txt", "env.json", "result.json", "loop.json"}


def test_two_equal_runs(tmp_path: Path) -> None:
    """In processes whose sets and hashes have other orders."""
    found: list[dict[str, bytes]] = []
    for seed in ("1", "2"):
        work = tmp_path / "work"
        work.mkdir()
        (work / "s.dlspec").write_text(SPEC, "utf-8")
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *COMMANDS],
            cwd=work,
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stderr
        files = (path for path in sorted(work.rglob("*")) if path.is_file())
        found.append({path.relative_to(work).as_posix(): path.read_bytes() for path in files})
        work.rename(tmp_path / seed)
    first, second = found
    assert first.keys() == second.keys()
    differing = [name for name, data in first.items() if data != second[name] and Path(name).name not in TIMES]
    assert not differing
    names = {Path(name).name for name in first}
    assert names >= {
        "model.safetensors", "ema.safetensors", "state.safetensors", "ir.json", "model.py", "recipe.py", "metrics.csv", "m.onnx",
        "linked.onnx", "linked.safetensors", "theirs.safetensors", "s.own.safetensors", "D.json", "data.json",
    }  # fmt: skip
    assert any(name.endswith(".png") for name in names)
