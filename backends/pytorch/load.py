"""Generated source as a running class."""

from __future__ import annotations

import itertools
import linecache
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

_numbers = itertools.count()


def load_source(source: str, file: str = "model.py", place: Path | None = None) -> ModuleType:
    """Runs generated source as a module of its own; stack traces show its lines, as those of the file `place` if it holds the
    same text. This executes the text: only for what this package wrote, or what the user asked to run."""
    name = f"_dlc_generated_{next(_numbers)}"
    filename = str(place) if place is not None else f"<{name}/{file}>"
    module = ModuleType(name)
    module.__file__ = filename
    if place is None:
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    sys.modules[name] = module  # NamedTuple looks its module up
    exec(compile(source, filename, "exec"), module.__dict__)  # noqa: S102 - see above
    return module


def load_module(source: str, class_name: str) -> nn.Module:
    """A generated model whose weights hold nothing yet."""
    return empty(getattr(load_source(source), class_name))


class _Unfilled(TorchFunctionMode):
    """Leaves new tensors as they are: what a layer's constructor draws would be overwritten at once."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in _FILLING:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


_FILLING: set[Any] = {
    torch.Tensor.uniform_, torch.Tensor.normal_, torch.Tensor.fill_, torch.Tensor.zero_,
    nn.init.uniform_, nn.init.normal_, nn.init.trunc_normal_, nn.init.constant_, nn.init.ones_, nn.init.zeros_,
    nn.init.xavier_uniform_, nn.init.xavier_normal_, nn.init.kaiming_uniform_, nn.init.kaiming_normal_,
    nn.init.orthogonal_,
}  # fmt: skip


def empty(kind: Callable[[], nn.Module]) -> nn.Module:
    """An instance without the time for PyTorch's own first weights; every tensor of it has to be filled."""
    with _Unfilled(), _undrawn():
        return kind()


def _left(tensor: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    return tensor


@contextmanager
def _undrawn() -> Generator[None]:
    """`trunc_normal_` draws until all values are within its bounds, which never ends where drawing does nothing;
    `orthogonal_` factors what was never drawn."""
    names = ("trunc_normal_", "orthogonal_")
    kept = {name: getattr(nn.init, name) for name in names}
    try:
        for name in names:
            setattr(nn.init, name, _left)
        yield
    finally:
        for name, function in kept.items():
            setattr(nn.init, name, function)


__all__ = ["empty", "load_module", "load_source"]
