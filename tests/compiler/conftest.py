"""Whatever a test of this folder compiles, its IR is legal after every stage."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from dlc.compiler import check
from dlc.compiler.analysis.verify import verify


def legal(found: check.Compilation) -> None:
    """Nothing is promised of what has mistakes. What a stage leaves as it was is not looked through again."""
    if hasattr(found, "elaborator") and found.report.ok:
        spec = found.spec()
        if spec != getattr(found, "legal", None):
            assert verify(spec) == []
            found.legal = spec


@pytest.fixture(scope="module", autouse=True)
def legal_after_every_stage(request: pytest.FixtureRequest) -> Iterator[None]:
    if request.module.__name__.endswith(("test_speed", "test_fuzz_check")):  # they measure; the second verifies itself
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(check, "STAGES", tuple(each for stage in check.STAGES for each in (stage, legal)))
        yield


@pytest.fixture(scope="module")
def small_heap() -> Iterator[None]:
    """For tests that measure: Python's cycle collector does not look through what earlier tests of the process left."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()
