"""Transforms of numbers and names. `x` is a batch of records; `args` has the arguments of the transform and what it has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ....compiler.catalogue.transforms.number import UNKNOWN
from .. import cells, values
from ..arrays import number
from ..arrays.text_use import TextUse
from ..cells import CellRule
from ..text_columns import distinct
from ..values import Value, on_the_cpu

Args: TypeAlias = Mapping[str, Any]


class NothingToLearn(Exception):
    """No record has what a fitted transform learns from."""


def scale(x: Tensor, args: Args) -> Tensor:
    return x.to(torch.float32) * args["k"]


def threshold(x: Tensor, args: Args) -> Tensor:
    return (x > args["v"]).to(torch.int64)


def clip(x: Tensor, args: Args) -> Tensor:
    x = x.to(torch.float32)
    return x if args["min"] is None and args["max"] is None else x.clamp(args["min"], args["max"])


def log1p(x: Tensor, args: Args) -> Tensor:
    x = x.to(torch.float32)  # the logarithm of torch may differ in the last bit
    return on_the_cpu(number.log1p, x, args) if values.on_host(x) else x.log1p()


def one_hot(x: Tensor, args: Args) -> Tensor:
    x = x.to(torch.int64)
    if values.on_host(x):
        return on_the_cpu(number.one_hot, x, args)
    return torch.nn.functional.one_hot(x, args["n"]).to(torch.float32)


# ---- fitted ---------------------------------------------------------------------------------------------------------------


def fit_standardize(value: Value, args: Args) -> dict[str, Any]:
    """Mean and standard deviation of each number of a record; a constant one is divided by 1."""
    x = _stacked(value).to(torch.float64)
    constant = x.amax(0) == x.amin(0)  # rounding of the mean may leave a constant a deviation of 1e-17
    std = torch.where(constant, 1.0, x.std(0, correction=0))
    return {"mean": torch.where(constant, x[0], x.mean(0)).tolist(), "std": std.tolist()}


def standardize(x: Tensor, args: Args) -> Tensor:
    mean = torch.tensor(args["mean"], dtype=torch.float64, device=x.device)
    std = torch.tensor(args["std"], dtype=torch.float64, device=x.device)
    return ((x.to(torch.float64) - mean) / std).to(torch.float32)


def _stacked(value: Value) -> Tensor:
    if isinstance(value, Tensor):
        return value
    assert isinstance(value, list)
    return torch.cat([item.reshape(-1) for item in value])


def fit_impute(value: Value, args: Args) -> dict[str, Any]:
    given = args["value"]
    if given == "most_frequent":
        return {"fill": _most_frequent(value, args["rule"])}
    if given not in ("mean", "median"):
        return {"fill": given}
    x = _stacked(value).to(torch.float64)
    if bool(x.isnan().all(0).any()):
        raise NothingToLearn
    fill = x.nanmean(0) if given == "mean" else x.nanmedian(0).values
    return {"fill": fill.tolist()}


def _most_frequent(texts: Any, rule: CellRule) -> str:
    codes, names = distinct(texts)
    counts = dict(zip(names, np.bincount(codes, minlength=len(names)).tolist(), strict=True))
    present = [name for name in cells.in_order(names) if not rule.is_missing(name)]
    if not present:
        raise NothingToLearn
    return max(present, key=lambda name: counts[name])


def impute(x: Any, args: Args | TextUse) -> Any:
    """Numbers, or texts with their use."""
    if isinstance(args, TextUse):
        return number.impute(x, args)
    x = x.to(torch.float32)
    return torch.where(x.isnan(), torch.tensor(args["fill"], dtype=x.dtype, device=x.device), x)


class Blanks(Exception):
    """Two names differ only in blanks around them: this one, and the one without."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def fit_category(texts: Sequence[str], args: Args) -> dict[str, Any]:
    """The names in order; a missing one is not a name. Raises Blanks."""
    names = list(args["names"])
    if not names:
        codes, present = distinct(texts)
        rule, counts = args["rule"], np.bincount(codes, minlength=len(present))
        kept = {
            n for n, count in zip(present, counts, strict=True) if not rule.is_missing(n) and count >= args["min_count"]
        }
        twin = next((name for name in sorted(kept) if name != name.strip() and name.strip() in kept), None)
        if twin is not None:
            raise Blanks(twin)
        names = cells.in_order(kept)
    return {"names": [*names, UNKNOWN] if args["unknown"] else names}


def fit_multi_hot(texts: Sequence[str], args: Args) -> dict[str, Any]:
    """The labels in order. Raises NothingToLearn where no record has any."""
    names = list(args["names"]) or cells.in_order(
        {label for cell in distinct(texts)[1] for label in number.labels(cell, args["separator"], args["rule"])}
    )
    if not names:
        raise NothingToLearn
    return {"names": names}
