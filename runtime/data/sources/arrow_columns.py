"""Columns of Arrow tables, which parquet files and data sets of the Hugging Face hub are read as."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..table import Cells, Column, Encoded, Images, Numbers, Ragged


def column(name: str, values: Any, classes: tuple[str, ...] | None = None) -> Column:
    """A `pyarrow.ChunkedArray` as a column: numbers as an array (a missing one is NaN), lists of numbers as an array or
    ragged, images as their files' bytes, all else as text; dates as ISO 8601, so that their order is that of the texts."""
    import pyarrow
    from pyarrow import types

    kind = values.type
    if types.is_decimal(kind):
        values, kind = values.cast(pyarrow.float64()), pyarrow.float64()
    if types.is_integer(kind) or types.is_floating(kind):
        return Numbers(values.to_numpy(), classes)
    if types.is_boolean(kind):
        return Cells(["" if value is None else "true" if value else "false" for value in values.to_pylist()])
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return lists(values.to_pylist())
    if types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        return _images(name, values.to_pylist())
    return Cells([text(value) for value in values.to_pylist()])


def text(value: Any) -> str:
    """A value of a cell as text."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def lists(values: Sequence[Any]) -> Column:
    """Lists of numbers: an array where all have one shape, ragged where only lengths differ. What holds no numbers is
    text."""
    try:
        rows = [np.asarray(value if value is not None else [], _dtype(value)) for value in values]
    except (ValueError, TypeError):
        return Cells([text(value) for value in values])
    if any(row.dtype.kind == "f" for row in rows if row.size):
        rows = [row.astype(np.float32) for row in rows]
    if len({row.shape for row in rows}) == 1:
        return Numbers(np.stack(rows))
    return Ragged(rows)


def _dtype(value: Any) -> type[np.float32 | np.int64]:
    """i64 for whole numbers, however deep the list, f32 else. Raises TypeError for anything else."""
    found = np.asarray(value if value is not None else [])
    if found.size and found.dtype.kind not in "biuf":
        raise TypeError
    return np.int64 if found.size and found.dtype.kind in "biu" else np.float32


def _images(name: str, values: Sequence[Mapping[str, Any] | None]) -> Column:
    """Images as data sets of the hub keep them: the bytes of a file."""
    return Images(
        [Encoded(f"{name} of record {i}", (value or {}).get("bytes") or b"") for i, value in enumerate(values)]
    )
