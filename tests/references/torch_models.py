"""Modules of torch.nn, and models written by hand with them, that shipped specs equal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .reference import Reference
from .transformers_models import tokens


class LstmClassifier(nn.Module):
    """A bidirectional LSTM whose last states go into a linear layer."""

    def __init__(self, vocab: int, dim: int, hidden: int, classes: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.lstm = nn.LSTM(dim, hidden, num_layers=2, batch_first=True, bidirectional=True, dropout=0.5)
        self.head = nn.Linear(2 * hidden, classes)

    def forward(self, tokens: Tensor) -> Tensor:
        lengths = (tokens != 0).sum(1)
        packed = pack_padded_sequence(self.embed(tokens), lengths, batch_first=True, enforce_sorted=False)
        _, (h, _) = self.lstm(packed)
        return self.head(torch.cat([h[-2], h[-1]], dim=1))


class AttentionSeq2Seq(nn.Module):
    """GRUs with the attention of Luong et al. (2015), `general`, the decoder fed with the true words."""

    def __init__(self, vocab: int, dim: int, hidden: int) -> None:
        super().__init__()
        self.src_embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.tgt_embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.encoder = nn.GRU(dim, hidden, batch_first=True, bidirectional=True)
        self.decoder = nn.GRU(dim, hidden, batch_first=True)
        self.memory_proj = nn.Linear(2 * hidden, hidden)
        self.bridge = nn.Linear(2 * hidden, hidden)
        self.query_proj = nn.Linear(hidden, hidden)
        self.combine = nn.Linear(2 * hidden, hidden)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, src: Tensor, tgt: Tensor) -> Tensor:
        lengths = (src != 0).sum(1)
        packed = pack_padded_sequence(self.src_embed(src), lengths, batch_first=True, enforce_sorted=False)
        packed, last = self.encoder(packed)
        memory, _ = pad_packed_sequence(packed, batch_first=True, total_length=src.shape[1])
        memory = self.memory_proj(memory)
        start = torch.tanh(self.bridge(torch.cat([last[0], last[1]], dim=1)))
        state, _ = self.decoder(self.tgt_embed(tgt), start.unsqueeze(0))
        scores = torch.bmm(self.query_proj(state), memory.transpose(1, 2))
        scores = scores.masked_fill((src == 0).unsqueeze(1), float("-inf"))
        context = torch.bmm(scores.softmax(-1), memory)
        return self.out(torch.tanh(self.combine(torch.cat([state, context], dim=2))))


def answer(module: nn.Module, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {"logits": module(*given.values())}


REFERENCES: list[Reference] = [
    Reference(
        spec="bilstm", library="torch", name="torch.nn.LSTM", gradients=True,
        overrides=("BiLstm.vocab=97", "BiLstm.d=16", "BiLstm.hidden=12"), make=partial(LstmClassifier, 97, 16, 12, 6),
        inputs=partial(tokens, "tokens", vocab=97, padded=True), answers=answer,
    ),
    Reference(
        spec="seq2seq", library="torch", name="torch.nn.GRU with attention", gradients=True,
        overrides=("Seq2Seq.vocab=97", "Seq2Seq.d=16", "Seq2Seq.hidden=12"), make=partial(AttentionSeq2Seq, 97, 16, 12),
        inputs=partial(tokens, "src", "tgt", vocab=97, padded=True), answers=answer,
    ),
]  # fmt: skip
