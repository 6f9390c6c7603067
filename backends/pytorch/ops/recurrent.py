"""Recurrent layers over [B, T, D]."""

from __future__ import annotations

from collections.abc import Sequence

from ..lowering import Application, Construction, constructor, function, targets
from ..python import Expr
from ..support import support


def _constructor(kind: str, layer: Construction) -> str:
    hidden = layer.text(layer.arg("hidden"))
    arguments = [str(layer.weight("weight_ih_l0")[1]), hidden, *layer.options(num_layers=("layers", 1))]
    arguments.append("batch_first=True")
    arguments += layer.options(bidirectional=("bidirectional", False))
    if not layer.is_("layers", 1):  # dropout is between layers
        arguments += layer.options(dropout=("dropout", 0.0))
    packed = len(layer.inputs) > 1 and layer.inputs[1] is not None
    return f"{support(f'Packed{kind}') if packed else f'nn.{kind}'}({', '.join(arguments)})"


for _kind in ("RNN", "GRU", "LSTM"):
    constructor(_kind)(lambda layer, kind=_kind: _constructor(kind, layer))


@function("RNN", "GRU")
def recurrent(use: Application) -> Expr:
    assert use.module is not None
    arguments = [use[i] for i in range(len(use)) if use.has(i)]
    return use.call(use.module, *arguments)


@function("LSTM")
def lstm(use: Application) -> Expr:
    assert use.module is not None
    arguments = [use[0]]
    if use.has(1):
        arguments.append(use[1])
    if use.has(2):
        arguments.append(f"({use[2]}, {use[3]})")
    return use.call(use.module, *arguments)


@targets("LSTM")
def lstm_targets(use: Application, names: Sequence[str]) -> str:
    y, h, c = names
    return f"{y}, _" if h == c == "_" else f"{y}, ({h}, {c})"
