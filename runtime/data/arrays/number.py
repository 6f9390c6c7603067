"""Transforms of numbers and names. `x` is a batch of records; `args` has the arguments of the transform and what it has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .. import table_mistakes
from ..cells import CellRule
from ..text_columns import distinct
from .text_use import TextUse

Args: TypeAlias = Mapping[str, Any]
Array: TypeAlias = "NDArray[Any]"


def scale(x: Array, args: Args) -> Array:
    return x.astype(np.float32) * np.float32(args["k"])


def threshold(x: Array, args: Args) -> Array:
    v = args["v"]
    if x.dtype.kind != "f" and isinstance(v, float):  # as torch compares whole numbers with a float
        x = x.astype(np.float32)
    return (x > (x.dtype.type(v) if x.dtype.kind == "f" else v)).astype(np.int64)


def clip(x: Array, args: Args) -> Array:
    x = x.astype(np.float32)
    low, high = (None if args[name] is None else np.float32(args[name]) for name in ("min", "max"))
    return x if low is None and high is None else np.clip(x, low, high)


def log1p(x: Array, args: Args) -> Array:
    with np.errstate(all="ignore"):  # -1 gives -inf, below NaN: the field refuses them, and names the record
        return np.log1p(x.astype(np.float32))


def one_hot(x: Array, args: Args) -> Array:
    whole = x.astype(np.int64)
    if whole.size and (whole.min() < 0 or whole.max() >= args["n"]):
        at = np.argwhere((whole < 0) | (whole >= args["n"]))[0]
        raise NotBelow(int(at[0]), int(whole[tuple(at)]), args["n"])
    return (whole[..., None] == np.arange(args["n"])).astype(np.float32)


class NotBelow(ValueError):
    """A number of the record `at` is not below `n`."""

    def __init__(self, at: int, number: int, n: int) -> None:
        super().__init__(f"{number} is not a number from 0 to {n - 1}")
        self.at, self.number, self.n = at, number, n


def standardize(x: Array, args: Args) -> Array:
    mean, std = np.asarray(args["mean"], np.float64), np.asarray(args["std"], np.float64)
    with np.errstate(all="ignore"):  # a field refuses what is not finite
        return ((x.astype(np.float64) - mean) / std).astype(np.float32)


def impute(x: Any, args: Args | TextUse) -> Any:
    """Numbers, or texts with their use."""
    if isinstance(args, TextUse):
        codes, names = distinct(x)
        filled = [args.fitted["fill"] if args.rule.is_missing(name) else name for name in names]
        return [filled[code] for code in codes.tolist()]
    x = x.astype(np.float32)
    return np.where(np.isnan(x), np.asarray(args["fill"], np.float32), x)


def category(texts: Sequence[str], use: TextUse) -> Array:
    names, unknown = use.fitted["names"], use.args["unknown"]
    lookup = {name: number for number, name in enumerate(names[:-1] if unknown else names)}
    codes, present = distinct(texts)
    other = len(names) - 1 if unknown else -1
    numbers = [lookup.get(name, -1 if use.rule.is_missing(name) else other) for name in present]
    found = np.array(numbers, np.int64)[codes]
    wrong = np.flatnonzero(found < 0)
    if len(wrong):
        at = int(wrong[0])
        if use.rule.is_missing(texts[at]):
            raise table_mistakes.missing_name(use.node.span, use.place(at), use.columns[0], texts[at].strip())
        fitted = not use.args["names"]
        raise table_mistakes.unknown_category(use.node.span, use.place(at), use.columns, texts[at], names, fitted)
    return found


def labels(text: str, separator: str, rule: CellRule) -> list[str]:
    """The labels in a cell."""
    if rule.is_missing(text.strip()):
        return []
    return [label.strip() for label in text.split(separator) if label.strip()]


def multi_hot(texts: Sequence[str], use: TextUse) -> Array:
    names, separator = use.fitted["names"], use.args["separator"]
    place = {name: number for number, name in enumerate(names)}
    codes, cells = distinct(texts)
    rows = np.zeros((len(cells), len(names)), np.float32)
    for row, cell in zip(rows, cells, strict=True):
        for label in labels(cell, separator, use.rule):
            if label not in place:
                at = list(texts).index(cell)
                raise table_mistakes.unknown_label(use.node.span, use.place(at), label, names, not use.args["names"])
            row[place[label]] = 1
    return rows[codes]
