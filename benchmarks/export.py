"""Writing GPT-2 (124M parameters, f32, batch and length dynamic) as ONNX: ours, `torch.onnx.export`, and the raw bytes.

Verification counts on neither side. Every way writes a new file and first removes its last one: a file that is replaced
keeps its pages until the rename, and where memory is fresh that costs more than the writing. The peer exports the very module that `dlc build` writes, with the same opset, in one
file too (its format keeps weights above 2 GB apart only, as ours). `python -m dlc.benchmarks.export` writes the JSON.
"""

from __future__ import annotations

import contextlib
import io
import json
import platform
import subprocess
import sys
import tempfile
import warnings
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .measure import Figure, alternate

EXAMPLES = Path(__file__).resolve().parent.parent / "tests" / "language" / "examples"
RESULTS = Path(__file__).resolve().parent / "results"


def measured(rounds: int, overrides: dict[str, Any] | None = None) -> dict[str, float]:
    """Median seconds of each way to disk, nodes, bytes."""
    import onnx
    import torch
    from safetensors.numpy import save_file

    import dlc
    from dlc.backends.onnx import lower, stored, write_linked, write_packed
    from dlc.runtime.exporting.reference_model import module_of

    spec = dlc.load(EXAMPLES / "e_gpt2.dlspec", **(overrides or {})).spec
    model = spec.model("GPT2")
    from dlc.compiler.ir.expand import parameters

    random = np.random.default_rng(0)
    weights = {e.path: random.standard_normal(e.shape, dtype=np.float32) for e in parameters(spec, model)}
    module = module_of(spec, model, weights)
    tokens = torch.zeros((2, 16), dtype=torch.int64)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        save_file(weights, folder / "weights.safetensors")
        table = stored(folder / "weights.safetensors")

        def removed(name: str) -> Path:
            for file in folder.glob(f"{name}*"):
                file.unlink()
            return folder / name

        def raw() -> None:
            with removed("raw.bin").open("wb", buffering=0) as stream:
                for array in weights.values():
                    view = memoryview(array.reshape(-1).view(np.uint8))
                    while len(view):
                        view = view[stream.write(view) :]

        def packed() -> None:
            write_packed(lower(spec, model, weights), removed("packed.onnx"))

        def linked() -> None:
            write_linked(lower(spec, model, table), removed("linked.onnx"), folder / "weights.safetensors")

        def peer() -> None:
            batch, length = torch.export.Dim("B", min=1, max=1 << 20), torch.export.Dim("T", min=2, max=1024)
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                program = torch.onnx.export(
                    module,
                    (tokens,),
                    dynamo=True,
                    opset_version=23,
                    verbose=False,
                    dynamic_shapes=({0: batch, 1: length},),
                )
                assert program is not None
                program.save(removed("peer.onnx"))

        times = alternate({"raw": raw, "packed": packed, "linked": linked, "peer": peer}, rounds)
        found = {f"{name}_s": seconds for name, seconds in times.items()}
        for name in ("packed", "peer"):
            graph = onnx.load(str(folder / f"{name}.onnx"), load_external_data=False).graph
            found[f"{name}_nodes"] = len(graph.node)
        found["megabytes"] = sum(array.nbytes for array in weights.values()) / 1e6
    found["peer_over_packed"] = found["peer_s"] / found["packed_s"]
    found["peer_over_linked"] = found["peer_s"] / found["linked_s"]
    found["packed_over_raw"] = found["packed_s"] / found["raw_s"]
    return found


def figures(full: bool) -> list[Figure]:
    found = measured(5) if full else measured(1, {"GPT2.depth": 2})
    slack = 1 if full else 3  # one round beside other tests is noisy, and small files are written in no time
    return [
        Figure("export.gpt2.packed", found["packed_s"], "s"),
        Figure("export.gpt2.packed_of_torch", 1 / found["peer_over_packed"], "x", 0.1 * slack),
        Figure("export.gpt2.linked_of_torch", 1 / found["peer_over_linked"], "x", slack / 300),
        Figure("export.gpt2.packed_of_raw_write", found["packed_over_raw"], "x", 1.5 * slack),
        Figure("export.gpt2.nodes", found["packed_nodes"], "nodes", 200),
    ]


def main() -> None:
    found = measured(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    )
    versions = {name: metadata.version(name) for name in ("torch", "onnx", "onnx-ir", "onnxscript")}
    record = {
        "commit": commit.stdout.strip(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": platform.platform(),
        "versions": versions, "figures": {name: round(value, 5) for name, value in found.items()},
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "export.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, value in found.items():
        print(f"{name:20} {value:10.4f}")


if __name__ == "__main__":
    main()
