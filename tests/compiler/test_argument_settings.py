"""An argument of an entry is a setting: `train.optimizer.lr=1e-3`."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlc.compiler.check import check

SPEC = """dlspec 1
data D { source = builtin("iris"); split = random(train = 0.8, val = 0.2, seed = 0); x: f32[4] = source.x; y: i64 = source.label }
model M(x: [B, 4]) -> (logits: [B, 3]) { logits = x -> fc: Linear(3) }
train {
  model = M
  data = D
  loss = cross_entropy(logits, y)
  optimizer = OPTIMIZER
  clip = norm(1.0)
  stop = plateau(val.loss, patience = 5 epochs)
  batch = 4
  duration = 1 epochs
}
"""


@pytest.mark.parametrize(
    "optimizer", ["SGD(0.1)", "SGD(0.1, momentum = 0.9)", "SGD(momentum = 0.9, lr = 0.1 -> cosine(0, rest))"]
)
def test_a_setting_of_an_argument(tmp_path: Path, optimizer: str) -> None:
    file = tmp_path / "s.dlspec"
    file.write_text(SPEC.replace("OPTIMIZER", optimizer))
    settings = [
        "train.optimizer.lr=1e-3",
        "train.optimizer.momentum=0.5",
        "train.clip.limit=2.0",
        "train.stop.patience=2 epochs",
    ]
    spec = check(file, settings).spec
    assert spec is not None
    (train,) = spec.recipe.trains
    update = train.phases[0].updates[0]
    assert update.optimizer.args["lr"] == 1e-3 and update.optimizer.args["momentum"] == 0.5
    assert not update.optimizer.schedules
    assert update.clip is not None and update.clip.limit == 2
    assert train.stop is not None and train.stop.patience.amount == 2


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("train.optimizer.lrr=0.1", "`SGD` has no argument `lrr`"),
        ("train.optimizer.lr.x=0.1", "`optimizer` has no keys of its own"),
        ("train.batch.x=0.1", "`batch` has no keys of its own"),
        ("train.optimizer.lr=none", "`lr`"),
    ],
)
def test_a_setting_of_no_argument(tmp_path: Path, setting: str, said: str) -> None:
    file = tmp_path / "s.dlspec"
    file.write_text(SPEC.replace("OPTIMIZER", "SGD(0.1)"))
    assert said in "".join(found.message for found in check(file, [setting]).report.errors)
