"""Building ResNet-50 and GPT-2 as modules with first weights: ours from the text of the shipped spec, the peer's by its
constructor.

Ours counts everything: reading and checking the spec, generating the source, compiling it, constructing, drawing the
weights. torchvision is the one that `make env-references` installs apart; this process is the only one that sees it.
`python -m dlc.benchmarks.construction` writes the JSON. Needs `make env-references`.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from .measure import Figure, admit_peers, alternate

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
SPECS = ROOT / "specs"


def measured(rounds: int) -> dict[str, float]:
    """Median seconds of each and its peer, with one thread, in turn; the peer's parameter count has to be ours. One round
    leaves GPT-2 out."""
    import torch

    admit_peers()
    torch.set_num_threads(1)
    resnet50 = import_module("torchvision.models").resnet50
    found = compared("resnet50@imagenet", 25_557_032, "torchvision", lambda: resnet50(weights=None), rounds)
    if rounds > 1:
        transformers = import_module("transformers")
        gpt2 = transformers.GPT2Config()
        found |= compared("gpt2", 124_439_808, "transformers", lambda: transformers.GPT2LMHeadModel(gpt2), rounds)
    return found


def compared(spec: str, parameters: int, library: str, peer: Callable[[], Any], rounds: int) -> dict[str, float]:
    import dlc

    def ours() -> Any:
        return dlc.load(SPECS / f"{spec.partition('@')[0]}.dlspec", spec.partition("@")[2] or None).module()

    counts = {sum(p.numel() for p in made.parameters()) for made in (ours(), peer())}
    assert counts == {parameters}, counts
    found = alternate({"ours": ours, library: peer}, rounds)
    name = spec.partition("@")[0]
    return {
        f"{name}_s": found["ours"],
        f"{name}_{library}_s": found[library],
        f"{name}_ratio": found["ours"] / found[library],
    }


def figures(full: bool) -> list[Figure]:
    """In a process of its own: the library must not be seen by who asks."""
    command = [sys.executable, "-m", "dlc.benchmarks.construction", "15" if full else "1", "--print"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(answer.splitlines()[-1])
    most = 1.0 if full else 1.5  # one round beside other tests are noisy
    figures = [
        Figure("construct.resnet50", found["resnet50_s"], "s"),
        Figure("construct.resnet50_of_torchvision", found["resnet50_ratio"], "x", most),
    ]
    if full:
        figures += [
            Figure("construct.gpt2", found["gpt2_s"], "s"),
            Figure("construct.gpt2_of_transformers", found["gpt2_ratio"], "x", most),
        ]
    return figures


def main(arguments: list[str]) -> None:
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    found = measured(numbers[0] if numbers else 15)
    if "--print" in arguments:
        print(json.dumps(found))
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT)
    record = {
        "commit": commit.stdout.strip(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": platform.platform(),
        "versions": {name: metadata.version(name) for name in ("torch", "torchvision", "transformers")},
        "figures": {name: round(value, 5) for name, value in found.items()},
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "construction.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, value in found.items():
        print(f"{name:24} {value:10.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
