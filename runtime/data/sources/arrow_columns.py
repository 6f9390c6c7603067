"""Columns of Arrow tables, which parquet files and data sets of the Hugging Face hub are read as."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import parsing
from ..cells import PLAIN, CellRule, is_number
from ..table import Cells, Column, Encoded, Images, Numbers, Ragged


def column(name: str, values: Any, classes: tuple[str, ...] | None = None, rule: CellRule = PLAIN) -> Column:
    """A `pyarrow.ChunkedArray` as a column: numbers as an array (a missing one is NaN), lists of numbers as an array or
    ragged, images as their files' bytes, all else as text; dates as ISO 8601, so that their order is that of the texts."""
    import pyarrow
    from pyarrow import types

    values = _marked(values, rule)
    kind = values.type
    if types.is_decimal(kind) and kind.scale:
        values, kind = values.cast(pyarrow.float64()), pyarrow.float64()
    if types.is_integer(kind) and values.null_count and classes is None:  # exact as texts
        return _cells(values, rule)
    if types.is_integer(kind) or types.is_floating(kind):
        whole = values.num_chunks == 1 and not values.null_count
        return Numbers(values.chunk(0).to_numpy() if whole else values.to_numpy(), classes)
    if types.is_dictionary(kind) and types.is_string(kind.value_type) and not values.null_count and len(values):
        return Cells(values, rule)
    if types.is_dictionary(kind):
        return column(name, values.cast(kind.value_type), classes, rule)
    if types.is_boolean(kind) or types.is_string(kind) or types.is_large_string(kind):
        return _cells(values, rule)
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        even = _even_lists(values)
        return lists(values.to_pylist()) if even is None else Numbers(even)
    if types.is_timestamp(kind) or types.is_date(kind):
        return times(values, rule)
    if types.is_struct(kind) and {field.name for field in kind} == {"bytes", "path"}:
        return _images(name, values.to_pylist())
    return Cells([text(value) for value in values.to_pylist()], rule)


def _marked(values: Any, rule: CellRule) -> Any:
    """Numbers that stand for missing ones are missing: -999."""
    import pyarrow
    from pyarrow import types

    marks = [float(mark) for mark in rule.missing or () if is_number(mark)]
    if not marks or not (types.is_integer(values.type) or types.is_floating(values.type)):
        return values
    compute = parsing.kernels()
    found = compute.is_in(values.cast(pyarrow.float64(), safe=False), pyarrow.array(marks))
    return compute.if_else(found, pyarrow.scalar(None, values.type), values)


def times(values: Any, rule: CellRule) -> Cells:
    """Dates or times of pyarrow or NumPy, written as in ISO 8601."""
    if isinstance(values, np.ndarray):
        texts = np.datetime_as_string(values.astype("datetime64[us]") if values.dtype != "datetime64[D]" else values)
        written = ["" if each == "NaT" else each.removesuffix(".000000") for each in texts.tolist()]
        return Cells(written, replace(rule, dates=True))
    coded = values.combine_chunks().dictionary_encode()
    coded = coded.combine_chunks() if hasattr(coded, "num_chunks") else coded
    names = [text(value) for value in coded.dictionary.to_pylist()]
    return Cells(["" if code is None else names[code] for code in coded.indices.to_pylist()], replace(rule, dates=True))


def marked_array(array: NDArray[Any], rule: CellRule) -> NDArray[Any]:
    """Numbers that stand for missing ones are missing: -999."""
    marks = [float(mark) for mark in rule.missing or () if is_number(mark)]
    if not marks or array.dtype.kind == "b" or not (found := np.isin(array, marks)).any():
        return array
    wider = array.astype(np.float64) if array.dtype.kind != "f" else array
    return np.where(found, np.asarray(np.nan, wider.dtype), wider)


def _cells(values: Any, rule: CellRule) -> Cells:
    """Texts, or what pyarrow writes as we do; a missing one is empty."""
    import pyarrow

    texts = values if pyarrow.types.is_string(values.type) else values.cast(pyarrow.large_string())
    return Cells(texts.fill_null("") if texts.null_count else texts, rule)


def _even_lists(values: Any) -> NDArray[Any] | None:
    """Lists of numbers, all of one length, as an array; None for others."""
    from pyarrow import types

    compute = parsing.kernels()
    item = values.type.value_type
    whole = types.is_integer(item) and not types.is_uint64(item)
    if not len(values) or not (whole or types.is_floating(item)):
        return None
    lengths = compute.unique(compute.list_value_length(values)).to_pylist()
    flat = compute.list_flatten(values)
    if len(lengths) != 1 or not lengths[0] or flat.null_count:
        return None
    return flat.to_numpy().astype(np.int64 if whole else np.float32).reshape(len(values), lengths[0])


def text(value: Any) -> str:
    """A value of a cell as text: lists and objects as JSON."""
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def lists(values: Sequence[Any]) -> Column:
    """Lists of numbers: an array where all have one shape, ragged where only lengths differ, or some are missing. What
    holds no numbers is text."""
    try:
        rows = [None if value is None else _numbers(value) for value in values]
    except (ValueError, TypeError):
        return Cells([text(value) for value in values])
    rows = alike(rows)
    present = [row for row in rows if row is not None]
    if len(present) == len(rows) and len({row.shape for row in present}) == 1:
        return Numbers(np.stack(present))
    return Ragged(rows)


def alike(rows: Sequence[NDArray[Any] | None]) -> Sequence[NDArray[Any] | None]:
    """Lists as floats where one has some."""
    if not any(row.dtype.kind == "f" for row in rows if row is not None and row.size):
        return rows
    whole = any(row.dtype != np.float32 for row in rows if row is not None and row.size)
    dtype = np.float64 if whole else np.float32  # whole numbers are exact up to 2**24 in f32
    return [None if row is None else row.astype(dtype) for row in rows]


def _numbers(value: Any) -> NDArray[Any]:
    """i64 for whole numbers, however deep the list, f32 else; whole numbers that i64 cannot hold are f64, so that a field
    refuses them. Raises TypeError for anything else."""
    found = np.asarray(value)
    if found.dtype.kind == "O" and found.size and all(isinstance(item, int) for item in found.flat):
        return found.astype(np.float64)
    if found.size and found.dtype.kind not in "biuf":
        raise TypeError
    if found.dtype == np.uint64 and int(found.max()) >= 2**63:
        return found.astype(np.float64)
    return np.asarray(value, np.int64 if found.size and found.dtype.kind in "biu" else np.float32)


def _images(name: str, values: Sequence[Mapping[str, Any] | None]) -> Column:
    """Images as data sets of the hub keep them: the bytes of a file."""
    return Images(
        [Encoded(f"{name} of record {i}", (value or {}).get("bytes") or b"") for i, value in enumerate(values)]
    )
