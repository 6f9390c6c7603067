"""Time series that ship inside statsmodels."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..table import Column, Stream


def sunspots() -> dict[str, Column]:
    """`value` f32 [309]: the mean number of sunspots of each year from 1700 to 2008."""
    from statsmodels.datasets import sunspots as dataset  # pyright: ignore[reportMissingTypeStubs]

    frame: Any = dataset.load_pandas().data  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return {"value": Stream(frame["SUNACTIVITY"].to_numpy(np.float32))}
