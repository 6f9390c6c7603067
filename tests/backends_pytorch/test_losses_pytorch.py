"""Every loss is what its definition says: generated code against formulas written out, values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.recipe import recipe_source
from dlc.backends.pytorch.support import SOURCES
from dlc.compiler.catalogue import LOSSES
from dlc.compiler.check import check

SPEC = """dlspec 1
data D {
  source = npz("d.npz")
  split  = random(train = 0.8, val = 0.2, seed = 0)
  a: f32[6]       = source.a
  b: f32[6]       = source.b
  c: f32[6]       = source.c
  image: f32[3, 4, 5] = source.image
  label: i64      = source.label
  mask: i64[4, 5] = source.mask
  share: f32[6]   = source.share
}
model M(a: [B, 6], image: [B, 3, 4, 5]) -> (y: [B, 6], map: [B, 3, 4, 5]) {
  y = a -> proj: Linear(6)
  map = image -> conv: Conv(3, 1)
}
train { model = M
  data = D
  batch = 4
  duration = 1 steps
  optimizer = SGD(0.1)
  loss = LOSS
}
"""
B, C = 7, 6


class Net(nn.Module):
    """The model with the weights of a seed."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.proj, self.conv = nn.Linear(6, 6), nn.Conv2d(3, 3, 1)

    def forward(self, a: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
        return self.proj(a), self.conv(image)


def batch() -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(1)
    values = {name: torch.randn(B, C, generator=g) for name in "abc"}
    return values | {
        "image": torch.randn(B, 3, 4, 5, generator=g),
        "label": torch.randint(0, C, (B,), generator=g),
        "mask": torch.randint(0, 3, (B, 4, 5), generator=g),
        "share": torch.rand(B, C, generator=g),
    }


def chosen(log_probs: Tensor, target: Tensor, axis: int = -1) -> Tensor:
    return log_probs.gather(axis, target.unsqueeze(axis)).squeeze(axis)


def smoothed(y: Tensor, label: Tensor) -> Tensor:
    """Szegedy et al. 2016: a tenth of the target spread evenly."""
    target = 0.9 * nn.functional.one_hot(label, C) + 0.1 / C
    return -(target * y.log_softmax(-1)).sum(-1).mean()


def weighted(y: Tensor, label: Tensor) -> Tensor:
    factor = torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 1.5])[label]
    return -(factor * chosen(y.log_softmax(-1), label)).sum() / factor.sum()


def binary(y: Tensor, share: Tensor) -> Tensor:
    p = y.sigmoid()
    return -(share * p.log() + (1 - share) * (1 - p).log()).mean()


def focal(y: Tensor, label: Tensor) -> Tensor:
    """Lin et al. 2017, equation 4."""
    log_p = chosen(y.log_softmax(-1), label)
    return -((1 - log_p.exp()) ** 1.5 * log_p).mean()


def binary_focal(y: Tensor, target: Tensor) -> Tensor:
    """Lin et al. 2017, equation 5, with alpha for ones."""
    p = y.sigmoid()
    ones = 0.25 * (1 - p) ** 2 * p.log()
    zeros = 0.75 * p**2 * (1 - p).log()
    return -(target * ones + (1 - target) * zeros).mean()


def divergence(student: Tensor, teacher: Tensor) -> Tensor:
    p = teacher.softmax(-1)
    return (p * (p.log() - student.log_softmax(-1))).sum(-1).mean()


def huber(y: Tensor, b: Tensor) -> Tensor:
    away = (y - b).abs()
    return torch.where(away < 0.7, away**2 / 2, 0.7 * (away - 0.35)).mean()


def poisson(rate: Tensor, y: Tensor) -> Tensor:
    return (rate - y * rate.log()).mean()


def dice(logits: Tensor, mask: Tensor) -> Tensor:
    """Milletari et al. 2016, one overlap a class over the whole batch."""
    p, one = logits.softmax(1), nn.functional.one_hot(mask, 3).movedim(-1, 1).float()
    overlap, both = (p * one).sum((0, 2, 3)), (p + one).sum((0, 2, 3))
    return 1 - (2 * overlap / both).mean()


def triplet(y: Tensor, b: Tensor, c: Tensor) -> Tensor:
    near, far = (y - b).norm(dim=-1), (y - c).norm(dim=-1)
    return (near - far + 2.5).clamp(min=0).mean()


def info_nce(y: Tensor, b: Tensor) -> Tensor:
    """van den Oord et al. 2018, both ways round as Radford et al. 2021."""
    scores = nn.functional.normalize(y, dim=-1) @ nn.functional.normalize(b, dim=-1).T / 0.2
    right = torch.arange(len(y))
    return -(chosen(scores.log_softmax(-1), right).mean() + chosen(scores.T.log_softmax(-1), right).mean()) / 2


@dataclass(frozen=True)
class Case:
    written: str
    formula: Callable[[Tensor, Tensor, dict[str, Tensor], Net], Tensor]


CASES = {
    "cross_entropy": Case("cross_entropy(y, label)", lambda y, m, d, n: -chosen(y.log_softmax(-1), d["label"]).mean()),
    "cross_entropy of an axis": Case(
        "cross_entropy(map, mask, axis = 1)", lambda y, m, d, n: -chosen(m.log_softmax(1), d["mask"], 1).mean()
    ),
    "cross_entropy without a class": Case(
        "cross_entropy(map, mask, axis = 1, ignore = 2)",
        lambda y, m, d, n: -chosen(m.log_softmax(1), d["mask"], 1)[d["mask"] != 2].mean(),
    ),
    "cross_entropy smoothed": Case(
        "cross_entropy(y, label, smoothing = 0.1)", lambda y, m, d, n: smoothed(y, d["label"])
    ),
    "cross_entropy weighted": Case(
        "cross_entropy(y, label, weight = [1.0, 2.0, 0.5, 1.0, 3.0, 1.5])", lambda y, m, d, n: weighted(y, d["label"])
    ),
    "bce": Case("bce(y, share)", lambda y, m, d, n: binary(y, d["share"])),
    "nll": Case("nll(log(softmax(y)), label)", lambda y, m, d, n: -chosen(y.softmax(-1).log(), d["label"]).mean()),
    "focal": Case("focal(y, label, gamma = 1.5)", lambda y, m, d, n: focal(y, d["label"])),
    "focal binary": Case(
        "focal(y, cast(share > 0.5, f32), alpha = 0.25)", lambda y, m, d, n: binary_focal(y, (d["share"] > 0.5).float())
    ),
    "kl_divergence": Case("kl_divergence(y, b)", lambda y, m, d, n: divergence(y, d["b"])),
    "kl_divergence of an axis": Case(
        "kl_divergence(map, image, axis = 1)",
        lambda y, m, d, n: divergence(m.movedim(1, -1), d["image"].movedim(1, -1)),
    ),
    "mse": Case("mse(y, b)", lambda y, m, d, n: ((y - d["b"]) ** 2).mean()),
    "l1_loss": Case("l1_loss(y, b)", lambda y, m, d, n: (y - d["b"]).abs().mean()),
    "huber": Case("huber(y, b, delta = 0.7)", lambda y, m, d, n: huber(y, d["b"])),
    "poisson_nll": Case("poisson_nll(y, share)", lambda y, m, d, n: (y.exp() - d["share"] * y).mean()),
    "poisson_nll of a rate": Case(
        "poisson_nll(softplus(y), share, log = false)",
        lambda y, m, d, n: poisson(nn.functional.softplus(y), d["share"]),
    ),
    "dice_loss": Case("dice_loss(map, mask, axis = 1)", lambda y, m, d, n: dice(m, d["mask"])),
    "triplet": Case("triplet(y, b, c, margin = 2.5)", lambda y, m, d, n: triplet(y, d["b"], d["c"])),
    "contrastive": Case("contrastive(y, b, temperature = 0.2)", lambda y, m, d, n: info_nce(y, d["b"])),
    "l1": Case(
        'mse(y, b) + 0.5 * l1("**.weight")',
        lambda y, m, d, n: ((y - d["b"]) ** 2).mean() + (n.proj.weight.abs().sum() + n.conv.weight.abs().sum()) / 2,
    ),
}


def test_every_loss_is_here() -> None:
    """`gradient_penalty` draws its points; tests/backends_pytorch/test_recipe_pytorch.py has it."""
    assert {name.partition(" ")[0] for name in CASES} == set(LOSSES) - {"gradient_penalty"}


@pytest.mark.parametrize("name", CASES)
def test_loss_is_its_formula(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file = tmp_path / "spec.dlspec"
    file.write_text(SPEC.replace("LOSS", case.written), "utf-8")
    checked = check(file)
    assert checked.spec is not None, [(d.code, d.message) for d in checked.report.errors]
    recipe = load_source(recipe_source(checked.spec, checked.spec.recipe.trains[0]), "recipe.py")  # type: ignore[union-attr]
    net, fields = Net(), batch()
    found = recipe.loss(net, fields)
    ours = torch.autograd.grad(found, [*net.parameters()], allow_unused=True)
    wanted = case.formula(*net(fields["a"], fields["image"]), fields, net)
    theirs = torch.autograd.grad(wanted, [*net.parameters()], allow_unused=True)
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-6)
    for one, other in zip(ours, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.selects is not None])
def test_a_loss_of_parameters_has_its_argument_and_a_supporting_function(name: str) -> None:
    selects = LOSSES[name].selects
    assert selects in [argument for argument, _, _ in LOSSES[name].arguments]
    assert f"def {name}(net: nn.Module, names: tuple[str, ...])" in SOURCES[name]
