"""Which operators can be differentiated twice, as `gradient_penalty` does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dlc.backends.pytorch.module import module_source
from dlc.compiler.catalogue.ops import names
from dlc.compiler.check import check

from .test_conformance import build, fed, module_of, operator, run, samples  # noqa: F401 - a fixture


def differentiates_twice(module: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> bool:
    given = {name: value.requires_grad_(value.is_floating_point()) for name, value in inputs.items()}
    wanted = [value for value in given.values() if value.requires_grad]
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        outputs = [out for out in run(module, given) if out.requires_grad]
        if not wanted or not outputs:
            return True
        total = torch.stack([out.square().sum() for out in outputs]).sum()
        slopes = torch.autograd.grad(total, wanted, create_graph=True, allow_unused=True)
        slopes = [slope for slope in slopes if slope is not None and slope.requires_grad]
        parameters = [p for p in module.parameters() if p.requires_grad]
        if not slopes:
            return True
        again = torch.stack([slope.square().sum() for slope in slopes]).sum()
        try:
            torch.autograd.grad(again, [*wanted, *parameters], allow_unused=True)
        except RuntimeError as error:
            assert "not implemented" in str(error) or "derivative" in str(error), error
            return False
    return True


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("name, at", samples(differentiable=True))
def test_as_the_catalogue_has_it(name: str, at: int, build: Any, draw: Any) -> None:  # noqa: F811
    built = build(name, at)
    found = differentiates_twice(built.module, fed(built, draw, dict(built.sample.sizes)))
    assert found == (not operator(name).twice_as)


def test_what_is_written_instead_gives_the_same(tmp_path: Path) -> None:
    """`twice_as` of each operator that has one, as its message gives it."""
    for name in (name for name in names() if operator(name).twice_as):
        text = f"dlspec 1\nmodel M(x: [B, 40]) -> (y: [B, 40], z: [B, 40]) {{ y = {name}(x); z = {operator(name).twice_as} }}\n"
        (tmp_path / "m.dlspec").write_text(text)
        spec = check(tmp_path / "m.dlspec").spec
        assert spec is not None
        x = torch.linspace(-6, 6, 40)[None].requires_grad_()
        y, z = module_of(module_source(spec, spec.models[0]), "M")(x)
        torch.testing.assert_close(y, z)
        assert torch.autograd.grad(z.square().sum(), x, create_graph=True)[0].requires_grad
