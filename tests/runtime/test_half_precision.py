"""Training in bf16, also where the processor has no kernel for a layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from dlc.runtime.training import precision
from dlc.runtime.training.events import Event, Note

from .small_runs import fit, rows_of, spec, weights


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
