"""Optimizers of the recipe, with parameter groups and schedules; fused kernels where torch has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..compiler.expand import ParameterEntry, selects
from ..compiler.recipe.ir import Schedule, Update
from . import foreach
from .schedules import Clock, Curve


@dataclass(frozen=True)
class Trained:
    """A parameter with its path (the net's name before) and what the IR says of it."""

    path: str
    entry: ParameterEntry
    tensor: nn.Parameter


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
            updates = foreach.lerp(momenta, grads, 1 - near)
            foreach.sign_(updates)
            foreach.mul_(params, 1 - group["lr"] * group["weight_decay"])
            foreach.add_(params, updates, alpha=-group["lr"])
            foreach.lerp_(momenta, grads, 1 - far)


@dataclass(frozen=True)
class _Varying:
    """A hyperparameter of a group that follows a curve."""

    group: dict[str, Any]
    name: str
    curve: Curve


class Stepper:
    """The optimizers of one update, with what is scheduled.

    `step(time)` sets what varies to its value after `time` completed updates, then updates.
    """

    def __init__(self, optimizers: Sequence[torch.optim.Optimizer], varying: Sequence[_Varying]) -> None:
        self.optimizers = list(optimizers)
        self.varying = list(varying)
        self._first = self.optimizers[0]
        self._only = len(self.optimizers) == 1

    def step(self, time: int) -> None:
        for item in self.varying:
            item.group[item.name] = item.curve(time)
        if self._only:
            self._first.step()
        else:
            for optimizer in self.optimizers:
                optimizer.step()

    def parameters(self) -> list[nn.Parameter]:
        """All that it updates."""
        return [p for optimizer in self.optimizers for group in optimizer.param_groups for p in group["params"]]

    def lr(self, time: int) -> float:
        """The largest learning rate of the groups after `time` updates."""
        rates = {id(group): float(group["lr"]) for o in self.optimizers for group in o.param_groups}
        rates.update({id(item.group): item.curve(time) for item in self.varying if item.name == "lr"})
        return max(rates.values())

    def states(self) -> Iterable[tuple[Tensor, dict[str, Any]]]:
        """Each parameter with what its optimizer keeps for it."""
        for optimizer in self.optimizers:
            yield from optimizer.state.items()

    def home(self, parameter: Tensor) -> torch.optim.Optimizer | None:
        """The optimizer that updates this parameter."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                if any(p is parameter for p in group["params"]):
                    return optimizer
        return None


def build(update: Update, trained: Sequence[Trained], clock: Clock, total: int, device: torch.device) -> Stepper:
    """The optimizer of an update over these parameters; `total` is the number of updates of the phase."""
    base = update.optimizer
    groups: dict[str, tuple[dict[str, Any], dict[str, Schedule], list[Trained]]] = {}
    for item in trained:
        args, schedules = dict(base.args), dict(base.schedules)
        for group in update.groups:
            if any(_chosen(selector, item) for selector in group.selectors):
                for name, value in group.args.items():
                    args[name] = value
                    schedules.pop(name, None)
                schedules.update(group.schedules)
        name = repr((sorted(args.items()), sorted((k, v.model_dump_json()) for k, v in schedules.items())))
        groups.setdefault(name, (args, schedules, []))[2].append(item)
    optimizers: dict[str, torch.optim.Optimizer] = {}
    varying: list[_Varying] = []
    pieces: dict[str, list[tuple[dict[str, Any], dict[str, Schedule]]]] = {}
    for args, schedules, items in groups.values():
        for kind, members in _kinds(base.name, items).items():
            pieces.setdefault(kind, []).append(({"params": members, **_arguments(kind, args)}, schedules))
    for kind, parts in pieces.items():
        optimizer = _make(kind, [group for group, _ in parts], device)
        optimizers[kind] = optimizer
        for group, (_, schedules) in zip(optimizer.param_groups, parts, strict=True):
            varying += [
                _Varying(group, key, Curve(schedule, clock, total))
                for key, schedule in schedules.items()
                if key in group
            ]
    return Stepper(list(optimizers.values()), varying)


def _chosen(selector: Any, item: Trained) -> bool:
    return selects(selector, item.path, item.entry.layer, item.entry.leaf, len(item.entry.shape))


def _kinds(name: str, items: list[Trained]) -> dict[str, list[nn.Parameter]]:
    """Which optimizer takes which parameters: Muon takes matrices only, AdamW the rest."""
    if name != "Muon":
        return {name: [item.tensor for item in items]}
    found: dict[str, list[nn.Parameter]] = {}
    for item in items:
        matrix = item.tensor.dim() == 2 and item.entry.layer != "Embedding"
        found.setdefault("Muon" if matrix else "AdamW", []).append(item.tensor)
    return found


def _arguments(kind: str, args: Mapping[str, Any]) -> dict[str, Any]:
    """What a torch optimizer's group takes of the entry's arguments."""
    known = {
        "SGD": ("lr", "momentum", "weight_decay", "nesterov"),
        "Adam": ("lr", "betas", "eps", "weight_decay"),
        "AdamW": ("lr", "betas", "eps", "weight_decay"),
        "RMSprop": ("lr", "alpha", "eps", "momentum", "weight_decay"),
        "Adagrad": ("lr", "eps", "weight_decay"),
        "Adadelta": ("lr", "rho", "eps", "weight_decay"),
        "Lion": ("lr", "betas", "weight_decay"),
        "Muon": ("lr", "momentum", "weight_decay"),
    }[kind]
    return {name: args[name] for name in known if name in args}


def _make(kind: str, groups: list[dict[str, Any]], device: torch.device) -> torch.optim.Optimizer:
    fused = device.type in ("cpu", "cuda", "mps")
    match kind:
        case "SGD":
            return torch.optim.SGD(groups, fused=fused)
        case "Adam":
            return torch.optim.Adam(groups, fused=fused)
        case "AdamW":
            return torch.optim.AdamW(groups, fused=fused)
        case "Adagrad":
            return torch.optim.Adagrad(groups, fused=device.type == "cpu")
        case "RMSprop":
            return torch.optim.RMSprop(groups, foreach=True)
        case "Adadelta":
            return torch.optim.Adadelta(groups, foreach=True)
        case "Lion":
            return Lion(groups, 1e-4, (0.9, 0.99), 0.0)
        case "Muon":
            return torch.optim.Muon(groups, adjust_lr_fn="match_rms_adamw")
        case _:
            raise AssertionError(kind)
