"""Shipped specs equal the public implementations of the same models."""

from __future__ import annotations

import subprocess
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


@pytest.mark.long
@pytest.mark.parametrize("name", ["regnet", "densenet", "convnext"])
def test_a_suggested_map_takes_all_weights(name: str, tmp_path: Path) -> None:
    """Of the library's own model into a spec with names of its own; `suggested.py` says which."""
    found = subprocess.run(
        [sys.executable, "-m", f"{__package__}.suggested", name, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    assert float(found.stdout) <= 1e-5


def test_the_page_shows_what_was_measured() -> None:
    """`python -m tests.references ROW` measures a new row and writes both files."""
    assert page.PAGE.read_text("utf-8") == page.page(page.read())
    assert [found.id for found in page.read()] == [row.id for row in rows()]
    for found in page.read():
        found.check()
        assert (ROOT / "specs" / f"{found.spec.partition('@')[0]}.dlspec").is_file()
