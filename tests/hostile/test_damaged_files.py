"""Every kind of file that dlc reads, damaged anywhere: what is left of it, or a message that names it."""

from __future__ import annotations

import random
import warnings
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.messages.diagnostics import Failed
from dlc.runtime.failure import RunFailure
from dlc.runtime.weights.files import Unreadable

from .damage import damaged, kinds

KINDS = kinds()


@pytest.mark.parametrize("name", KINDS)
def test_a_file_as_it_was_written(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(KINDS[name].data)
    assert KINDS[name].read(path)


@pytest.mark.parametrize("name", KINDS)
def test_a_damaged_file(name: str, tmp_path: Path, sizes: Any) -> None:
    kind, others = KINDS[name], [other.data for other in KINDS.values()]
    seed = random.randrange(2**32)
    path = tmp_path / name
    refused = 0
    for case in range(1000 if sizes.full else 20):
        data = damaged(kind.data, others, random.Random(seed + case))
        path.write_bytes(data)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of the libraries that read it
                kind.read(path)
        except (Failed, RunFailure, Unreadable) as failure:
            refused += 1
            said = failure.diagnostic.message if isinstance(failure, Failed) else str(failure)
            assert said.strip(), f"seed {seed + case}"
        except Exception as error:
            raise AssertionError(f"{name}, seed {seed + case}: {data[:80]!r}") from error
    assert refused
