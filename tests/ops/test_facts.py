"""What operators say of themselves, which the analyses go by: each fact is there, and true of what PyTorch computes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from dlc.compiler.catalogue.ops import find, names
from dlc.compiler.catalogue.ops.base import Example, Op, Sample
from dlc.compiler.catalogue.ops.positions import NotPiecewise, Positions
from dlc.compiler.catalogue.ops.sampling import bind, sample_spec
from dlc.compiler.ir.model import Init, OpNode

NAMES = names(syntax=True)


def operator(name: str) -> type[Op]:
    found = find(name)
    assert found is not None
    return found


def computed(
    references: Any, draw: Any, op: type[Op], sample: Sample, sizes: dict[str, int], inputs: Any
) -> list[Tensor]:
    """What PyTorch gives for a sample."""
    parameters = sample_spec(op, sample).bodies[0].instances
    weights = draw.weights(parameters[0].parameters if parameters else ())
    args = {key: value for key, value in bind(op, sample, sizes).values.items() if not isinstance(value, Init)}
    args.pop("init", None)
    return references(op.name, args, inputs, weights)


# ---- positions that are fed a few at a time ----------------------------------------------------------------------------


def test_every_operator_says_along_which_axes_it_works() -> None:
    silent = [
        name
        for name in NAMES
        if (op := operator(name)).tensors
        and not (op.elementwise or op.along or op.piecewise is not Op.piecewise)
        and "axis" not in [argument for argument, _, _ in op.arguments]
    ]
    assert silent == []


def piecewise() -> Iterator[Any]:
    """Samples over positions that the operator's rule accepts, with the axis of positions of each result."""
    for name in NAMES:
        op = operator(name)
        for at, sample in enumerate(op.samples):
            body = sample_spec(op, sample).bodies[0]
            (node,) = (node for node in body.nodes if isinstance(node, OpNode))
            types = {value.id: value.type for value in body.values()}
            use = Positions("T", tuple(types[i] if isinstance(i, int) else None for i in node.inputs))
            args = {key: value for key, value in node.args.items() if key != "init"}
            spoken = any(map(use.speaks, args.values())) and not op.sized
            along = [use.axes(value.type) for value in node.outputs]
            mixed = any(len(axes) > 1 for axes in along)
            merged = any(
                value.type.shape[axes[0]] != use.size for axes, value in zip(along, node.outputs, strict=True) if axes
            )
            if op.random or spoken or mixed or merged or not any(along) or "T" in sample.inputs:
                continue
            try:
                op(**args).piecewise(use)
            except NotPiecewise:
                continue
            yield pytest.param(name, at, [axes[0] if axes else None for axes in along], id=f"{name}-{at}")


@pytest.mark.parametrize("name, at, along", list(piecewise()))
def test_earlier_positions_do_not_see_later_ones(
    name: str, at: int, along: list[int | None], draw: Any, references: Any
) -> None:
    """An operator whose rule accepts positions a few at a time gives the first ones what it gives them in the whole sequence."""
    op, sample = operator(name), operator(name).samples[at]
    whole, part = {**draw.larger, "T": 7}, {**draw.larger, "T": 3}
    inputs = draw.inputs(sample, whole)
    first = [
        value[tuple(slice(3) if size == "T" else slice(None) for size in example.shape)]
        if isinstance(example, Example)
        else value
        for example, value in zip(sample.inputs, inputs, strict=True)
    ]
    found = computed(references, draw, op, sample, part, first)
    wanted = computed(references, draw, op, sample, whole, inputs)
    for axis, one, other in zip(along, found, wanted, strict=True):
        if axis is not None:
            count = one.shape[axis]
            torch.testing.assert_close(one, other.narrow(axis, 0, count), rtol=1e-5, atol=1e-5)
