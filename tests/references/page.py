"""What was measured as JSON, and the page of the documentation made from it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from .comparison import GRADIENTS, ONNX, PYTORCH, Comparison
from .reference import rows

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "references.json"
PAGE = ROOT / "docs" / "references.md"

INTRODUCTION = f"""# Shipped specs compared with public implementations

Each row compares a spec of `specs/` with a well-known implementation of the same model. Both get the same random weights
(no tensor is constant) and the same inputs, in float32 and evaluation mode:

- *names*: names and shapes of all tensors are equal, as they are or after the spec's own weight map;
- *parameters*: trainable ones of the models compared; *published*: the count of the spec as it ships, which is the published
  one;
- *PyTorch*, *ONNX*: the largest difference between the outputs, of the generated PyTorch and of ONNX Runtime (the larger
  one of its optimization levels none and all), as a share of the output's largest magnitude; at most {PYTORCH:g} and {ONNX:g};
- *gradients*: the largest difference of a parameter's gradient as a share of its largest element, in float64, batch norms in
  training mode; at most {GRADIENTS:g}.

`make references` measures all rows and generates this page. `make test` measures all but the large ones, `make test-full` all.
"""


def read() -> list[Comparison]:
    if not RESULTS.exists():
        return []
    data = json.loads(RESULTS.read_text("utf-8"))
    return [Comparison(**row | {"overrides": tuple(row["overrides"])}) for row in data["rows"]]


def write(measured: Iterable[Comparison]) -> None:
    """Merges measurements into the JSON, drops rows that are gone, and writes the page."""
    known = {found.id: found for found in (*read(), *measured)}
    kept = [known[row.id] for row in rows() if row.id in known]
    RESULTS.write_text(
        json.dumps(_stamp() | {"rows": [dataclasses.asdict(row) for row in kept]}, indent=2) + "\n", "utf-8"
    )
    PAGE.write_text(page(kept), "utf-8")


def page(measured: Iterable[Comparison]) -> str:
    lines = [
        "| spec | reference | tensors | names | parameters | published | PyTorch | ONNX | gradients |",
        "|---|---|--:|---|--:|--:|--:|--:|--:|",
        *map(_line, measured),
    ]
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


def _line(row: Comparison) -> str:
    named = [(name.rpartition(".")[2], value) for name, _, value in (text.partition("=") for text in row.overrides)]
    settings = ", ".join(f"`{name}={value}`" for name, value in named)
    cells = (
        f"`{row.spec}`{f' ({settings})' if settings else ''}", f"`{row.reference}` {row.version}", str(row.tensors),
        f"map `{row.map}`" if row.map else "equal", f"{row.parameters:,}", f"{row.published:,}" if row.published else "",
        _share(row.pytorch), _share(row.onnx), "" if row.gradients is None else _share(row.gradients),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def _share(value: float) -> str:
    return f"{value:.0e}" if value else "0"


def _stamp() -> dict[str, Any]:
    commit = subprocess.run(["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    names = ("torch", "onnxruntime-gpu", "onnxruntime")
    installed = {found.metadata["Name"].lower() for found in metadata.distributions()}
    return {
        "commit": commit.stdout.strip() or "unknown",
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "versions": {name: metadata.version(name) for name in names if name in installed},
    }
