"""What a node of a data graph holds for a batch of records.

A value is a tensor `[n, ...]` when all records have one shape, else a list: of tensors, of strings, or of lists of
strings. Texts that come from a column as they are stay a part of it (`Selected`). A record with members is a dict of values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .text_columns import Selected

Value: TypeAlias = "Tensor | list[Any] | Selected | dict[str, Any]"

DTYPES: dict[str, torch.dtype] = {
    "f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64, "i8": torch.int8,
    "i16": torch.int16, "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8, "bool": torch.bool,
}  # fmt: skip


def packed(items: list[Tensor]) -> Value:
    """One tensor when all have one shape."""
    first = items[0]
    if all(item.shape == first.shape for item in items):
        return torch.stack(items)
    return items


def taken(value: Value, index: Tensor) -> Value:
    """The records at these positions."""
    if isinstance(value, Tensor):
        return value.index_select(0, index)
    if isinstance(value, dict):
        return {name: taken(member, index) for name, member in value.items()}
    if isinstance(value, Selected):
        return Selected(value.column, value.records[index.cpu().numpy()])
    return [value[i] for i in index.tolist()]


def joined(parts: Sequence[Value]) -> Value:
    """Values one after another."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if isinstance(first, dict):
        members = cast("Sequence[dict[str, Value]]", parts)
        return {name: joined([part[name] for part in members]) for name in first}
    selected = [part for part in parts if isinstance(part, Selected)]
    if len(selected) == len(parts) and all(part.column is selected[0].column for part in selected):
        return Selected(selected[0].column, np.concatenate([part.records for part in selected]))
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if len(tensors) == len(parts) and len({part.shape[1:] for part in tensors}) == 1:
        return torch.cat(tensors)
    return [item for part in parts for item in cast("Sequence[Any]", part)]


def moved(value: Value, device: torch.device) -> Value:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: moved(member, device) for name, member in value.items()}
    if isinstance(value, Selected):
        return value
    return [item.to(device) if isinstance(item, Tensor) else item for item in value]


def size_of(value: Value) -> int:
    """Bytes, roughly."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(size_of(member) for member in value.values())
    if isinstance(value, Selected):
        return 64 * len(value)
    return sum(item.numel() * item.element_size() if isinstance(item, Tensor) else 64 + len(item) for item in value)


def as_value(found: Any) -> Value:
    """What a function of `arrays` gives, as tensors; texts and words as they are."""
    if isinstance(found, dict):
        return {name: as_value(member) for name, member in found.items()}
    if isinstance(found, np.ndarray):
        return torch.from_numpy(found)
    if isinstance(found, Selected):
        return found
    return [torch.from_numpy(item) if isinstance(item, np.ndarray) else item for item in found]


def arrays_of(value: Value) -> Any:
    """A value with arrays in place of tensors, in the memory of the processor; texts and words as they are."""
    if isinstance(value, dict):
        return {name: arrays_of(member) for name, member in value.items()}
    return value.cpu().numpy() if isinstance(value, Tensor) else value


def on_host(x: Tensor) -> bool:
    """Whether a tensor is in the memory of the processor, where functions of `arrays` work on it."""
    return x.device.type == "cpu"


def on_the_cpu(function: Callable[..., NDArray[Any]], x: Tensor, *args: Any) -> Tensor:
    """A function of `arrays` on a tensor in the memory of the processor."""
    return torch.from_numpy(np.ascontiguousarray(function(x.numpy(), *args)))


def as_float(x: Tensor) -> Tensor:
    """Floats; u8 is read as value / 255."""
    if x.dtype == torch.uint8:
        return x.to(torch.float32) / 255
    return x if x.is_floating_point() else x.to(torch.float32)
