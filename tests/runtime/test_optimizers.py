"""The short way to the fused kernels gives bitwise what `torch.optim` gives."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from dlc.runtime.training.fused import Fused

CASES: list[tuple[str, dict[str, Any]]] = [
    ("AdamW", {"lr": 1e-2, "betas": (0.9, 0.99), "eps": 1e-8, "weight_decay": 0.1}),
    ("Adam", {"lr": 1e-2, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.01}),
    ("SGD", {"lr": 1e-2, "momentum": 0.0, "weight_decay": 0.0, "nesterov": False}),
    ("SGD", {"lr": 1e-2, "momentum": 0.9, "weight_decay": 0.01, "nesterov": True}),
]


@pytest.mark.parametrize(("kind", "args"), CASES)
def test_equal_to_torch(kind: str, args: dict[str, Any]) -> None:
    def parameters() -> list[nn.Parameter]:
        generator = torch.Generator().manual_seed(0)
        return [nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((7, 5), (5,), (3, 2, 2))]

    ours, theirs = parameters(), parameters()
    mine = Fused(kind, [{"params": ours[:2], **args}, {"params": ours[2:], **args, "lr": 3e-3}])
    groups = [{"params": theirs[:2]}, {"params": theirs[2:], "lr": 3e-3}]
    peer = getattr(torch.optim, kind)(groups, fused=True, **args)
    generator = torch.Generator().manual_seed(1)
    for step in range(5):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        for side in (mine, peer):
            side.param_groups[0]["lr"] = 1e-2 / (step + 1)
            side.step()
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert {name for state in mine.state.values() for name in state} == {n for s in peer.state.values() for n in s}


def test_a_parameter_that_comes_late() -> None:
    """Frozen for a time: it has no gradient, then it has."""
    a, b = nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(3))
    optimizer = Fused("AdamW", [{"params": [a, b], **CASES[0][1]}])
    a.grad = torch.ones(3)
    optimizer.step()
    assert torch.equal(b, torch.ones(3))
    b.grad = torch.ones(3)
    optimizer.step()
    assert not torch.equal(b, torch.ones(3))
    assert float(optimizer.state[a]["step"]) == 2
    assert float(optimizer.state[b]["step"]) == 1


def test_training_does_not_load_the_compiler() -> None:
    """`torch.optim` imports torch._dynamo at its first use: more than a second at every start."""
    program = """
import sys, tempfile, dlc
from pathlib import Path
spec = Path(dlc.__file__).parent / "specs" / "digits_mlp.dlspec"
with tempfile.TemporaryDirectory() as folder:
    dlc.train(dlc.load(spec, **{"train.duration": "2 steps"}), out=Path(folder) / "run", device="cpu")
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
