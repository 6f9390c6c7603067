"""Losses and metrics of anything: what `dlc check` accepts is computed, whatever stands in each place."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import dlc
from dlc.compiler.catalogue import LOSSES, METRICS
from dlc.compiler.check import check

SPEC = """dlspec 1
data W {
  source = builtin("wine")
  split  = random(train = 0.6, val = 0.2, test = 0.2, seed = 0)
  x: f32[13] = source.x -> standardize
  label: i64 = source.label
}
model M(x: [B, 13]) -> (a: [B, 3], b: [B, 3], s: [B]) {
  a = x -> fa: Linear(3)
  b = x -> fb: Linear(3)
  s = x -> fs: Linear(1) -> squeeze(1)
}
train {
  model = M
  data = W
  loss = LOSS + 0.001 * mse(s, 0.5)
  metrics { m = METRIC }
  optimizer = SGD(1e-4)
  batch = 16
  duration = 1 steps
}
"""
VALUES = ("a", "softmax(b)", "s", "mean(a)", "label", "1", "0.5")


def uses() -> Iterator[tuple[str, str]]:
    """(loss, metric): every entry with every choice of values, in the place of one of the two."""
    for family in (LOSSES, METRICS):
        for name, entry in family.items():
            places = [kind for _, kind in entry.tensors if kind != "many"]
            for values in itertools.product(VALUES, repeat=len(places)) if places else ():
                use = f"{name}({', '.join(values)})"
                yield (use, "mean(s)") if family is LOSSES else ("mse(s, 0.5)", use)


def test_what_is_accepted_is_computed(tmp_path: Path, sizes: Any) -> None:
    found = list(uses())
    chosen = found if sizes.full else random.sample(found, 25)
    ran = 0
    for number, (loss, metric) in enumerate(chosen):
        path = tmp_path / "m.dlspec"
        path.write_text(SPEC.replace("LOSS", loss).replace("METRIC", metric), "utf-8")
        if check(path).spec is None:
            continue
        ran += 1
        try:
            dlc.train(path, out=tmp_path / str(number), device="cpu")
        except Exception as failure:
            raise AssertionError(f"{loss}, {metric}") from failure
    assert ran > (200 if sizes.full else 0)


@pytest.mark.parametrize(
    "use",
    ["mse(1, s)", "mse(0.5, mean(a))", "focal(a, 1)", "focal(a, mean(a))", "triplet(a, s, a)", "kl_divergence(a, 1)"],
)
def test_a_number_in_the_place_of_a_prediction(use: str, tmp_path: Path) -> None:
    path = tmp_path / "m.dlspec"
    path.write_text(SPEC.replace("LOSS", use).replace("METRIC", "mean(s)"), "utf-8")
    assert not check(path).ok
