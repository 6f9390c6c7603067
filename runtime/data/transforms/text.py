"""Transforms of texts (lists of strings), of words (lists of lists) and of tokens."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ....compiler.catalogue.transforms.text import Vocab
from .. import mistakes
from ..values import TextUse, Value, packed

_WORD = re.compile(r"[\w']+|[^\w\s]")

#: Records of different lengths are filled up where a batch is put together (`graph.padded`).
pad = None
#: Streams are cut where their positions are known (`streams.windows`).
random_window = window = None


def truncate(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return x[:, : args["n"]]


def lower(texts: list[Any], use: TextUse) -> list[Any]:
    return [text.lower() for text in texts]


def words(texts: list[Any], use: TextUse) -> list[Any]:
    return [_WORD.findall(text) for text in texts]


def chars(texts: list[Any], use: TextUse) -> list[Any]:
    return [list(text) for text in texts]


def fit_vocab(lists: list[list[str]], args: Mapping[str, Any]) -> dict[str, Any]:
    counts = Counter(word for words in lists for word in words)
    ranked = sorted((w for w, n in counts.items() if n >= args["min_count"]), key=lambda w: (-counts[w], w))
    return {"words": ranked[: args["size"] - Vocab.first_word(args)]}


def vocab(lists: list[list[str]], use: TextUse) -> Value:
    first, args = Vocab.first_word(use.args), use.args
    lookup = {word: first + number for number, word in enumerate(use.fitted["words"])}
    before, after = ([] if args.get(name) is None else [args[name]] for name in ("bos", "eos"))
    return packed(
        [
            torch.tensor([*before, *(lookup.get(word, 1) for word in words), *after], dtype=torch.int64)
            for words in lists
        ]
    )


def vocabulary_size(args: Mapping[str, Any], fitted: Mapping[str, Any]) -> int:
    """One more than the largest number that a fitted `vocab` gives."""
    return Vocab.first_word(args) + len(fitted["words"])


# ---- tokenizers -----------------------------------------------------------------------------------------------------------


def bpe(texts: list[str], use: TextUse) -> Value:
    tokenizer = _tokenizer(use)
    before = [] if use.args["bos"] is None else [use.args["bos"]]
    after = [] if use.args["eos"] is None else [use.args["eos"]]
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return packed([torch.tensor([*before, *item.ids, *after], dtype=torch.int64) for item in encoded])


def _tokenizer(use: TextUse) -> Any:
    node, path = use.node, use.path(use.args["path"])
    try:
        import tokenizers
    except ImportError:
        raise mistakes.extra_missing(node.span, f"`{node.op}`", "text", "tokenizers") from None
    if not path.is_file():
        raise mistakes.missing(node.span, path)
    try:
        if node.op == "bpe":
            return tokenizers.Tokenizer.from_file(str(path))
        return tokenizers.BertWordPieceTokenizer(str(path))
    except Exception as error:  # noqa: BLE001 - the library raises bare `Exception`
        raise mistakes.not_of_format(node.span, path, "a tokenizer", mistakes.first_line(error)) from None


def wordpiece(value: Value, use: TextUse) -> Value:
    tokenizer = _tokenizer(use)
    tokenizer.enable_truncation(use.args["max"])
    if isinstance(value, dict):
        encoded = [tokenizer.encode(a, b) for a, b in zip(value["first"], value["second"], strict=True)]
    else:
        encoded = [tokenizer.encode(text) for text in value]
    ids = packed([torch.tensor(item.ids, dtype=torch.int64) for item in encoded])
    if not use.args["pairs"]:
        return ids
    return {"ids": ids, "segments": packed([torch.tensor(item.type_ids, dtype=torch.int64) for item in encoded])}


def mlm_mask(x: Tensor, args: Mapping[str, Any], u: Tensor, vocabulary: int) -> dict[str, Value]:
    """Each token is chosen with probability p; of those, `random` become any token and `keep` stay. `u`: [n, 2 T]."""
    choose, how = u[:, : x.shape[1]], u[:, x.shape[1] :]
    special = torch.tensor(args["special"] or (-1,), device=x.device)
    chosen = (choose < args["p"]) & ~torch.isin(x, special)
    anything = ((choose / args["p"]).clamp(max=1) * vocabulary).to(torch.int64).clamp(max=vocabulary - 1)
    hidden = torch.where(how < args["random"], anything, torch.full_like(x, args["mask"]))
    hidden = torch.where(how >= 1 - args["keep"], x, hidden)
    return {"ids": torch.where(chosen, hidden, x), "labels": torch.where(chosen, x, torch.full_like(x, -100))}
