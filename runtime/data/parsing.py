"""Columns of texts as numbers, a chunk at a time in pyarrow: the rules are those of `cells.py`, cell by cell.

A chunk in which every cell is written as C writes numbers is converted at once. In any other one the cells are sorted: missing,
`true` and `false`, numbers in another notation; what is left is read by `cells.number`, each distinct text once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...compiler.dataclass import dataclass
from . import cells
from .cells import CellRule


@dataclass(frozen=True)
class Parsed:
    """Numbers of a column, NaN where one is missing. `wrong` are the cells that are neither (None: there are none)."""

    numbers: NDArray[np.float64]
    wrong: NDArray[np.bool_] | None


def kernels() -> Any:
    """`pyarrow.compute`: its functions are made when it is loaded, and so are unknown to type checkers."""
    import pyarrow.compute

    return pyarrow.compute


class Doubtful(Exception):
    """pyarrow has read a number in a text that may be none."""


def of_arrow(column: Any, out: NDArray[np.float64]) -> None:
    """Writes numbers as pyarrow has read them, null where one is missing. Raises Doubtful: it takes `nan(1)` for one."""
    out[:] = column.to_numpy(zero_copy_only=False)
    if np.count_nonzero(np.isnan(out)) != column.null_count:
        raise Doubtful


def parsed(chunks: Sequence[Any], rule: CellRule) -> Parsed:
    """`chunks` are arrays of strings of pyarrow, without nulls."""
    count = sum(map(len, chunks))
    numbers = np.empty(count, np.float64)
    wrong: NDArray[np.bool_] | None = None
    start = 0
    for chunk in chunks:
        stop = start + len(chunk)
        bad = _read(chunk, rule, numbers[start:stop])
        if bad is not None:
            wrong = np.zeros(count, bool) if wrong is None else wrong
            wrong[start:stop] = bad
        start = stop
    return Parsed(numbers, wrong)


def _read(chunk: Any, rule: CellRule, out: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    """Writes the numbers of a chunk; which cells are none, if any."""
    if rule.plain and rule.missing is None and _converted(chunk, out):
        return None
    return _sorted(chunk, rule, out)


def _converted(chunk: Any, out: NDArray[np.float64]) -> bool:
    """Whether pyarrow reads all cells, and as we do: it takes `nan(1)` for a number too."""
    import pyarrow

    compute = kernels()
    try:
        found = compute.cast(chunk, pyarrow.float64())
    except pyarrow.ArrowInvalid:
        filled = compute.if_else(compute.equal(chunk, ""), pyarrow.scalar(None, chunk.type), chunk)
        if not filled.null_count:
            return False
        try:
            found = compute.cast(filled, pyarrow.float64())
        except pyarrow.ArrowInvalid:
            return False
    out[:] = found.to_numpy(zero_copy_only=False)
    at = np.flatnonzero(np.isnan(out))
    return not len(at) or all(map(cells.is_missing, compute.unique(chunk.take(pyarrow.array(at))).to_pylist()))


def _sorted(chunk: Any, rule: CellRule, out: NDArray[np.float64]) -> NDArray[np.bool_] | None:
    import pyarrow

    compute = kernels()
    trimmed = compute.utf8_trim_whitespace(chunk)
    texts = compute.utf8_lower(trimmed)
    marks = cells.MISSING if rule.missing is None else rule.missing
    missing = compute.is_in(texts if rule.missing is None else trimmed, pyarrow.array(sorted({*marks, ""}), chunk.type))
    out[:] = np.nan
    rest = compute.invert(missing)
    found = compute.and_(rest, compute.match_substring_regex(texts, f"^(?:{rule.pattern})$"))
    numbers = compute.filter(texts, found)
    if not rule.plain:
        bare = compute.replace_substring(numbers, rule.thousands, "") if rule.thousands else numbers
        numbers = compute.replace_substring(bare, rule.decimal, ".")
    out[_mask(found)] = compute.cast(numbers, pyarrow.float64()).to_numpy(zero_copy_only=False)
    left = _mask(compute.and_not(rest, found))
    return _one_by_one(chunk, rule, np.flatnonzero(left), out) if left.any() else None


def _mask(values: Any) -> NDArray[np.bool_]:
    return values.to_numpy(zero_copy_only=False)


def _one_by_one(
    chunk: Any, rule: CellRule, left: NDArray[np.int64], out: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    import pyarrow

    coded = chunk.take(pyarrow.array(left)).dictionary_encode()
    texts = coded.dictionary.to_pylist()
    numbers, wrong = np.full(len(texts), np.nan), np.zeros(len(texts), bool)
    for position, text in enumerate(texts):
        try:
            numbers[position] = cells.number(text, rule)
        except cells.NotANumber:
            wrong[position] = True
    codes = coded.indices.to_numpy()
    out[left] = numbers[codes]
    if not wrong.any():
        return None
    found = np.zeros(len(chunk), bool)
    found[left] = wrong[codes]
    return found
