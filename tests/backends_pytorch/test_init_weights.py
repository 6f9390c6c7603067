"""`init_weights` draws from the distributions that the IR states."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.ir.expand import ParameterEntry, parameters
from dlc.compiler.ir.model import Init, Spec
from dlc.tests.sizes import thinned

from .test_resizing_pytorch import SIZES, models, resized_spec

__all__ = ["models"]

Written = Callable[..., tuple[Spec, str]]


def moments(init: Init, shape: tuple[int, ...]) -> tuple[float, float, float]:
    """Mean, standard deviation, and the largest distance from the mean."""
    args, inner = init.args, math.prod(shape[2:])
    fan_in, fan_out = (shape[1] * inner, shape[0] * inner) if len(shape) > 1 else (1, 1)
    match init.name:
        case "zeros" | "ones" | "constant":
            return {"zeros": 0.0, "ones": 1.0}.get(init.name, args.get("v", 0.0)), 0.0, 0.0
        case "normal":
            return args.get("mean", 0.0), args["std"], math.inf
        case "trunc_normal":
            return args.get("mean", 0.0), 0.8796 * args["std"], 2 * args["std"]
        case "uniform":
            half = (args["high"] - args["low"]) / 2
            return (args["high"] + args["low"]) / 2, half / math.sqrt(3), half
        case "xavier_uniform":
            std = args["gain"] * math.sqrt(2 / (fan_in + fan_out))
            return 0.0, std, math.sqrt(3) * std
        case "kaiming_normal":
            std = math.sqrt(2 / (fan_in if args["mode"] == "fan_in" else fan_out))
            return 0.0, std, math.inf
        case _:
            raise AssertionError(init)


def assert_drawn(entry: ParameterEntry, tensor: Tensor) -> None:
    assert entry.init is not None
    if entry.init.name == "s4d_real":
        torch.testing.assert_close(tensor, torch.arange(1, tensor.shape[-1] + 1).log().expand_as(tensor))
        return
    values = tensor.detach().double()
    row = entry.init.args.get("zero_row")
    if row is not None:
        assert not values[int(row)].any()
        values = values[1:]
    mean, std, reach = moments(entry.init, entry.shape)
    n = values.numel()
    assert abs(values.mean() - mean) <= 6 * std / math.sqrt(n) + 1e-6, entry.path
    assert (values - mean).abs().max() <= reach * 1.0001 + 1e-6, entry.path
    if n > 30:
        assert values.std() == pytest.approx(std, rel=6 / math.sqrt(2 * n), abs=1e-7), entry.path


@pytest.mark.parametrize("name", thinned(sorted(SIZES), 3))
def test_each_parameter_has_the_distribution_of_the_spec(
    name: str, example: Callable[[str], Spec], models: Path
) -> None:
    spec = example(f"specs/{name}.dlspec")
    for model in spec.models:
        chosen = {key: value for key, value in SIZES[name][0].items() if key in model.statics}
        wanted, wanted_model = resized_spec(models, name, model, chosen)
        module: nn.Module = getattr(load_source(module_source(spec, model)), class_name(model))(**chosen)
        tensors = dict(module.named_parameters())
        for entry in parameters(wanted, wanted_model):
            if not entry.buffer:
                assert_drawn(entry, tensors[entry.path])


def test_what_pytorch_does_anyway_is_not_said(written: Written) -> None:
    _, source = written("model M(x: [B, 4]) -> (y: [B, 4]) { y = x -> a: Linear(8) -> n: LayerNorm -> b: Linear(4) }")
    assert "init" not in source.replace("__init__", "")


def test_exceptions_are_found_by_what_their_names_end_in(written: Written) -> None:
    _, source = written("""
block Part(x: [B, D]) -> [B, D] { x -> up: Linear(D) -> relu -> down: Linear(D) }
model M(depth = 3)(x: [B, 4]) -> (y: [B, 4]) {
  y = x -> h: repeat depth { Part }
  init Linear.weight = normal(0.5)
  init Linear.bias = zeros
  init "**.down.weight" = normal(0.5 / sqrt(2 * depth))
}
""")
    assert (
        """
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.5)
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if name.endswith("down.weight"):
                nn.init.normal_(parameter, std=0.5 / (2 * self.depth) ** 0.5)
"""
        in source
    )
    assert "self.init_weights()" in source


def test_the_output_of_an_attention_layer_is_no_linear_layer_of_the_spec(written: Written) -> None:
    """`nn.MultiheadAttention` holds an `nn.Linear`, which a rule for `Linear` does not mean."""
    spec, source = written("""
model M(x: [B, T, 8]) -> (y: [B, T, 8]) {
  y = x -> attend: MultiHeadAttention(2) -> a: Linear(8) -> b: Linear(8)
  init Linear.weight = normal(5.0)
}
""")
    module = load_source(source).M()
    assert module.attend.out_proj.weight.std() < 1
    assert module.a.weight.std() > 3
    assert module.b.weight.std() > 3
    assert spec.models[0].name == "M"


def test_one_parameter_is_named(written: Written) -> None:
    _, source = written("""
model M(x: [B, 4]) -> (y: [B, 4]) {
  y = (x -> mlp: { Linear(4) -> relu -> Linear(4) }) * (gain: Param([4], init = ones))
  init "mlp.2.weight" = zeros
}
""")
    assert "nn.init.zeros_(self.mlp[2].weight)" in source
    assert "nn.init.ones_(self.gain)" in source


def test_a_model_is_made_empty_whatever_it_draws_from(written: Written) -> None:
    """`trunc_normal_` draws again until it has what it wants; of a tensor that is not filled it would never have it."""
    _, source = written("""
model M(x: [B, 40]) -> (y: [B, 40]) {
  y = x -> a: Linear(40) -> b: Linear(40)
  init "a.weight" = trunc_normal(0.02)
  init "b.weight" = orthogonal
}
""")
    kind = load_source(source).M
    assert "std=0.02, a=-0.04, b=0.04)" in source
    assert empty(kind).a.weight.shape == (40, 40)
    assert kind().a.weight.abs().max() <= 0.04


@pytest.mark.parametrize("number", ["1e30", "1e-30", "2.5e-07"])
def test_a_power_of_ten_is_not_a_name(written: Written, number: str) -> None:
    _, source = written(f"""
block Part(i: int, e = 2)(x: [B, D]) -> [B, D] {{ (x -> up: Linear(D)) * ({number} * (i + e)) }}
model M(depth = 3)(x: [B, 4]) -> (y: [B, 4]) {{
  y = x -> h: for i in [1, 2, 5] {{ Part(i) }}
  init Linear.weight = normal({number} / sqrt(2 * depth))
}}
""")
    compile(source, "model.py", "exec")
    assert f"{float(number):g}".replace("e+", "e") in source.replace("e+", "e")
