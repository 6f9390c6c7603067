"""Optimizers over the parameter groups of the recipe, which name their schedules; fused kernels where torch has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from ...compiler.dataclass import dataclass
from ..failure import RunFailure
from ..generated.functions import Groups
from . import fused
from .fused import Fused

#: What steps: torch's own, or the short way to its kernels.
Optimizer: TypeAlias = "torch.optim.Optimizer | Fused"
Builder: TypeAlias = "Callable[[list[dict[str, Any]], torch.device], Optimizer]"


class Lion(torch.optim.Optimizer):
    """The sign of an interpolated momentum, decoupled weight decay (Chen et al., 2023)."""

    def __init__(self, params: Any, lr: float, betas: tuple[float, float], weight_decay: float) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        assert closure is None
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if not params:
                continue
            grads: list[Tensor] = [p.grad for p in params]
            for p in params:
                if not self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            momenta: list[Tensor] = [self.state[p]["momentum"] for p in params]
            near, far = group["betas"]
            updates = fused.lerp(momenta, grads, 1 - near)
            fused.sign_(updates)
            fused.mul_(params, 1 - group["lr"] * group["weight_decay"])
            fused.add_(params, updates, alpha=-group["lr"])
            fused.lerp_(momenta, grads, 1 - far)


@dataclass(frozen=True)
class _Varying:
    """A hyperparameter of a group that follows a schedule."""

    group: dict[str, Any]
    name: str
    schedule: Callable[..., Any]

    def after(self, time: int) -> float:
        """The value after `time` updates. Raises RunFailure where it is beyond what a float holds."""
        try:
            return self.schedule(time)
        except OverflowError:
            raise RunFailure(
                f"`{self.name}` is beyond any number after {time} updates",
                helps=("give `decay` a factor of at most 1, or end the growth with `hold`",),
            ) from None


class Stepper:
    """The optimizers of one update, with what is scheduled.

    `step(time)` sets what varies to its value after `time` completed updates, then updates.
    """

    def __init__(self, optimizers: Sequence[Optimizer], varying: Sequence[_Varying]) -> None:
        self.optimizers = list(optimizers)
        self.varying = list(varying)

    def step(self, time: int) -> None:
        for item in self.varying:
            item.group[item.name] = item.after(time)
        for optimizer in self.optimizers:
            optimizer.step()

    def lr(self, time: int) -> float:
        """The largest learning rate of the groups after `time` updates."""
        rates = {id(group): float(group["lr"]) for o in self.optimizers for group in o.param_groups}
        rates.update({id(item.group): item.after(time) for item in self.varying if item.name == "lr"})
        return max(rates.values())

    @property
    def parameters(self) -> list[nn.Parameter]:
        """What this update moves."""
        return [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]

    def states(self) -> Iterable[tuple[Tensor, dict[str, Any]]]:
        """Each parameter with what its optimizer keeps for it."""
        for optimizer in self.optimizers:
            yield from optimizer.state.items()

    def home(self, parameter: Tensor) -> Optimizer | None:
        """The optimizer that updates this parameter."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if any(p is parameter for p in group["params"]):
                    return optimizer
        return None


def build(groups: Groups, device: torch.device) -> Stepper:
    """The optimizers of an update."""
    optimizers: list[Optimizer] = []
    varying: list[_Varying] = []
    for kind, parts in groups.items():
        begin = [{name: value(0) if callable(value) else value for name, value in part.items()} for part in parts]
        optimizer = _make(kind, begin, device)
        optimizers.append(optimizer)
        for group, part in zip(optimizer.param_groups, parts, strict=True):
            varying += [_Varying(group, name, value) for name, value in part.items() if callable(value)]
    return Stepper(optimizers, varying)


def _make(kind: str, groups: list[dict[str, Any]], device: torch.device) -> Optimizer:
    if kind in fused.KINDS and device.type in ("cpu", "cuda", "mps"):
        return Fused(kind, groups)
    return builder(kind)(groups, device)


def builder(kind: str) -> Builder:
    """How an optimizer is made: by the function of this file that has its name, else as torch does, with kernels that take
    all parameters at once. AttributeError when neither knows it."""
    own = globals().get(f"_{kind.lower()}")
    if own is not None:
        return own
    made = getattr(torch.optim, kind)
    return lambda groups, device: made(groups, foreach=True)


def _adagrad(groups: list[dict[str, Any]], device: torch.device) -> Optimizer:
    fused = device.type == "cpu"
    return torch.optim.Adagrad(groups, fused=fused)


def _lion(groups: list[dict[str, Any]], device: torch.device) -> Optimizer:
    return Lion(groups, 1e-4, (0.9, 0.99), 0.0)


def _muon(groups: list[dict[str, Any]], device: torch.device) -> Optimizer:
    return torch.optim.Muon(groups, adjust_lr_fn="match_rms_adamw")
