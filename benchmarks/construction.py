"""Building ResNet-50 as a module with first weights: ours from the text of the shipped spec, torchvision's by its constructor.

Ours counts everything: reading and checking the spec, generating the source, compiling it, constructing, drawing the
weights. The library is the one that `make env-references` installs apart; this process is the only one that sees it.
`python -m dlc.benchmarks.construction` writes the JSON. Needs `make env-references`.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from datetime import UTC, datetime
from importlib import import_module, metadata
from pathlib import Path

from .measure import Figure, admit_peers, alternate

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().parent / "results"
SPEC = ROOT / "specs" / "resnet50.dlspec@imagenet"


def measured(rounds: int) -> dict[str, float]:
    """Median seconds of both, each with one thread, in turn; the library's parameter count has to be ours."""
    import torch

    import dlc

    admit_peers()
    peer = import_module("torchvision.models").resnet50
    torch.set_num_threads(1)
    counts = {sum(p.numel() for p in made.parameters()) for made in (dlc.load(SPEC).module(), peer(weights=None))}
    assert counts == {25_557_032}, counts
    found = alternate({"ours": lambda: dlc.load(SPEC).module(), "torchvision": lambda: peer(weights=None)}, rounds)
    return {
        "ours_s": found["ours"],
        "torchvision_s": found["torchvision"],
        "ratio": found["ours"] / found["torchvision"],
    }


def figures(full: bool) -> list[Figure]:
    """In a process of its own: the library must not be seen by who asks."""
    command = [sys.executable, "-m", "dlc.benchmarks.construction", "15" if full else "5", "--print"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = json.loads(answer.splitlines()[-1])
    return [
        Figure("construct.resnet50", found["ours_s"], "s"),
        Figure("construct.resnet50_of_torchvision", found["ratio"], "x", 1.0 if full else 1.3),  # few rounds are noisy
    ]


def main(arguments: list[str]) -> None:
    numbers = [int(argument) for argument in arguments if argument.isdigit()]
    found = measured(numbers[0] if numbers else 15)
    if "--print" in arguments:
        print(json.dumps(found))
        return
    commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=ROOT)
    record = {
        "commit": commit.stdout.strip(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": platform.platform(),
        "versions": {name: metadata.version(name) for name in ("torch", "torchvision")},
        "figures": {name: round(value, 5) for name, value in found.items()},
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "construction.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, value in found.items():
        print(f"{name:20} {value:10.4f}")


if __name__ == "__main__":
    main(sys.argv[1:])
