"""Transforms of texts to tokens by a tokenizer, and of chats."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ....compiler.catalogue.transforms.tokens import MARK
from .. import mistakes, tokenizing
from ..tokenizing import LibraryTokenizer, Unusable
from .shapes import packed
from .text_use import TextUse

Arrays: TypeAlias = "NDArray[Any] | list[NDArray[Any]]"

#: The tokens of records become a stream where the data is opened (`token_streams`).
concat = None


class TurnPiece(NamedTuple):
    """Part of a turn: a mark of the template, or text. The model learns to write an `answer`."""

    text: str
    answer: bool
    mark: bool


def bpe(texts: Sequence[Any], use: TextUse) -> Any:
    """Tokens of texts; of the turns of chats also which of them are answers."""
    if len(texts) and isinstance(texts[0], list):
        return _turns(texts, use)
    found = _guarded(use, tokenizing.of_node(use.node, use.fitted), lambda made: made.encode(list(texts)))
    before, after = _ends(use)
    if not len(before) and not len(after):
        return packed(found)
    return packed([np.concatenate((before, item, after)) for item in found])


tokenizer = bpe


def _ends(use: TextUse) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first, last = ([] if use.args.get(name) is None else [use.args[name]] for name in ("bos", "eos"))
    return np.array(first, np.int64), np.array(last, np.int64)


def _guarded(use: TextUse, made: LibraryTokenizer, call: Callable[[LibraryTokenizer], Any]) -> Any:
    try:
        return call(made)
    except Unusable as why:
        raise mistakes.tokenizer_unusable(use.node.span, use.node.op, str(why)) from None


def wordpiece(value: Any, use: TextUse) -> Any:
    made = tokenizing.of_node(use.node, use.fitted)
    if isinstance(value, dict):
        pairs = list(zip(value["first"], value["second"], strict=True))
        found = _guarded(use, made, lambda made: made.encode_pairs(pairs))
        return {name: packed([item[i] for item in found]) for i, name in enumerate(("ids", "segments"))}
    ids = packed(_guarded(use, made, lambda made: made.encode(list(value), marks=True)))
    if not use.args["pairs"]:
        return ids
    return {"ids": ids, "segments": np.zeros_like(ids) if isinstance(ids, np.ndarray) else [0 * item for item in ids]}


# ---- chats ----------------------------------------------------------------------------------------------------------------


def chat(value: Any, use: TextUse) -> list[list[TurnPiece]]:
    """The turns of each record, laid out."""
    if isinstance(value, dict):
        turns = [
            [("user", one), (use.args["answers"], other)]
            for one, other in zip(value["first"], value["second"], strict=True)
        ]
    else:
        turns = [_messages(text, use, at) for at, text in enumerate(value)]
    return [laid_out(each, use.args["turn"], use.args["answers"]) for each in turns]


def laid_out(turns: Sequence[tuple[str, str]], template: str, answers: str) -> list[TurnPiece]:
    """Turns by the template: what is between its places is marks and text, what is filled in is text."""
    before, after = template.split("{content}")
    found: list[TurnPiece] = []
    for role, content in turns:
        found += _opened(before, role)
        found.append(TurnPiece(content, role == answers, False))
        found += _marked(after, answer=role == answers)
    return joined(found)


def opened(template: str, role: str) -> list[TurnPiece]:
    """A turn that begins, as far as it is known before its content."""
    return joined(_opened(template.split("{content}")[0], role))


def _opened(before: str, role: str) -> list[TurnPiece]:
    begin, *rest = before.split("{role}")
    found = _marked(begin, answer=False)
    return [*found, *(part for each in rest for part in (TurnPiece(role, False, False), *_marked(each, answer=False)))]


def _marked(text: str, *, answer: bool) -> list[TurnPiece]:
    found: list[TurnPiece] = []
    at = 0
    for mark in MARK.finditer(text):
        found += [TurnPiece(text[at : mark.start()], answer, False), TurnPiece(mark[0], answer, True)]
        at = mark.end()
    return [*found, TurnPiece(text[at:], answer, False)]


def joined(pieces: Sequence[TurnPiece]) -> list[TurnPiece]:
    """Without empty pieces, and with texts next to each other as one, but for where an answer begins or ends."""
    found: list[TurnPiece] = []
    for piece in pieces:
        if not piece.text:
            continue
        if found and not piece.mark and found[-1][1:] == piece[1:]:
            found[-1] = found[-1]._replace(text=found[-1].text + piece.text)
        else:
            found.append(piece)
    return found


def _messages(text: str, use: TextUse, at: int) -> list[tuple[str, str]]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    turns = found if isinstance(found, list) and found else [None]
    said: list[tuple[str, str]] = []
    for turn in turns:
        role, content = (turn.get("role"), turn.get("content")) if isinstance(turn, dict) else (None, None)
        if not isinstance(role, str) or not isinstance(content, str):
            raise mistakes.not_messages(use.node.span, use.place(at), use.columns)
        said.append((role, content))
    return said


def _turns(records: Sequence[list[TurnPiece]], use: TextUse) -> dict[str, Arrays]:
    made = tokenizing.of_node(use.node, use.fitted, plain=True)
    texts = [piece.text for pieces in records for piece in pieces if not piece.mark or made.number(piece.text) is None]
    tokens = iter(_guarded(use, made, lambda made: made.encode(texts)))
    before, after = _ends(use)
    ids: list[NDArray[np.int64]] = []
    labels: list[NDArray[np.int64]] = []
    for pieces in records:
        found = [before, *(_tokens(piece, made, tokens) for piece in pieces), after]
        shown = [False, *(piece.answer for piece in pieces), pieces[-1].answer]
        ids.append(np.concatenate(found))
        labels.append(
            np.concatenate([part if on else np.full_like(part, -100) for part, on in zip(found, shown, strict=True)])
        )
    return {"ids": packed(ids), "labels": packed(labels)}


def _tokens(piece: TurnPiece, made: LibraryTokenizer, tokens: Any) -> NDArray[np.int64]:
    number = made.number(piece.text) if piece.mark else None
    return next(tokens) if number is None else np.array([number], np.int64)
