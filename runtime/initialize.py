"""First values of parameters: each a pure function of (seed, path), so that adding a layer disturbs no other."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from ..compiler.expand import ParameterEntry, parameters
from ..compiler.ir import Init, Model, Spec
from . import keyed
from .data.values import DTYPES


def initial_values(
    spec: Spec, model: Model, seed: int, prefix: str = "", but: Collection[str] = ()
) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer of a model with its first value, on the CPU. `prefix` (`gen.`) belongs to the path; paths in
    `but` are left out."""
    for entry in parameters(spec, model):
        path = prefix + entry.path
        if path in but:
            continue
        yield entry.path, initial_value(entry, keyed.generator(seed, "init", path))


def fill(module: nn.Module, spec: Spec, model: Model, seed: int, prefix: str = "", but: Collection[str] = ()) -> None:
    """Puts the first values into a module, one tensor at a time: no second copy of the model."""
    tensors = module.state_dict()
    for path, value in initial_values(spec, model, seed, prefix, but):
        tensors.pop(path).copy_(value)
    assert all(prefix + path in but for path in tensors), f"no first value for {', '.join(tensors)}"


def initial_value(entry: ParameterEntry, generator: torch.Generator) -> Tensor:
    tensor = torch.zeros(entry.shape, dtype=DTYPES[entry.dtype])
    init = entry.init
    if init is None:
        return tensor
    if not tensor.is_floating_point():
        return tensor.fill_(_constant(init))
    with torch.no_grad():
        _fill(tensor, init.name, init.args, generator)
    return tensor


def _constant(init: Init) -> float:
    return {"zeros": 0.0, "ones": 1.0}.get(init.name, float(init.args.get("v") or 0))


def _fill(tensor: Tensor, name: str, args: Mapping[str, Any], generator: torch.Generator) -> None:
    match name:
        case "zeros":
            tensor.zero_()
        case "ones":
            tensor.fill_(1)
        case "constant":
            value = args["v"]
            tensor.copy_(torch.as_tensor(value, dtype=tensor.dtype).expand_as(tensor))
        case "normal":
            tensor.normal_(args.get("mean", 0.0), args["std"], generator=generator)
        case "trunc_normal":
            mean, std = args.get("mean", 0.0), args["std"]
            nn.init.trunc_normal_(tensor, mean, std, mean - 2 * std, mean + 2 * std, generator=generator)
        case "uniform":
            tensor.uniform_(args["low"], args["high"], generator=generator)
        case "xavier_uniform":
            nn.init.xavier_uniform_(tensor, args["gain"], generator=generator)
        case "xavier_normal":
            nn.init.xavier_normal_(tensor, args["gain"], generator=generator)
        case "kaiming_uniform" | "kaiming_normal":
            fill = nn.init.kaiming_uniform_ if name == "kaiming_uniform" else nn.init.kaiming_normal_
            act: Any = args["act"]
            fill(tensor, args.get("a", 0), args["mode"], act, generator=generator)
        case "orthogonal":
            nn.init.orthogonal_(tensor, args["gain"], generator=generator)
        case _:
            raise AssertionError(name)
    if args.get("zero_row") is not None:
        tensor[int(args["zero_row"])] = 0
