"""Time series that ship inside statsmodels."""

from __future__ import annotations

import numpy as np

from ....compiler.catalogue.builtin import BUILTIN
from ..table import Cells, Column, Numbers, Stream
from .packaged import packaged


def sunspots() -> dict[str, Column]:
    """`value` f32 [309]: the mean number of sunspots of each year from 1700 to 2008."""
    path = packaged("statsmodels", "datasets/sunspots/sunspots.csv")
    return {"value": Stream(np.loadtxt(path, np.float32, delimiter=",", skiprows=1, usecols=1, encoding="utf-8"))}


def el_nino() -> dict[str, Column]:
    """`date` as `1950-01`, `month` i64, `temperature` f32, each [732]: the sea west of Peru from 1950 to 2010."""
    path = packaged("statsmodels", "datasets/elnino/elnino.csv")
    rows = np.loadtxt(path, np.float64, delimiter=",", skiprows=1, encoding="utf-8")
    dates = [f"{year:.0f}-{month:02}" for year in rows[:, 0] for month in range(1, 13)]
    known = BUILTIN["el_nino"].fields["month"].classes
    assert known is not None
    months = Numbers(np.tile(np.arange(12), len(rows)), known.names)
    return {"date": Cells(dates), "month": months, "temperature": Numbers(rows[:, 1:].reshape(-1).astype(np.float32))}
