"""dlc: one `.dlspec` file from a checked model to trained weights and a verified ONNX graph.

    import dlc

    spec = dlc.load("digits_mlp.dlspec", hidden=64)    # overrides as on the command line
    spec.check()                                       # diagnostics; empty when the spec is right
    net = spec.module()                                # a torch.nn.Module with the spec's initial weights
    run = dlc.train(spec, out="runs/first")
    dlc.export(run, "digits.onnx")
    dlc.Session("digits.onnx")(image=images)           # needs no torch

Importing it loads nothing but this module; every name comes with its first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .runtime.api import evaluate, export, judge, predict, runs, train
    from .runtime.failure import RunFailure
    from .runtime.inference.session import Session
    from .runtime.run import Run
    from .runtime.spec import Loaded, SpecError, load

#: Where each public name lives.
_HOMES = {
    "Loaded": ".runtime.spec",
    "Run": ".runtime.run",
    "RunFailure": ".runtime.failure",
    "Session": ".runtime.inference.session",
    "SpecError": ".runtime.spec",
    "evaluate": ".runtime.api",
    "export": ".runtime.api",
    "judge": ".runtime.api",
    "load": ".runtime.spec",
    "predict": ".runtime.api",
    "runs": ".runtime.api",
    "train": ".runtime.api",
}

__all__ = [
    "Loaded",
    "Run",
    "RunFailure",
    "Session",
    "SpecError",
    "evaluate",
    "export",
    "judge",
    "load",
    "predict",
    "runs",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
