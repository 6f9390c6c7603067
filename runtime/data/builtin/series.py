"""Time series that ship inside statsmodels."""

from __future__ import annotations

import numpy as np

from ..table import Column, Stream
from .packaged import packaged


def sunspots() -> dict[str, Column]:
    """`value` f32 [309]: the mean number of sunspots of each year from 1700 to 2008."""
    path = packaged("statsmodels", "datasets/sunspots/sunspots.csv")
    return {"value": Stream(np.loadtxt(path, np.float32, delimiter=",", skiprows=1, usecols=1, encoding="utf-8"))}
