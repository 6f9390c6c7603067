"""Batches of at most so many tokens: records of about one length, each once an epoch, the same for any number of workers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from dlc.compiler.catalogue.token_batches import plan
from dlc.compiler.ir.train import Batch
from dlc.runtime import api
from dlc.runtime.data import batching
from dlc.runtime.data.feed import Feed
from dlc.runtime.training.events import Event, Started

from .small_runs import equal, fit, interrupted, rows_of, weights

SENTENCES = """source = csv("a.csv")\nsplit = random(train = 0.8, val = 0.2, seed = 0)
words: i64[T] = source.text -> words -> vocab(40) -> pad(0)\nn: i64 = source.n"""
LONGEST = 40
MODEL = """
model M(words: i64[B, T]) -> (logits: [B, 3]) {
  keep   = (words != 0) -> cast(f32)
  logits = sum((words -> embed: Embedding(40, 8)) * keep[:, :, none], axis = 1) -> dropout(0.1) -> head: Linear(3)
}
train {
  model = M
  data = D
  loss = cross_entropy(logits, n)
  metrics { acc = accuracy(logits, n) }
  optimizer = AdamW(lr = 0 -> linear(1e-2, 1 epochs) -> cosine(0, rest))
  batch = 64 tokens
  duration = 2 epochs
  MORE
}
"""


def sentences(folder: Path, count: int = 120) -> None:
    """A table of texts of 1 to 40 words, and a class."""
    random = np.random.default_rng(0)
    sizes = np.minimum(random.geometric(0.12, count), LONGEST)
    rows = [f"{' '.join(f'w{i}' for i in random.integers(0, 30, size))},{size % 3}" for size in sizes]
    (folder / "a.csv").write_text("text,n\n" + "\n".join(rows) + "\n", "utf-8")


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[Path]:
    sentences(tmp_path)
    yield write(tmp_path)


def write(folder: Path, *more: str) -> Path:
    file = folder / "spec.dlspec"
    text = f"dlspec 1\ndata D {{\n{SENTENCES}\n}}\n{MODEL.replace('MORE', chr(10).join(more))}"
    file.write_text(text, "utf-8")
    return file


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.integers(1, 3000), st.integers(1, 30), min_size=1, max_size=40),
    st.integers(1, 9000),
    st.integers(0, 3),
)
def test_every_record_once_and_no_batch_above_its_number(counts: dict[int, int], tokens: int, epoch: int) -> None:
    lengths = np.repeat(list(counts), list(counts.values()))
    found = batching.of_tokens(lengths, tokens, 0, "order", epoch)
    assert sorted(found.order.tolist()) == list(range(len(lengths)))
    assert len(found) == len(plan(sorted(counts.items()), tokens).sizes)
    for number in range(len(found)):
        inside = lengths[found.records(number)]
        assert len(inside) * inside.max() <= tokens or len(inside) == 1


def test_little_is_padding() -> None:
    lengths = np.random.default_rng(0).integers(1, 500, 20_000)
    found = batching.of_tokens(lengths, 25_000, 0)
    padded = sum(len(found.records(i)) * lengths[found.records(i)].max() for i in range(len(found)))
    assert lengths.sum() / padded > 0.93
    assert lengths.sum() / (len(found) * 25_000) > 0.9, "the batches are full"


def test_batches_are_drawn_anew_for_each_epoch(workspace) -> None:
    sentences(workspace.path)
    feed = workspace.feed(SENTENCES)
    size = Batch(amount=64, unit="tokens")
    epochs = [[part["words"] for (part,) in feed.epoch(0, epoch, size)] for epoch in (0, 1, 0)]
    assert all(part.numel() <= 64 for epoch in epochs for part in epoch)
    assert len({len(epoch) for epoch in epochs}) == 1
    assert same(epochs[0], epochs[2]) and not same(epochs[0], epochs[1])
    drawn = [sorted(tuple(sorted(map(tuple, part.tolist()))) for part in epoch) for epoch in epochs[:2]]
    assert drawn[0] != drawn[1], "other records are together"
    late = [part["words"] for (part,) in feed.epoch(0, 0, size, start=5)]
    assert same(late, epochs[0][5:])


@pytest.mark.parametrize("workers", [0, 1, 2, 4])
def test_the_order_is_the_same_for_any_number_of_workers(workspace, workers: int) -> None:
    sentences(workspace.path)
    data = workspace.open(SENTENCES)
    size = Batch(amount=64, unit="tokens")
    wanted = [
        part["words"] for (part,) in Feed(data, "train", training=True, device=torch.device("cpu")).epoch(0, 0, size)
    ]
    data.graph.workers = workers
    streamed = Feed(data, "train", training=True, device=torch.device("cpu"), share=0.0)
    assert streamed.ahead
    assert same([part["words"] for (part,) in streamed.epoch(0, 0, size)], wanted)


def test_micro_batches_are_in_tokens_too(workspace) -> None:
    sentences(workspace.path)
    feed = workspace.feed(SENTENCES)
    whole = list(feed.epoch(0, 0, Batch(amount=120, unit="tokens")))
    cut = list(feed.epoch(0, 0, Batch(amount=120, unit="tokens", micro=40)))
    assert len(whole) == len(cut)
    for (one,), parts in zip(whole, cut, strict=True):
        assert torch.equal(torch.cat([part["n"] for part in parts]), one["n"])
        assert all(part["words"].numel() <= 40 for part in parts)
    assert max(map(len, cut)) >= 3


def test_evaluation_counts_every_record_once(workspace) -> None:
    sentences(workspace.path)
    feed = workspace.feed(SENTENCES, "val", training=False)
    found = list(feed.batches(Batch(amount=50, unit="tokens")))
    assert sum(len(batch["n"]) for batch in found) == len(feed)
    assert all(batch["words"].numel() <= 50 for batch in found)
    assert len(list(feed.batches(Batch(amount=50, unit="tokens"), limit=2))) == 2


def test_a_run_in_epochs_resumes_within_one(tmp_path: Path, spec: Path) -> None:
    events: list[Event] = []
    whole = fit(spec, tmp_path / "a", listener=events.append)
    (started,) = [event for event in events if isinstance(event, Started)]
    batches = whole.train.phases[0].batch.batches
    assert batches is not None and batches == started.steps_per_epoch and started.steps == 2 * batches
    assert [int(row["step"]) for row in rows_of(whole)] == [batches, 2 * batches]
    interrupted(spec, tmp_path / "b", [3, batches, batches + 4])
    assert equal(weights(whole), weights(tmp_path / "b"))
    assert (whole.path / "metrics.csv").read_text() == (tmp_path / "b" / "metrics.csv").read_text()
    assert api.evaluate(whole, split="val", device="cpu")["loss"] == pytest.approx(whole.figures["val.loss"], abs=1e-6)


def test_a_record_that_no_batch_can_hold(tmp_path: Path, spec: Path) -> None:
    with pytest.raises(api.SpecError, match="E0206") as caught:
        api.train(api.load(spec, **{"train.batch": "8 tokens"}), out=tmp_path / "run", device="cpu")
    (found,) = caught.value.diagnostics
    assert "has 40 tokens, and a batch holds at most 8" in found.message


def test_windows_of_a_stream_have_one_length(workspace) -> None:
    np.arange(1000, dtype=np.uint16).tofile(workspace.path / "t.bin")
    body = (
        'source = token_file("t.bin", "u16")\nsplit = all("train")\nids: i64[30] = source.tokens -> random_window(30)'
    )
    feed = workspace.feed(body)
    parts = [part["ids"] for (part,) in feed.epoch(0, 0, Batch(amount=100, unit="tokens"))]
    assert [len(part) for part in sorted(parts, key=len)][-1] == 3 and sum(map(len, parts)) == len(feed)


def test_the_unit_of_a_batch_may_change_with_a_phase(tmp_path: Path) -> None:
    sentences(tmp_path)
    file = write(tmp_path)
    text = file.read_text().replace(
        "duration = 2 epochs", "phase a { duration = 3 steps }\n  phase b { batch = 64; duration = 2 steps }"
    )
    file.write_text(text.replace("linear(1e-2, 1 epochs)", "linear(1e-2, 1 steps)"), "utf-8")
    rows = rows_of(fit(file, tmp_path / "run"))
    assert [(row["step"], row["epoch"]) for row in rows] == [("3", "1"), ("4", "2"), ("5", "3")]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return len(one) == len(other) and all(map(torch.equal, one, other))
