"""A run directory from elsewhere: whatever its records hold, figures or a message."""

from __future__ import annotations

import json
import random
import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dlc.runtime import api
from dlc.runtime.failure import RunFailure
from dlc.runtime.spec import SpecError

SPEC = """dlspec 1
data D {
  source = csv("d.csv")
  split  = random(train = 0.5, val = 0.5, seed = 0)
  x: f32[2] = source.all_except("label") -> standardize
  label: i64 = source.label -> category
}
model M(x: [B, 2]) -> (logits: [B, 2]) { logits = x -> fc: Linear(2) }
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = Adam(1e-2)
  batch = 4
  duration = 2 epochs
  keep = best(val.acc)
}
"""
RECORDS = ("data.json", "env.json", "result.json", "ir.json", "last/loop.json", "best/loop.json", "metrics.csv")
JUNK: list[Any] = [None, True, -1, 2**70, 1.5, "", "x", "../x", [], [1], {}, {"a": 1}, "\x1b[2J"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "s.dlspec").write_text(SPEC, "utf-8")
    rows = [f"{i},{i % 3},{'yes' if i % 2 else 'no'}" for i in range(40)]
    (folder / "d.csv").write_text("\n".join(["a,b,label", *rows]), "utf-8")
    api.train(folder / "s.dlspec", out=folder / "run", device="cpu")
    return folder


def one_change(value: Any, chance: random.Random) -> Any:
    """The value with one part, however deep, replaced or left out."""
    inner = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    if not inner or chance.random() < 0.15:
        return chance.choice(JUNK)
    key = chance.choice(inner)
    copy = dict(value) if isinstance(value, dict) else list(value)
    if chance.random() < 0.2:
        del copy[key]
    else:
        copy[key] = one_change(value[key], chance)
    return copy


def damaged(text: str, chance: random.Random) -> str:
    if chance.random() < 0.2 or not text.startswith(("{", "[")):
        at = chance.randrange(len(text) + 1)
        return text[:at] + chance.choice(["", "x", '"', "\x00", "9" * 30, "{}"]) + text[at + chance.randrange(9) :]
    return json.dumps(one_change(json.loads(text), chance))


def uses(folder: Path) -> Iterator[Callable[[], object]]:
    run = folder / "run"
    arrays = {"a": np.zeros(2), "b": np.ones(2), "label": np.array(["yes", "no"])}
    yield lambda: api.evaluate(run, "val", device="cpu")
    yield lambda: api.predict(run, arrays, device="cpu").rows()
    yield lambda: api.export(run, folder / "m.onnx", verify=False)
    yield lambda: api.runs(folder)
    yield lambda: api.train(folder / "s.dlspec", resume=run, device="cpu")


@pytest.mark.parametrize("record", RECORDS)
def test_any_part_of_a_record(record: str, trained: Path, tmp_path: Path, sizes: Any) -> None:
    seed = random.randrange(2**32)
    for case in range(1000 if sizes.full else 5):
        chance = random.Random(seed + case)
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        shutil.copytree(trained, tmp_path / "work")
        file = tmp_path / "work" / "run" / record
        file.write_text(damaged(file.read_text("utf-8"), chance), "utf-8")
        for number, use in enumerate(uses(tmp_path / "work")):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    use()
            except (RunFailure, SpecError) as failure:
                assert str(failure).strip()
            except Exception as error:
                raise AssertionError(
                    f"{record}, seed {seed + case}, use {number}: {file.read_text('utf-8')[:200]}"
                ) from error
