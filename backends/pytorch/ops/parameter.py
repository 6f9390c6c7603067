"""Tensors that a model owns by themselves."""

from __future__ import annotations

from ..lowering import Application, Construction, constructor, function
from ..lowering import dtype as torch_dtype
from ..python import Expr


@constructor("Param")
def param(layer: Construction) -> str:
    sizes = ", ".join(map(str, layer.weight("")))
    return f"nn.Parameter(torch.empty({sizes or '()'}))"


@constructor("Buffer")
def buffer(layer: Construction) -> str:
    dtype = layer.dtypes[""]
    value = layer.text(layer.arg("value"))
    return f"torch.tensor({value}, dtype={torch_dtype(dtype)})"


@function("Param", "Buffer")
def read(use: Application) -> Expr:
    assert use.module is not None
    return Expr(use.module)
