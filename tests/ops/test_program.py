"""The examples of the reference page are programs that check, run, and give what the page says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from dlc.backends.pytorch.load import load_module
from dlc.backends.pytorch.lowering import has_lowering
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Sample
from dlc.compiler.catalogue.ops.sampling import bind, sample_spec
from dlc.compiler.catalogue.sample_program import program
from dlc.compiler.check import check
from dlc.compiler.ir.model import Init
from dlc.compiler.sizes.dims import evaluate

pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")


def samples() -> list[Any]:
    found: list[Any] = []
    for name in filter(has_lowering, names(syntax=True)):  # a test of completeness names the others
        operator = find(name)
        assert operator is not None
        found += [
            pytest.param(name, sample, id=f"{name}-{at}")
            for at, sample in enumerate(operator.samples)
            if program(operator, sample)
        ]
    return found


@pytest.mark.parametrize("name, sample", samples())
def test_a_sample_as_a_program(name: str, sample: Sample, tmp_path: Path, draw: Any, references: Any) -> None:
    """The same types as the sample's own IR, and PyTorch's values."""
    operator = find(name)
    assert operator is not None
    file = tmp_path / "example.dlspec"
    file.write_text(f"dlspec 1\n{program(operator, sample)}\n", "utf-8")
    checked = check(file)
    assert checked.spec is not None and not checked.report.diagnostics, [d.message for d in checked.report.diagnostics]
    body, wanted = checked.spec.bodies[0], sample_spec(operator, sample).bodies[0]
    assert [body.value(r.value).type for r in body.outputs] == [wanted.value(r.value).type for r in wanted.outputs]
    assert [p for i in body.instances for p in i.parameters] == [p for i in wanted.instances for p in i.parameters]
    if operator.random:
        return
    sizes = draw.larger
    module = load_module(module_source(checked.spec, checked.spec.models[0]), class_name(checked.spec.models[0])).eval()
    weights = draw.weights(wanted.instances[0].parameters if wanted.instances else ())
    module.load_state_dict(dict(zip(module.state_dict(), weights.values(), strict=True)))
    drawn = draw.inputs(sample, sizes)
    tensors = [value for value in drawn if isinstance(value, torch.Tensor)]
    if len(tensors) < len(body.inputs):
        tensors.append(torch.zeros([evaluate(size, sizes) for size in body.inputs[-1].type.shape]))
    with torch.no_grad():
        made = module(*tensors)
    values = bind(operator, sample, sizes).values
    arguments = {key: value for key, value in values.items() if not isinstance(value, Init) and key != "init"}
    expected = references(name, arguments, drawn, weights)
    for one, other in zip([made] if isinstance(made, torch.Tensor) else made, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=sample.tolerance, atol=sample.tolerance)
