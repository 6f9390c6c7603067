"""What the language specs reach on real data, beside knowing nothing but frequencies.

Full size trains the small variants as they ship. Recipes were tuned on validation parts. The normal size has a short run of
two, which has to beat frequencies by a clear margin, as no model does that loses its input or its order of targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

import dlc
from dlc.runtime.data.feed import Feed, open_data

SPECS = Path(__file__).resolve().parents[2] / "specs"
CPU = torch.device("cpu")
Record = Callable[[str, float, str], None]


@dataclass(frozen=True)
class Task:
    """A spec at its small variant: which tokens it predicts, the most that its recipe may end with, and, where it has a
    short run, how that differs and by how much it beats frequencies."""

    spec: str
    targets: str
    most: float  # nats a token on validation data, after the variant's own recipe
    ignore: int = -1
    short: Mapping[str, Any] = field(default_factory=dict)
    margin: float = 0.0  # nats a token below the unigram model, after the short run

    @property
    def name(self) -> str:
        return self.spec.partition("@")[0]


CHARACTERS = {
    "train.duration": "70 steps", "train.batch": 8, "train.micro_batch": 8, "train.validate": "every(70 steps)",
    "train.optimizer": "AdamW(lr = 0 -> linear(3e-3, 10 steps) -> hold(rest))",
    "PythonDocs.split": "contiguous(train = 0.99, val = 0.01)",
}  # fmt: skip


#: Unigrams take 3.2 nats a character, 5.0 a word of a first line, 5.5 a hidden word.
TOKENS = [
    Task("gpt2@small", "targets", 1.9, short=CHARACTERS, margin=0.1),
    Task("bpe_gpt@small", "targets", 5.2),
    Task("llama3@tiny", "targets", 1.9),
    Task("mixtral@tiny", "targets", 2.0),
    Task("mamba@small", "targets", 1.75),
    Task("seq2seq@small", "gold", 4.6, ignore=0),
    Task("transformer@small", "gold", 4.6, ignore=0),
    Task("bert@small", "labels", 5.0, ignore=-100),
]


def run(task: str, folder: Path, settings: Mapping[str, Any]) -> Mapping[str, float]:
    name, _, variant = task.partition("@")
    loaded = dlc.load(SPECS / f"{name}.dlspec", variant, **settings)
    return dlc.train(loaded, out=folder, device="cpu").figures


def unigram(task: Task, settings: Mapping[str, Any]) -> float:
    """Nats a target of the validation part by how frequent each is in the training part."""
    name, _, variant = task.spec.partition("@")
    spec = dlc.load(SPECS / f"{name}.dlspec", variant, **settings).spec
    data = open_data(spec.recipe.data[0], SPECS)
    counts = torch.ones(1)
    found: dict[str, torch.Tensor] = {}
    for split in ("train", "val"):
        batches = Feed(data, split, training=False, device=CPU).batches(512)
        flat = torch.cat([batch[task.targets].flatten() for batch in batches])
        found[split] = torch.bincount(flat[flat != task.ignore])
    size = max(map(len, found.values()))
    counts, val = (torch.nn.functional.pad(part.double(), (0, size - len(part))) for part in found.values())
    share = (counts + 1) / (counts + 1).sum()
    return float(-(val * share.log()).sum() / val.sum())


def nats(figures: Mapping[str, float]) -> float:
    """Without the smoothing that a loss may have."""
    return math.log(figures["val.ppl"]) if "val.ppl" in figures else figures["val.loss"]


@pytest.mark.parametrize(
    "task", [pytest.param(task, id=task.name, marks=() if task.short else pytest.mark.long) for task in TOKENS]
)
def test_better_than_frequencies(task: Task, tmp_path: Path, sizes: Any, record_figure: Record) -> None:
    settings = {} if sizes.full else task.short
    trivial = unigram(task, settings)
    found = nats(run(task.spec, tmp_path / "run", settings))
    if sizes.full:
        record_figure(f"{task.name}.nats", found, "nats")
        record_figure(f"{task.name}.unigram_nats", trivial, "nats")
        assert found <= task.most, (found, trivial)
    else:
        assert found <= trivial - task.margin, (found, trivial)


@pytest.mark.long
@pytest.mark.parametrize("name", ["bilstm", "bert_classifier"])
def test_knows_the_library_of_a_docstring(name: str, tmp_path: Path, record_figure: Record) -> None:
    """Six libraries of 500 descriptions each: guessing is right for a sixth."""
    found = run(f"{name}@small", tmp_path / "run", {})["test.acc"]
    record_figure(f"docstrings.{name}.accuracy", 100 * found, "%")
    assert found >= 0.55, found
