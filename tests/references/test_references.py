"""Shipped specs equal the public implementations of the same models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from .reference import Reference, rows
from .worker import Worker


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    started = Worker()
    yield started
    started.close()


@pytest.mark.parametrize("row", [pytest.param(row, id=row.id) for row in rows()])
def test_equals_its_reference(row: Reference, worker: Worker, sizes: Any) -> None:
    if row.full and not sizes.full:
        pytest.skip("large: in `make test-full`")
    worker.measure(row).check()
    assert "torchvision" not in sys.modules and "timm" not in sys.modules
