"""Versions and machine, as `env.json` of a run records them."""

from __future__ import annotations

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

import torch

PACKAGES = ("dlc", "torch", "numpy", "safetensors", "scikit-learn", "onnx", "onnxruntime")


def environment(device: torch.device) -> dict[str, Any]:
    """What the run starts with: Python, packages, machine, command line and time (UTC)."""
    versions: dict[str, str] = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    machine: dict[str, Any] = {"system": platform.platform(), "cores": os.cpu_count(), "device": str(device)}
    if device.type == "cuda":
        machine["gpu"] = torch.cuda.get_device_name(device)
    return {
        "python": platform.python_version(),
        "versions": versions,
        "machine": machine,
        "command": sys.argv,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
