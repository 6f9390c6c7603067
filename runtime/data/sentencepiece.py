"""A `.model` of SentencePiece as a tokenizer of the library `tokenizers`.

The file is a message in the format of protocol buffers, of which this reads what tokens depend on: the pieces with their scores and
kinds, and how a text is normalized before.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from ...compiler.dataclass import dataclass, field
from . import tokenizer_limits

UNKNOWN, CONTROL, USER, BYTE = 2, 3, 4, 6  # kinds of pieces; 1 is an ordinary one, 5 one that is not used
UNIGRAM, BPE = 1, 2
SPACE = "\u2581"
#: Before the names of control pieces of a unigram model, which else would be found in texts that have their names: `<s>`.
HIDDEN = "\0"


class NotAModel(ValueError):
    """The bytes are not a model of SentencePiece; the text is the reason."""


@dataclass
class PieceModel:
    """`pieces` are (text, score, kind) by number; `charsmap` is the table of the normalizer in SentencePiece's own form."""

    pieces: list[tuple[str, float, int]] = field(default_factory=list[tuple[str, float, int]])
    kind: int = UNIGRAM
    charsmap: bytes = b""
    dummy_prefix: bool = True
    remove_spaces: bool = True
    escape_spaces: bool = True
    suffix: bool = False


def read(content: bytes) -> PieceModel:
    """A model from the content of its file. Raises NotAModel."""
    found = PieceModel()
    for number, value in _fields(content):
        if number == 1 and isinstance(value, bytes):
            found.pieces.append(_piece(value))
        elif number == 2 and isinstance(value, bytes):
            trainer = dict(_fields(value))
            found.kind = trainer.get(3, UNIGRAM)
            found.suffix = bool(trainer.get(24, 0))
        elif number == 3 and isinstance(value, bytes):
            normalizer = dict(_fields(value))
            found.charsmap = normalizer.get(2, b"")
            found.dummy_prefix = bool(normalizer.get(3, 1))
            found.remove_spaces = bool(normalizer.get(4, 1))
            found.escape_spaces = bool(normalizer.get(5, 1))
    if not found.pieces:
        raise NotAModel("it has no pieces")
    if found.kind not in (UNIGRAM, BPE):
        raise NotAModel("its pieces are words or characters; unigram and BPE models are read")
    if found.suffix or not found.escape_spaces:
        raise NotAModel("it writes spaces in another way than before a word")
    if not isinstance(found.charsmap, bytes) or (found.charsmap and tokenizer_limits.wrong_table(found.charsmap)):
        raise NotAModel("its table of characters is damaged")
    if sum(kind == UNKNOWN for _, _, kind in found.pieces) != 1:
        raise NotAModel("it has no piece for what is unknown")
    return found


def _piece(content: bytes) -> tuple[str, float, int]:
    values = dict(_fields(content))
    text, score, kind = values.get(1, b""), values.get(2, b"\0\0\0\0"), values.get(3, 1)
    if not isinstance(text, bytes) or not isinstance(score, bytes) or len(score) != 4 or not isinstance(kind, int):
        raise NotAModel("a piece is damaged")
    try:
        name = text.decode("utf-8")
    except UnicodeDecodeError:
        raise NotAModel("a piece is not UTF-8") from None
    why = tokenizer_limits.wrong_token(name)
    if why is not None:
        raise NotAModel(why)
    return name, struct.unpack("<f", score)[0], kind


def _fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Numbers and values of the fields of a message: whole numbers, and bytes for all else."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(content, at)
        else:
            if kind == 2:
                length, at = _varint(content, at)
            elif kind in (1, 5):
                length = 8 if kind == 1 else 4
            else:
                raise NotAModel(f"byte {at} does not begin a field")
            value, at = content[at : at + length], at + length
            if at > len(content):
                raise NotAModel("it ends within a field")
        yield key >> 3, value


def _varint(content: bytes, at: int) -> tuple[int, int]:
    found = 0
    for shift in range(0, 70, 7):
        if at >= len(content):
            raise NotAModel("it ends within a number")
        byte = content[at]
        at += 1
        found |= (byte & 0x7F) << shift
        if byte < 0x80:
            return found, at
    raise NotAModel("a number has too many bytes")


def tokenizer(model: PieceModel) -> Any:
    """The same tokens by the library `tokenizers`."""
    from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers
    from tokenizers import Tokenizer as Made

    pieces = model.pieces
    unknown = next(number for number, (_, _, kind) in enumerate(pieces) if kind == UNKNOWN)
    by_bytes = any(kind == BYTE for _, _, kind in pieces)
    if model.kind == UNIGRAM:
        scores = [(HIDDEN + text if kind == CONTROL else text, score) for text, score, kind in pieces]
        made = Made(models.Unigram(scores, unk_id=unknown, byte_fallback=by_bytes))
    else:
        numbers = {text: number for number, (text, _, _) in enumerate(pieces)}
        name = pieces[unknown][0]
        made = Made(models.BPE(numbers, _merges(model), unk_token=name, fuse_unk=True, byte_fallback=by_bytes))
    for text, _, kind in pieces:
        if kind == USER or (kind == CONTROL and model.kind == BPE):
            made.add_tokens([AddedToken(text, special=kind == CONTROL, normalized=False)])
    steps: list[Any] = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.remove_spaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    if steps:
        made.normalizer = normalizers.Sequence(steps)
    across = any(SPACE in text[1:].lstrip(SPACE) for text, _, kind in pieces if kind == 1)
    scheme = "always" if model.dummy_prefix else "never"
    made.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme, split=not across)
    ends = [decoders.Strip(content=" ", left=1, right=0)] if model.dummy_prefix else []
    hidden = [decoders.Replace(Regex(f"{HIDDEN}.*"), "")] if model.kind == UNIGRAM else []
    steps = [*hidden, decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *ends]
    made.decoder = decoders.Sequence(steps)
    return made


def _merges(model: PieceModel) -> list[tuple[str, str]]:
    """The pairs that make up each piece, the best score first: what BPE merges in which order."""
    kept = {text: number for number, (text, _, kind) in enumerate(model.pieces) if kind in (1, USER)}
    found: list[tuple[float, int, int, str, str]] = []
    for text, score, kind in model.pieces:
        if kind != 1:
            continue
        for cut in range(1, len(text)):
            left, right = text[:cut], text[cut:]
            if left in kept and right in kept:
                found.append((-score, kept[left], kept[right], left, right))
    return [(left, right) for _, _, _, left, right in sorted(found)]
