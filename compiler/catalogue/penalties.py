"""Losses of parameters, such as `l1("**.weight")`: which parameters one reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import LOSSES


def selected(op: str, args: Mapping[str, Any]) -> str | None:
    """The glob over parameters that a loss reads; None for a loss of values, and for what is not a loss."""
    entry = LOSSES.get(op)
    return None if entry is None or entry.selects is None else str(args[entry.selects])
