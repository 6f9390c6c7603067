"""The device of a run, from the word on the command line."""

from __future__ import annotations

import torch

from ..failure import BadInput


def device_of(text: str) -> torch.device:
    """`auto` is CUDA, else Apple's GPU, else the CPU."""
    if text == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(text)
    except RuntimeError:
        raise _unknown(text) from None
    if device.type not in ("cpu", "cuda", "mps"):  # PyTorch knows others, such as `meta`, which computes nothing
        raise _unknown(text)
    if device.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (device.index or 0) >= count:
            known = ", ".join(f"`cuda:{number}`" for number in range(count))
            raise BadInput(
                f"`{text}` is not available: torch sees {count} CUDA devices",
                helps=(f"use {known}" if count else "use `cpu`; `dlc doctor` shows what is missing",),
            )
    elif device.type == "mps" and not torch.backends.mps.is_available():
        raise BadInput("`mps` is not available here", helps=("use `cpu`; `dlc doctor` shows what is missing",))
    return device


def _unknown(text: str) -> BadInput:
    return BadInput(f"there is no device `{text}`", helps=("use `auto`, `cpu`, `cuda`, `cuda:N` or `mps`",))
