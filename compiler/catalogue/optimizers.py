"""Optimizers. Arguments and defaults are PyTorch's; one that is a `Hyper` may follow a schedule."""

from __future__ import annotations

from typing import Any, ClassVar

from .arguments import Hyper, Momenta, NotNegative, Positive
from .entry import Entry


class Optimizer(Entry):
    """Base: written with a capital, under the name that PyTorch gives it."""

    #: It updates matrices only; this optimizer updates everything else. Empty: it updates all.
    others: ClassVar[str] = ""

    capitals = True


class SGD(Optimizer):
    """Stochastic gradient descent with momentum. `weight_decay` is an L2 term of the gradient."""

    lr: Hyper = 1e-3
    momentum: Hyper = 0.0
    weight_decay: Hyper = 0.0
    nesterov: bool = False

    example = "optimizer = SGD(0.1, momentum = 0.9, nesterov = true)"

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        return "`nesterov` needs a momentum above 0" if args["nesterov"] and not args["momentum"] else None


class Adam(Optimizer):
    """Adam (Kingma and Ba, 2014). `weight_decay` is an L2 term of the gradient."""

    lr: Hyper = 1e-3
    betas: Momenta = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Hyper = 0.0

    example = "optimizer = Adam(1e-3)"


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter, 2017)."""

    lr: Hyper = 1e-3
    betas: Momenta = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Hyper = 1e-2

    example = "optimizer = AdamW(3e-4, betas = (0.9, 0.95), weight_decay = 0.1)"


class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016). The momentum grows with the updates, at the rate `momentum_decay`.
    `weight_decay` is an L2 term of the gradient."""

    lr: Hyper = 2e-3
    betas: Momenta = (0.9, 0.999)
    eps: Positive = 1e-8
    weight_decay: Hyper = 0.0
    momentum_decay: NotNegative = 4e-3

    example = "optimizer = NAdam(2e-3)"


class RMSprop(Optimizer):
    """Divides by a running root mean square of the gradient (Hinton, 2012)."""

    lr: Hyper = 1e-2
    alpha: float = 0.99
    eps: Positive = 1e-8
    momentum: Hyper = 0.0
    weight_decay: Hyper = 0.0

    example = "optimizer = RMSprop(1e-3, alpha = 0.9)"


class Adagrad(Optimizer):
    """Divides by the root of the sum of all squared gradients (Duchi et al., 2011)."""

    lr: Hyper = 1e-2
    eps: Positive = 1e-10
    weight_decay: Hyper = 0.0

    example = "optimizer = Adagrad(0.01)"


class Adadelta(Optimizer):
    """Step sizes from running averages of gradients and of updates (Zeiler, 2012)."""

    lr: Hyper = 1.0
    rho: float = 0.9
    eps: Positive = 1e-6
    weight_decay: Hyper = 0.0

    example = "optimizer = Adadelta(1.0)"


class Lion(Optimizer):
    """Updates by the sign of an interpolated momentum (Chen et al., 2023). Weight decay is decoupled."""

    lr: Hyper = 1e-4
    betas: Momenta = (0.9, 0.99)
    weight_decay: Hyper = 0.0

    example = "optimizer = Lion(1e-4, weight_decay = 1.0)"


class Muon(Optimizer):
    """Orthogonalised momentum for matrices (Jordan et al., 2024); parameters that are not matrices are updated by AdamW."""

    lr: Hyper = 1e-3
    momentum: float = 0.95
    weight_decay: NotNegative = 0.1

    others = "AdamW"
    example = "optimizer = Muon(0.02)"
