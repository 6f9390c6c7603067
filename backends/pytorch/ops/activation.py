"""Functions of each element, and softmax."""

from __future__ import annotations

from ..lowering import Application, function, module
from ..python import Expr

_PLAIN = {
    "relu": ("F.relu", "nn.ReLU()"),
    "silu": ("F.silu", "nn.SiLU()"),
    "mish": ("F.mish", "nn.Mish()"),
    "softsign": ("F.softsign", "nn.Softsign()"),
    "tanh": ("torch.tanh", "nn.Tanh()"),
    "sigmoid": ("torch.sigmoid", "nn.Sigmoid()"),
    "hard_swish": ("F.hardswish", "nn.Hardswish()"),
    "hard_sigmoid": ("F.hardsigmoid", "nn.Hardsigmoid()"),
    "softplus": ("F.softplus", "nn.Softplus()"),
}


@function(*_PLAIN)
def plain(use: Application) -> Expr:
    return use.call(_PLAIN[use.op][0], use[0])


@module(*_PLAIN)
def plain_module(use: Application) -> str:
    return _PLAIN[use.op][1]


@function("identity")
def identity(use: Application) -> Expr:
    return use.operand(0).expr


@module("identity")
def identity_module(use: Application) -> str:
    return "nn.Identity()"


@function("gelu")
def gelu(use: Application) -> Expr:
    return use.call("F.gelu", use[0], *use.options(approximate=("approx", "none")))


@module("gelu")
def gelu_module(use: Application) -> str:
    return f"nn.GELU({', '.join(use.options(approximate=('approx', 'none')))})"


@function("leaky_relu")
def leaky_relu(use: Application) -> Expr:
    return use.call("F.leaky_relu", use[0], "" if use.is_("slope", 0.01) else use.text(use.arg("slope")))


@module("leaky_relu")
def leaky_relu_module(use: Application) -> str:
    return f"nn.LeakyReLU({'' if use.is_('slope', 0.01) else use.text(use.arg('slope'))})"


@function("elu")
def elu(use: Application) -> Expr:
    return use.call("F.elu", use[0], "" if use.is_("alpha", 1.0) else use.text(use.arg("alpha")))


@module("elu")
def elu_module(use: Application) -> str:
    return f"nn.ELU({'' if use.is_('alpha', 1.0) else use.text(use.arg('alpha'))})"


@function("softmax", "log_softmax")
def softmax(use: Application) -> Expr:
    return use.call(f"F.{use.op}", use[0], f"dim={use.text(use.arg('axis'))}")


@module("softmax", "log_softmax")
def softmax_module(use: Application) -> str:
    kind = "nn.Softmax" if use.op == "softmax" else "nn.LogSoftmax"
    return f"{kind}(dim={use.text(use.arg('axis'))})"
