"""Every benchmark runs, small here and in full under `--full`, and its promises hold."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
#: Those that measure most beside others are left to the full size.
MOST = {"construction", "data", "export", "generation", "images", "optimizer_step", "start_up", "tables"}
NAMES = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "measure")


def load(name: str) -> ModuleType:
    """A module of benchmarks/, which is no part of the installed package."""
    if "benchmarks" not in sys.modules:
        package = ModuleType("benchmarks")
        package.__path__ = [str(ROOT / "benchmarks")]
        sys.modules["benchmarks"] = package
    return importlib.import_module(f"benchmarks.{name}")


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.long if n in MOST else ()) for n in NAMES])
def test_benchmark(
    name: str, sizes: Any, slowness: Callable[[], float], record_figure: Callable[[str, float, str], None]
) -> None:
    figures = load(name).figures(sizes.full)
    slower = 1.0 if sizes.full else slowness()
    assert figures
    for figure in figures:
        record_figure(figure.name, figure.value, figure.unit)
        print(f"{figure.name:<40} {figure.value:10.4g} {figure.unit}")
    broken = [f for f in figures if f.limit is not None and f.value > f.limit * (slower if f.unit == "s" else 1)]
    assert not broken, broken
