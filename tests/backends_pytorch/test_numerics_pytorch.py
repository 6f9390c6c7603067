"""What generated modules promise beyond PyTorch's own functions; tests/references compares whole models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dlc.backends.pytorch.load import empty, load_source
from dlc.backends.pytorch.module import class_name, module_source
from dlc.compiler.check import check

EXAMPLES = Path(__file__).resolve().parent.parent / "language" / "examples"


def module(name: str, *overrides: str) -> nn.Module:
    checked = check(EXAMPLES / f"{name}.dlspec", overrides)
    assert checked.spec is not None, [d.message for d in checked.report.errors]
    model = checked.spec.models[0]
    return empty(getattr(load_source(module_source(checked.spec, model)), class_name(model)))


@pytest.mark.parametrize("lengths", [[9, 9, 9], [9, 1, 4]])
def test_bidirectional_lstm_with_lengths(lengths: list[int]) -> None:
    """Every sequence alone, without its padding, gives what the padded batch gives."""
    sizes = ("vocab=50", "d=8", "hidden=6")
    ours = module("d_bilstm", *(f"BiLstm.{size}" for size in sizes)).eval()
    torch.manual_seed(0)
    for parameter in ours.parameters():
        nn.init.normal_(parameter, 0, 0.5)
    tokens = torch.randint(1, 50, (3, 9))
    for row, length in enumerate(lengths):
        tokens[row, length:] = 0
    with torch.no_grad():
        together = ours(tokens)
        alone = []
        for row, length in enumerate(lengths):
            _, (h, _) = nn.LSTM.forward(ours.lstm, ours.embed(tokens[row : row + 1, :length]))
            alone.append(ours.head(torch.cat((h[-2], h[-1]), dim=-1)))
    torch.testing.assert_close(together, torch.cat(alone))


def test_a_row_that_may_attend_to_nothing_gives_zero(built: Callable[..., nn.Module]) -> None:
    network = built("""
model M(q: [B, 2, T, 4], k: [B, 2, S, 4], mask: bool[B, 1, T, S]) -> (y: [B, 2, T, 4]) {
  y = attention(q, k, k, mask = mask, causal = true)
}
""")
    q, k = torch.randn(1, 2, 3, 4, requires_grad=True), torch.randn(1, 2, 5, 4)
    mask = torch.ones(1, 1, 3, 5, dtype=torch.bool)
    mask[0, 0, 1] = False
    y = network(q, k, mask)
    assert torch.equal(y[:, :, 1], torch.zeros(1, 2, 4))
    scores = q[:, :, :1] @ k[:, :, :3].mT / 2
    torch.testing.assert_close(y[:, :, :1], F.softmax(scores, -1) @ k[:, :, :3])  # row 0 of 3 sees 5 - 3 + 1 keys
    y.sum().backward()
    assert q.grad is not None
    assert not q.grad.isnan().any()
