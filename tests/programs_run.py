"""What a generated model runs, operation by operation, so that two sources of one model can be compared.

Nothing is computed where the operators allow it: the tensors are on the device `meta`.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import md5
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from dlc.backends.pytorch.classes import Classes
from dlc.backends.pytorch.load import load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.ir.model import Body, Model, Spec
from dlc.compiler.sizes.dims import evaluate, variables

DTYPES = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16, "i8": torch.int8,
          "u8": torch.uint8, "i32": torch.int32, "i64": torch.int64, "bool": torch.bool}  # fmt: skip

#: Packed sequences need their lengths as numbers.
DEVICES = ("meta", "cpu")


def unshared_source(spec: Spec, model: Model) -> str:
    """Source with a class for each body and a number for each size: nothing in it is an argument or an expression."""

    def each(self: Classes, members: Sequence[Any], *, activations: bool) -> list[list[Any]]:
        return [[member] for member in members]

    with (
        patch.object(Classes, "_alike", each),
        patch.object(Classes, "_merged", lambda self, groups: []),
        patch("dlc.backends.pytorch.module._written", {}),
    ):
        return module_source(spec, model, resizable=False)


class Log(TorchDispatchMode):
    """The operations with their numbers; a tensor is named by how it comes about, so that their order does not count, but for
    that of random draws. A factor of 1 is none: a class for several uses has it where one use does not need it."""

    def __init__(self, module: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.operations: Counter[str] = Counter()
        self._names: dict[int, str] = {}
        self._kept: list[Any] = []  # so that no two tensors have one identity
        self._draws = 0
        for name, tensor in (*module.named_parameters(), *module.named_buffers(), *enumerate(inputs)):
            self._name(tensor, f"{name}{list(tensor.shape)}")

    def _name(self, tensor: Tensor, name: str) -> str:
        self._kept.append(tensor)
        return self._names.setdefault(id(tensor), name)

    def _text(self, value: Any) -> str:
        if isinstance(value, Tensor):
            return self._names.get(id(value)) or self._name(value, f"unknown{list(value.shape)}")
        if isinstance(value, (list, tuple)):
            return f"[{', '.join(self._text(item) for item in value)}]"  # pyright: ignore[reportUnknownVariableType]
        return repr(value)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.mul.Tensor and not isinstance(args[1], Tensor) and args[1] == 1:
            same = func(*args)
            self._name(same, self._text(args[0]))
            return same
        given = [*map(self._text, args), *(f"{name}={self._text(value)}" for name, value in (kwargs or {}).items())]
        line = f"{func}({', '.join(given)})"
        if torch.Tag.nondeterministic_seeded in func.tags:
            self._draws += 1
            line += f" draw {self._draws}"
        self.operations[line] += 1
        found = func(*args, **(kwargs or {}))
        for at, tensor in enumerate(found if isinstance(found, (list, tuple)) else [found]):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
            if isinstance(tensor, Tensor) and id(tensor) not in self._names:
                made = md5(f"{line}.{at}".encode()).hexdigest()[:8]
                self._name(tensor, f"{func.name().removeprefix('aten::')}-{made}{list(tensor.shape)}")
        return found


def run(source: str, name: str, inputs: Sequence[Tensor], *, training: bool) -> Counter[str]:
    """The operations of one `forward`. Tables that the constructor makes count by their shapes alone."""
    device = inputs[0].device if inputs else torch.device("meta")
    with device:
        module: nn.Module = getattr(load_source(source), name)().train(training)
        with torch.no_grad(), Log(module, inputs) as log:
            module(*inputs)
    return log.operations


def inputs_of(body: Body) -> Iterator[list[Tensor]]:
    """Inputs of some sizes; a model may refuse them."""
    free = sorted({name for value in body.inputs for size in value.type.shape for name in variables(size)})
    for sizes in (*_few(free), {name: 64 for name in free}):
        try:
            shapes = [[evaluate(size, sizes) for size in value.type.shape] for value in body.inputs]
        except (ArithmeticError, ValueError):
            continue
        for device in DEVICES:
            yield [
                torch.ones(shape, dtype=DTYPES[value.type.dtype], device=device)
                for shape, value in zip(shapes, body.inputs, strict=True)
            ]


def _few(names: Sequence[str]) -> Iterator[dict[str, int]]:
    for sizes in itertools.islice(itertools.product((4, 32), repeat=len(names)), 16):
        yield dict(zip(names, sizes, strict=True))


def differences(spec: Spec, model: Model, sources: Sequence[str]) -> list[str] | None:
    """Where the first source and another run other operations; None where no inputs were found that the model takes."""
    name = class_name(model)
    for inputs in inputs_of(spec.body_of(model)):
        found: list[str] = []
        try:
            wanted = {training: run(sources[0], name, inputs, training=training) for training in (True, False)}
        except (RuntimeError, ValueError, IndexError):
            continue
        for source in sources[1:]:
            for training, operations in wanted.items():
                others = run(source, name, inputs, training=training)
                found += [f"not {line}" for line in operations - others] + [
                    f"but {line}" for line in others - operations
                ]
        return found
    return None
