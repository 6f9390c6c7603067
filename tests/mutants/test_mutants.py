"""What `dlc check` accepts runs: its resolved text means the same, its IR is legal and survives JSON, its source is Python, it trains two
steps, is evaluated, exported, compared with PyTorch and opened. Every run draws new mutants; a failure names the seed, and
`python -m tests.mutants SEED COUNT` makes the same ones again.
"""

from __future__ import annotations

import random
import re
import secrets
import tempfile
from pathlib import Path
from typing import Any

import pytest

from dlc.compiler.catalogue import FAMILIES
from dlc.compiler.catalogue.entry import Family

from .mutate import BASES, INITS, LINES, OPTIMIZERS, SCALARS, STAGES, TRANSFORMS, mutant
from .trial import attempt


@pytest.mark.parametrize(
    "family",
    [
        f
        for f in FAMILIES
        if f.root in ("Loss", "Metric", "Optimizer", "Transform", "Sampling", "Initializer", "Layer", "Function")
    ],
)
def test_every_entry_is_in_some_mutant(family: Family[Any]) -> None:
    """An entry that is added is mutated from then on."""
    made = "\n".join(
        (
            *BASES.values(),
            *STAGES,
            *SCALARS,
            *INITS,
            *OPTIMIZERS,
            *TRANSFORMS,
            *(line for lines in LINES.values() for line in lines),
        )
    )
    assert set(family) <= set(re.findall(r"\w+", made))


@pytest.mark.parametrize("name", BASES)
def test_the_bases_run_whole(name: str, tmp_path: Path) -> None:
    assert attempt(BASES[name], tmp_path).outcome == "ran"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  batch = 16\n", '  batch = 16\n  precision = "bf16"\n'),
        ("  batch = 16\n", '  batch = 16\n  runtime { recompute = ["**"] }\n'),
        (
            "conv: Conv(4, 3, stride = 2, pad = 1)",
            "[B, 1, 8, 8] => [B, 8, (1, 8)] -> mha: MultiHeadAttention(2) -> gru: GRU(4).y",
        ),
    ],
)
def test_a_gradient_penalty_differentiates_twice(old: str, new: str, tmp_path: Path) -> None:
    """In half precision, where layers are computed again, and through attention and a recurrence."""
    assert old in BASES["pair"]
    trial = attempt(BASES["pair"].replace(old, new), tmp_path, until="train")
    assert trial.outcome == "ran", trial.text


@pytest.mark.parametrize(
    "value", ["logits -> dropout(0.5)", "if training { logits } else { 2 * logits }", "logits -> drop_path(0.2)"]
)
def test_losses_and_metrics_know_whether_they_train(value: str, tmp_path: Path) -> None:
    loss = 'loss { ce = cross_entropy(logits, label, smoothing = 0.1); decay = 1e-4 * l1("**.weight") }'
    assert loss in BASES["table"]
    text = BASES["table"].replace(loss, f"loss = cross_entropy({value}, label)")
    trial = attempt(text.replace("metrics {", f"metrics {{ added = mean({value});"), tmp_path, until="evaluate")
    assert trial.outcome == "ran", trial.text


@pytest.mark.parametrize("part", range(10))  # so that workers share them
def test_accepted_mutants_run(part: int, sizes: Any, tmp_path: Path) -> None:
    seed = secrets.randbelow(2**32)
    for number in range(1_000 if sizes.full else 30):
        what, text = mutant(random.Random(f"{seed}:{number}"))
        with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
            trial = attempt(text, Path(folder), sources_alike=number % 10 == 0)
        shown = f"seed {seed}, mutant {number}, {what}: {trial.outcome} at {trial.stage}\n{trial.text}\n{text}"
        assert trial.outcome not in ("fault", "long"), shown
