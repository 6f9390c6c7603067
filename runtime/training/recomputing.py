"""`runtime { recompute = ["h.*"] }`: layers that keep only their inputs and compute their inside again in the backward pass.

It buys memory for about a third more time (Chen et al., 2016, "Training Deep Nets with Sublinear Memory Cost"). Results stay
the same: the device generator is set back for the second time (dropout), and batch norms count a batch once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from ...compiler.ir.globs import glob


def layers(nets: Mapping[str, nn.Module], patterns: Iterable[str]) -> list[nn.Module]:
    """The outermost layers that a pattern chooses: what is inside one of them is computed again with it."""
    globs = [glob(pattern) for pattern in patterns]
    found: dict[str, nn.Module] = {}
    for name, net in nets.items():
        for path, module in net.named_modules(prefix=name):
            inside = any(path.startswith(f"{outer}.") for outer in found)
            if path and not inside and any(pattern.matches(path) for pattern in globs):
                found[path] = module
    return list(found.values())


def recompute(nets: Mapping[str, nn.Module], patterns: Iterable[str]) -> None:
    """From here on exactly the layers that match are computed again. A list of layers stands for each of them."""
    for net in nets.values():
        for module in net.modules():
            module.__dict__.pop("forward", None)
    for layer in layers(nets, patterns):
        for module in layer if isinstance(layer, nn.ModuleList) else (layer,):
            module.forward = partial(_twice, module, module.forward)


def _twice(module: nn.Module, forward: Any, *inputs: Any) -> Any:
    if not (module.training and torch.is_grad_enabled()):
        return forward(*inputs)
    return checkpoint(forward, *inputs, use_reentrant=False, context_fn=partial(_contexts, module))


def _contexts(module: nn.Module) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
    return nullcontext(), _SameStatistics(module)


class _SameStatistics:
    """While entered, batch norms normalise by the batch and leave their running statistics as they are. A gradient of a gradient
    computes the inside several times, so it can be entered again."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.before: list[tuple[Any, ...]] = []

    def __enter__(self) -> None:
        norms = [m for m in self.module.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) and m.training]
        self.before = [(norm, norm.running_mean, norm.running_var, norm.num_batches_tracked) for norm in norms]
        for norm, *kept in self.before:
            norm.running_mean, norm.running_var, norm.num_batches_tracked = (
                None if tensor is None else tensor.clone() for tensor in kept
            )

    def __exit__(self, *exception: object) -> None:
        for norm, mean, var, count in self.before:
            norm.running_mean, norm.running_var, norm.num_batches_tracked = mean, var, count
