"""Labels that are no class of the model are found before training, whatever PyTorch would do with them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]
SPEC = """dlspec 1
data D {{
  source = {source}
  split  = random(train = 0.5, val = 0.5, seed = 0)
  ids: i64 = source.ids
  y: i64 = source.y
}}
model M(ids: i64[B]) -> (logits: [B, 3]) {{ logits = ids -> table: Embedding(5, 4) -> fc: Linear(3) }}
train {{
  model = M
  data = D
  loss = cross_entropy(logits, y{ignore})
  optimizer = Adam(1e-2)
  batch = 4
  duration = 1 epochs
}}
"""


def write(folder: Path, source: str, *, label: int, id: int, ignore: str = "") -> None:
    """Twenty records, of which one has the label and the id."""
    y, ids = np.arange(20) % 3, np.arange(20) % 5
    y[7], ids[7] = label, id
    if source == "csv":
        rows = [f"{a},{b}" for a, b in zip(ids, y, strict=True)]
        (folder / "d.csv").write_text("\n".join(["ids,y", *rows]), "utf-8")
    else:
        np.savez(folder / "d.npz", ids=ids, y=y)
    (folder / "m.dlspec").write_text(SPEC.format(source=f'{source}("d.{source}")', ignore=ignore), "utf-8")


@pytest.mark.parametrize("source", ["csv", "npz"])
@pytest.mark.parametrize(
    ("label", "id", "said"),
    [
        (-100, 0, "E0205]: `y` has the label -100, but the logits end in 3"),  # PyTorch leaves -100 out without a word
        (3, 0, "E0205]: `y` has the label 3, but the logits end in 3"),
        (0, 5, "E0205]: `ids` has ids up to 5, but the embedding has 5 rows"),
    ],
)
def test_found_in_the_data(source: str, label: int, id: int, said: str, tmp_path: Path, dlc: Dlc) -> None:
    write(tmp_path, source, label=label, id=id)
    assert said in dlc("build", "m.dlspec", code=2).stderr


def test_a_label_that_is_ignored(tmp_path: Path, dlc: Dlc) -> None:
    write(tmp_path, "npz", label=-100, id=0, ignore=", ignore = -100")
    dlc("build", "m.dlspec")
    dlc("train", "m.dlspec", "--device", "cpu")


def test_a_training_does_not_begin(tmp_path: Path, dlc: Dlc) -> None:
    write(tmp_path, "npz", label=-100, id=0)
    assert "E0205" in dlc("train", "m.dlspec", "--device", "cpu", code=2).stderr
    assert not (tmp_path / "runs").exists()
