"""How every benchmark measures: ours and the peer's in one process tree, in turn, medians, the ratio."""

from __future__ import annotations

import gc
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

#: Where `make env-references` puts torchvision and timm: in the environment's folder, but not on its path.
PEERS = Path(sys.prefix) / "references"


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


def admit_peers() -> None:
    """Puts torchvision and timm on the path of this process. torchvision built for CUDA registers shape rules for operators
    that its extension, which cannot load beside a CPU build of torch, would have defined; models need none of them."""
    import torch.library

    real = torch.library.register_fake

    def register_fake(op, func=None, /, **options):  # type: ignore[no-untyped-def]
        if isinstance(op, str) and op.startswith("torchvision::"):
            return (lambda function: function) if func is None else func
        return real(op, func, **options)

    torch.library.register_fake = register_fake
    if str(PEERS) not in sys.path:
        sys.path.append(str(PEERS))
