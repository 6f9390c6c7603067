"""What tokenizers learn from the train split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..arrays.tokens import TurnPiece
from ..tokenizing import learn_bpe, learn_wordpiece
from .number import NothingToLearn


def fit_bpe(texts: Sequence[Any], args: Mapping[str, Any]) -> dict[str, Any]:
    turns: list[TurnPiece] = []
    if len(texts) and isinstance(texts[0], list):
        turns = [piece for pieces in texts for piece in pieces]
        texts = [piece.text for piece in turns if not piece.mark]
    marks = dict.fromkeys(piece.text for piece in turns if piece.mark)
    if not any(texts):
        raise NothingToLearn
    return {"tokenizer": learn_bpe(texts, list(marks), args)}


#: A tokenizer from elsewhere is read from its file (`fitting`).
fit_tokenizer = None


def fit_wordpiece(texts: Sequence[str], args: Mapping[str, Any]) -> dict[str, Any]:
    if not any(text.strip() for text in texts):
        raise NothingToLearn
    return {"tokenizer": learn_wordpiece(texts, args["train"])}
