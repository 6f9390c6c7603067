"""Shapes, dtypes and work of every operator are those of PyTorch's own functions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Example, Op, Sample
from dlc.compiler.catalogue.ops.sampling import bind, sample_spec
from dlc.compiler.ir.model import Init

#: Operators whose work PyTorch counts too.
COUNTED = ("Linear", "Conv", "ConvTranspose", "attention", "MultiHeadAttention", "matmul")


def counts(op: type[Op], sample: Sample) -> bool:
    """It leaves out a matrix times a vector."""
    last = sample.inputs[-1]
    return op.name != "matmul" or (isinstance(last, Example) and len(last.shape) > 1)


def samples(*only: str) -> list[Any]:
    found: list[Any] = []
    for name in only or names(syntax=True):
        operator = find(name)
        assert operator is not None
        found += [pytest.param(operator, sample, id=f"{name}-{at}") for at, sample in enumerate(operator.samples)]
    return found


def arguments(op: type[Op], sample: Sample, sizes: dict[str, int]) -> dict[str, Any]:
    return {k: v for k, v in bind(op, sample, sizes).values.items() if not isinstance(v, Init) and k != "init"}


@pytest.mark.parametrize("larger", [False, True], ids=["sizes", "larger"])
@pytest.mark.parametrize("op, sample", samples())
def test_types_are_pytorch_s(op: type[Op], sample: Sample, larger: bool, draw: Any, references: Any) -> None:
    sizes = draw.larger if larger else dict(sample.sizes)
    at = Sample(sample.args, sample.inputs, sizes)
    body = sample_spec(op, at, symbolic=False).bodies[0]
    weights = draw.weights(body.instances[0].parameters if body.instances else ())
    outputs = references(op.name, arguments(op, sample, sizes), draw.inputs(sample, sizes), weights)
    assert [(v.type.dtype, v.type.shape) for v in body.nodes[0].outputs] == [
        (next(k for k, v in draw.dtypes.items() if v == o.dtype), tuple(o.shape)) for o in outputs
    ]


@pytest.mark.parametrize("op, sample", [found for found in samples(*COUNTED) if counts(*found.values)])
def test_work_is_what_pytorch_counts(op: type[Op], sample: Sample, draw: Any, references: Any) -> None:
    sizes = dict(sample.sizes)
    body = sample_spec(op, sample, symbolic=False).bodies[0]
    (node,) = body.nodes
    types = {value.id: value.type for value in body.values()}
    inputs = [types[i] if isinstance(i, int) else None for i in node.inputs]
    weights = draw.weights(body.instances[0].parameters if body.instances else ())
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        references(op.name, arguments(op, sample, sizes), draw.inputs(sample, sizes), weights)
    assert bind(op, sample, sizes).flops(inputs, [v.type for v in node.outputs]) == counter.get_total_flops()
