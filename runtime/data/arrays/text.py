"""Transforms of texts (lists of strings), of words (lists of lists) and of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue.transforms.text import Vocab
from .shapes import packed
from .text_use import TextUse

Array: TypeAlias = "NDArray[Any]"
Arrays: TypeAlias = "NDArray[Any] | list[NDArray[Any]]"

_WORD = re.compile(r"[\w']+|[^\w\s]")

#: Records of different lengths are filled up where a batch is put together (`batches.padded`).
pad = None
#: Streams are cut where their positions are known (`section.Evaluation`).
random_window = window = None


def truncate(x: Array, args: Mapping[str, Any]) -> Array:
    return x[:, : args["n"]]


def lower(texts: list[Any], use: TextUse) -> list[Any]:
    return [text.lower() for text in texts]


def strip(texts: Sequence[str], use: TextUse) -> list[str]:
    return [text.strip() for text in texts]


def words(texts: list[Any], use: TextUse) -> list[Any]:
    return [_WORD.findall(text) for text in texts]


def chars(texts: list[Any], use: TextUse) -> list[Any]:
    return [list(text) for text in texts]


def vocab(lists: list[list[str]], use: TextUse) -> Arrays:
    first, args = Vocab.first_word(use.args), use.args
    lookup = {word: first + number for number, word in enumerate(use.fitted["words"])}
    before, after = ([] if args.get(name) is None else [args[name]] for name in ("bos", "eos"))
    return packed([np.array([*before, *(lookup.get(w, 1) for w in words), *after], np.int64) for words in lists])


def mlm_mask(x: Array, args: Mapping[str, Any], u: Array, vocabulary: int) -> dict[str, Array]:
    """Each token is chosen with probability p; of those, `random` become any token and `keep` stay. `u`: [n, 2 T]."""
    choose, how = u[:, : x.shape[1]], u[:, x.shape[1] :]
    chosen = (choose < np.float32(args["p"])) & ~np.isin(x, args["special"] or (-1,))
    shares = np.minimum(choose / np.float32(args["p"]), np.float32(1)) * np.float32(vocabulary)
    anything = np.minimum(shares.astype(np.int64), vocabulary - 1)
    hidden = np.where(how < np.float32(args["random"]), anything, np.int64(args["mask"]))
    hidden = np.where(how >= np.float32(1 - args["keep"]), x, hidden)
    return {"ids": np.where(chosen, hidden, x), "labels": np.where(chosen, x, np.int64(-100))}
