"""Functions that make tensors."""

from __future__ import annotations

from typing import Any

from ..lowering import Application, ClassNumber, function
from ..python import Expr
from ..support import support


def _shape(use: Application) -> str:
    """Sizes as arguments: `B, 3`."""
    sizes: tuple[Any, ...] = use.arg("shape")
    return use.shape(sizes) if sizes else "()"


def _device(use: Application) -> str:
    """The option for the device of a new tensor; a constructor needs none."""
    return f"device={use.device}" if use.device else ""


@function("zeros", "ones", "randn", "rand")
def filled(use: Application) -> Expr:
    return use.call(f"torch.{use.op}", _shape(use), _device(use))


@function("arange")
def arange(use: Application) -> Expr:
    size: ClassNumber = use.arg("n")
    return use.call("torch.arange", use.size(size), _device(use))


@function("sinusoid")
def sinusoid(use: Application) -> Expr:
    return use.call(support("sinusoid"), use.size(use.arg("n")), use.size(use.arg("d")), use.device)


@function("randint")
def randint(use: Application) -> Expr:
    low, high = use.text(use.arg("low")), use.text(use.arg("high"))
    shape = _shape(use)
    if shape != "()":
        shape = f"({shape},)" if "," not in shape else f"({shape})"
    return use.call("torch.randint", low, high, shape, _device(use))


@function("bernoulli")
def bernoulli(use: Application) -> Expr:
    return use.call(f"torch.empty({_shape(use)}, device={use.device}).bernoulli_", use.text(use.arg("p")))
