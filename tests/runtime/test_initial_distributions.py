"""Every entry of the init table draws what its name promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from dlc.compiler.catalogue import INITS
from dlc.compiler.catalogue.entry import MISSING
from dlc.compiler.ir.expand import ParameterEntry
from dlc.compiler.ir.model import Init
from dlc.compiler.messages.source import Span
from dlc.runtime.generated.initialize import initial_value

OUT, IN = 400, 250


def draw(name: str, shape: tuple[int, ...] = (OUT, IN), seed: int = 0, **given: Any) -> Tensor:
    args = {key: default for key, _, default in INITS[name].arguments if default is not MISSING} | given
    init = Init(name=name, args=args)
    entry = ParameterEntry("w", shape, "f32", init, False, "Param", "", Span("spec.dlspec", 0, 0))
    return initial_value(entry, torch.Generator().manual_seed(seed))


def is_uniform(low: float, high: float) -> Callable[[Tensor], None]:
    def check(x: Tensor) -> None:
        assert low <= float(x.min()) < low + 0.001 * (high - low)
        assert high - 0.001 * (high - low) < float(x.max()) <= high
        assert abs(float(x.mean()) - (low + high) / 2) < 0.01 * (high - low)
        assert float(x.std()) == pytest.approx((high - low) / math.sqrt(12), rel=0.01)

    return check


def is_normal(std: float, mean: float = 0.0) -> Callable[[Tensor], None]:
    def check(x: Tensor) -> None:
        z = (x - mean) / std
        assert abs(float(z.mean())) < 0.015 and float(z.std()) == pytest.approx(1, rel=0.01)
        assert float((z.abs() < 1).float().mean()) == pytest.approx(0.6827, abs=0.01)
        assert float(z.abs().max()) > 3.5

    return check


def is_cut_normal(std: float, mean: float) -> Callable[[Tensor], None]:
    """A normal distribution without what lies beyond two deviations."""

    def check(x: Tensor) -> None:
        z = (x - mean) / std
        assert 1.99 < float(z.abs().max()) <= 2 + 1e-5
        assert float((z.abs() < 1).float().mean()) == pytest.approx(0.6827 / 0.9545, abs=0.01)

    return check


def is_orthogonal(gain: float) -> Callable[[Tensor], None]:
    def check(x: Tensor) -> None:
        torch.testing.assert_close(x.T @ x, gain**2 * torch.eye(IN), atol=1e-4, rtol=0)

    return check


def is_constant(value: float) -> Callable[[Tensor], None]:
    return lambda x: torch.testing.assert_close(x, torch.full_like(x, value))


def is_log_of_place(x: Tensor) -> None:
    torch.testing.assert_close(x, torch.arange(1, x.shape[-1] + 1.0).log().expand_as(x))


# Glorot and Bengio 2010 (xavier), He et al. 2015 (kaiming), Saxe et al. 2013 (orthogonal), Gu et al. 2022 (s4d_real)
CASES: list[tuple[str, dict[str, Any], Callable[[Tensor], None]]] = [
    ("normal", {"std": 0.3, "mean": 1.0}, is_normal(0.3, 1.0)),
    ("trunc_normal", {"std": 0.3, "mean": -1.0}, is_cut_normal(0.3, -1.0)),
    ("uniform", {"low": -0.5, "high": 2.0}, is_uniform(-0.5, 2.0)),
    ("zeros", {}, is_constant(0)),
    ("ones", {}, is_constant(1)),
    ("constant", {"v": 0.25}, is_constant(0.25)),
    ("xavier_uniform", {"gain": 2.0}, is_uniform(-2 * math.sqrt(6 / (IN + OUT)), 2 * math.sqrt(6 / (IN + OUT)))),
    ("xavier_normal", {}, is_normal(math.sqrt(2 / (IN + OUT)))),
    ("kaiming_uniform", {"act": "relu"}, is_uniform(-math.sqrt(6 / IN), math.sqrt(6 / IN))),
    ("kaiming_normal", {"act": "relu", "mode": "fan_out"}, is_normal(math.sqrt(2 / OUT))),
    ("orthogonal", {"gain": 1.5}, is_orthogonal(1.5)),
    ("s4d_real", {}, is_log_of_place),
]


def test_every_init_is_here() -> None:
    assert {name for name, *_ in CASES} == set(INITS)


@pytest.mark.parametrize("name, args, check", CASES, ids=[name for name, *_ in CASES])
def test_distribution(name: str, args: dict[str, Any], check: Callable[[Tensor], None]) -> None:
    found = draw(name, **args)
    check(found)
    assert torch.equal(found, draw(name, **args)), "a pure function of its generator"
