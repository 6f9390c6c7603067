"""What a node of a data graph holds for a batch of records, and the transforms of tables, text and sequences.

A value is a tensor `[n, ...]` when all records have one shape, else a list: of tensors, of strings, or of lists of
strings. A record with members is a dict of values.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from ...compiler.catalogue.transforms import Vocab
from ...compiler.ir.data import DataNode
from . import mistakes
from .images import as_float

Value: TypeAlias = "Tensor | list[Any] | dict[str, Any]"
Place: TypeAlias = Callable[[int], str]

DTYPES: dict[str, torch.dtype] = {
    "f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64, "i8": torch.int8,
    "i16": torch.int16, "i32": torch.int32, "i64": torch.int64, "u8": torch.uint8, "bool": torch.bool,
}  # fmt: skip


def packed(items: list[Tensor]) -> Value:
    """One tensor when all have one shape."""
    first = items[0]
    if all(item.shape == first.shape for item in items):
        return torch.stack(items)
    return items


def each(value: Value, function: Callable[[Tensor], Tensor]) -> Value:
    """A function on `[n, ...]` applied to a value; records of different shapes go through one by one."""
    if isinstance(value, Tensor):
        return function(value)
    assert isinstance(value, list)
    return packed([function(item[None])[0] for item in value])


def taken(value: Value, index: Tensor) -> Value:
    """The records at these positions."""
    if isinstance(value, Tensor):
        return value.index_select(0, index)
    if isinstance(value, dict):
        return {name: taken(member, index) for name, member in value.items()}
    return [value[i] for i in index.tolist()]


def joined(parts: Sequence[Value]) -> Value:
    """Values one after another."""
    if len(parts) == 1:
        return parts[0]
    first = parts[0]
    if isinstance(first, dict):
        members = cast("Sequence[dict[str, Value]]", parts)
        return {name: joined([part[name] for part in members]) for name in first}
    tensors = [part for part in parts if isinstance(part, Tensor)]
    if len(tensors) == len(parts) and len({part.shape[1:] for part in tensors}) == 1:
        return torch.cat(tensors)
    return [item for part in parts for item in cast("Sequence[Any]", part)]


def moved(value: Value, device: torch.device) -> Value:
    if isinstance(value, Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {name: moved(member, device) for name, member in value.items()}
    return [item.to(device) if isinstance(item, Tensor) else item for item in value]


def size_of(value: Value) -> int:
    """Bytes, roughly."""
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(size_of(member) for member in value.values())
    return sum(item.numel() * item.element_size() if isinstance(item, Tensor) else 64 + len(item) for item in value)


# ---- transforms that learn nothing ---------------------------------------------------------------------------------------


def scale(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return x.to(torch.float32) * args["k"]


def threshold(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return (x > args["v"]).to(torch.int64)


def clip(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    x = x.to(torch.float32)
    return x if args["min"] is None and args["max"] is None else x.clamp(args["min"], args["max"])


def log1p(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return x.to(torch.float32).log1p()


def one_hot(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return torch.nn.functional.one_hot(x.to(torch.int64), args["n"]).to(torch.float32)


def truncate(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return x[:, : args["n"]]


def to_float(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return as_float(x)


def slice_(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return x[:, args["start"] : args["stop"]]


def index(x: Tensor, args: Mapping[str, Any]) -> Tensor:
    return x[:, args["at"]]


ELEMENTWISE: dict[str, Callable[[Tensor, Mapping[str, Any]], Tensor]] = {
    "scale": scale, "threshold": threshold, "clip": clip, "log1p": log1p, "one_hot": one_hot, "truncate": truncate,
    "to_float": to_float, "slice": slice_, "index": index,
}  # fmt: skip

_WORD = re.compile(r"[\w']+|[^\w\s]")


def lower(texts: list[Any], args: Mapping[str, Any]) -> list[Any]:
    return [text.lower() for text in texts]


def words(texts: list[Any], args: Mapping[str, Any]) -> list[Any]:
    return [_WORD.findall(text) for text in texts]


def chars(texts: list[Any], args: Mapping[str, Any]) -> list[Any]:
    return [list(text) for text in texts]


TEXT: dict[str, Callable[[list[Any], Mapping[str, Any]], list[Any]]] = {"lower": lower, "words": words, "chars": chars}


# ---- fitted ---------------------------------------------------------------------------------------------------------------


def fit_standardize(value: Value, args: Mapping[str, Any]) -> dict[str, Any]:
    """Mean and standard deviation of each number of a record; a constant one is divided by 1."""
    x = _stacked(value).to(torch.float64)
    mean, std = x.mean(0), x.std(0, correction=0)
    return {"mean": mean.tolist(), "std": torch.where(std > 0, std, torch.ones_like(std)).tolist()}


def standardize(x: Tensor, fitted: Mapping[str, Any]) -> Tensor:
    mean = torch.tensor(fitted["mean"], dtype=torch.float64, device=x.device)
    std = torch.tensor(fitted["std"], dtype=torch.float64, device=x.device)
    return ((x.to(torch.float64) - mean) / std).to(torch.float32)


def _stacked(value: Value) -> Tensor:
    if isinstance(value, Tensor):
        return value
    assert isinstance(value, list)
    return torch.cat([item.reshape(-1) for item in value])


def fit_impute(value: Value, args: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(args["value"], str):
        return {"fill": args["value"]}
    x = _stacked(value).to(torch.float64)
    fill = x.nanmean(0) if args["value"] == "mean" else x.nanmedian(0).values
    return {"fill": torch.nan_to_num(fill).tolist()}


def impute(x: Tensor, fitted: Mapping[str, Any]) -> Tensor:
    x = x.to(torch.float32)
    return torch.where(x.isnan(), torch.tensor(fitted["fill"], dtype=x.dtype, device=x.device), x)


def fit_category(texts: list[str], args: Mapping[str, Any]) -> dict[str, Any]:
    return {"names": list(args["names"]) or sorted(set(texts), key=_natural)}


def _natural(text: str) -> tuple[int, float, str]:
    """Numbers in their order, before other names."""
    try:
        return (0, float(text), text)
    except ValueError:
        return (1, 0.0, text)


def category(texts: list[str], node: DataNode, fitted: Mapping[str, Any], place: Place) -> Tensor:
    lookup = {name: number for number, name in enumerate(fitted["names"])}
    found = [lookup.get(text, -1) for text in texts]
    if -1 in found:
        at = found.index(-1)
        raise mistakes.unknown_category(node.span, place(at), texts[at], fitted["names"], not node.args["names"])
    return torch.tensor(found, dtype=torch.int64)


def fit_vocab(lists: list[list[str]], args: Mapping[str, Any]) -> dict[str, Any]:
    counts = Counter(word for words in lists for word in words)
    ranked = sorted((w for w, n in counts.items() if n >= args["min_count"]), key=lambda w: (-counts[w], w))
    return {"words": ranked[: args["size"] - Vocab.first_word(args)]}


def vocab(lists: list[list[str]], args: Mapping[str, Any], fitted: Mapping[str, Any]) -> Value:
    first = Vocab.first_word(args)
    lookup = {word: first + number for number, word in enumerate(fitted["words"])}
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


FIT: dict[str, Callable[[Any, Mapping[str, Any]], dict[str, Any]]] = {
    "standardize": fit_standardize, "impute": fit_impute, "category": fit_category, "vocab": fit_vocab,
}  # fmt: skip


# ---- tokenizers -----------------------------------------------------------------------------------------------------------


def bpe(texts: list[str], node: DataNode, path: Path) -> Value:
    tokenizer = _tokenizer(node, path)
    before = [] if node.args["bos"] is None else [node.args["bos"]]
    after = [] if node.args["eos"] is None else [node.args["eos"]]
    encoded = tokenizer.encode_batch(texts, add_special_tokens=False)
    return packed([torch.tensor([*before, *item.ids, *after], dtype=torch.int64) for item in encoded])


def _tokenizer(node: DataNode, path: Path) -> Any:
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


def wordpiece(value: Value, node: DataNode, path: Path) -> Value:
    tokenizer = _tokenizer(node, path)
    tokenizer.enable_truncation(node.args["max"])
    if isinstance(value, dict):
        encoded = [tokenizer.encode(a, b) for a, b in zip(value["first"], value["second"], strict=True)]
    else:
        encoded = [tokenizer.encode(text) for text in value]
    ids = packed([torch.tensor(item.ids, dtype=torch.int64) for item in encoded])
    if not node.args["pairs"]:
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
