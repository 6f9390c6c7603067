"""Transforms of numbers and names. `x` is a batch of records; `args` has the arguments of the transform and what it has learned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from torch import Tensor

from .. import cells
from ..arrays import number
from ..arrays.text_use import TextUse
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
    return on_the_cpu(number.log1p, x, args) if x.device.type == "cpu" else x.log1p()


def one_hot(x: Tensor, args: Args) -> Tensor:
    x = x.to(torch.int64)
    if x.device.type == "cpu":
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
    if not isinstance(args["value"], str):
        return {"fill": args["value"]}
    x = _stacked(value).to(torch.float64)
    if bool(x.isnan().all(0).any()):
        raise NothingToLearn
    fill = x.nanmean(0) if args["value"] == "mean" else x.nanmedian(0).values
    return {"fill": fill.tolist()}


def impute(x: Tensor, args: Args) -> Tensor:
    x = x.to(torch.float32)
    return torch.where(x.isnan(), torch.tensor(args["fill"], dtype=x.dtype, device=x.device), x)


def fit_category(texts: Sequence[str], args: Args) -> dict[str, Any]:
    """The names of the train split in order; a missing one is not a name."""
    return {"names": list(args["names"]) or cells.in_order({text for text in distinct(texts)[1] if text.strip()})}


def category(texts: Sequence[str], use: TextUse) -> Tensor:
    return torch.from_numpy(number.category(texts, use))
