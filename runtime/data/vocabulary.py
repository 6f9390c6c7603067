"""What the numbers of a token field stand for, and texts from numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

from ...compiler.catalogue import transforms
from ...compiler.catalogue.transforms.text import Vocab
from ...compiler.dataclass import dataclass
from ...compiler.ir.data import DataNode, DataSet
from . import tokenizing
from .tokenizing import LibraryTokenizer

UNKNOWN = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Vocabulary:
    """`names` by number, or a `tokenizer`; `silent` are numbers that stand for no text (padding, the mark before a text), `end` the
    mark behind one."""

    names: tuple[str, ...]
    separator: str = ""
    silent: frozenset[int] = frozenset()
    end: int | None = None
    tokenizer: LibraryTokenizer | None = None

    def name(self, number: int) -> str | None:
        """The text of one token, of marks too; None for a number that stands for none."""
        if self.tokenizer is not None:
            return self.tokenizer.name(number)
        return self.names[number] if 0 <= number < len(self.names) else None

    def is_silent(self, number: int) -> bool:
        """Whether a token is a mark, without a text of its own."""
        return self.tokenizer.is_mark(number) if self.tokenizer is not None else number in self.silent

    def byte_lengths(self) -> Sequence[int] | None:
        """The bytes in UTF-8 of each token's text; None where the text does not come back from its tokens. What the train part does not
        have counts as one byte."""
        if self.tokenizer is not None:
            return self.tokenizer.byte_lengths()
        if self.separator == " ":
            return None
        texts = (name + self.separator for name in self.names)
        lengths = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
        for mark in {*self.silent, self.end} - {None}:
            lengths[mark] = 0
        return [*lengths, 1]

    def text(self, numbers: Iterable[int]) -> str:
        """The text of these numbers, up to its end mark."""
        if self.tokenizer is not None:
            return self.tokenizer.decode(takewhile(lambda number: number != self.end, numbers))
        found: list[str] = []
        for number in numbers:
            if number == self.end:
                break
            if number not in self.silent:
                found.append(self.names[number] if number < len(self.names) else UNKNOWN)
        return self.separator.join(found)


def words_of(section: DataSet, field: str) -> DataNode:
    """The node that the numbers of a field are from, where what follows keeps what they stand for."""
    node = section.node(section.field(field).node)
    while transforms.of(node.op).keeps_words:
        node = section.node(node.inputs[-1])
    return node


def labels_of(section: DataSet, field: str, fitted: Mapping[int, Mapping[str, Any]]) -> Sequence[str] | None:
    """The names of the numbers of a vector, each of which is a label that may be there; None for any other field."""
    node = words_of(section, field)
    return fitted[node.id]["names"] if transforms.of(node.op).stands_for == "labels" and node.id in fitted else None


def of_field(section: DataSet, field: str, fitted: Mapping[int, Mapping[str, Any]]) -> Vocabulary | None:
    """The vocabulary of a field of fitted `vocab`, of a tokenizer, or of the characters (or lines) of a text; None for any other."""
    node = words_of(section, field)
    if node.id not in fitted:
        return None
    if transforms.of(node.op).stands_for == "words":
        return _of_words(section, node, fitted[node.id]["words"])
    if transforms.of(node.op).stands_for == "tokens":
        return Vocabulary((), end=node.args.get("eos"), tokenizer=tokenizing.of_node(node, fitted[node.id]))
    if node.op == "source" and "names" in fitted[node.id]:
        line = section.source.args.get("unit") == "line"
        return Vocabulary(tuple(fitted[node.id]["names"]), "\n" if line else "")
    return None


def _of_words(section: DataSet, node: DataNode, words: list[str]) -> Vocabulary:
    bos, eos = node.args.get("bos"), node.args.get("eos")
    marks = {0: "<pad>", 1: UNKNOWN, bos: "<bos>", eos: "<eos>"}
    first = Vocab.first_word(node.args)
    below = node
    while transforms.of(below.op).separator is None:
        below = section.node(below.inputs[0])
    return Vocabulary(
        (*(marks.get(number, f"<{number}>") for number in range(first)), *words),
        transforms.of(below.op).separator or "",
        frozenset(number for number in (0, bos) if number is not None),
        eos,
    )
