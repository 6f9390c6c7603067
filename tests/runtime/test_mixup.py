"""`mixup`: inputs by a share, losses of the targets by the same share, drawn alike however a run is cut."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from dlc.compiler.ir.train import Batch
from dlc.runtime import api
from dlc.runtime.generated import build as programs
from dlc.runtime.training import mixing
from dlc.runtime.training.loop import backward

from .small_runs import equal, fit, interrupted, rows_of, spec, weights

PLAIN = {" -> if training { shift(1) }": "", " -> dropout(0.1)": "", " -> bn: BatchNorm": ""}


def program(file: Path) -> programs.Program:
    loaded = api.load(file).spec
    return programs.build(loaded, loaded.recipe.trains[0], None, torch.device("cpu"))


def digits() -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    image, label = torch.rand(12, 1, 8, 8, generator=random), torch.randint(10, (12,), generator=random)
    return {"image": image, "label": label}


@pytest.mark.parametrize("loss", ["cross_entropy(logits, label, smoothing = 0.1)", "focal(logits, label)"])
@pytest.mark.parametrize("micro", [None, 5, 1])
def test_the_loss_is_that_of_both_targets(tmp_path: Path, loss: str, micro: int | None) -> None:
    """As the paper's own code computes it: of the mixed image, for the label and for that of the partner, by the share."""
    changes = {**PLAIN, "cross_entropy(logits, label)": loss}
    made = program(spec(tmp_path, "micro_batch = 16", **changes))
    net, plain, batch = made.nets[""], made.phases[0][0], digits()
    (loss_of,) = mixing.losses([plain], 0.4)
    mixed = mixing.mixed(batch, 0.4, 0, 0, 1)
    share, partner = mixed[mixing.SHARE][0], mixed[mixing.PARTNER + "label"]
    assert 0 < share < 1 and not torch.equal(partner, batch["label"])
    assert sorted(partner.tolist()) == sorted(batch["label"].tolist())
    own, other = ({"image": mixed["image"], "label": label} for label in (batch["label"], partner))
    (share * plain(own)[0] + (1 - share) * plain(other)[0]).backward()
    wanted = {name: parameter.grad.clone() for name, parameter in net.named_parameters() if parameter.grad is not None}
    net.zero_grad()
    backward(loss_of, mixing.cut(mixed, Batch(amount=12, micro=micro)))
    for name, parameter in net.named_parameters():
        torch.testing.assert_close(parameter.grad, wanted[name])


def test_soft_labels_give_the_same_loss(tmp_path: Path) -> None:
    made = program(spec(tmp_path, **PLAIN))
    mixed = mixing.mixed(digits(), 1.0, 3)
    (loss_of,) = mixing.losses(made.phases[0], 1.0)
    share = mixed[mixing.SHARE][0]
    own, other = (torch.nn.functional.one_hot(mixed[name], 10) for name in ("label", mixing.PARTNER + "label"))
    soft = share * own + (1 - share) * other
    wanted = torch.nn.functional.cross_entropy(made.nets[""](mixed["image"]), soft)
    torch.testing.assert_close(loss_of(mixed)[0], wanted)


def test_the_net_runs_once_a_step(tmp_path: Path) -> None:
    made = program(spec(tmp_path, **PLAIN))
    calls: list[int] = []
    made.nets[""].register_forward_hook(lambda *_: calls.append(1))
    (loss_of,) = mixing.losses(made.phases[0], 0.2)
    for turn in range(2):
        loss_of(mixing.mixed(digits(), 0.2, turn))
    assert len(calls) == 2


def test_a_run_resumes_within_an_epoch(tmp_path: Path) -> None:
    file = spec(tmp_path, "mixup = 0.4", "micro_batch = 16")
    whole = fit(file, tmp_path / "a")
    interrupted(file, tmp_path / "b", [1, 11])
    assert equal(weights(whole), weights(tmp_path / "b"))
    assert not equal(weights(whole), weights(fit(spec(tmp_path, "micro_batch = 16"), tmp_path / "c")))
    rows = rows_of(whole)
    assert float(rows[-1]["val.loss"]) < float(rows[0]["val.loss"])
