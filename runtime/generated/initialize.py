"""First values of parameters: each a pure function of (seed, path), so that adding a layer disturbs no other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ...compiler.catalogue import INITS
from ...compiler.ir.expand import ParameterEntry, parameters
from ...compiler.ir.model import Init, Model, Spec
from .. import randomness
from ..data.values import DTYPES

Args: TypeAlias = Mapping[str, Any]
Filler: TypeAlias = Callable[[Tensor, Args, torch.Generator], None]


def initial_values(
    spec: Spec, model: Model, seed: int, prefix: str = "", but: Collection[str] = ()
) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer of a model with its first value, on the CPU. `prefix` (`gen.`) belongs to the path; paths in
    `but` are left out."""
    for entry, generator in _entries(spec, model, seed, prefix, but):
        yield entry.path, initial_value(entry, generator)


def fill(module: nn.Module, spec: Spec, model: Model, seed: int, prefix: str = "", but: Collection[str] = ()) -> None:
    """Puts the first values into a module. They are drawn in place where the tensor allows it, as a second pass over the
    weights costs as much as constructing the rest of a convolutional network; else one tensor is copied at a time."""
    tensors = module.state_dict()
    for entry, generator in _entries(spec, model, seed, prefix, but):
        tensor = tensors.pop(entry.path)
        if tensor.device.type == "cpu" and tensor.dtype == DTYPES[entry.dtype] and tensor.is_contiguous():
            _draw(tensor, entry, generator)
        else:
            tensor.copy_(initial_value(entry, generator))
    assert all(prefix + path in but for path in tensors), f"no first value for {', '.join(tensors)}"


def initial_value(entry: ParameterEntry, generator: torch.Generator) -> Tensor:
    tensor = torch.empty(entry.shape, dtype=DTYPES[entry.dtype])
    _draw(tensor, entry, generator)
    return tensor


def _entries(
    spec: Spec, model: Model, seed: int, prefix: str, but: Collection[str]
) -> Iterator[tuple[ParameterEntry, torch.Generator]]:
    """What has to be filled, each with a generator in the state of its path; one object serves all, as most need none."""
    generator = torch.Generator()
    for entry in parameters(spec, model):
        path = prefix + entry.path
        if path in but:
            continue
        if entry.init is not None and INITS[entry.init.name].draws:
            generator.manual_seed(randomness.seed(seed, "init", path))
        yield entry, generator


@torch.no_grad()
def _draw(tensor: Tensor, entry: ParameterEntry, generator: torch.Generator) -> None:
    if entry.init is None:
        tensor.zero_()
    elif not tensor.is_floating_point():
        tensor.fill_(_constant(entry.init))
    else:
        _fill(tensor, entry.init.name, entry.init.args, generator)


def _constant(init: Init) -> float:
    return {"zeros": 0.0, "ones": 1.0}.get(init.name, float(init.args.get("v") or 0))


def _fill(tensor: Tensor, name: str, args: Mapping[str, Any], generator: torch.Generator) -> None:
    filler(name)(tensor, args, generator)
    if args.get("zero_row") is not None:
        tensor[int(args["zero_row"])] = 0


def filler(name: str) -> Filler:
    """How an initial value is drawn: by the function of this file that has its name. KeyError when there is none."""
    return globals()[f"draw_{name}"]


def draw_zeros(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    tensor.zero_()


def draw_ones(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    tensor.fill_(1)


def draw_constant(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    tensor.copy_(torch.as_tensor(args["v"], dtype=tensor.dtype).expand_as(tensor))


def draw_normal(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    tensor.normal_(args.get("mean", 0.0), args["std"], generator=generator)


def draw_trunc_normal(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    mean, std = args.get("mean", 0.0), args["std"]
    nn.init.trunc_normal_(tensor, mean, std, mean - 2 * std, mean + 2 * std, generator=generator)


def draw_uniform(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    tensor.uniform_(args["low"], args["high"], generator=generator)


def draw_xavier_uniform(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    nn.init.xavier_uniform_(tensor, args["gain"], generator=generator)


def draw_xavier_normal(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    nn.init.xavier_normal_(tensor, args["gain"], generator=generator)


def draw_kaiming_uniform(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    nn.init.kaiming_uniform_(tensor, args.get("a", 0), args["mode"], args["act"], generator=generator)


def draw_kaiming_normal(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    nn.init.kaiming_normal_(tensor, args.get("a", 0), args["mode"], args["act"], generator=generator)


def draw_orthogonal(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    nn.init.orthogonal_(tensor, args["gain"], generator=generator)


def draw_s4d_real(tensor: Tensor, args: Args, generator: torch.Generator) -> None:
    states = tensor.shape[-1] if tensor.ndim else 1
    decays = torch.arange(1, states + 1, dtype=torch.float64).log()
    tensor.copy_(decays.expand(*tensor.shape[:-1], states).reshape(tensor.shape))
