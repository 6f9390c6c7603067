"""Specs as generated modules."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.check import check
from dlc.compiler.ir.model import Spec

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = ROOT / "tests" / "language"


@cache
def read(path: Path) -> Spec:
    checked = check(path)
    assert checked.spec is not None, [diagnostic.message for diagnostic in checked.report.errors]
    return checked.spec


def filled(module: nn.Module, seed: int = 0) -> nn.Module:
    """A module with weights of a sensible size everywhere."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for name, tensor in module.state_dict().items():
            if not tensor.is_floating_point():
                tensor.zero_()
            elif "running_var" in name:
                tensor.uniform_(0.5, 1.5)
            else:
                tensor.normal_(1.0 if tensor.dim() == 1 and name.endswith("weight") else 0.0, 0.1)
    return module


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., tuple[Spec, str]]:
    """The spec and the generated source of a program's first model."""

    def write(text: str, **options: Any) -> tuple[Spec, str]:
        file = tmp_path / "spec.dlspec"
        file.write_text(f"dlspec 1\n{text}", encoding="utf-8")
        checked = check(file)
        assert checked.spec is not None, [(d.code, d.message) for d in checked.report.errors]
        return checked.spec, module_source(checked.spec, checked.spec.models[0], **options)

    return write


@pytest.fixture
def built(written: Callable[..., tuple[Spec, str]]) -> Callable[..., nn.Module]:
    """The module of a program's first model, with weights."""

    def build(text: str, **options: Any) -> nn.Module:
        spec, source = written(text, **options)
        return filled(empty(getattr(load_source(source), class_name(spec.models[0]))))

    return build


@pytest.fixture
def example() -> Callable[[str], Spec]:
    """A spec of the repository by its path in it, or an example of the language by name."""

    def find(name: str) -> Spec:
        path = ROOT / name if "/" in name else next((EXAMPLES).rglob(f"{name}.dlspec"))
        return read(path)

    return find


@pytest.fixture
def instance(example: Callable[[str], Spec]) -> Callable[..., nn.Module]:
    """The first model of an example, with weights."""

    def make(name: str, model: int = 0) -> nn.Module:
        spec = example(name)
        chosen = spec.models[model]
        return filled(empty(getattr(load_source(module_source(spec, chosen)), class_name(chosen))))

    return make
