"""Python's cycle collector while a spec is compiled."""

from __future__ import annotations

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def paused() -> Generator[None]:
    """Without the cycle collector: every object of a compilation lives until its end, and looking through all of them
    again and again costs more than half of the time of a 10,000-line spec, growing faster than the spec."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
