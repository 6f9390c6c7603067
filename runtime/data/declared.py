"""Fields as they are declared, as tensors. What they must be is defined in `arrays/declared.py`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...compiler.ir.data import DataField
from .arrays import declared
from .graph import Graph, Records, SplitPart
from .text_columns import is_cells
from .values import DTYPES, Value, as_value


def as_field(
    graph: Graph, field: DataField, value: Value, part: SplitPart, positions: Records, *, look: bool = True
) -> Value:
    """A value in the declared dtype, its shape checked record by record. Without `look` the numbers are not read."""
    records, dtype = part.records[positions], DTYPES[field.type.dtype]
    if not look and not is_cells(value):
        declared.check_shapes(graph, field, value, records)
        return value.to(dtype) if isinstance(value, Tensor) else [item.to(dtype) for item in _items(value)]
    device = value.device if isinstance(value, Tensor) else torch.device("cpu")
    if device.type != "cpu" and dtype.is_floating_point:
        assert isinstance(value, Tensor)
        found = value.to(dtype)
        if bool(torch.isfinite(found).all()):  # else it is looked at on the processor, for the message
            declared.check_shapes(graph, field, value, records)
            return found
    found = declared.as_field(graph, field, _arrays(value), records, declared.DTYPES[field.type.dtype])
    tensors = as_value(found)
    if isinstance(tensors, Tensor):
        return tensors.to(device, dtype)
    return [item.to(dtype) for item in _items(tensors)]


def _arrays(value: Value) -> Any:
    """Tensors as arrays, which share their memory on the processor; cells as they are."""
    if isinstance(value, Tensor):
        return value.cpu().numpy()
    return value if is_cells(value) else [item.cpu().numpy() for item in _items(value)]


def _items(value: Value) -> list[Tensor]:
    assert isinstance(value, list)
    return value
