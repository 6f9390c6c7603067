"""Weights that hold NaN or infinity: found before they are used, wherever they come from, and named.

A comparison of two programs does not find them (both answer NaN), and a training that begins with them ends as one that
diverged.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import torch
from torch import Tensor

CODE = "E0606"


def named(tensors: Iterable[tuple[str, Tensor]], buffers: Collection[str] = ()) -> list[str]:
    """``"`fc.weight` has 1 NaN and 2 infinities in 104 numbers"`` for each tensor that is not finite. Infinity is allowed in
    buffers, where a mask may be kept."""
    found = ((name, _words(tensor, name in buffers)) for name, tensor in tensors)
    return [f"`{name}` has {words}" for name, words in found if words]


def _words(tensor: Tensor, infinite: bool) -> str:
    if not tensor.is_floating_point() or not tensor.numel():
        return ""
    values = tensor.detach()
    values = values.float() if values.element_size() == 1 else values  # 8-bit floats have no arithmetic
    least, most = torch.aminmax(values)  # one pass without a copy; NaN if any is
    if bool(torch.isfinite(least) and torch.isfinite(most)):
        return ""
    nans, infinities = int(values.isnan().sum()), 0 if infinite else int(values.isinf().sum())
    parts = [f"{nans:,} NaN"] if nans else []
    if infinities:
        parts.append(f"{infinities:,} {'infinity' if infinities == 1 else 'infinities'}")
    return f"{' and '.join(parts)} in {values.numel():,} numbers" if parts else ""


def summary(words: list[str]) -> tuple[str, ...]:
    """As notes: the first few, and how many more."""
    return (*words[:4], f"and {len(words) - 4} more tensors") if len(words) > 5 else tuple(words)
