"""Optimizers. Arguments and defaults are PyTorch's; one that is a `Hyper` may follow a schedule."""

from __future__ import annotations

from typing import Any

from .entry import Bool, Entry, Float, Hyper, Momenta, NotNegative, Positive, Table


class Optimizer(Entry):
    """Base: written with a capital, under the name that PyTorch gives it."""

    @classmethod
    def spell(cls, class_name: str) -> str:
        return class_name


class SGD(Optimizer):
    """Stochastic gradient descent with momentum. `weight_decay` is an L2 term of the gradient."""

    lr: Hyper = 1e-3
    momentum: Hyper = 0.0
    weight_decay: Hyper = 0.0
    nesterov: Bool = False

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return "`nesterov` needs a momentum above 0" if args["nesterov"] and not args["momentum"] else None


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2014). `weight_decay` is an L2 term of the gradient."""

    lr: Hyper = 1e-3
    betas: Momenta = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Hyper = 0.0


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017)."""

    lr: Hyper = 1e-3
    betas: Momenta = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Hyper = 1e-2


class RMSprop(Optimizer):
    """Divides by a running average of the gradient's size (Hinton, 2012)."""

    lr: Hyper = 1e-2
    alpha: Float = 0.99
    eps: Positive = 1e-8
    momentum: Hyper = 0.0
    weight_decay: Hyper = 0.0


class Adagrad(Optimizer):
    """Divides by the root of all squared gradients so far (Duchi et al., 2011)."""

    lr: Hyper = 1e-2
    eps: Positive = 1e-10
    weight_decay: Hyper = 0.0


class Adadelta(Optimizer):
    """Step sizes from running averages of gradients and of updates (Zeiler, 2012)."""

    lr: Hyper = 1.0
    rho: Float = 0.9
    eps: Positive = 1e-6
    weight_decay: Hyper = 0.0


class Lion(Optimizer):
    """The sign of an interpolated momentum (Chen et al., 2023). Weight decay is decoupled."""

    lr: Hyper = 1e-4
    betas: Momenta = (0.9, 0.99)
    weight_decay: Hyper = 0.0


class Muon(Optimizer):
    """Orthogonalised momentum for matrices (Jordan et al., 2024); whatever is no matrix is updated by AdamW."""

    lr: Hyper = 1e-3
    momentum: Float = 0.95
    weight_decay: NotNegative = 0.1


OPTIMIZERS = Table("an optimizer", SGD, Adam, AdamW, RMSprop, Adagrad, Adadelta, Lion, Muon)
