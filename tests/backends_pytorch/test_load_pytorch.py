"""Modules without drawn weights, and what the backend cannot say."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import torch
from torch import nn

from dlc.backends.pytorch import lowering, module
from dlc.backends.pytorch.load import empty, load_module, load_source
from dlc.backends.pytorch.module import module_source
from dlc.compiler.ir.model import Spec
from dlc.compiler.messages.diagnostics import Failed
from dlc.compiler.messages.source import Span


def test_nothing_is_drawn_and_every_tensor_is_there(example: Callable[[str], Spec]) -> None:
    spec = example("c_resnet50")
    before = torch.get_rng_state()
    module = load_module(module_source(spec, spec.models[0]), "ResNet50")
    assert torch.equal(torch.get_rng_state(), before)
    assert len(module.state_dict()) == 320
    assert all(parameter.requires_grad and parameter.device.type == "cpu" for parameter in module.parameters())


def test_construction_costs_less_than_the_class_alone(example: Callable[[str], Spec]) -> None:
    """PyTorch's own first weights are most of what making a module costs."""
    spec = example("specs/char_gpt.dlspec")
    kind = load_source(module_source(spec, spec.models[0])).CharGpt

    def seconds(make: Callable[[], nn.Module]) -> float:
        times: list[float] = []
        for _ in range(7):
            start = time.perf_counter()
            make()
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(lambda: empty(kind)) < seconds(kind)


def test_an_operator_without_a_lowering_is_a_diagnostic(
    example: Callable[[str], Spec], monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = example("specs/digits_mlp.dlspec")
    module_source(spec, spec.models[0], resizable=False)
    monkeypatch.delitem(lowering._TABLE, "relu")
    monkeypatch.setattr(module, "_written", {})
    with pytest.raises(Failed) as failure:
        module_source(spec, spec.models[0])
    found = failure.value.diagnostic
    assert (found.code, found.message) == ("E0501", "the PyTorch backend cannot express `relu`")
    assert isinstance(found.span, Span)
    assert found.span.file.endswith("digits_mlp.dlspec")
    text = next(source.text for source in spec.sources if source.name == found.span.file)
    assert text[found.span.start : found.span.end] == "relu"
