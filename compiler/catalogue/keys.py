"""What a key of a section is, and the keys of one section."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from ..dataclass import dataclass

#: How a key is written: `name = value`, `name { .. }`, `name argument { .. }`.
Form: TypeAlias = Literal["key", "sub", "sub_for", "key or sub"]

REQUIRED = "required"
DURATION = "a duration in `epochs` or `steps`"
SELECTORS = 'selectors of parameters: `"glob"`, `Kind.weight`, `rank < 2`'


class Key(NamedTuple):
    """One key of a section. `default` is `REQUIRED`, the value that is taken when the key is left out, or words for it."""

    name: str
    takes: str
    default: str
    meaning: str
    example: str
    form: Form = "key"
    #: What other tools call it: for `batch_size = 64` the message names `batch`, and `dlc explain batch_size` finds it.
    elsewhere: tuple[str, ...] = ()


@dataclass(frozen=True)
class SectionKeys:
    """The keys of one kind of section. `opening` is how it begins in a spec."""

    name: str
    opening: str
    meaning: str
    keys: tuple[Key, ...]
    #: What the section holds besides keys: `name: type = pipeline` in `data`, draws in `search`.
    also: str = ""

    @property
    def forms(self) -> dict[str, Form]:
        """How each key is written, by name: what the binder checks a section against."""
        return {key.name: key.form for key in self.keys}

    def __iter__(self) -> Iterator[Key]:
        return iter(self.keys)
