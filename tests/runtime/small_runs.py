"""Runs on a few digits, seconds long: a spec with changes, its training, its weights, and interrupted runs."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dlc.runtime import api
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.failure import Interrupted
from dlc.runtime.training.losses import RunningLosses

DATA = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.1, test = 0.6, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16) -> if training { shift(1) }
  label: i64 = source.label
}
"""
MODEL = """
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> conv: Conv(4, 3) -> bn: BatchNorm -> relu -> flatten -> dropout(0.1) -> head: Linear(10)
}
"""
TRAIN = """
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))
  batch = 64
  duration = 3 epochs
  keep = best(val.acc)
  MORE
}
"""


def spec(folder: Path, *more: str, model: str = MODEL, data: str = DATA, train: str = TRAIN, **changes: str) -> Path:
    text = data + model + train.replace("MORE", "\n  ".join(more))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "spec.dlspec"
    file.write_text(text, "utf-8")
    return file


def fit(file: Path, out: Path, *, resume: bool = False, **overrides: Any) -> api.Run:
    listener = overrides.pop("listener", lambda event: None)
    return api.train(
        api.load(file, **overrides), out=out, resume=resume, device="cpu", listener=listener, save_every=None
    )


def weights(run: api.Run | Path, which: str = "last") -> dict[str, Tensor]:
    path = run if isinstance(run, Path) else run.path
    return checkpoint.read(path / which).weights


def rows_of(run: api.Run) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def interrupted(file: Path, out: Path, steps: list[int], number: int = signal.SIGINT, **overrides: Any) -> None:
    """Trains to the end with a signal after each of these steps, resuming after each."""
    add, step = RunningLosses.add, 0
    for turn, stop in enumerate([*steps, 0]):

        def counting(self: RunningLosses, terms: Any, stop: int = stop) -> None:
            nonlocal step
            add(self, terms)
            step += 1
            if step == stop:
                os.kill(os.getpid(), number)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunningLosses, "add", counting)
            if stop:
                with pytest.raises(Interrupted) as caught:
                    fit(file, out, resume=turn > 0, **overrides)
                assert caught.value.exit_code == 128 + number
                assert checkpoint.read(out / "last").loop["step"] == stop
                assert not (out / "result.json").exists()
            else:
                fit(file, out, resume=turn > 0, **overrides)
