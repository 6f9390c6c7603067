"""Statements that fill a tensor with initial values: for each entry of the catalogue the function of its name.

normal(0.02)      nn.init.normal_(module.weight, std=0.02)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from ...compiler.dataclass import dataclass
from ...compiler.ir.model import Init
from .constants import ClassNumber, Constants, is_mark
from .python import quoted


@dataclass(frozen=True)
class Filling:
    """A tensor to fill, and the arguments of its init at each size of the model."""

    place: str
    inits: Sequence[Init]
    constants: Constants

    @property
    def args(self) -> dict[str, Any]:
        """Those at the spec's own size."""
        return self.inits[0].args

    def text(self, name: str) -> str:
        return self.number([init.args[name] for init in self.inits])

    def number(self, values: Sequence[Any]) -> str:
        """Source of a number, one for each size of the model."""
        if all(value == values[0] for value in values):
            return self.constants.literal(values[0])
        return ClassNumber(tuple(values), self.constants).in_forward()

    def call(self, name: str, *options: str) -> str:
        return f"nn.init.{name}_({', '.join([self.place, *options])})"

    def unless(self, name: str, default: object) -> list[str]:
        """An argument as an option of PyTorch's function, which has this default."""
        value = self.args.get(name, default)
        if value == default:
            return []
        return [f"{name}={quoted(value) if isinstance(value, str) else self.text(name)}"]


#: Gives the statement that fills a tensor; what it reads may be computed on lines before it.
Statement: TypeAlias = Callable[[Filling], str]


class InitialStatements:
    """Writes them. `plain`: whether one of them writes to a tensor outside of `nn.init`."""

    def __init__(self, constants: Constants) -> None:
        self.constants = constants
        self.plain = False

    def __call__(self, inits: Sequence[Init], place: str) -> list[str]:
        filling = Filling(place, inits, self.constants)
        *before, text = statement(inits[0].name)(filling).splitlines()
        self.plain = self.plain or not text.startswith("nn.init.")
        if filling.args.get("zero_row") is None:
            return [*before, text]
        self.plain = True
        return [*before, text, f"{place}[{int(filling.args['zero_row'])}] = 0"]


def statement(name: str) -> Statement:
    """How an initial value is written: by the function of this file that has its name. KeyError when there is none."""
    return globals()[f"write_{name}"]


def write_zeros(to: Filling) -> str:
    return to.call("zeros")


def write_ones(to: Filling) -> str:
    return to.call("ones")


def write_constant(to: Filling) -> str:
    return to.call("constant", to.text("v"))


def write_normal(to: Filling) -> str:
    return to.call("normal", *to.unless("mean", 0.0), f"std={to.text('std')}")


def write_trunc_normal(to: Filling) -> str:
    """PyTorch's cuts at -2 and 2, whatever the standard deviation."""
    low, high = (
        to.number([init.args.get("mean", 0.0) + cut * init.args["std"] for init in to.inits]) for cut in (-2, 2)
    )
    return to.call("trunc_normal", *to.unless("mean", 0.0), f"std={to.text('std')}", f"a={low}", f"b={high}")


def write_uniform(to: Filling) -> str:
    low, high = to.text("low"), to.text("high")
    if is_mark(high) and all(init.args["low"] == -init.args["high"] for init in to.inits):
        return f"bound = {high}\n{to.call('uniform', '-bound', 'bound')}"
    return to.call("uniform", low, high)


def write_xavier_uniform(to: Filling) -> str:
    return to.call("xavier_uniform", *to.unless("gain", 1.0))


def write_xavier_normal(to: Filling) -> str:
    return to.call("xavier_normal", *to.unless("gain", 1.0))


def write_orthogonal(to: Filling) -> str:
    return to.call("orthogonal", *to.unless("gain", 1.0))


def write_kaiming_uniform(to: Filling) -> str:
    return to.call("kaiming_uniform", *_fan(to))


def write_kaiming_normal(to: Filling) -> str:
    return to.call("kaiming_normal", *_fan(to))


def _fan(to: Filling) -> list[str]:
    act = to.args["act"]
    return [*to.unless("mode", "fan_in"), *([] if act == "leaky_relu" else [f"nonlinearity={quoted(act)}"])]


def write_s4d_real(to: Filling) -> str:
    return f"{to.place}.copy_(torch.arange(1, {to.place}.shape[-1] + 1).log())"


__all__ = ["InitialStatements", "statement"]
