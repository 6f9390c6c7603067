"""NaN and infinities give the same in PyTorch and in ONNX Runtime, but for the exceptions that docs/export.md names."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dlc.backends.onnx.lower import lower
from dlc.backends.onnx.write import to_bytes
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.catalogue.ops.sampling import sample_spec

from .test_conformance import LEVELS, Built, fed, module_of, operator, run, samples, session

#: Files of the catalogue whose operators work number by number, or over an axis.
ROOMS = ("activation", "arithmetic", "operators", "reduction")
SPECIAL = [float("nan"), float("inf"), -float("inf"), 0.0, -0.0, 1.5, -2.0, 1e30, 3.0]
#: Operators whose answers differ, as docs/export.md says.
DIFFER = {"max", "min", "argmax", "clamp", "floor_divide", "modulo", "power"}
CASES = [case for case in samples() if operator(str(case.values[0])).__module__.rpartition(".")[2] in ROOMS]


def special(like: Tensor, turn: int) -> Tensor:
    """Special numbers in every place, others from turn to turn; what is not real stays."""
    if not like.is_floating_point():
        return like
    values = torch.tensor(SPECIAL)
    return values[(torch.arange(like.numel()) * 4 + turn) % len(SPECIAL)].reshape(like.shape)


def different(name: str, at: int, draw: Any) -> list[str]:
    """Where the two differ, in words."""
    op = operator(name)
    spec = sample_spec(op, op.samples[at])
    module = module_of(module_source(spec, spec.models[0]), class_name(spec.models[0]))
    runtimes = [session(to_bytes(lower(spec, spec.models[0], {})), level) for level in LEVELS]
    found: list[str] = []
    for turn in range(len(SPECIAL)):
        inputs = {
            key: special(value, turn * (1 + number))
            for number, (key, value) in enumerate(_fed(op, at, spec, draw).items())
        }
        with torch.no_grad():
            wanted = run(module, inputs)
        for runtime in runtimes:
            feed = {value.name: inputs[value.name].numpy() for value in runtime.get_inputs()}
            for ours, theirs in zip(map(np.asarray, runtime.run(None, feed)), wanted, strict=True):
                if not np.allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-6, equal_nan=True):
                    found.append(f"{feed} gives {theirs.tolist()} in PyTorch, {ours.tolist()} in ONNX Runtime")
    return found


def _fed(op: Any, at: int, spec: Any, draw: Any) -> dict[str, Tensor]:
    built = Built(op, op.samples[at], spec, "", torch.nn.Module(), {})
    return fed(built, draw, dict(op.samples[at].sizes))


@pytest.mark.parametrize(("name", "at"), CASES)
def test_both_backends_agree(name: str, at: int, draw: Any) -> None:
    found = different(name, at, draw)
    assert name in DIFFER or not found, found[0]


@pytest.mark.parametrize("name", sorted(DIFFER))
def test_an_exception_is_one(name: str, draw: Any) -> None:
    assert any(different(name, at, draw) for at in range(len(operator(name).samples)))
