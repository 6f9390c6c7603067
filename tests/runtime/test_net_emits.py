"""`gen.load`: what a net of a `let` emits is what its layers computed, in losses of every form of recipe."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import dlc
from dlc.backends.pytorch.load import load_source
from dlc.runtime.generated import build as programs

HEAD = """dlspec 1
data D { source = builtin("iris"); split = random(train = 0.8, val = 0.2); x: f32[4] = source.x; label: i64 = source.label }
block Part(x: [B, D]) -> [B, D] {
  h = x -> fc: Linear(D)
  emit load = mean(h * h, axis = 0)
  h
}
model M(x: [B, 4]) -> (y: [B, 3]) { y = x -> p: repeat 2 { Part } -> head: Linear(3) }
train {
  let gen   = M()
  let other = M()
  data      = D
  let y     = x -> gen
"""
TAIL = "  batch = 8\n  duration = 2 epochs\n}\n"
TOGETHER = """
  loss { balance = sum(gen.load); ce = cross_entropy(y, label); both = mean((2 * x -> other) + (x -> other)) + sum(other.load) }
  optimizer = Adam(1e-2)
"""
STEPS = """
  step gen { loss { balance = sum(gen.load); ce = cross_entropy(y, label) }; optimizer = Adam(1e-2) }
  step other { loss { both = mean((2 * x -> other) + (x -> other)) + sum(other.load); far = sum(gen.load) }; optimizer = Adam(1e-2) }
"""


def emitted(net: nn.Module, x: Tensor) -> Tensor:
    """The values of both parts by hand."""
    weights = dict(net.named_parameters())
    found: list[Tensor] = []
    for turn in range(2):
        x = x @ weights[f"p.{turn}.fc.weight"].T + weights[f"p.{turn}.fc.bias"]
        found.append((x * x).mean(dim=0))
    return torch.stack(found)


def test_values(tmp_path: Path) -> None:
    batch = {"x": torch.randn(5, 4), "label": torch.randint(3, (5,))}
    for name, text in (("together", TOGETHER), ("steps", STEPS)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "a.dlspec").write_text(HEAD + text + TAIL, "utf-8")
        spec = dlc.load(folder / "a.dlspec").spec
        train = spec.recipe.trains[0]
        program = programs.build(spec, train, folder, torch.device("cpu"), records=120)
        gen, other = program.nets["gen"], program.nets["other"]
        recipe = load_source(program.sources["recipe.py"])
        load = emitted(gen, batch["x"]).sum()
        twice = emitted(other, 2 * batch["x"]).sum() + emitted(other, batch["x"]).sum()
        applied = other(2 * batch["x"])[0] + other(batch["x"])[0]
        if name == "together":
            balance, _, both = recipe.loss(gen, other, batch)
        else:
            shared = {**batch, **recipe.lets(gen, batch)}
            balance, _ = recipe.gen_loss(shared)
            both, far = recipe.other_loss(other, shared)
            torch.testing.assert_close(far, load)
        torch.testing.assert_close(balance, load)
        torch.testing.assert_close(both, twice + applied.mean())
        balance.backward()
        assert all(p.grad is not None for n, p in gen.named_parameters() if n.startswith("p."))


def test_trained(tmp_path: Path) -> None:
    (tmp_path / "a.dlspec").write_text(HEAD + STEPS + "  metrics { load = mean(gen.load) }\n" + TAIL, "utf-8")
    run = dlc.train(tmp_path / "a.dlspec", out=tmp_path / "run")
    assert run.figures["val.load"] > 0
