"""Out of memory as a message: what was asked for, what is free, and the override that fits."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from ...compiler.ir.train import Phase
from ..data.feed import free_memory
from ..failure import RunFailure

_BYTES = re.compile(r"allocate (\d+) bytes|allocate ([\d.]+) (KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@contextmanager
def explained(phase: Phase, device: torch.device) -> Iterator[None]:
    """Turns running out of memory into a RunFailure."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise message(error, phase, device) from error


def is_out_of_memory(error: BaseException) -> bool:
    text = str(error)
    return (
        isinstance(error, (torch.OutOfMemoryError, MemoryError))
        or "DefaultCPUAllocator" in text
        or ("out of memory" in text.lower())
    )


def message(error: BaseException, phase: Phase, device: torch.device) -> RunFailure:
    """The failure for a batch that does not fit."""
    batch = phase.batch
    size = batch.micro or batch.amount
    wanted = _wanted(str(error))
    unit = " tokens" if batch.unit == "tokens" else ""
    notes = [f"batch = {batch.amount}{unit}" + (f", micro_batch = {batch.micro}{unit}" if batch.micro else "")]
    if wanted:
        notes.append(f"wanted {_shown(wanted)} more at once")
    notes.append(f"free on {device}: {_shown(free_memory(device))}")
    smaller = max((n for n in range(1, size // 2 + 1) if batch.amount % n == 0), default=None)
    given = f'"train.micro_batch={smaller} tokens"' if unit else f"train.micro_batch={smaller}"
    helps = (
        (f"`{given}` computes the same step in {batch.amount // smaller} parts",)
        if smaller
        else ("make the model or its input smaller: a single example does not fit",)
    )
    return RunFailure(f"out of memory on {device}", notes=tuple(notes), helps=helps)


def _wanted(text: str) -> int | None:
    found = _BYTES.search(text)
    if found is None:
        return None
    return int(found[1]) if found[1] else int(float(found[2]) * _UNITS[found[3]])


def _shown(size: int) -> str:
    for unit in ("GiB", "MiB", "KiB"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.1f} {unit}"
    return f"{size} bytes"
