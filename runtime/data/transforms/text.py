"""Transforms of texts (lists of strings), of words (lists of lists) and of tokens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ....compiler.catalogue.transforms.text import Vocab
from ..arrays.text import truncate
from ..values import Value

__all__ = ["fit_vocab", "mlm_mask", "truncate"]


def fit_vocab(lists: list[list[str]], args: Mapping[str, Any]) -> dict[str, Any]:
    counts = Counter(word for words in lists for word in words)
    ranked = sorted((w for w, n in counts.items() if n >= args["min_count"]), key=lambda w: (-counts[w], w))
    return {"words": ranked[: args["size"] - Vocab.first_word(args)]}


def mlm_mask(x: Tensor, args: Mapping[str, Any], u: Tensor, vocabulary: int) -> dict[str, Value]:
    """Each token is chosen with probability p; of those, `random` become any token and `keep` stay. `u`: [n, 2 T]."""
    choose, how = u[:, : x.shape[1]], u[:, x.shape[1] :]
    special = torch.tensor(args["special"] or (-1,), device=x.device)
    chosen = (choose < args["p"]) & ~torch.isin(x, special)
    anything = ((choose / args["p"]).clamp(max=1) * vocabulary).to(torch.int64).clamp(max=vocabulary - 1)
    hidden = torch.where(how < args["random"], anything, torch.full_like(x, args["mask"]))
    hidden = torch.where(how >= 1 - args["keep"], x, hidden)
    return {"ids": torch.where(chosen, hidden, x), "labels": torch.where(chosen, x, torch.full_like(x, -100))}
