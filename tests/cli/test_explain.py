"""`dlc explain` prints a page, or offers the nearest name."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Dlc = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_code(dlc: Dlc) -> None:
    page = dlc("explain", "e0207").stdout
    assert page.startswith("error E0207: ")
    assert "require" in page


def test_an_operator(dlc: Dlc) -> None:
    assert dlc("explain", "LayerNorm").stdout.startswith("LayerNorm(")


def test_near_names(dlc: Dlc) -> None:
    assert "did you mean `LayerNorm`?" in dlc("explain", "LayerNrm", code=2).stderr
    assert "nothing is called `E9999`" in dlc("explain", "E9999", code=2).stderr
