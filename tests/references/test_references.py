"""Shipped specs equal the public implementations of the same models."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from . import page
from .reference import Reference, rows
from .worker import Worker

ROOT = Path(__file__).resolve().parents[2]


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


def test_the_page_shows_what_was_measured() -> None:
    """`python -m tests.references ROW` measures a new row and writes both files."""
    assert page.PAGE.read_text("utf-8") == page.page(page.read())
    assert [found.id for found in page.read()] == [row.id for row in rows()]
    for found in page.read():
        found.check()
        assert (ROOT / "specs" / f"{found.spec.partition('@')[0]}.dlspec").is_file()
