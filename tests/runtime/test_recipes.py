"""Keys of `train` do what they say: micro-batches, schedules, optimizers, groups, phases, averages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from dlc.runtime import api
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.training.events import Event, Note, Started

from .small_runs import TRAIN, equal, fit, interrupted, rows_of, spec, weights

MASKED = """dlspec 1
data D {
  source = csv("t.csv")
  split  = all("train")
  tokens: i64[T] = source.text -> words -> vocab(12) -> pad(0)
  target: i64[T] = source.text -> words -> vocab(12) -> pad(0)
}
"""
TAGGER = """
model M(tokens: i64[B, T]) -> (logits: [B, T, 12]) {
  logits = tokens -> embed: Embedding(12, 8) -> head: Linear(12)
}
"""
TAGGING = """
train {
  model = M
  data = D
  loss { ce = 0.7 * cross_entropy(logits, target, ignore = 0); small = 1e-3 * l1("head.**") }
  optimizer = SGD(0.5)
  batch = 12
  duration = 6 steps
  keep = last
  MORE
}
"""


def test_accumulation_divides_by_the_targets_of_the_whole_batch(tmp_path: Path) -> None:
    words = list("abcdefghij")
    lines = [" ".join(words[(i * k) % 10] for k in range(1 + i * i % 9)) for i in range(24)]  # 1 to 9 words
    (tmp_path / "t.csv").write_text("text\n" + "\n".join(lines) + "\n")
    found = []
    for micro in ("", "micro_batch = 6", "micro_batch = 3", "micro_batch = 1"):
        file = spec(tmp_path, micro, data=MASKED, model=TAGGER, train=TAGGING)
        run = fit(file, tmp_path / f"run{len(found)}")
        found.append((weights(run), rows_of(run)))
    whole = found[0][0]
    for parts, _ in found[1:]:
        for name, value in whole.items():
            torch.testing.assert_close(parts[name], value, rtol=1e-5, atol=1e-6)


def test_fewer_records_than_the_batch_is_one_smaller_batch(tmp_path: Path) -> None:
    events: list[Event] = []
    fit(spec(tmp_path), tmp_path / "run", listener=events.append, batch=4096, duration="2 epochs")
    assert [event.code for event in events if isinstance(event, Note)] == ["W0407"]
    assert [event.steps for event in events if isinstance(event, Started)] == [2]


def test_a_schedule_is_followed(tmp_path: Path) -> None:
    run = fit(spec(tmp_path), tmp_path / "run")
    rates = [float(row["lr"]) for row in rows_of(run)]
    curve = torch.optim.lr_scheduler.CosineAnnealingLR
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1e-2)
    scheduler = curve(optimizer, 19)
    expected = []
    for step in range(25):
        if step in (8, 16, 24):
            expected.append(optimizer.param_groups[0]["lr"])
        if step >= 5:
            optimizer.step()
            scheduler.step()
    assert rates == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "optimizer",
    [
        "SGD(0.05, momentum = 0.9, nesterov = true)",
        "Adam(1e-2, weight_decay = 0.01)",
        "NAdam(1e-2)",
        "RMSprop(1e-3)",
        "Adagrad(0.05)",
        "Adadelta(1.0)",
        "Lion(2e-3, weight_decay = 0.1)",
        "Muon(0.02)",
    ],
)
def test_every_optimizer_learns_and_resumes(tmp_path: Path, optimizer: str) -> None:
    file = spec(
        tmp_path, duration="duration", **{"AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))": optimizer}
    )
    run = fit(file, tmp_path / "a")
    rows = rows_of(run)
    assert float(rows[-1]["loss"]) < 0.9 * float(rows[0]["loss"])
    interrupted(file, tmp_path / "b", [5, 11])
    assert equal(weights(run), weights(tmp_path / "b"))


def test_groups_and_freezing(tmp_path: Path) -> None:
    file = spec(tmp_path, 'freeze "conv.**", "bn.**"', "group rank < 2 { lr = 0; weight_decay = 0 }")
    run = fit(file, tmp_path / "run")
    before, after = api.load(file).module().state_dict(), weights(run)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"head.weight"}  # batch statistics of a frozen layer do not move either


def test_freezing_for_a_time(tmp_path: Path) -> None:
    file = spec(tmp_path, 'freeze "conv.**" { until = 4 steps }')
    before = api.load(file).module().state_dict()
    short, long = fit(file, tmp_path / "a", duration="4 steps"), fit(file, tmp_path / "b", duration="6 steps")
    assert torch.equal(before["conv.weight"], weights(short)["conv.weight"])
    assert not torch.equal(before["conv.weight"], weights(long)["conv.weight"])


def test_phases(tmp_path: Path) -> None:
    train = TRAIN.replace("duration = 3 epochs", "").replace(
        "optimizer = AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))", ""
    )
    file = spec(
        tmp_path,
        'phase head { duration = 1 epochs; freeze "conv.**"; optimizer = SGD(0.1) }',
        "phase all { duration = 5 steps; optimizer = Adam(1e-2) }",
        train=train,
    )
    whole = fit(file, tmp_path / "a")
    assert whole.result["step"] == 13
    interrupted(file, tmp_path / "b", [3, 8, 10])
    assert equal(weights(whole), weights(tmp_path / "b"))


def test_ema_is_what_is_validated_and_kept(tmp_path: Path) -> None:
    file = spec(tmp_path, "ema = 0.9", **{"keep = best(val.acc)": "keep = last"})
    run = fit(file, tmp_path / "a")
    saved = checkpoint.read(run.path / "last")
    assert saved.averaged is not None
    assert not torch.equal(saved.averaged["head.weight"], saved.weights["head.weight"])
    assert torch.equal(saved.averaged["bn.running_mean"], saved.weights["bn.running_mean"])
    interrupted(file, tmp_path / "b", [7, 20])
    again = checkpoint.read(tmp_path / "b" / "last")
    assert again.averaged is not None
    assert equal(saved.averaged, again.averaged)
    assert json.loads((tmp_path / "b" / "result.json").read_text())["figures"] == run.figures


def test_an_average_of_the_last_validations(tmp_path: Path) -> None:
    file = spec(tmp_path, **{"keep = best(val.acc)": "keep = average(last = 2)"})
    run = fit(file, tmp_path / "a")
    assert not torch.equal(weights(run, "best")["head.weight"], weights(run)["head.weight"])
    interrupted(file, tmp_path / "b", [9, 17])
    assert equal(weights(run, "best"), weights(tmp_path / "b", "best"))


def test_early_stop_says_how_to_go_on(tmp_path: Path) -> None:
    events: list[Event] = []
    file = spec(tmp_path, "stop = plateau(val.loss, patience = 2 epochs)", **{"linear(1e-2": "linear(3"})
    run = fit(file, tmp_path / "run", listener=events.append, duration="60 epochs")
    assert run.result["step"] < 60 * 8
    assert any("remove `stop`" in event.text for event in events if isinstance(event, Note))


def test_one_step_section_trains_its_net_alone(tmp_path: Path) -> None:
    """The other nets of its loss stay as they are, and lets that apply nets are there as with several sections."""
    file = tmp_path / "gan.dlspec"
    file.write_text(
        """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.2, val = 0.1, test = 0.7, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16)
}
model Gen(z: [B, 4]) -> (image: [B, 1, 8, 8]) { image = z -> Linear(64) -> sigmoid -> [B, (1, 8, 8)] => [B, 1, 8, 8] }
model Disc(image: [B, 1, 8, 8]) -> (score: [B, 1]) { score = image -> flatten -> Linear(1) }
train {
  data = D
  let gen = Gen()
  let disc = Disc()
  let fake = randn([B, 4]) -> gen
  step gen { loss = bce(fake -> disc, 1); optimizer = Adam(1e-3) }
  batch = 64
  duration = 4 steps
  metrics { fooled = mean(fake -> disc) }
}
""",
        "utf-8",
    )
    long = weights(api.train(api.load(file), out=tmp_path / "long", device="cpu"))
    short = weights(api.train(api.load(file, **{"train.duration": "1 steps"}), out=tmp_path / "short", device="cpu"))
    moved = {name for name in long if not torch.equal(long[name], short[name])}
    assert moved == {name for name in long if name.startswith("gen.")}
