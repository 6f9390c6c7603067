"""Training end to end on small specs: exact, resumable, silent between log points, clear when something fails."""

from __future__ import annotations

import csv
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dlc.runtime import api
from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.failure import BadInput, Diverged, Interrupted, RunFailure
from dlc.runtime.generated import build as programs
from dlc.runtime.training import loop, precision, reporter
from dlc.runtime.training.events import Event, Note, Progress, Started, Validated
from dlc.runtime.training.losses import RunningLosses
from dlc.runtime.training.state import State

DATA = """dlspec 1
data D {
  source = builtin("digits")
  split  = random(train = 0.3, val = 0.1, test = 0.6, seed = 0)
  image: f32[1, 8, 8] = source.image -> scale(1 / 16) -> if training { shift(1) }
  label: i64 = source.label
}
"""
MODEL = """
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> conv: Conv(4, 3) -> bn: BatchNorm -> relu -> flatten -> dropout(0.1) -> head: Linear(10)
}
"""
TRAIN = """
train {
  model = M
  data = D
  loss = cross_entropy(logits, label)
  metrics { acc = accuracy(logits, label) }
  optimizer = AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))
  batch = 64
  duration = 3 epochs
  keep = best(val.acc)
  MORE
}
"""


def spec(folder: Path, *more: str, model: str = MODEL, data: str = DATA, train: str = TRAIN, **changes: str) -> Path:
    text = data + model + train.replace("MORE", "\n  ".join(more))
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    file = folder / "spec.dlspec"
    file.write_text(text, "utf-8")
    return file


def fit(file: Path, out: Path, *, resume: bool = False, **overrides: Any) -> api.Run:
    listener = overrides.pop("listener", lambda event: None)
    return api.train(
        api.load(file, **overrides), out=out, resume=resume, device="cpu", listener=listener, save_every=None
    )


def weights(run: api.Run | Path, which: str = "last") -> dict[str, Tensor]:
    path = run if isinstance(run, Path) else run.path
    return checkpoint.read(path / which).weights


def rows_of(run: api.Run) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- what a run is ---------------------------------------------------------------------------------------------------


def test_a_run_directory_is_complete(tmp_path: Path) -> None:
    events: list[Event] = []
    run = fit(spec(tmp_path), tmp_path / "run", listener=events.append)
    assert sorted(path.name for path in run.path.iterdir()) == [
        "best",
        "data.json",
        "env.json",
        "ir.json",
        "last",
        "log.txt",
        "metrics.csv",
        "model.py",
        "recipe.py",
        "result.json",
        "spec.dlspec",
    ]
    assert set(run.figures) == {"val.loss", "val.acc", "test.loss", "test.acc"}
    rows = rows_of(run)
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert isinstance(events[0], Started)
    assert events[0].steps == 24
    assert [event.step for event in events if isinstance(event, Validated)] == [8, 16, 24]
    assert api.evaluate(run, "test", device="cpu") == pytest.approx(
        {name.removeprefix("test."): value for name, value in run.figures.items() if name.startswith("test.")}
    )
    # the resolved spec is a spec that means the same
    again = fit(run.path / "spec.dlspec", tmp_path / "again")
    assert equal(weights(run), weights(again))


def test_equal_runs_are_bitwise_equal_and_seeds_differ(tmp_path: Path) -> None:
    file = spec(tmp_path)
    a, b, c = fit(file, tmp_path / "a"), fit(file, tmp_path / "b"), fit(file, tmp_path / "c", seed=1)
    assert equal(weights(a), weights(b))
    assert not equal(weights(a), weights(c))


def test_adding_a_layer_leaves_other_initial_values_alone(tmp_path: Path) -> None:
    small = api.load(spec(tmp_path)).module().state_dict()
    model = MODEL.replace("head: Linear(10)", "extra: Linear(144) -> head: Linear(10)")
    large = api.load(spec(tmp_path, model=model)).module().state_dict()
    assert all(torch.equal(small[name], large[name]) for name in small)
    assert "extra.weight" in large


def test_a_directory_that_holds_a_run_is_refused(tmp_path: Path) -> None:
    file = spec(tmp_path)
    fit(file, tmp_path / "run", duration="1 steps")
    with pytest.raises(BadInput, match="already holds a run"):
        fit(file, tmp_path / "run")


def test_a_run_that_ended_before_it_began_can_begin_again(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.py").write_text("half")
    assert fit(spec(tmp_path), tmp_path / "run", duration="1 steps").figures
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="is not empty"):
        fit(spec(tmp_path), tmp_path / "other")


def test_a_mistake_in_the_data_leaves_nothing_behind(tmp_path: Path) -> None:
    data = DATA.replace('builtin("digits")', 'csv("missing.csv")').replace(
        "source.image -> scale(1 / 16) -> if", "source.image -> if"
    )
    text = data.replace("image: f32[1, 8, 8] = source.image -> if training { shift(1) }", "image: f32 = source.image")
    model = "model M(image: [B]) -> (logits: [B, 10]) { logits = image -> [B] => [B, 1] -> Linear(10) }"
    file = spec(tmp_path, data=text, model=model)
    with pytest.raises(api.SpecError) as caught:
        fit(file, tmp_path / "run")
    assert [d.code for d in caught.value.diagnostics] == ["E0412"]
    assert not (tmp_path / "run").exists()


# ---- exactness -------------------------------------------------------------------------------------------------------

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


def test_half_precision_trains(tmp_path: Path) -> None:
    run = fit(spec(tmp_path, 'precision = "bf16"'), tmp_path / "run")
    assert weights(run)["head.weight"].dtype == torch.float32
    rows = rows_of(run)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


SEQUENCES = """
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> squeeze(1) -> rnn: KIND(16).y -> mean(axis = 1) -> head: Linear(10)
}
"""


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_train_in_half_precision_on_every_processor(tmp_path: Path, kind: str) -> None:
    run = fit(spec(tmp_path, 'precision = "bf16"', model=SEQUENCES.replace("KIND", kind)), tmp_path / "run")
    rows = rows_of(run)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_layer_without_a_half_kernel_computes_in_f32_and_it_is_said(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.dtype] = []
    forward = getattr(torch.nn, kind).forward

    def watched(self: torch.nn.Module, input: Tensor, state: Any = None) -> Any:
        made = forward(self, input, state)
        seen.append(made[0].dtype)
        return made

    monkeypatch.setattr(getattr(torch.nn, kind), "forward", watched)
    monkeypatch.setattr(precision, "runs", lambda kind, dtype: False)
    events: list[Event] = []
    file = spec(tmp_path, 'precision = "bf16"', model=SEQUENCES.replace("KIND", kind))
    run = fit(file, tmp_path / "run", listener=events.append)
    assert set(seen) == {torch.float32}
    said = [event.text for event in events if isinstance(event, Note)]
    assert f"`{kind}` computes in f32: this processor has no bf16 kernel for it" in said
    assert weights(run)["rnn.weight_hh_l0"].dtype == torch.float32


def test_layers_that_have_a_half_kernel_keep_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "runs", lambda kind, dtype: kind is not torch.nn.LSTM)
    net = torch.nn.Sequential(torch.nn.LSTM(2, 2), torch.nn.GRU(2, 2), torch.nn.LSTM(2, 2), torch.nn.Linear(2, 2))
    before = dict(net.named_parameters())
    assert precision.in_f32([net], torch.bfloat16) == ["LSTM"]
    with torch.autocast("cpu", torch.bfloat16):
        first, (hidden, cell) = net[0](torch.zeros(3, 2, dtype=torch.bfloat16))
        again, _ = net[2](first, (hidden.bfloat16(), cell.bfloat16()))
    assert {value.dtype for value in (first, hidden, cell, again)} == {torch.float32}
    assert type(net[1]) is torch.nn.GRU
    assert type(net[3]) is torch.nn.Linear
    assert before.keys() == dict(net.named_parameters()).keys()
    assert precision.in_f32([net], torch.bfloat16) == []  # a second time there is nothing left


# ---- resume ----------------------------------------------------------------------------------------------------------


def interrupted(file: Path, out: Path, steps: list[int], number: int = signal.SIGINT, **overrides: Any) -> None:
    """Trains to the end with a signal after each of these steps, resuming after each."""
    add, step = RunningLosses.add, 0
    for turn, stop in enumerate([*steps, 0]):

        def counting(self: RunningLosses, terms: Any, stop: int = stop) -> None:
            nonlocal step
            add(self, terms)
            step += 1
            if step == stop:
                os.kill(os.getpid(), number)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RunningLosses, "add", counting)
            if stop:
                with pytest.raises(Interrupted) as caught:
                    fit(file, out, resume=turn > 0, **overrides)
                assert caught.value.exit_code == 128 + number
                assert checkpoint.read(out / "last").loop["step"] == stop
                assert not (out / "result.json").exists()
            else:
                fit(file, out, resume=turn > 0, **overrides)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_resume_is_bitwise(tmp_path: Path, number: int) -> None:
    file = spec(tmp_path, "stop = plateau(val.loss, patience = 5 epochs)", "clip = norm(1.0)", "micro_batch = 16")
    whole = fit(file, tmp_path / "a")
    interrupted(file, tmp_path / "b", [1, 8, 13], number)
    assert equal(weights(whole), weights(tmp_path / "b"))
    assert equal(weights(whole, "best"), weights(tmp_path / "b", "best"))
    assert (whole.path / "metrics.csv").read_text() == (tmp_path / "b" / "metrics.csv").read_text()
    assert json.loads((tmp_path / "b" / "result.json").read_text())["figures"] == whole.figures


def test_resume_takes_the_newest_unfinished_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = spec(tmp_path)
    first = api.train(file, device="cpu")
    assert first.path == Path("runs/spec/1")
    (first.path / "result.json").unlink()
    assert api.train(file, device="cpu", resume=True).path == first.path
    with pytest.raises(BadInput, match="are complete"):
        api.train(file, device="cpu", resume=True)


def test_a_complete_run_goes_on_when_it_is_made_longer(tmp_path: Path) -> None:
    file = spec(tmp_path, **{"lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest)": "1e-2"})
    fit(file, tmp_path / "a", duration="2 epochs")
    fit(file, tmp_path / "a", duration="3 epochs", resume=True)
    assert equal(weights(tmp_path / "a"), weights(fit(file, tmp_path / "b", duration="3 epochs")))


def test_resume_into_a_changed_model_is_refused(tmp_path: Path) -> None:
    fit(spec(tmp_path), tmp_path / "run", duration="2 steps")
    (tmp_path / "run" / "result.json").unlink()
    before = (tmp_path / "run" / "model.py").read_text()
    changed = spec(tmp_path, model=MODEL.replace("Conv(4, 3)", "Conv(6, 3)"))
    with pytest.raises(BadInput, match="belongs to another model") as caught:
        fit(changed, tmp_path / "run", resume=True)
    assert any("`conv.weight` is [4, 1, 3, 3] there, [6, 1, 3, 3] here" in note for note in caught.value.notes)
    assert (tmp_path / "run" / "model.py").read_text() == before


# ---- the step --------------------------------------------------------------------------------------------------------


class HostReads(TorchDispatchMode):
    """Counts what makes the host wait for the device."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if "_local_scalar_dense" in str(func):
            self.count += 1
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("more", ["", "clip = norm(1.0)", "ema = 0.99", "micro_batch = 16"])
def test_no_host_reads_between_log_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    monkeypatch.setattr(reporter, "REPORT_EVERY", 1e9)
    file = spec(tmp_path, more, "validate = every(1k steps)")
    counts = []
    for steps in (10, 30):
        mode = HostReads()
        run = loop.run_phase

        def counted(state: State, *args: Any, mode: HostReads = mode, run: Any = run) -> None:
            state.val = None
            with mode:
                run(state, *args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "run_phase", counted)
            fit(file, tmp_path / f"run{steps}", duration=f"{steps} steps")
        counts.append(mode.count)
    assert counts[0] == counts[1]  # twenty more steps read nothing more


def test_progress_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = spec(tmp_path)
    quiet = fit(file, tmp_path / "a")
    monkeypatch.setattr(reporter, "REPORT_EVERY", 0.0)
    events: list[Event] = []
    chatty = fit(file, tmp_path / "b", listener=events.append)
    assert sum(isinstance(event, Progress) for event in events) >= 24
    assert equal(weights(quiet), weights(chatty))
    assert (quiet.path / "metrics.csv").read_text() == (chatty.path / "metrics.csv").read_text()


# ---- failures --------------------------------------------------------------------------------------------------------


def test_divergence_names_the_step_the_module_and_the_place(tmp_path: Path) -> None:
    model = MODEL.replace("-> head: Linear(10)", "-> head: Linear(10) -> exp -> log")
    file = spec(tmp_path, model=model, **{"AdamW(lr = 0 -> linear(1e-2, 5 steps) -> cosine(0, rest))": "SGD(1e4)"})
    with pytest.raises(Diverged) as caught:
        fit(file, tmp_path / "run")
    assert caught.value.exit_code == 3
    assert "diverged at step" in str(caught.value)
    assert any("gives the first number that is not finite" in note for note in caught.value.notes)
    assert any("model.py:" in note or "in `" in note for note in caught.value.notes)
    assert not (tmp_path / "run" / "result.json").exists()


def test_out_of_memory_says_what_fits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: Any) -> Any:
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to allocate "
            "6442450944 bytes. Error code 12 (Cannot allocate memory)"
        )

    monkeypatch.setattr(loop, "backward", full)
    with pytest.raises(RunFailure) as caught:
        fit(spec(tmp_path), tmp_path / "run")
    assert str(caught.value) == "out of memory on cpu"
    assert caught.value.notes[:2] == ("batch = 64", "wanted 6.0 GiB more at once")
    assert caught.value.helps == ("`train.micro_batch=32` computes the same step in 2 parts",)


def test_classes_of_data_and_model_must_agree(tmp_path: Path) -> None:
    file = spec(tmp_path, model=MODEL.replace("10", "9"))
    with pytest.raises(api.SpecError) as caught:
        fit(file, tmp_path / "run")
    assert "E0205" in [d.code for d in caught.value.diagnostics]


def test_a_run_without_weights(tmp_path: Path) -> None:
    run = fit(spec(tmp_path), tmp_path / "run", duration="1 steps")
    for name in ("best", "last"):
        for file in (run.path / name).iterdir():
            file.unlink()
        (run.path / name).rmdir()
    with pytest.raises(BadInput, match="has no weights yet"):
        api.evaluate(run, device="cpu")


def test_initial_weights_of_the_program_are_those_of_the_module(tmp_path: Path) -> None:
    loaded = api.load(spec(tmp_path))
    program = programs.build(loaded.spec, loaded.spec.recipe.trains[0], None, torch.device("cpu"))
    assert equal(dict(program.tensors()), loaded.module().state_dict())


# ---- weights from elsewhere, and what is refused -----------------------------------------------------------------------


def test_weights_from_a_file(tmp_path: Path) -> None:
    first = fit(spec(tmp_path), tmp_path / "a")
    file = spec(tmp_path, 'weights = file("a/last/model.safetensors", skip = ["head.**"])', 'freeze "conv.**", "bn.**"')
    fit(file, tmp_path / "b", duration="2 steps")
    one, other = weights(first), weights(tmp_path / "b")
    assert torch.equal(one["conv.weight"], other["conv.weight"])
    assert not torch.equal(one["head.weight"], other["head.weight"])
    wider = MODEL.replace("Linear(10)", "extra: Linear(20) -> top: Linear(10)").replace("head: extra", "extra")
    with pytest.raises(api.SpecError) as caught:
        fit(spec(tmp_path, 'weights = file("a/last/model.safetensors")', model=wider), tmp_path / "c")
    (found,) = caught.value.diagnostics
    assert found.code == "E0405"
    assert any("without a source" in note for note in found.notes)
    assert any("unused: `head." in note for note in found.notes)
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ('precision = "f16"', "f16"),
        ("mixup = 0.2", "`mixup`"),
    ],
)
def test_what_is_not_done_is_refused_not_ignored(tmp_path: Path, more: str, what: str) -> None:
    with pytest.raises(api.SpecError) as caught:
        fit(spec(tmp_path, more), tmp_path / "run")
    assert [d.code for d in caught.value.diagnostics] == ["E0501"]
    assert what in caught.value.diagnostics[0].message
    assert not (tmp_path / "run").exists()


def test_sharding_has_nothing_to_do_on_one_device(tmp_path: Path) -> None:
    told: list[Event] = []
    alone = fit(
        spec(tmp_path, 'runtime { shard = "fsdp"; sync_batch_norm = true }'), tmp_path / "a", listener=told.append
    )
    plain = fit(spec(tmp_path), tmp_path / "b")
    notes = [event.text for event in told if isinstance(event, Note)]
    assert notes[:2] == [
        '`shard = "fsdp"` changes nothing on one device',
        "`sync_batch_norm` changes nothing on one device",
    ]
    assert equal(weights(alone), weights(plain))


def test_several_processes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(BadInput, match="several processes"):
        fit(spec(tmp_path), tmp_path / "run")
    assert not (tmp_path / "run").exists()
