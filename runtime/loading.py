"""Imports of torch and the like without Python's cycle collector.

What they make, 200,000 objects, lives as long as the process. Looking through it while it grows takes a tenth of a start, and once more with every
full collection later: it is left out of these.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def loading() -> Generator[None]:
    """For imports inside a function. The first of them leaves all objects that there are to the end of the process."""
    if not gc.isenabled():
        yield
        return
    known = len(sys.modules)
    gc.disable()
    try:
        yield
    finally:
        if len(sys.modules) > known:
            gc.freeze()
        gc.enable()
