"""Training in bf16 and f16, also where the processor has no kernel for a layer; scaled gradients of f16."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dlc.runtime.checkpoints import checkpoint
from dlc.runtime.failure import Diverged, Interrupted
from dlc.runtime.training import loop, precision, scaling
from dlc.runtime.training.events import Event, Note

from .small_runs import equal, fit, rows_of, spec, weights


@pytest.mark.parametrize("half", ["bf16", "f16"])
def test_half_precision_trains(tmp_path: Path, half: str) -> None:
    run = fit(spec(tmp_path, f'precision = "{half}"'), tmp_path / "run")
    assert weights(run)["head.weight"].dtype == torch.float32
    rows = rows_of(run)
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])


SEQUENCES = """
model M(image: [B, 1, 8, 8]) -> (logits: [B, 10]) {
  logits = image -> squeeze(1) -> rnn: KIND(16).y -> mean(axis = 1) -> head: Linear(10)
}
"""


@pytest.mark.parametrize(
    ("kind", "half"),
    [("LSTM", "bf16"), ("GRU", "bf16"), ("RNN", "bf16"), ("LSTM", "f16"), ("GRU", "f16"), ("RNN", "f16")],
)
def test_recurrent_layers_train_in_half_precision_on_every_processor(tmp_path: Path, kind: str, half: str) -> None:
    run = fit(spec(tmp_path, f'precision = "{half}"', model=SEQUENCES.replace("KIND", kind)), tmp_path / "run")
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


#: Gradients 10,000 times as large: the first ones are beyond f16 at the scale that a run begins with.
LARGE = {"cross_entropy(logits, label)": "10000 * cross_entropy(logits, label)"}


def test_updates_beyond_f16_are_left_out_and_a_run_among_them_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = spec(tmp_path, 'precision = "f16"', "clip = norm(1.0)", "micro_batch = 16", "ema = 0.9", **LARGE)
    events: list[Event] = []
    whole = fit(file, tmp_path / "a", listener=events.append)
    at = checkpoint.read(tmp_path / "a" / "last").loop
    said = [event.text for event in events if isinstance(event, Note)]
    assert 0 < at["skipped"] < at["step"] == 24
    assert at["scale"] == 2.0**16 / 2 ** at["skipped"] and at["unskipped"] == 24 - at["skipped"]
    assert any("step 1: gradients beyond the range of f16" in text for text in said)
    assert any(f"{at['skipped']} updates were left out in 24 steps" in text for text in said)
    assert sum("beyond the range of f16" in text for text in said) == 2, "once, and once at the end"

    for stop in (2, 7):  # the updates of each turn
        turns = iter(range(1, 100))

        def stopping(parameters: Any, at: Any, turns: Any = turns, stop: int = stop) -> bool:
            if next(turns) == stop:
                os.kill(os.getpid(), signal.SIGINT)
            return scaling.unscale(parameters, at)

        monkeypatch.setattr(loop, "unscale", stopping)
        with pytest.raises(Interrupted):
            fit(file, tmp_path / "b", resume=stop > 2)
    monkeypatch.undo()
    fit(file, tmp_path / "b", resume=True)
    assert equal(weights(whole), weights(tmp_path / "b"))
    assert checkpoint.read(tmp_path / "b" / "last").loop["skipped"] == at["skipped"]


def test_scaled_gradients_are_those_of_f32_but_for_rounding(tmp_path: Path) -> None:
    """Losses of an epoch; what is left out at first costs steps, so the gradients are of the usual size."""
    half, full = (
        fit(spec(tmp_path, f'precision = "{name}"'), tmp_path / name, duration="1 epochs") for name in ("f16", "f32")
    )
    one, other = (float(rows_of(run)[-1]["loss"]) for run in (half, full))
    assert one == pytest.approx(other, rel=0.02) and one != other


def test_updates_that_are_left_out_without_end_are_a_divergence(tmp_path: Path) -> None:
    never = {"cross_entropy(logits, label)": "mean(exp(abs(logits) + 90))"}  # beyond any f32
    with pytest.raises(Diverged) as caught:
        fit(spec(tmp_path, 'precision = "f16"', **never), tmp_path / "run", duration="60 steps")
    assert "diverged at step 31" in str(caught.value)
    assert "`exp` gives the first number that is not finite" in caught.value.notes
    assert any('`precision = "bf16"`' in help for help in caught.value.helps)
