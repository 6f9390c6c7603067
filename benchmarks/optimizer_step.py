"""What the short way to torch's fused kernels (`runtime/training/fused.py`) brings beside `torch.optim` with `fused=True`.

Whole training steps (forward, backward, clip, update) of the digits MLP, the digits CNN and the character GPT as their specs
say, one thread, both sides in turn in one process, by the time of the process, so that other work on the machine counts on
neither; and what the first update costs in a fresh process, where `torch.optim` imports the compiler.
`python -m dlc.benchmarks.optimizer_step` writes the JSON.
"""

from __future__ import annotations

import json
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any
from unittest.mock import patch

from .measure import Figure

RESULTS = Path(__file__).resolve().parent / "results"
SPECS = Path(__file__).resolve().parent.parent / "specs"

#: Spec, how many steps are timed at once, how many times.
MODELS = {"digits_mlp": (50, 61), "digits_cnn": (10, 31), "char_gpt": (2, 15)}

FIRST_UPDATE = """
import time
import torch
from dlc.runtime.training.fused import Fused
p = torch.nn.Parameter(torch.ones(64, 64))
p.grad = torch.ones(64, 64)
start = time.process_time()
optimizer = {made}
optimizer.step()
print(time.process_time() - start)
"""
OURS = 'Fused("AdamW", [{"params": [p], "lr": 1e-3}])'
THEIRS = "torch.optim.AdamW([p], lr=1e-3, fused=True)"


def step_of(name: str, peer: bool) -> Callable[[], None]:
    """One training step of a spec on a fixed batch."""
    import torch

    import dlc
    from dlc.runtime.generated.build import build
    from dlc.runtime.training import optimizers
    from dlc.runtime.training.loop import backward, clip

    spec = dlc.load(SPECS / f"{name}.dlspec").spec
    train = spec.recipe.trains[0]
    program = build(spec, train, None, torch.device("cpu"), records=60_000)
    program.train()
    phase, loss = train.phases[0], program.phases[0][0]
    groups, cpu = program.groups[0][0](), torch.device("cpu")
    if peer:
        with patch.object(optimizers, "Fused", lambda kind, groups: getattr(torch.optim, kind)(groups, fused=True)):
            stepper = optimizers.build(groups, cpu)
    else:
        stepper = optimizers.build(groups, cpu)
    batch: dict[str, Any] = {}
    generator = torch.Generator().manual_seed(0)
    for value in spec.bodies[phase.updates[0].body].inputs:
        shape = [size if isinstance(size, int) else phase.batch.amount for size in value.type.shape]
        whole = value.type.dtype == "i64"
        batch[value.name] = (
            torch.randint(10, shape, generator=generator) if whole else torch.rand(shape, generator=generator)
        )
    parameters, cut, done = stepper.parameters, phase.updates[0].clip, 0

    def step() -> None:
        nonlocal done
        backward(loss, [batch])
        if cut:
            clip(parameters, cut.kind, cut.limit)
        stepper.step(done)
        for parameter in parameters:
            parameter.grad = None
        done += 1

    return step


def steps(name: str, full: bool) -> tuple[float, float, float]:
    """Seconds a step of ours and of torch's, and the ratio of theirs to ours."""
    count, rounds = MODELS[name]
    if not full:
        rounds = max(3, rounds // 5)
    sides = step_of(name, peer=False), step_of(name, peer=True)

    def timed(step: Callable[[], None]) -> float:
        start = time.process_time()
        for _ in range(count):
            step()
        return (time.process_time() - start) / count

    for side in sides:
        timed(side)
    pairs = [tuple(timed(side) for side in sides) for _ in range(rounds)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return ours, theirs, statistics.median(b / a for a, b in pairs)


def first_update(made: str) -> float:
    """Seconds of processor time until the first update is done, in a fresh process that has imported torch."""
    program = FIRST_UPDATE.format(made=made)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return float(done.stdout)


def figures(full: bool) -> list[Figure]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    found: list[Figure] = []
    try:
        for name in MODELS:
            ours, theirs, ratio = steps(name, full)
            found += [
                Figure(f"optimizer.{name}.step", 1e6 * ours, "us"),
                Figure(f"optimizer.{name}.step_by_torch", 1e6 * theirs, "us"),
                Figure(f"optimizer.{name}.torch_to_ours", ratio, "x"),
            ]
    finally:
        torch.set_num_threads(threads)
    pairs = [(first_update(OURS), first_update(THEIRS)) for _ in range(5 if full else 1)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    return [
        *found,
        Figure("optimizer.first_update", ours, "s", 0.1),
        Figure("optimizer.first_update_by_torch", theirs, "s"),
    ]


def main() -> None:
    found = {figure.name: figure.value for figure in figures(True)}
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False, cwd=RESULTS.parent
    )
    record = {
        "commit": commit.stdout.strip(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "machine": platform.platform(),
        "versions": {"torch": metadata.version("torch")},
        "figures": {name: round(value, 5) for name, value in found.items()},
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "optimizer_step.json").write_text(json.dumps(record, indent=2) + "\n", "utf-8")
    for name, value in found.items():
        print(f"{name:36} {value:12.4f}")


if __name__ == "__main__":
    main()
