"""A spec checked with its data from where the data comes in is the spec checked with its data from the text."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.compiler.check import against, check
from dlc.compiler.ir.data import DataFacts, FieldFacts

SPEC = """dlspec 1
data D {
  source = csv("a.csv")
  split = all("train")
  x: f32[2] = source.columns("a", "b")
  label: i64 = source.label -> category
}
model M(x: [B, 2]) -> (z: [B, 3]) { z = x -> fc: Linear(3) }
train {
  model = M
  data = D
  loss = cross_entropy(z, label, weight = "balanced")
  optimizer = SGD(lr = 0.1)
  batch = 2
  duration = 1 epochs
}
"""


def facts(*counts: int) -> dict[str, DataFacts]:
    names = tuple(f"c{number}" for number in range(len(counts)))
    label = FieldFacts(dtype="i64", shape=(), classes=names, counts=counts)
    return {
        "D": DataFacts(
            records={"train": sum(counts)}, fields={"x": FieldFacts(dtype="f32", shape=(2,)), "label": label}
        )
    }


@pytest.mark.parametrize("found", [(4, 2, 2), (1, 1, 6), (4, 4)])
def test_both_ways_give_the_same(found: tuple[int, ...], tmp_path: Path) -> None:
    spec = tmp_path / "s.dlspec"
    spec.write_text(SPEC)
    checked = check(spec)
    assert checked.ok
    against(checked, facts(2, 5, 1))  # what other data gave does not stay
    later, at_once = against(checked, facts(*found)), check(spec, facts=facts(*found))
    assert later.report.diagnostics == at_once.report.diagnostics
    assert later.spec == at_once.spec
    assert (later.spec is None) == (len(found) == 2)
    assert checked.ok and checked.report.diagnostics == check(spec).report.diagnostics
