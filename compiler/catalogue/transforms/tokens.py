"""Transforms of texts to tokens by a tokenizer, which is read from a file or learned from the train split, and of chats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...ir.data import ItemType
from ..arguments import Count, Path
from .base import Transform, Undo, Unsuited
from .text import Vocab

_IDS = ItemType(kind="tensor", dtype="i64", shape=(None,))
_STREAM = ItemType(kind="stream", dtype="i64", shape=(None,))
#: What a template writes between turns, as one token each: `<|im_end|>`.
MARK = re.compile(r"<\|[^|<>]*\|>")
BYTES = 256  # every byte is a token that is trained, so that no text is unknown


class _Tokens(Transform):
    """Base: a tokenizer that the run keeps, and every file that is exported from it."""

    in_graph = False
    example_source = 'csv("rows.csv")'
    extra = "text"
    takes = "texts"
    learns = ("tokenizer",)
    learned = "text"
    stands_for = "tokens"
    makes_stream = True

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind == "turns":
            return ItemType(kind="record", members={"ids": _IDS, "labels": _IDS})
        if item.kind == "stream" and item.dtype == "i64":
            return _STREAM
        if item.kind not in ("text", "column"):
            raise Unsuited("a text")
        return _IDS

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return None


class Bpe(_Tokens):
    """Byte-pair tokens: `train = n` learns n of them from the train split, or a `tokenizer.json` has them. `bos` and `eos` are ids
    added before and after every text.

    Of those that are learned, 0 is padding, and tokens start after `bos` and `eos`, at least at 2, or at `first`: the 256 bytes,
    then the most frequent pairs. A text comes back from its tokens as it was. Of a stream of characters they make a stream of tokens.
    """

    path: Path | None = None
    train: Count | None = None
    bos: int | None = None
    eos: int | None = None
    first: int | None = None

    example = "x: i64[T <= 40] = source.text -> bpe(train = 1000) -> truncate(40) -> pad(0)"

    @classmethod
    def first_token(cls, args: Mapping[str, Any]) -> int:
        """The number of the first byte, where they are learned."""
        return Vocab.first_word(args)

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if (args["path"] is None) == (args["train"] is None):
            return "give one of `train = 8000`, the number of tokens to learn, and the path of a `tokenizer.json`"
        if args["path"] is not None:
            return (
                "`first` is for tokens that are learned: those of a file have their numbers" if args["first"] else None
            )
        for name in ("bos", "eos", "first"):
            if args[name] is not None and args[name] < 2:
                return f"`{name}` must be at least 2: 0 is padding and 1 is left free"
        for name in ("bos", "eos"):
            if args["first"] is not None and args[name] is not None and args[name] >= args["first"]:
                return f"`{name} = {args[name]}` is the number of a byte: tokens start at {args['first']}"
        least = cls.first_token(args) + BYTES
        if args["train"] < least:
            return (
                f"`train` must be at least {least}: every byte is a token, and these start at {cls.first_token(args)}"
            )
        return None


class Wordpiece(_Tokens):
    """WordPiece tokens, as BERT has them, in lower case: `train = n` learns n of them from the train split, or a vocabulary file has
    them, one a line. `[CLS]` is added before a text and `[SEP]` after it; `pairs`: two texts with segment ids (`.ids`,
    `.segments`). Of those that are learned 0 to 4 are `[PAD]`, `[UNK]`, `[CLS]`, `[SEP]` and `[MASK]`."""

    path: Path | None = None
    train: Count | None = None
    max: Count = 512
    pairs: bool = False

    joins = True
    example = "x: i64[T <= 128] = source.text -> wordpiece(train = 2000, max = 128) -> pad(0)"

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind == "record" and (not args["pairs"] or list(item.members) != ["first", "second"]):
            raise Unsuited("a text, or with `pairs = true` two: `(source.a, source.b)`")
        if item.kind not in ("text", "column", "record"):
            raise Unsuited("a text")
        return ItemType(kind="record", members={"ids": _IDS, "segments": _IDS}) if args["pairs"] else _IDS

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        if (args["path"] is None) == (args["train"] is None):
            return "give one of `train = 8000`, the number of tokens to learn, and the path of a vocabulary file"
        return None


class Tokenizer(_Tokens):
    """Tokens of a tokenizer from elsewhere: a `tokenizer.json` of the library `tokenizers`, or a `.model` of SentencePiece. `bos`
    and `eos` are ids added before and after every text. The run and exported files keep a copy."""

    path: Path
    bos: int | None = None
    eos: int | None = None

    example = 'x: i64[T <= 40] = source.text -> tokenizer("tokenizer.json", eos = 2) -> truncate(40) -> pad(0)'


class Chat(Transform):
    """The turns of a chat as one text by a template, for a tokenizer that marks what the model has to answer: of
    `source.messages` (lists of `{"role": .., "content": ..}`) or of a question and its answer, `(source.prompt, source.answer)`.

    `turn` is written for each turn with `{role}` and `{content}` in it; `<|..|>` in it are tokens of their own, which no text of
    a user can write. The tokenizer behind it gives `.ids` and `.labels`, which are -100 but for what follows `{content}` and
    what it stands for in turns of the role `answers`.
    """

    turn: str = "<|im_start|>{role}\n{content}<|im_end|>\n"
    answers: str = "assistant"

    in_graph = False
    example_source = 'jsonl("rows.jsonl")'
    takes = "texts"
    joins = True
    example = (
        "let talk = source.messages -> chat -> bpe(train = 1000) -> truncate(129)\n"
        "x: i64[T <= 128] = talk.ids[:-1] -> pad(0)\n"
        "y: i64[T <= 128] = talk.labels[1:] -> pad(-100)"
    )

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        pair = item.kind == "record" and list(item.members) == ["first", "second"]
        if not pair and item.kind not in ("text", "column"):
            raise Unsuited(
                "messages (`source.messages`), or a question and its answer (`(source.prompt, source.answer)`)"
            )
        return ItemType(kind="turns")

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        turn = args["turn"]
        if turn.count("{content}") != 1 or turn.count("{role}") > 1:
            return "`turn` must have `{content}` once, and `{role}` at most once"
        if turn.find("{role}") > turn.find("{content}"):
            return "`{role}` must come before `{content}`: a model answers behind its role"
        if not turn.split("{content}")[1]:
            return "`turn` must end with something behind `{content}`, such as `<|im_end|>`: it ends an answer"
        return None


class Concat(Transform):
    """The tokens of all records of a split, one after another in their order, as a stream to cut windows from; `eos` of the
    tokenizer marks where a record ends."""

    in_graph = False
    example_source = 'jsonl("rows.jsonl")'
    takes = "stream"
    makes_stream = True
    keeps_words = True
    example = (
        "let part = source.text -> bpe(train = 1000, eos = 2) -> concat -> random_window(65)\n"
        "x: i64[64] = part[:-1]\n"
        "y: i64[64] = part[1:]"
    )

    @classmethod
    def infer(cls, item: ItemType, args: dict[str, Any]) -> ItemType:
        if item.kind != "tensor" or item.dtype != "i64" or item.shape is None or len(item.shape) != 1:
            raise Unsuited("tokens: one sequence a record")
        return _STREAM

    @classmethod
    def inverse(cls, item: ItemType, args: Mapping[str, Any], learned: Mapping[str, Any]) -> tuple[Undo, ...] | None:
        return ()
