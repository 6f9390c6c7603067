"""Transforms of texts, tokens and sequences, and windows of streams."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...ir.data import ItemType
from ...sizes.dims import Size
from ...sizes.types import DTYPES
from ..arguments import Count, IntList, Natural, Share
from .base import Transform, Undo, Unsuited, as_tensor, with_shape


def _text(item: ItemType) -> None:
    if item.kind not in ("text", "column"):
        raise Unsuited("a text")


_IDS = ItemType(kind="tensor", dtype="i64", shape=(None,))


class _Text(Transform):
    """Base: texts, words, tokens and streams stay outside an exported graph."""

    in_graph = False
    example_source = 'csv("rows.csv")'


class Lower(_Text):
    """Converts to lower case."""

    takes = "texts"
    case = "LOWER"
    example = "x: i64[T <= 40] = source.text -> lower -> words -> vocab(5000) -> truncate(40) -> pad(0)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="text")


class Strip(_Text):
    """Removes blanks at both ends."""

    takes = "texts"
    example = "y: i64 = source.label -> strip -> category"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="text")


class Words(_Text):
    """The words of a text: runs of letters, digits and apostrophes, and every other character by itself."""

    takes = "texts"
    separator = " "
    example = "x: i64[T <= 40] = source.text -> words -> vocab(5000) -> truncate(40) -> pad(0)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="words")


class Chars(_Text):
    """The characters of a text, each by itself, spaces included."""

    takes = "texts"
    separator = ""
    example = "x: i64[T <= 80] = source.text -> chars -> vocab(200) -> truncate(80) -> pad(0)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        _text(item)
        return ItemType(kind="words")


class Vocab(_Text):
    """Numbers of words or characters: 0 padding, 1 unknown, then the most frequent of the train split, `size` in all.

    `bos` and `eos` are ids added before and after every text. Words start after them, or at `first`: what is in between
    is free, for example for the id that `mlm_mask` writes.
    """

    size: Count
    min_count: Count = 1
    bos: int | None = None
    eos: int | None = None
    first: int | None = None

    learns = ("words",)
    learned = "texts"
    stands_for = "words"
    takes = "words"
    example = "x: i64[T <= 40] = source.text -> words -> vocab(5000, min_count = 2) -> truncate(40) -> pad(0)"

    @classmethod
    def first_word(cls, args: Mapping[str, Any]) -> int:
        """The number of the most frequent word."""
        marks = [args[name] for name in ("bos", "eos") if args.get(name) is not None]
        return max(2, args.get("first") or 0, *(mark + 1 for mark in marks))

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "words":
            raise Unsuited("words or characters (`-> words -> vocab(..)`)")
        return _IDS

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        for name in ("bos", "eos", "first"):
            if args[name] is not None and args[name] < 2:
                return f"`{name}` must be at least 2: 0 is padding and 1 an unknown word"
        first = args["first"]
        for name in ("bos", "eos"):
            if first is not None and args[name] is not None and args[name] >= first:
                return f"`{name} = {args[name]}` is the number of a word: words start at {first}"
        if args["size"] <= cls.first_word(args):
            return f"{args['size']} numbers leave none for words: words start at {cls.first_word(args)}"
        return None


class MlmMask(_Text):
    """Masks a fraction `p` of the tokens: `.ids` has them replaced, `.labels` is -100 for the others."""

    p: Share
    mask: Natural
    random_: Share = 0.1
    keep: Share = 0.1
    special: IntList = ()

    random = True
    keeps_words = True
    example_source = 'token_file("{split}.bin", "u16")'
    takes = "tokens"
    example = (
        "let masked = source.tokens -> random_window(128) -> mlm_mask(0.15, mask = 103)\n"
        "x: i64[128] = masked.ids\n"
        "y: i64[128] = masked.labels"
    )

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "tensor" or item.dtype not in (None, "i64"):
            raise Unsuited("tokens")
        return ItemType(kind="record", members={"ids": item, "labels": item})


class _Sequence(_Text):
    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind == "words":
            return item
        if item.kind == "stream":
            raise Unsuited("a record's sequence; cut a stream with `random_window(n)` or `window(n, stride)` first")
        item = as_tensor(item, "a sequence")
        if item.shape == ():
            raise Unsuited("a sequence")
        return item if item.shape is None else with_shape(item, (cls.length(item.shape[0], args), *item.shape[1:]))

    @classmethod
    def length(cls, length: Size | None, args: dict[str, Any]) -> Size | None:
        return length

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Truncate(_Sequence):
    """Keeps the first `n`."""

    n: Count

    keeps_words = True
    takes = "sequence"
    example = "x: i64[T <= 40] = source.text -> words -> vocab(5000) -> truncate(40) -> pad(0)"

    @classmethod
    def length(cls, length: Size | None, args: dict[str, Any]) -> Size | None:
        return min(length, args["n"]) if isinstance(length, int) else None


class Pad(_Sequence):
    """Pads with `v` to the longest record of the micro-batch. Must come last."""

    v: float

    fills_batch = True
    keeps_words = True
    takes = "sequence"
    example = "x: i64[T <= 40] = source.text -> words -> vocab(5000) -> truncate(40) -> pad(0)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        found = super().infer(item, args)
        if found.dtype in DTYPES and found.dtype[0] in "iu":
            bits, signed = int(found.dtype[1:]), found.dtype[0] == "i"
            low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1)) if signed else (0, 2**bits)
            if not (float(args["v"]).is_integer() and low <= args["v"] < high):
                raise Unsuited(f"a sequence of floats: one of {found.dtype} cannot hold {args['v']:g}")
        return found


class RandomWindow(_Text):
    """Windows of `n` from a stream: at random in training, in order without overlap in evaluation."""

    n: Count

    random = True
    picks = True
    windows = True
    keeps_words = True
    example_source = 'token_file("{split}.bin", "u16")'
    takes = "stream"
    example = "let part = source.tokens -> random_window(65)\nx: i64[64] = part[:-1]\ny: i64[64] = part[1:]"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "stream":
            raise Unsuited("a stream")
        return ItemType(kind="tensor", dtype=item.dtype, shape=(args["n"],))

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()


class Window(_Text):
    """Windows of `n`, one every `stride`, in order: of a stream, or of the rows of a table as a time series. With a `horizon`, which
    only rows have, a window is `.past`, its `n` rows, and `.next`, the rows that follow. `period` is that of a season, whose last
    values are a baseline for metrics."""

    n: Count
    stride: Count = 1
    horizon: Count | None = None
    period: Count | None = None

    picks = True
    windows = True
    keeps_words = True
    example_source = 'token_file("{split}.bin", "u16")'
    takes = "stream"
    example = "let part = source.tokens -> window(65, stride = 64)\nx: i64[64] = part[:-1]\ny: i64[64] = part[1:]"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        n, horizon = args["n"], args["horizon"]
        if item.kind == "stream":
            if horizon is not None:
                raise Unsuited("columns of a table where it has a `horizon`")
            return RandomWindow.infer(item, args)
        item = as_tensor(item, "a stream, or numbers of a table; names become numbers with `category` first")

        def rows(count: int) -> ItemType:
            return with_shape(item, None if item.shape is None else (count, *item.shape))

        if horizon is None:
            return rows(n)
        return ItemType(kind="record", members={"past": rows(n), "next": rows(horizon)})

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if args["period"] is not None and args["horizon"] is None:
            return "`period` is that of a baseline for what follows a window: it needs a `horizon`"
        if args["period"] is not None and args["period"] > args["n"]:
            return f"a `period` of {args['period']} is longer than the {args['n']} rows of the window"
        return None

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()
