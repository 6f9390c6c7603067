"""`recompute` keeps less and gives the same: losses, gradients, running statistics, dropout."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load
from torch import nn
from torch.utils.checkpoint import checkpoint

import dlc
from dlc.runtime.training.recomputing import layers, recompute

SPEC = """dlspec 1
data Digits {
  source = builtin("digits")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
  label: i64          = source.label
}

block Unit(channels: int)(x: [B, channels, H, W]) -> [B, channels, H, W] {
  x + (x -> conv: Conv(channels, 3, pad = 1) -> norm: BatchNorm -> relu -> dropout(0.2))
}

model Net(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> stem: Conv(8, 3, pad = 1) -> units: repeat 3 { Unit(8) } -> global_avg_pool -> head: Linear(10)
}

train {
  model = Net
  data = Digits
  loss = cross_entropy(logits, label)
  optimizer = SGD(0.1)
  batch = 32
  duration = 5 steps
  keep = last
  runtime { recompute = ["units.*"] }
}
"""


def test_a_run_with_recompute_ends_with_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again: list[object] = []
    monkeypatch.setattr(
        "dlc.runtime.training.recomputing.checkpoint",
        lambda *inputs, **how: again.append(inputs) or checkpoint(*inputs, **how),
    )
    spec = tmp_path / "net.dlspec"
    ends = []
    for text in (SPEC, SPEC.replace('  runtime { recompute = ["units.*"] }\n', "")):
        spec.write_text(text, "utf-8")
        run = dlc.train(dlc.load(spec), out=tmp_path / str(len(ends)), device="cpu")
        ends.append((run.path / "last" / "model.safetensors").read_bytes())
    assert len(again) == 3 * 5, "three layers, five steps; not in validation"
    ours, plain = (load(data) for data in ends)
    assert ours.keys() == plain.keys()
    assert all(torch.equal(ours[name], plain[name]) for name in plain)
    assert plain["units.0.norm.num_batches_tracked"] == 5


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.h = nn.ModuleList([nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 64)) for _ in range(4)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.h:
            x = layer(x)
        return x


@pytest.mark.parametrize("patterns", [["h.*"], ["h"], ["h.*", "h.*.0"]])
def test_the_inside_of_the_outermost_layers_is_not_kept(patterns: list[str]) -> None:
    net = Chain()
    kept: list[int] = []
    for chosen in ([], patterns, []):
        recompute({"": net}, chosen)
        saved = 0

        def count(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal saved
            saved += tensor.numel()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            net(torch.randn(2, 64, requires_grad=True)).sum()
        kept.append(saved)
    assert kept[1] < kept[0] / 4
    assert kept[2] == kept[0], "taken back for the next phase"
    assert len(layers({"": net}, ["h.1"])) == 1
