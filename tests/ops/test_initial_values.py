"""The declared first values of weights are those that PyTorch's layers start with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.ir.model import Parameter
from dlc.compiler.sizes.types import TensorType

LAYERS: list[tuple[str, dict[str, Any], tuple[int, ...], Callable[[], nn.Module]]] = [
    ("Linear", {"out": 200}, (2, 150), lambda: nn.Linear(150, 200)),
    ("Conv", {"out": 60, "kernel": 3, "groups": 2}, (2, 40, 8, 8), lambda: nn.Conv2d(40, 60, 3, groups=2)),
    (
        "ConvTranspose",
        {"out": 60, "kernel": 3, "groups": 2},
        (2, 40, 8),
        lambda: nn.ConvTranspose1d(40, 60, 3, groups=2),
    ),
    ("BatchNorm", {}, (2, 40), lambda: nn.BatchNorm1d(40)),
    ("LayerNorm", {}, (2, 40), lambda: nn.LayerNorm(40)),
    ("GroupNorm", {"groups": 4}, (2, 40, 3), lambda: nn.GroupNorm(4, 40)),
    ("InstanceNorm", {"affine": True}, (2, 40, 3), lambda: nn.InstanceNorm1d(40, affine=True)),
    ("RMSNorm", {}, (2, 40), lambda: nn.RMSNorm(40)),
    ("Embedding", {"count": 300, "dim": 60, "pad": 2}, (5,), lambda: nn.Embedding(300, 60, 2)),
    ("RNN", {"hidden": 50, "layers": 2}, (2, 5, 30), lambda: nn.RNN(30, 50, 2)),
    ("GRU", {"hidden": 50}, (2, 5, 30), lambda: nn.GRU(30, 50)),
    ("LSTM", {"hidden": 50, "bidirectional": True}, (2, 5, 30), lambda: nn.LSTM(30, 50, bidirectional=True)),
    ("MultiHeadAttention", {"heads": 4}, (2, 5, 80), lambda: nn.MultiheadAttention(80, 4)),
]


def test_every_layer_is_here() -> None:
    assert set(names(functions=False)) == {name for name, *_ in LAYERS} | {"Param", "Buffer"}


@pytest.mark.parametrize("name, args, shape, make", LAYERS, ids=[name for name, *_ in LAYERS])
def test_first_values(name: str, args: dict[str, Any], shape: tuple[int, ...], make: Callable[[], nn.Module]) -> None:
    operator = find(name)
    assert operator is not None
    declared = operator(**args).parameters(TensorType("i64" if name == "Embedding" else "f32", shape))
    torch.manual_seed(0)
    state = make().state_dict()
    assert [(p.name, p.shape) for p in declared] == [(key, tuple(value.shape)) for key, value in state.items()]
    for parameter in declared:
        assert_drawn_from(parameter, state[parameter.name].double())


def assert_drawn_from(parameter: Parameter, values: torch.Tensor) -> None:
    init = parameter.init
    assert init is not None
    if init.name in ("zeros", "ones"):
        assert torch.equal(values, torch.full_like(values, float(init.name == "ones")))
    elif init.name == "normal":
        row = init.args["zero_row"]
        assert not values[row].any()
        drawn = torch.cat([values[:row], values[row + 1 :]])
        assert abs(float(drawn.mean()) - init.args["mean"]) < 0.05
        assert abs(float(drawn.std()) / init.args["std"] - 1) < 0.05
    else:
        high = init.args["high"] if init.name == "uniform" else (6 / sum(parameter.shape)) ** 0.5
        assert init.name == "xavier_uniform" or init.args["low"] == -high
        assert 0.9 * high < float(values.abs().max()) <= high * (1 + 1e-6)
        assert abs(float(values.mean())) < 0.25 * high
