"""What the caller of an export chooses; it beats the `export` section of the spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...compiler.dataclass import dataclass


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """The keywords of `dlc.export`.

    `section` names the `export` section where there are several. `weights` are arrays by parameter path or a safetensors
    file (default: the kept weights of a run, the initial weights of a spec). `linked` leaves the weights in a safetensors
    file next to the model. `verify` compares the file with PyTorch before it is put in place. `precision` is `f32`, `f16` or
    `bf16`. `cached` exports the key/value-cache form used for generation.
    """

    path: str | Path | None = None
    section: str | None = None
    weights: Mapping[str, Any] | str | Path | None = None
    linked: bool = False
    verify: bool = True
    precision: str | None = None
    cached: bool = False
