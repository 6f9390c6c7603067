"""Half precision where the processor lacks a kernel for it.

Under autocast, `nn.LSTM` on the CPU is a primitive of oneDNN, which has it in bf16 only for processors with AVX-512; on others
PyTorch raises "could not create a primitive descriptor". Such a layer computes in f32: its inputs are converted, autocast is
off within it, and the layers around it stay in half precision. Packed sequences (`lengths`) take another kernel of PyTorch,
which every processor has.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from torch import nn

HALF = {"bf16": torch.bfloat16, "f16": torch.float16}


class _InF32:
    """Mixed in before a recurrent layer of PyTorch: computes in f32 whatever surrounds it. Takes tensors, not packed sequences."""

    def forward(self, input: Any, hx: Any = None) -> Any:
        with torch.autocast("cpu", enabled=False):
            return super().forward(input.float(), _as_f32(hx))  # type: ignore[misc]


class _LSTM(_InF32, nn.LSTM):
    pass


class _GRU(_InF32, nn.GRU):
    pass


class _RNN(_InF32, nn.RNN):
    pass


_REPLACED: dict[type[nn.Module], type[nn.Module]] = {nn.LSTM: _LSTM, nn.GRU: _GRU, nn.RNN: _RNN}


def _as_f32(state: Any) -> Any:
    if isinstance(state, tuple):
        return tuple(part.float() for part in state)
    return None if state is None else state.float()


@cache
def runs(kind: type[nn.Module], dtype: torch.dtype) -> bool:
    """Whether this processor runs a recurrent layer under autocast to `dtype`, forward and backward: it is tried, once. No list of
    processor features is as reliable, and it takes a millisecond."""
    layer = kind(4, 4, batch_first=True)
    try:
        with torch.enable_grad(), torch.autocast("cpu", dtype):
            layer(torch.zeros(2, 3, 4))[0].float().sum().backward()
    except RuntimeError:
        return False
    return True


def in_f32(nets: Iterable[nn.Module], dtype: torch.dtype) -> list[str]:
    """Makes recurrent layers that this processor cannot run in `dtype` compute in f32, in place; the names of their kinds.

    The class of the layer is exchanged, so its parameters, its place in the module and copies of it stay what they were.
    """
    found: dict[str, None] = {}
    for net in nets:
        for layer in net.modules():
            if type(layer) in _REPLACED and not runs(type(layer), dtype):
                found[type(layer).__name__] = None
                layer.__class__ = _REPLACED[type(layer)]
    return list(found)
