"""Prompts as tokens, and tokens as text while they are generated, by the tokenizer of an exported file. Works without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms.tokens import MARK, Chat
from ...compiler.ir.data import DataSet
from ..data import tokenizing, vocabulary
from ..data.arrays.batches import InputPipeline
from ..data.arrays.tokens import TurnPiece, laid_out, opened
from ..data.tokenizing import LibraryTokenizer, Unusable
from ..forms import Form, NonNegativeInt


class Tokens(Form):
    """How tokens of a model are written and read (`dlc.tokenizer`): a `tokenizer.json`, what is before and behind a text, and of a model
    of chats its template."""

    tokenizer: str
    plain: bool = True
    lines: bool = False
    bos: NonNegativeInt | None = None
    eos: NonNegativeInt | None = None
    turn: str | None = None
    answers: str = ""


def of_field(section: DataSet, field: str, fitted: Mapping[int, Mapping[str, Any]]) -> Tokens | None:
    """The tokens of a field; None where no tokenizer makes them."""
    node = vocabulary.words_of(section, field)
    if not node.inputs or transforms.of(node.op).stands_for != "tokens" or node.id not in fitted:
        return None
    below = section.node(node.inputs[0])
    talk = below.args if below.type.kind == "turns" else {}
    path = node.args.get("path")
    return Tokens(
        tokenizer=fitted[node.id]["tokenizer"],
        plain=tokenizing.is_plain(path),
        lines=node.type.kind == "stream" and path is None,
        bos=node.args.get("bos"),
        eos=node.args.get("eos"),
        turn=talk.get("turn"),
        answers=talk.get("answers", ""),
    )


def of_pipeline(pipeline: InputPipeline, port: str) -> Tokens | None:
    """The tokens of an input of a file that holds its data section."""
    return of_field(pipeline.section, pipeline.fields[port], pipeline.fitted) if port in pipeline.fields else None


class PromptWriter:
    """Texts and tokens of one sequence. Raises Unusable for a tokenizer that the library cannot use."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.tokenizer: LibraryTokenizer = tokenizing.loaded(tokens.tokenizer, tokens.plain or tokens.turn is not None)
        if tokens.turn is not None and Chat.check({"turn": tokens.turn, "answers": tokens.answers}) is not None:
            raise Unusable("its template is damaged")
        self.written: list[int] = []  # tokens whose text may depend on what follows: a character of several bytes
        self.shown = ""

    def read(self, text: str) -> list[int]:
        """The tokens of a prompt: of a model of chats that of a user, and the beginning of its answer."""
        found = self._encode(text)
        return found if self.tokens.bos is None else [self.tokens.bos, *found]

    def _encode(self, text: str) -> list[int]:
        turn = self.tokens.turn
        if turn is not None:
            pieces = [*laid_out([("user", text)], turn, self.tokens.answers), *opened(turn, self.tokens.answers)]
            return [number for piece in pieces for number in self._piece(piece)]
        texts = tokenizing.pieces(text) if self.tokens.lines else [text]
        return np.concatenate([np.zeros(0, np.int64), *self.tokenizer.encode(texts)]).tolist()

    def _piece(self, piece: TurnPiece) -> list[int]:
        number = self.tokenizer.number(piece.text) if piece.mark else None
        return self.tokenizer.encode([piece.text])[0].tolist() if number is None else [number]

    def write(self, token: int) -> str:
        """What one more token adds to the text; "" where a character is not complete yet."""
        self.written.append(token)
        text = self.tokenizer.decode(self.written)
        if text.endswith("\N{REPLACEMENT CHARACTER}"):
            return ""
        new = text[len(self.shown) :]
        self.written = self.written[-1:]
        self.shown = self.tokenizer.decode(self.written)
        return new

    def ends(self, token: int) -> bool:
        """Whether a token is the end of a text, or of an answer."""
        if token == self.tokens.eos:
            return True
        if self.tokens.turn is None:
            return False
        marks = MARK.findall(self.tokens.turn.split("{content}")[1])
        return any(self.tokenizer.number(mark) == token for mark in marks)
