"""The metadata of an exported file: text from elsewhere, read entry by entry.

Whatever does not have the form that `dlc export` writes is a message that names the entry, never an exception of Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from ...compiler.analysis.meaning import Kind
from ...compiler.ir.record import field
from ...compiler.sizes.dims import Size, from_text
from ..data.arrays.batches import InputPipeline
from ..data.tokenizing import Unusable
from ..failure import BadInput, Damaged, damaged
from ..forms import (
    FiniteFloat,
    Form,
    FormReader,
    NonNegativeInt,
    NotOfForm,
    Numbers,
    PositiveInt,
    Verified,
    is_plain_name,
)
from . import pipeline
from .answers import Answer
from .columns import InputColumns
from .key_values import KeyValues
from .ports import Port
from .prompts import PromptWriter, Tokens

T = TypeVar("T")
LONGEST_SIZE = 2000  # characters
AGAIN = "export the model again, or get the file again from where it came"


def _size(text: int | str) -> int | str:
    if len(str(text)) > LONGEST_SIZE:
        raise ValueError("too long for a size")
    _read(text)
    return text


def _read(text: int | str) -> Size:
    return from_text(int(text) if isinstance(text, str) and text.removeprefix("-").isdecimal() else text)


class Requirement(Form):
    """`left op right`, over the sizes of the inputs."""

    left: Annotated[int | str, Verified(_size)]
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    right: Annotated[int | str, Verified(_size)]
    text: str
    message: str | None = None

    @property
    def sides(self) -> tuple[Size, Size]:
        return _read(self.left), _read(self.right)


class SizeFacts(Form):
    """Least and most of sizes, what they are multiples of, and what they must satisfy."""

    bounds: dict[str, tuple[NonNegativeInt, PositiveInt | None]] = field(default_factory=dict)
    divisors: dict[str, PositiveInt] = field(default_factory=dict)
    requirements: tuple[Requirement, ...] = ()


class _Answer(Form):
    kind: Kind
    field: str = ""
    axis: int = -1
    scale: FiniteFloat = 1.0
    shift: FiniteFloat = 0.0
    why: str = ""
    classes: tuple[str, ...] | None = None
    undo: tuple[
        tuple[Literal["affine"], Numbers, Numbers] | tuple[Literal["expm1"]],
        ...,
    ] = ()
    shape: tuple[NonNegativeInt | None, ...] | None = None
    separator: str = ""


class _Columns(Form):
    names: tuple[str, ...]
    fills: bool


class _Cached(Form):
    length: str
    past: str


_FACTS = FormReader(SizeFacts)
_ANSWERS = FormReader(dict[str, _Answer])
_CACHED: FormReader[_Cached | None] = FormReader(_Cached | None)
_COLUMNS = FormReader(dict[str, _Columns])
_TOKENS: FormReader[Tokens | None] = FormReader(Tokens | None)
_VOCABULARY = FormReader(dict[str, list[str]])


class FileFacts:
    """The entries of a file's metadata that have a form. Reading one that has another raises Damaged."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        self.path, self.metadata = path, metadata

    def sizes(self) -> SizeFacts:
        return self._read("dlc.facts", _FACTS, SizeFacts())

    def answers(self) -> dict[str, Answer]:
        """What each output stands for."""
        found = self._read("dlc.outputs", _ANSWERS, {})
        return {name: Answer(**vars(said)) for name, said in found.items()}

    def cached(self, inputs: Sequence[Port], outputs: Sequence[Port]) -> KeyValues | None:
        """What the file keeps from step to step; None for one that computes whole sequences."""
        about = self._read("dlc.cached", _CACHED, None)
        if about is None:
            return None
        ports = tuple(port for port in inputs if port.name.startswith("past_key_values."))
        pairs = {port.name.replace("past_key_values.", "present.", 1): port.name for port in ports}
        made = {port.name for port in outputs}
        if not pairs or not pairs.keys() <= made or any(axis is None for port in ports for axis in port.shape):
            raise self.refuse("dlc.cached", "does not fit the inputs and outputs of the graph")
        return KeyValues(about.length, about.past, pairs, ports)

    def columns(self) -> dict[str, InputColumns]:
        """The columns of a table that an input is from, by input."""
        found = self._read("dlc.columns", _COLUMNS, {})
        return {name: InputColumns(said.names, said.fills) for name, said in found.items()}

    def pipeline(self, inputs: Sequence[Port]) -> InputPipeline | None:
        """What leads from raw records to the inputs; None where the file does not hold it."""
        text = self.metadata.get("dlc.data")
        if not text:
            return None
        try:
            return pipeline.read(text, [port.name for port in inputs])
        except pipeline.NotAPipeline as reason:
            raise self.refuse("dlc.data", str(reason)) from None

    def vocabulary(self) -> dict[str, list[str]]:
        """What the token numbers of an input stand for, by input."""
        return self._read("dlc.vocabulary", _VOCABULARY, {})

    def tokens(self) -> Tokens | None:
        """What the tokens of a file that generates are made by; None where it does not hold that."""
        return self._read("dlc.tokenizer", _TOKENS, None)

    def writer(self, tokens: Tokens) -> PromptWriter:
        try:
            return PromptWriter(tokens)
        except ImportError:
            raise BadInput(
                "the tokenizer of this model needs `tokenizers`, which is not installed",
                helps=('pip install "dlc[text]"',),
            ) from None
        except Unusable as why:
            raise self.refuse("dlc.tokenizer", f"cannot be used: {why}") from None

    def plain_name(self, entry: str) -> str | None:
        """The name of a file next to the model, which is all that an entry may name."""
        name = self.metadata.get(entry)
        if name is not None and not is_plain_name(name):
            raise self.refuse(entry, "is not the name of a file in the same folder")
        return name

    def refuse(self, entry: str, why: str) -> Damaged:
        return damaged(self.path, f"its metadata entry `{entry}` {why}", AGAIN)

    def _read(self, entry: str, form: FormReader[T], default: T) -> T:
        text = self.metadata.get(entry)
        if text is None:
            return default
        try:
            return form.read(text)
        except NotOfForm as error:
            raise self.refuse(entry, f"cannot be read {error}") from None
