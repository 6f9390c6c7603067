"""How every benchmark measures: ours and the peer's in one process tree, in turn, medians, the ratio."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple


class Figure(NamedTuple):
    """A measured quantity. `limit` is the largest value that keeps the promise (None: nothing is promised)."""

    name: str
    value: float
    unit: str
    limit: float | None = None


def alternate(functions: Mapping[str, Callable[[], object]], rounds: int, warmup: int = 1) -> dict[str, float]:
    """Median seconds of each function, called in turn (A B A B), so that a slow moment of the machine hits all."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    for turn in range(warmup + rounds):
        for name, function in functions.items():
            gc.collect()
            start = time.perf_counter()
            function()
            if turn >= warmup:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(found) for name, found in times.items()}
