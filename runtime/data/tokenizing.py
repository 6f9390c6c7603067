"""Tokenizers: read from a file, learned from texts, and kept with a run as the text of a `tokenizer.json`. Works without torch.

All of them run in the library `tokenizers`. A tokenizer may come from elsewhere, so whatever the library reports of one is a reason, also
where it panics.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, lru_cache
from itertools import chain, pairwise, repeat
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...compiler.catalogue.transforms.tokens import BYTES, Bpe
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataNode
from ...compiler.messages.source import Span
from . import mistakes, sentencepiece, tokenizer_limits
from .sources.split_files import read_bytes, text_of

S = TypeVar("S")
T = TypeVar("T")

MODEL = ".model"  # the ending of a model of SentencePiece
BATCH = 1 << 22  # characters that are given to the library at a time
AT_ONCE = 1 << 12  # words of one kind in a line that BPE counts
#: Where a text is cut before it is tokenized by a tokenizer that was learned: no token goes across, and pieces are worked on at once.
_LINE = re.compile(r"[^\n]*\n+(?=\S)|[^\n]+\n*|\n+")
_BYTE = re.compile(r"<0x[0-9A-Fa-f]{2}>")
WORDPIECE_MARKS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


class Unusable(Exception):
    """The library cannot use a tokenizer; the text is the reason."""


def guarded(call: Callable[[], T]) -> T:
    try:
        return call()
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 - where the library panics, it raises what is not an `Exception`
        raise Unusable(mistakes.first_line(error)) from None


@dataclass(frozen=True)
class LibraryTokenizer:
    """One of the library."""

    made: Any

    def encode(self, texts: Sequence[str], *, marks: bool = False) -> list[NDArray[np.int64]]:
        """The tokens of each text; with `marks` also those that its tokenizer adds (`[CLS]`). Raises Unusable."""
        found: list[NDArray[np.int64]] = []
        encode = lambda batch: guarded(lambda: self.made.encode_batch_fast(batch, add_special_tokens=marks))
        for encoded in _ahead(encode, _batches(texts)):
            ids = [item.ids for item in encoded]
            ends = np.cumsum([len(each) for each in ids]).tolist()
            whole = np.fromiter(chain.from_iterable(ids), np.int64, ends[-1] if ends else 0)
            found += [whole[start:end] for start, end in pairwise([0, *ends])]
        return found

    def encode_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Tokens and segments of pairs of texts, with the marks between them. Raises Unusable."""
        encoded = guarded(lambda: self.made.encode_batch(list(pairs)))
        return [(np.array(item.ids, np.int64), np.array(item.type_ids, np.int64)) for item in encoded]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of tokens, without marks; "" for numbers that stand for no token. Raises Unusable."""
        size = self.size
        return guarded(lambda: self.made.decode([n for n in numbers if 0 <= n < size], skip_special_tokens=True))

    def number(self, token: str) -> int | None:
        """The number of a token by its name."""
        found = self.made.token_to_id(token)
        return found if found is not None else self.made.token_to_id(sentencepiece.HIDDEN + token)

    def name(self, number: int) -> str | None:
        """The text of one token: of a mark its name, of a part of a character what cannot be shown. None for no token. Raises
        Unusable."""
        if not 0 <= number < self.size:
            return None
        if self.is_mark(number):
            return self.made.id_to_token(number)
        return guarded(lambda: self.made.decode([number], skip_special_tokens=False))

    def is_mark(self, number: int) -> bool:
        return number in self._marks

    @cached_property
    def _marks(self) -> frozenset[int]:
        added = self.made.get_added_tokens_decoder()
        return frozenset(number for number, token in added.items() if token.special)

    def byte_lengths(self) -> list[int] | None:
        """The bytes in UTF-8 of each token's text, by its number, one for what is unknown; None where the tokenizer does not give texts
        back (WordPiece)."""
        kept = json.loads(self.made.to_str())
        steps = kept["decoder"] or {}
        kinds = {step["type"] for step in steps.get("decoders", [steps]) if "type" in step}
        if not kinds & {"ByteLevel", "Metaspace", "ByteFallback"}:
            return None
        unknown = kept["model"].get("unk_id"), kept["model"].get("unk_token")
        lengths = [0] * self.size
        for token, number in self.made.get_vocab(with_added_tokens=True).items():
            if self.is_mark(number) or token.startswith(sentencepiece.HIDDEN):
                continue
            if number == unknown[0] or token == unknown[1]:
                lengths[number] = 1
            elif "ByteLevel" in kinds:  # a character stands for a byte
                lengths[number] = len(token)
            else:
                text = token.replace(sentencepiece.SPACE, " ")
                lengths[number] = 1 if _BYTE.fullmatch(token) else len(text.encode("utf-8", "surrogatepass"))
        return lengths

    @cached_property
    def size(self) -> int:
        """One more than the largest number of a token."""
        return max(self.made.get_vocab(with_added_tokens=True).values(), default=-1) + 1


def _batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in pieces that the library works on at once, without holding more than is needed of what it makes of them."""
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text) + 64
        if size >= BATCH:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _ahead(function: Callable[[S], T], items: Iterator[S]) -> Iterator[T]:
    """A function of items, each computed while what it gave for the one before is used."""
    first, second = next(items, None), next(items, None)
    if first is None:
        return
    if second is None:
        yield function(first)
        return
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(function, first)
        for item in chain([second], items):
            coming = pool.submit(function, item)
            yield waiting.result()
            waiting = coming
        yield waiting.result()


def pieces(text: str) -> list[str]:
    """A text cut behind line ends."""
    return _LINE.findall(text)


# ---- as it is kept --------------------------------------------------------------------------------------------------------


def of_node(node: DataNode, fitted: Mapping[str, Any], *, plain: bool = False) -> LibraryTokenizer:
    """The tokenizer of a node of a data section, `plain` or as its path decides. Raises Failed where it cannot be used."""
    _need(node.op, node.span)
    try:
        return loaded(fitted["tokenizer"], plain or is_plain(node.args.get("path")), node.args.get("max"))
    except Unusable as why:
        raise mistakes.tokenizer_unusable(node.span, node.op, str(why)) from None


def is_plain(path: str | None) -> bool:
    """Whether what looks like a mark in a text (`<|im_end|>`) is text: for all but the marks that a `tokenizer.json` defines."""
    return path is None or path.endswith(MODEL)


@lru_cache(maxsize=8)
def loaded(text: str, plain: bool, most: int | None = None) -> LibraryTokenizer:
    """A tokenizer from the text of its `tokenizer.json`, its texts cut to `most` tokens. It is not changed any more: threads share it.
    Raises Unusable."""
    from tokenizers import Tokenizer as Library

    why = tokenizer_limits.wrong(text)
    if why is not None:
        raise Unusable(why)
    made = guarded(lambda: Library.from_str(text))
    made.no_padding()  # a file may ask for any length
    made.no_truncation()
    if most is not None:
        guarded(lambda: made.enable_truncation(most))
    made.encode_special_tokens = plain
    return LibraryTokenizer(made)


def _need(op: str, span: Span) -> None:
    try:
        import tokenizers as _  # noqa: F401
    except ImportError:
        raise mistakes.extra_missing(span, f"`{op}`", "text", "tokenizers") from None


def of_file(op: str, path: Path, span: Span) -> str:
    """The tokenizer of a file: a `tokenizer.json`, a model of SentencePiece, or for `wordpiece` a vocabulary. Raises Failed."""
    _need(op, span)
    content = read_bytes(path, span)
    try:
        if path.suffix == MODEL:
            model = sentencepiece.read(content)
            made = guarded(lambda: sentencepiece.tokenizer(model))
        elif op == "wordpiece":
            names = text_of(content, path, span).replace("\r\n", "\n").rstrip("\n").split("\n")
            made = guarded(lambda: _wordpiece({name: number for number, name in enumerate(names)}))
        else:
            text = text_of(content, path, span)
            made = loaded(text, False).made
    except (Unusable, sentencepiece.NotAModel) as why:
        what = "a model of SentencePiece" if path.suffix == MODEL else "a tokenizer"
        raise mistakes.not_of_format(span, path, what, str(why)) from None
    return made.to_str()


# ---- learned --------------------------------------------------------------------------------------------------------------


def learn_bpe(texts: Iterable[str], marks: Sequence[str], args: Mapping[str, Any]) -> str:
    """Byte-pair tokens learned from texts: the same for the same texts. `marks` are tokens of their own."""
    from tokenizers import Tokenizer as Library
    from tokenizers import decoders, models, pre_tokenizers, trainers

    first = Bpe.first_token(args)
    names = {0: "<|pad|>", 1: "<|unk|>", args["bos"]: "<|bos|>", args["eos"]: "<|eos|>"}
    special = [*(names.get(number, f"<|{number}|>") for number in range(first)), *marks]
    made = Library(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=max(args["train"], len(special) + BYTES),
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=tokenizer_limits.LONGEST,
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    return made.to_str()


def learn_wordpiece(texts: Iterable[str], size: int) -> str:
    """WordPiece tokens learned from texts: the same for the same texts.

    The trainer of the library numbers characters inside of words in the order of a hash table, another one in every process. So
    characters inside of words are written as others that no text has, and byte pairs of these are learned, whose numbers are in order.
    """
    from tokenizers import Tokenizer as Library
    from tokenizers import models, normalizers, pre_tokenizers, trainers

    normalize = normalizers.BertNormalizer(lowercase=True).normalize_str
    cut = pre_tokenizers.BertPreTokenizer().pre_tokenize_str
    words: Counter[str] = Counter()
    for text in texts:
        words.update(word for word, _ in cut(normalize(text)))
    characters = sorted({character for word in words for character in word})
    taken = set(characters)
    free = (chr(code) for code in chain(range(0xE000, 0xF900), range(0xF0000, 0x110000)))
    inner = dict(zip(characters, (c for c in free if c not in taken), strict=False))
    outer = {code: f"##{character}" for character, code in inner.items()}
    made = Library(models.BPE())
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    longest = tokenizer_limits.LONGEST - len("##")
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(WORDPIECE_MARKS), max_token_length=longest, show_progress=False
    )
    made.train_from_iterator(_lines({_inside(word, inner): words[word] for word in sorted(words)}), trainer)
    vocabulary = {_outside(token, outer): number for token, number in made.get_vocab().items()}
    return _wordpiece(vocabulary).to_str()


def _inside(word: str, inner: Mapping[str, str]) -> str:
    return word[0] + "".join(inner.get(character, character) for character in word[1:])


def _outside(token: str, outer: Mapping[str, str]) -> str:
    begun = outer.get(token[0], token[0])
    return begun + "".join(outer.get(character, character).removeprefix("##") for character in token[1:])


def _lines(words: Mapping[str, int]) -> Iterator[str]:
    """Each word as often as it occurs."""
    for word, count in words.items():
        yield from repeat(" ".join([word] * AT_ONCE), count // AT_ONCE)
        yield " ".join([word] * (count % AT_ONCE))


def _wordpiece(vocabulary: dict[str, int]) -> Any:
    """The tokenizer of BERT, uncased, with this vocabulary."""
    from tokenizers import BertWordPieceTokenizer, Tokenizer

    lacking = [mark for mark in ("[UNK]", "[SEP]", "[CLS]") if mark not in vocabulary]
    if lacking:
        raise Unusable(f"it has no `{lacking[0]}`")
    made = BertWordPieceTokenizer(vocabulary)
    return Tokenizer.from_str(made.to_str())
