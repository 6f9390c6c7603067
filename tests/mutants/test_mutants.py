"""What `dlc check` accepts compiles: its resolved text means the same, its IR is legal and survives JSON, its source is Python.

`python -m tests.mutants SEED COUNT` takes mutants further: two steps of training, evaluation, export, comparison, session.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.analysis.verify import verify
from dlc.compiler.check import check

from .mutate import BASES, mutant
from .trial import attempt


@pytest.mark.parametrize("name", BASES)
def test_the_bases_run_whole(name: str, tmp_path: Path) -> None:
    assert attempt(BASES[name], tmp_path).outcome == "ran"


def test_accepted_mutants_compile(sizes: Any, tmp_path: Path) -> None:
    accepted = 0
    for number in range(10_000 if sizes.full else 300):
        what, text = mutant(random.Random(f"mutant {number}"))
        trial = attempt(text, tmp_path, until="build")
        assert trial.outcome in ("refused", "ran"), f"{what} {trial}\n{text}"
        if trial.outcome == "ran":
            accepted += 1
            spec = check(tmp_path / "mutant.dlspec").spec
            assert spec is not None and verify(spec) == [], f"{what}\n{text}"
    assert accepted > (2_000 if sizes.full else 60)
