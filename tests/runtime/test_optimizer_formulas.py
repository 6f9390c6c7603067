"""Every optimizer follows its published formula, step by step, with schedules and groups as the recipe gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlc.compiler.catalogue import OPTIMIZERS
from dlc.runtime.training.optimizers import build

State = dict[str, Any]
#: (parameter, gradient, memory of this parameter, number of the step from 1, hyperparameters) -> parameter, in float64.
Formula = Callable[[Tensor, Tensor, State, int, dict[str, Any]], Tensor]


def sgd(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    g = g + h["weight_decay"] * p
    s["m"] = g if t == 1 else h["momentum"] * s["m"] + g
    return p - h["lr"] * (g + h["momentum"] * s["m"] if h["nesterov"] else s["m"])


def moments(g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Kingma and Ba 2014, algorithm 1: the corrected first moment over the root of the second."""
    near, far = h["betas"]
    s["m"] = near * s.get("m", 0) + (1 - near) * g
    s["v"] = far * s.get("v", 0) + (1 - far) * g**2
    return (s["m"] / (1 - near**t)) / ((s["v"] / (1 - far**t)).sqrt() + h["eps"])


def adam(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    return p - h["lr"] * moments(g + h["weight_decay"] * p, s, t, h)


def adamw(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Loshchilov and Hutter 2017, algorithm 2, with the decay multiplied by the learning rate as PyTorch has it."""
    return p - h["lr"] * h["weight_decay"] * p - h["lr"] * moments(g, s, t, h)


def nadam(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Dozat 2016, with the schedule of the momentum of Sutskever et al. 2013 as PyTorch has it."""
    near, far = h["betas"]
    g = g + h["weight_decay"] * p
    now, then = (near * (1 - 0.5 * 0.96 ** (step * h["momentum_decay"])) for step in (t, t + 1))
    s["product"] = s.get("product", 1.0) * now
    s["m"] = near * s.get("m", 0) + (1 - near) * g
    s["v"] = far * s.get("v", 0) + (1 - far) * g**2
    first = (1 - now) * g / (1 - s["product"]) + then * s["m"] / (1 - s["product"] * then)
    return p - h["lr"] * first / ((s["v"] / (1 - far**t)).sqrt() + h["eps"])


def rmsprop(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    g = g + h["weight_decay"] * p
    s["v"] = h["alpha"] * s.get("v", 0) + (1 - h["alpha"]) * g**2
    s["m"] = h["momentum"] * s.get("m", 0) + g / (s["v"].sqrt() + h["eps"])
    return p - h["lr"] * s["m"]


def adagrad(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Duchi et al. 2011, the diagonal form."""
    g = g + h["weight_decay"] * p
    s["v"] = s.get("v", 0) + g**2
    return p - h["lr"] * g / (s["v"].sqrt() + h["eps"])


def adadelta(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Zeiler 2012, algorithm 1, scaled by a learning rate."""
    g = g + h["weight_decay"] * p
    s["v"] = h["rho"] * s.get("v", torch.zeros_like(p)) + (1 - h["rho"]) * g**2
    moved = s.get("d", torch.zeros_like(p))
    step = ((moved + h["eps"]) / (s["v"] + h["eps"])).sqrt() * g
    s["d"] = h["rho"] * moved + (1 - h["rho"]) * step**2
    return p - h["lr"] * step


def lion(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Chen et al. 2023, program 1."""
    near, far = h["betas"]
    momentum = s.get("m", torch.zeros_like(p))
    update = (near * momentum + (1 - near) * g).sign() + h["weight_decay"] * p
    s["m"] = far * momentum + (1 - far) * g
    return p - h["lr"] * update


def muon(p: Tensor, g: Tensor, s: State, t: int, h: dict[str, Any]) -> Tensor:
    """Jordan et al. 2024: five Newton-Schulz steps on the momentum; Liu et al. 2025: scaled to the size of AdamW's."""
    s["m"] = h["momentum"] * s.get("m", torch.zeros_like(p)) + (1 - h["momentum"]) * g
    x = (1 - h["momentum"]) * g + h["momentum"] * s["m"]
    wide = x.shape[0] <= x.shape[1]
    x = (x if wide else x.T) / x.norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    x = x if wide else x.T
    return p * (1 - h["lr"] * h["weight_decay"]) - h["lr"] * 0.2 * max(p.shape) ** 0.5 * x


FORMULAS: dict[str, tuple[Formula, dict[str, Any]]] = {
    "SGD": (sgd, {"lr": 0.05, "momentum": 0.9, "weight_decay": 0.02, "nesterov": True}),
    "Adam": (adam, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.05}),
    "AdamW": (adamw, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    "NAdam": (nadam, {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.05, "momentum_decay": 0.01}),
    "RMSprop": (rmsprop, {"lr": 0.01, "alpha": 0.9, "eps": 1e-6, "momentum": 0.5, "weight_decay": 0.02}),
    "Adagrad": (adagrad, {"lr": 0.05, "eps": 1e-8, "weight_decay": 0.02}),
    "Adadelta": (adadelta, {"lr": 0.7, "rho": 0.8, "eps": 1e-5, "weight_decay": 0.02}),
    "Lion": (lion, {"lr": 0.01, "betas": (0.8, 0.95), "weight_decay": 0.1}),
    "Muon": (muon, {"lr": 0.02, "momentum": 0.9, "weight_decay": 0.1}),
}


def test_every_optimizer_has_a_formula() -> None:
    assert set(FORMULAS) == set(OPTIMIZERS)
    for kind, (_, given) in FORMULAS.items():
        assert set(given) == {name for name, _, _ in OPTIMIZERS[kind].arguments}, kind


@pytest.mark.parametrize("kind", FORMULAS)
def test_follows_its_formula(kind: str) -> None:
    formula, given = FORMULAS[kind]
    generator = torch.Generator().manual_seed(0)
    shapes = [(4, 7), (6, 3)] if kind == "Muon" else [(4, 7), (5,), (2, 3, 2)]
    parameters = [nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]

    def rate(time: int) -> float:
        return given["lr"] / (time + 1)

    groups = [{"params": parameters[:1], **given, "lr": rate}, {"params": parameters[1:], **given, "weight_decay": 0.0}]
    stepper = build({kind: groups}, torch.device("cpu"))
    wanted, memory = [p.detach().double() for p in parameters], [State() for _ in parameters]
    # torch's Muon takes its Newton-Schulz steps in bfloat16, which are good for two digits
    tolerance = {"rtol": 0, "atol": 2e-3} if kind == "Muon" else {"rtol": 1e-5, "atol": 1e-6}
    for time in range(6):
        for at, parameter in enumerate(parameters):
            parameter.grad = torch.randn(parameter.shape, generator=generator)
            varied = {"lr": rate(time)} if at == 0 else {"weight_decay": 0.0}
            wanted[at] = formula(wanted[at], parameter.grad.double(), memory[at], time + 1, {**given, **varied})
        stepper.step(time)
        for parameter, value in zip(parameters, wanted, strict=True):
            torch.testing.assert_close(parameter.detach().double(), value, **tolerance)
