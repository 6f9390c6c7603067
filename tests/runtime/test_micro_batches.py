"""Gradients of micro-batches: those of the whole batch, or the plain mean for a loss that joins examples."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from dlc.runtime import api
from dlc.runtime.generated import build as programs
from dlc.runtime.training.loop import backward

TEXT = """dlspec 1
data D {
  source = builtin("digits")
  split  = all("train")
  x: f32[1, 8, 8] = source.image
  y: i64 = source.label
}
model M(x: [B, 1, 8, 8]) -> (logits: [B, 10]) { logits = x -> flatten -> head: Linear(10) }
train {
  model = M
  data = D
  loss = LOSS
  optimizer = SGD(0.1)
  batch = 12
  micro_batch = 4
  duration = 1 steps
  keep = last
}
"""


def program(folder: Path, loss: str) -> programs.Program:
    file = folder / "spec.dlspec"
    file.write_text(TEXT.replace("LOSS", loss), "utf-8")
    spec = api.load(file).spec
    return programs.build(spec, spec.recipe.trains[0], None, torch.device("cpu"))


def gradient(made: programs.Program, batches: list[dict[str, Tensor]]) -> Tensor:
    net = made.nets[""]
    net.zero_grad(set_to_none=True)
    backward(made.phases[0][0], batches)
    grad = net.get_parameter("head.weight").grad
    assert grad is not None
    return grad.clone()


def batch(ignored: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(10, (12,), generator=generator)
    y[:ignored] = -100
    return {"x": torch.rand(12, 1, 8, 8, generator=generator), "y": y}


def parts(whole: dict[str, Tensor], size: int) -> list[dict[str, Tensor]]:
    return [{name: value[at : at + size] for name, value in whole.items()} for at in range(0, 12, size)]


@pytest.mark.parametrize("size", [6, 4, 1])
@pytest.mark.parametrize(
    "loss", ["cross_entropy(logits, y, ignore = -100)", "2 * cross_entropy(logits, y, ignore = -100)"]
)
def test_uneven_masks(tmp_path: Path, size: int, loss: str) -> None:
    """7 of 12 targets are ignored, all in the first micro-batches: some of these count nothing."""
    made, whole = program(tmp_path, loss), batch(ignored=7)
    torch.testing.assert_close(gradient(made, parts(whole, size)), gradient(made, [whole]))


def test_a_loss_across_examples_is_averaged(tmp_path: Path) -> None:
    """`dice_loss` is one ratio over the batch: of micro-batches its plain mean is taken, which is another number."""
    made, whole = program(tmp_path, "dice_loss(logits, y)"), batch()
    pieces = parts(whole, 4)
    mean = torch.stack([gradient(made, [piece]) for piece in pieces]).mean(0)
    found = gradient(made, pieces)
    torch.testing.assert_close(found, mean)
    assert not torch.allclose(found, gradient(made, [whole]))
