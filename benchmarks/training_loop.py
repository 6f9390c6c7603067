"""The digits MLP: microseconds a step of `dlc train` with its default reporting, and of the loop a good engineer writes.

Both train the class that `dlc build` writes, with fused AdamW and a cosine schedule, on the same records, resident in
memory, in batches of 64, one thread. What a run does around its loop (start, validation, checkpoints) counts on neither
side. `python -m dlc.benchmarks.training_loop` writes the JSON.
"""

from __future__ import annotations

import json
import math
import platform
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from .measure import Figure

RECORDS, BATCH = 1347, 64  # the train split of the spec
RESULTS = Path(__file__).resolve().parent / "results"
SPEC = Path(__file__).resolve().parent.parent / "specs" / "digits_mlp.dlspec"


def ours(epochs: int) -> float:
    """Seconds a step: what a longer run takes more than a short one, so that start and end do not count."""
    short, long = _run(epochs), _run(3 * epochs)
    return (long - short) / (2 * epochs * (RECORDS // BATCH))


def _run(epochs: int) -> float:
    import dlc
    from dlc.runtime.training.events import Event, Started, Validated

    seen: dict[str, float] = {}

    def listen(event: Event) -> None:
        if isinstance(event, Started):
            seen["start"] = time.perf_counter()
        elif isinstance(event, Validated):
            seen.setdefault("end", time.perf_counter())

    settings = {"train.duration": f"{epochs} epochs", "train.validate": f"every({epochs} epochs)"}
    with tempfile.TemporaryDirectory() as folder:
        dlc.train(dlc.load(SPEC, **settings), out=Path(folder) / "run", device="cpu", listener=listen, save_every=1e9)
    return seen["end"] - seen["start"]


def by_hand(epochs: int) -> float:
    """Seconds a step of the plain loop."""
    import torch
    import torch.nn.functional as F
    from sklearn.datasets import load_digits

    import dlc

    net: Any = dlc.load(SPEC).module()
    digits = load_digits()
    images = torch.tensor(digits.images[:RECORDS, None] / 16, dtype=torch.float32)
    labels = torch.tensor(digits.target[:RECORDS])
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01, fused=True)
    net.train()
    steps = epochs * (RECORDS // BATCH)
    done = 0
    start = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(RECORDS)
        shuffled, targets = images[order], labels[order]
        for first in range(0, RECORDS - BATCH + 1, BATCH):
            optimizer.param_groups[0]["lr"] = 1.5e-3 * (1 + math.cos(math.pi * done / steps))
            logits = net(shuffled[first : first + BATCH])
            loss = F.cross_entropy(logits, targets[first : first + BATCH], label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            done += 1
    return (time.perf_counter() - start) / done


def figures(full: bool) -> list[Figure]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        rounds, epochs = (9, 60) if full else (3, 15)
        ours(2), by_hand(2)
        pairs = [(ours(epochs), by_hand(epochs)) for _ in range(rounds)]
    finally:
        torch.set_num_threads(threads)
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return [
        Figure("train.digits_mlp.step", 1e6 * mine, "us"),
        Figure("train.digits_mlp.step_by_hand", 1e6 * theirs, "us"),
        Figure("train.digits_mlp.ratio", ratio, "x", 1.1 if full else 2.0),
    ]


def main() -> None:
    found = {figure.name: figure.value for figure in figures(True)}
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    )
    record = {
        "commit": commit.stdout.strip(), "date": datetime.now(UTC).strftime("%Y-%m-%d"), "machine": platform.platform(),
        "versions": {"torch": metadata.version("torch")},
        "figures": {name: round(value, 5) for name, value in found.items()},
    }  # fmt: skip
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "training_loop.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, value in found.items():
        print(f"{name:32} {value:10.4f}")


if __name__ == "__main__":
    main()
