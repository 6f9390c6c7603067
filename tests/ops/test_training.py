"""What operators with a mode do in training, and where gradients stop: the generated modules against PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Example, Sample
from dlc.compiler.catalogue.ops.sampling import sample_spec

COVERED = {"BatchNorm", "dropout", "drop_path", "attention", "MultiHeadAttention", "RNN", "GRU", "LSTM"}


def generated(name: str, args: dict[str, Any], *inputs: Example) -> nn.Module:
    """The module of one operator, in training mode."""
    operator = find(name)
    assert operator is not None
    spec = sample_spec(operator, Sample(args, inputs))
    scope: dict[str, Any] = {"__name__": "generated"}
    exec(compile(module_source(spec, spec.models[0]), "model.py", "exec"), scope)
    return scope[class_name(spec.models[0])]().train()


def test_every_operator_with_a_mode_is_here() -> None:
    assert {name for name in names(syntax=True) if find(name).has_mode} == COVERED  # type: ignore[union-attr]


def test_batch_norm_uses_and_moves_statistics() -> None:
    module = generated("BatchNorm", {"eps": 1e-3, "momentum": 0.2}, Example("f32", ("B", 3, "H", "W")))
    reference = nn.BatchNorm2d(3, eps=1e-3, momentum=0.2)
    torch.manual_seed(0)
    for _ in range(2):
        x = 2 + 3 * torch.randn(4, 3, 5, 6)
        torch.testing.assert_close(module(x), reference(x))
    state = {key.removeprefix("layer."): value for key, value in module.state_dict().items()}
    torch.testing.assert_close(state, dict(reference.state_dict()))


def test_dropout_is_pytorch_s() -> None:
    module = generated("dropout", {"p": 0.4}, Example("f32", ("B", 3)))
    x = torch.randn(50, 3)
    torch.manual_seed(1)
    found = module(x)
    torch.manual_seed(1)
    torch.testing.assert_close(found, F.dropout(x, 0.4))


def test_drop_path_drops_whole_examples() -> None:
    torch.manual_seed(2)
    y = generated("drop_path", {"p": 0.25}, Example("f32", ("B", "T", 3)))(torch.ones(4000, 2, 3))
    per_example = y.flatten(1)
    assert torch.equal(per_example, per_example[:, :1].expand_as(per_example))
    assert y.unique().tolist() == [0.0, pytest.approx(1 / 0.75)]
    assert abs(float(y.mean()) - 1) < 0.05


@pytest.mark.parametrize("name", ["attention", "MultiHeadAttention"])
def test_attention_drops_weights(name: str) -> None:
    torch.manual_seed(3)
    if name == "attention":
        shape = Example("f32", ("B", 2, "T", 4))
        module, inputs = generated(name, {"dropout": 0.5}, shape, shape, shape), torch.randn(3, 1, 2, 6, 4)
    else:
        module, inputs = (
            generated(name, {"heads": 2, "dropout": 0.5}, Example("f32", ("B", "T", 4))),
            torch.randn(1, 1, 6, 4),
        )
    several = torch.stack([module(*inputs) for _ in range(3000)])
    assert not torch.equal(several[0], several[1])
    module.eval()
    quiet = module(*inputs)
    torch.testing.assert_close(quiet, module(*inputs))
    torch.testing.assert_close(several.mean(0), quiet, atol=0.1, rtol=0.1)  # dropout keeps the mean


@pytest.mark.parametrize("name", ["RNN", "GRU", "LSTM"])
def test_recurrent_layers_drop_between_layers(name: str) -> None:
    module = generated(name, {"hidden": 4, "layers": 2, "dropout": 0.5}, Example("f32", ("B", "T", 3)))
    reference = getattr(nn, name)(3, 4, 2, batch_first=True, dropout=0.5)
    reference.load_state_dict({key.removeprefix("layer."): value for key, value in module.state_dict().items()})
    x = torch.randn(5, 7, 3)
    torch.manual_seed(4)
    found = module(x)
    torch.manual_seed(4)
    torch.testing.assert_close(found[0], reference(x)[0])
    assert not torch.equal(found[0], module(x)[0])


def test_stop_grad_stops() -> None:
    module = generated("stop_grad", {}, Example("f32", ("B", 3)))
    assert not module(torch.randn(2, 3, requires_grad=True)).requires_grad


def test_the_padding_row_of_a_table_gets_no_gradient() -> None:
    module = generated("Embedding", {"count": 5, "dim": 3, "pad": 1}, Example("i64", ("B",), 0, 5))
    module(torch.tensor([0, 1, 1, 2])).sum().backward()
    gradient = module.get_parameter("layer.weight").grad
    assert gradient is not None
    assert gradient.abs().sum(1).bool().tolist() == [True, False, True, False, False]


def test_a_buffer_is_not_trained() -> None:
    assert not list(generated("Buffer", {"value": (1.0, 2.0)}).parameters())
