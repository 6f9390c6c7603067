"""Why a loss stopped being a number: the failing step again, under hooks.

The run is trained again from its last checkpoint, looking at every step before the weights change. The first step whose
loss or gradient is not a finite number is repeated with the same batch and the same random numbers, and the first operation
that makes one names the module, the line of the generated source, and the place in the spec:

    error: diverged at step 2: the loss is not a finite number
      = note: `exp` gives the first number that is not finite
      = note: runs/m/1/model.py:16: return torch.log(torch.exp(self.head(x)))  # [B, 10]

The price is paid only then: training itself looks at its losses at most once a second. The second run looks at the losses and every
gradient of each step, a device read each, and only the failing step runs under hooks and a dispatch mode.
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import ParameterEntry
from ...compiler.messages.source import Span
from ..checkpoints import checkpoint
from ..generated.functions import LossCode, Program

_GENERATED = re.compile(r"(model(_\w+)?|recipe)\.py>?$")


class LocatedDivergence(Exception):
    """The step and what was seen there."""

    def __init__(self, first: FirstNonFinite) -> None:
        super().__init__(first)
        self.first = first


@dataclass(frozen=True)
class FirstNonFinite:
    """Where the first number that is not finite comes from, at which step. `path` is a module's or parameter's."""

    step: int
    what: str
    path: str = ""
    line: str = ""
    span: Span | None = None


class Watch:
    """A `StepWatch` for the loop: looks at each step before the weights change."""

    def __init__(self, program: Program, entries: Mapping[str, ParameterEntry], device: torch.device) -> None:
        self.program, self.entries, self.device = program, entries, device
        self.batches: Sequence[dict[str, Tensor]] = ()
        self.loss_of: LossCode | None = None
        self.random: dict[str, Tensor] = {}
        self.buffers: dict[str, Tensor] = {}

    def before(self, batches: Sequence[dict[str, Tensor]], loss: LossCode) -> None:
        self.batches, self.loss_of = batches, loss
        self.random = checkpoint.random_state(self.device)
        self.buffers = {
            name: t.detach().clone() for name, t in self.program.tensors().items() if not isinstance(t, nn.Parameter)
        }

    def after(self, losses: Sequence[Tensor], step: int) -> None:
        parameters = {n: t for n, t in self.program.tensors().items() if isinstance(t, nn.Parameter)}
        if all(_finite(loss) for loss in losses) and all(_finite(p.grad) for p in parameters.values()):
            return
        raise LocatedDivergence(self.first(step + 1, all(_finite(loss) for loss in losses)))

    def first(self, step: int, forward_is_finite: bool) -> FirstNonFinite:
        for name, batch in [(name, t) for part in self.batches for name, t in part.items()]:
            if not _finite(batch):
                return FirstNonFinite(step, f"the data field `{name}` is not finite")
        for path, tensor in self.program.tensors().items():
            if not _finite(tensor):
                entry = self.entries.get(path)
                return FirstNonFinite(
                    step,
                    f"the parameter `{path}` is not finite before the step",
                    path,
                    "",
                    entry.span if entry else None,
                )
        checkpoint.set_random_state(self.random, self.device)
        with torch.no_grad():
            tensors = self.program.tensors()
            for name, value in self.buffers.items():
                tensors[name].copy_(value)
        assert self.loss_of is not None
        tracer = Tracer(self.program)
        with tracer:
            for batch in self.batches:
                terms = self.loss_of(batch)
                total = sum(terms[1:], terms[0])
                if tracer.found is None and forward_is_finite:
                    tracer.backward = True
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # a hook on a layer whose inputs need no gradient
                        total.backward()
        if tracer.found is None:
            return FirstNonFinite(step, "the loss is not finite, but the step repeated alone is")
        operation, path, line = tracer.found
        entry = (
            next((e for p, e in self.entries.items() if p == path or p.startswith(f"{path}.")), None) if path else None
        )
        what = f"`{operation}`" + (" in the backward pass" if tracer.backward else "")
        return FirstNonFinite(
            step, f"{what} gives the first number that is not finite", path, line, entry.span if entry else None
        )


class Tracer(TorchDispatchMode):
    """Finds the first operation with finite inputs and an output that is not, and the module it runs in."""

    def __init__(self, program: Program) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.found: tuple[str, str, str] | None = None
        self.backward = False
        self._handles: list[Any] = []
        self._program = program

    def __enter__(self) -> Any:
        for name, net in self._program.nets.items():
            for path, module in net.named_modules():
                full = ".".join(part for part in (name, path) if part)
                self._handles.append(module.register_forward_pre_hook(self._entering(full)))
                self._handles.append(module.register_forward_hook(self._leaving, always_call=True))
                self._handles.append(module.register_full_backward_pre_hook(self._entering(full)))
        return super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        for handle in self._handles:
            handle.remove()

    def _entering(self, path: str) -> Callable[..., None]:
        def note(*_: Any) -> None:
            if self.backward:
                self.stack = [path]
            else:
                self.stack.append(path)

        return note

    def _leaving(self, *_: Any) -> None:
        if self.stack and not self.backward:
            self.stack.pop()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = str(func).split(".")[1] if "." in str(func) else str(func)
        unwritten = "empty" in name  # memory as it was: `empty_like`, `new_empty`
        if self.found is None and not unwritten and not _plain(result) and all(_plain(arg) for arg in _flat(args)):
            self.found = (name.removeprefix("_"), self.stack[-1] if self.stack else "", _line())
        return result


def _line() -> str:
    """The line of generated source that is running."""
    for frame in reversed(traceback.extract_stack()):
        if _GENERATED.search(frame.filename):
            return f"{frame.filename}:{frame.lineno}: {frame.line}"
    return ""


def _flat(value: Any) -> list[Any]:
    if isinstance(value, (list, tuple)):
        return [inner for item in value for inner in _flat(item)]
    return [value]


def _plain(value: Any) -> bool:
    """Whether everything in it is finite, as far as it is tensors. A mask of -inf is meant."""
    return all(_finite(item) for item in _flat(value) if isinstance(item, Tensor))


def _finite(tensor: Tensor | None) -> bool:
    if tensor is None or not tensor.is_floating_point() or not tensor.numel():
        return True
    return bool(torch.isfinite(tensor).all())
