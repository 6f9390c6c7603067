"""Milliseconds a generated token, greedy, batch 1: ours over ONNX Runtime, and `generate` of transformers with the same weights.

Both give the same tokens (checked). Also: what a step costs after a past that came in one piece, against one that came
token by token; and in full size one token through the whole-sequence export against what `torch.onnx.export` writes, and a
step with rounded weights against one in f32.
`python -m dlc.benchmarks.generation` writes the JSON.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from .measure import Figure, alternate

SPEC = Path(__file__).resolve().parent.parent / "specs" / "gpt2.dlspec"
RESULTS = Path(__file__).resolve().parent / "results"
SMALL = {"ctx": 192, "GPT2.vocab": 1000, "GPT2.d": 256, "GPT2.depth": 4, "GPT2.heads": 4}
LARGE = {"ctx": 1024, "GPT2.vocab": 50257, "GPT2.d": 768, "GPT2.depth": 12, "GPT2.heads": 12}


def reference(sizes: dict[str, int]) -> Any:
    """GPT-2 of transformers with random weights, large enough that the likeliest token is clear."""
    import torch
    import transformers

    config = transformers.GPT2Config(
        vocab_size=sizes["GPT2.vocab"],
        n_positions=sizes["ctx"],
        n_embd=sizes["GPT2.d"],
        n_layer=sizes["GPT2.depth"],
        n_head=sizes["GPT2.heads"],
        initializer_range=0.05,
        bos_token_id=0,
        eos_token_id=None,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    return transformers.GPT2LMHeadModel(config).eval()


def weights_of(peer: Any) -> dict[str, np.ndarray[Any, Any]]:
    """Its weights under our names: without the prefix, and its `Conv1D` transposed."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, tensor in peer.transformer.state_dict().items():
        conv = name.endswith(".weight") and (".attn." in name or ".mlp." in name)
        found[name] = tensor.T.contiguous().numpy() if conv else tensor.numpy()
    return found


def measured(sizes: dict[str, int], prompt: int, tokens: int, rounds: int, traced: bool) -> dict[str, float]:
    import torch

    import dlc
    from dlc.runtime.api import export

    peer = reference(sizes)
    start = np.random.default_rng(0).integers(1, sizes["GPT2.vocab"], prompt)
    with tempfile.TemporaryDirectory() as folder:
        loaded = dlc.load(SPEC, **sizes)
        weights = weights_of(peer)
        made = export(loaded, Path(folder) / "cached.onnx", weights=weights, cached=True, verify=False, precision="f32")
        session = dlc.Session(made.path, "cpu")
        generated: dict[str, list[int]] = {}

        def ours() -> None:
            generated["ours"] = list(session.generate(start.tolist(), tokens))

        def theirs() -> None:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = peer.generate(
                    torch.from_numpy(start)[None],
                    attention_mask=torch.ones((1, prompt), dtype=torch.int64),
                    max_new_tokens=tokens,
                    do_sample=False,
                )
            generated["theirs"] = answer[0, prompt:].tolist()

        times = alternate({"ours": ours, "theirs": theirs}, rounds)
        assert generated["ours"] == generated["theirs"], "both have to generate the same tokens"
        found = {"token_ms": times["ours"] / tokens * 1e3, "transformers_ms": times["theirs"] / tokens * 1e3}
        found["of_transformers"] = times["ours"] / times["theirs"]
        found["stepped_of_prefilled"] = _by_past(session, start, 100)
        if traced:
            found |= _rounded(sizes, weights, session, start, Path(folder), 10 * rounds)
            found["one_token_of_traced"] = _one_token(loaded, weights, Path(folder), 10 * rounds)
    return found


def _in_turn(
    functions: dict[str, Callable[[], object]], rounds: int, of: Callable[[list[float]], float] = statistics.median
) -> dict[str, float]:
    """Median seconds of calls of milliseconds, in turn. `alternate` collects garbage before each, which takes longer."""
    times: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    gc.disable()
    try:
        for turn in range(rounds + 3):
            for name, function in functions.items():
                start = time.perf_counter()
                function()
                if turn >= 3:
                    times[name].append(time.perf_counter() - start)
    finally:
        gc.enable()
    return {name: of(found) for name, found in times.items()}


def _by_past(session: Any, tokens: np.ndarray[Any, Any], rounds: int) -> float:
    """A step after a past that came token by token, as a share of one after a past that came at once. The fastest of each
    count: what the layout of a past costs is in every step, what others do on the machine is not."""
    kept = session.cached
    pasts: dict[str, dict[str, Any]] = {}
    for name, pieces in (("prefilled", [tokens]), ("stepped", [tokens[i : i + 1] for i in range(len(tokens))])):
        past = kept.empty(1)
        for piece in pieces:
            past = kept.following(session.predict({"tokens": piece[None], **past}))
        pasts[name] = past
    one = tokens[:1][None]
    times = _in_turn(
        {name: lambda past=past: session.predict({"tokens": one, **past}) for name, past in pasts.items()}, rounds, min
    )
    return times["stepped"] / times["prefilled"]


def _rounded(
    sizes: dict[str, int], weights: dict[str, Any], exact: Any, tokens: np.ndarray[Any, Any], folder: Path, rounds: int
) -> dict[str, float]:
    """A step with weights in 8 and 4 bits, as a share of one in f32, after the same past."""
    import dlc
    from dlc.runtime.api import export

    sessions = {"f32": exact}
    for kind in ("int8", "int4"):
        loaded = dlc.load(SPEC, **sizes, **{"export.quantize": f'"{kind}"'})
        made = export(loaded, folder / f"{kind}.onnx", weights=weights, cached=True, verify=False)
        sessions[kind] = dlc.Session(made.path, "cpu")
    past = exact.cached.following(exact.predict({"tokens": tokens[None], **exact.cached.empty(1)}))
    feeds = {"tokens": tokens[:1][None], **past}
    times = _in_turn({name: lambda s=session: s.predict(feeds) for name, session in sessions.items()}, rounds)
    return {f"{kind}_of_f32": times[kind] / times["f32"] for kind in ("int8", "int4")}


def _one_token(loaded: Any, weights: dict[str, Any], folder: Path, rounds: int) -> float:
    """One token through the export without a cache, as a share of what the tracer's graph takes."""
    import torch

    import dlc
    from dlc.runtime.api import export
    from dlc.runtime.exporting.reference_model import module_of

    spec = loaded.spec
    made = export(loaded, folder / "plain.onnx", weights=weights, verify=False, precision="f32")
    module = module_of(spec, spec.models[0], weights)
    batch, length = torch.export.Dim("B", min=1, max=1 << 20), torch.export.Dim("T", min=2, max=1024)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            module,
            (torch.zeros((2, 16), dtype=torch.int64),),
            dynamo=True,
            opset_version=23,
            verbose=False,
            dynamic_shapes=({0: batch, 1: length},),
        )
        assert program is not None
        program.save(folder / "traced.onnx")
    sessions = [dlc.Session(made.path, "cpu"), dlc.Session(folder / "traced.onnx", "cpu")]
    token = np.zeros((1, 1), np.int64)
    ours, theirs = (lambda session=session: session.predict({session.inputs[0].name: token}) for session in sessions)
    times = _in_turn({"ours": ours, "theirs": theirs}, rounds)
    return times["ours"] / times["theirs"]


def figures(full: bool) -> list[Figure]:
    small = measured(SMALL, prompt=64, tokens=100 if full else 24, rounds=5 if full else 2, traced=False)
    found = [
        Figure("generation.small.token", small["token_ms"], "ms"),
        Figure("generation.small.of_transformers", small["of_transformers"], "x", 1.0 if full else 1.5),
        Figure("generation.small.stepped_of_prefilled", small["stepped_of_prefilled"], "x", 1.1 if full else 1.3),
    ]
    if full:
        large = measured(LARGE, prompt=128, tokens=64, rounds=5, traced=True)
        found += [
            Figure("generation.gpt2.token", large["token_ms"], "ms"),
            Figure("generation.gpt2.of_transformers", large["of_transformers"], "x", 1.0),
            Figure("generation.gpt2.stepped_of_prefilled", large["stepped_of_prefilled"], "x", 1.1),
            Figure("generation.gpt2.one_token_of_traced", large["one_token_of_traced"], "x", 1.03),
            Figure("generation.gpt2.int8_of_f32", large["int8_of_f32"], "x", 0.55),
            Figure("generation.gpt2.int4_of_f32", large["int4_of_f32"], "x", 0.5),
        ]
    return found


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    found = {
        "small": measured(SMALL, 64, 100, rounds, traced=False), "gpt2": measured(LARGE, 128, 64, rounds, traced=True)
    }  # fmt: skip
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    )  # fmt: skip
    versions = {name: metadata.version(name) for name in ("torch", "transformers", "onnx", "onnx-ir")}
    record = {
        "commit": commit.stdout.strip(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": platform.platform(),
        "versions": versions,
        "figures": {f"{size}.{name}": round(value, 5) for size, part in found.items() for name, value in part.items()},
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "generation.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, value in record["figures"].items():
        print(f"{name:30} {value:10.4f}")


if __name__ == "__main__":
    main()
