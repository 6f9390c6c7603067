"""What the normal size leaves to `make test-full`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def thinned(items: Iterable[Any], every: int) -> list[Any]:
    """Parameters of a test (tuples where it has several), of which the normal size tries one in `every`: what it tests is tested
    by each of them."""
    rows = (item if isinstance(item, tuple) else (item,) for item in items)
    return [pytest.param(*row, marks=pytest.mark.long if at % every else ()) for at, row in enumerate(rows)]
