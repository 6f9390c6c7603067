"""The command line: one module per command. The only package that prints, draws progress or exits."""

from __future__ import annotations

from collections.abc import Sequence

from .app import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `dlc` and returns its exit code: 0 done, 1 failed at run time, 2 the input is wrong, 3 diverged,
    130 and 143 interrupted."""
    return run(arguments)
