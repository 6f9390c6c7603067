"""Transforms of texts (lists of strings), of words (lists of lists) and of tokens."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue.transforms.text import Vocab
from .. import mistakes
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


# ---- tokenizers -----------------------------------------------------------------------------------------------------------


def bpe(texts: Sequence[str], use: TextUse) -> Arrays:
    tokenizer = _tokenizer(use)
    before = [] if use.args["bos"] is None else [use.args["bos"]]
    after = [] if use.args["eos"] is None else [use.args["eos"]]
    encoded = tokenizer.encode_batch(list(texts), add_special_tokens=False)
    return packed([np.array([*before, *item.ids, *after], np.int64) for item in encoded])


def _tokenizer(use: TextUse) -> Any:
    node, path = use.node, use.path(use.args["path"])
    try:
        import tokenizers as _  # noqa: F401
    except ImportError:
        raise mistakes.extra_missing(node.span, f"`{node.op}`", "text", "tokenizers") from None
    if not path.is_file():
        raise mistakes.missing(node.span, path)
    status = path.stat()
    try:
        return _loaded(node.op, path, status.st_mtime_ns, status.st_size)
    except Exception as error:  # noqa: BLE001 - the library raises bare `Exception`
        raise mistakes.not_of_format(node.span, path, "a tokenizer", mistakes.first_line(error)) from None


@lru_cache(maxsize=4)
def _loaded(op: str, path: Path, mtime_ns: int, size: int) -> Any:
    """A tokenizer; time and size of its file are those that it was read with."""
    import tokenizers

    if op == "bpe":
        return tokenizers.Tokenizer.from_file(str(path))
    return tokenizers.BertWordPieceTokenizer(str(path))


def wordpiece(value: Any, use: TextUse) -> Any:
    tokenizer = _tokenizer(use)
    tokenizer.enable_truncation(use.args["max"])
    if isinstance(value, dict):
        encoded = [tokenizer.encode(a, b) for a, b in zip(value["first"], value["second"], strict=True)]
    else:
        encoded = [tokenizer.encode(text) for text in value]
    ids = packed([np.array(item.ids, np.int64) for item in encoded])
    if not use.args["pairs"]:
        return ids
    return {"ids": ids, "segments": packed([np.array(item.type_ids, np.int64) for item in encoded])}


def mlm_mask(x: Array, args: Mapping[str, Any], u: Array, vocabulary: int) -> dict[str, Array]:
    """Each token is chosen with probability p; of those, `random` become any token and `keep` stay. `u`: [n, 2 T]."""
    choose, how = u[:, : x.shape[1]], u[:, x.shape[1] :]
    chosen = (choose < np.float32(args["p"])) & ~np.isin(x, args["special"] or (-1,))
    shares = np.minimum(choose / np.float32(args["p"]), np.float32(1)) * np.float32(vocabulary)
    anything = np.minimum(shares.astype(np.int64), vocabulary - 1)
    hidden = np.where(how < np.float32(args["random"]), anything, np.int64(args["mask"]))
    hidden = np.where(how >= np.float32(1 - args["keep"]), x, hidden)
    return {"ids": np.where(chosen, hidden, x), "labels": np.where(chosen, x, np.int64(-100))}
