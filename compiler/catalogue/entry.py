"""What an entry of a recipe table is.

Like an operator, an entry is one class: its annotated fields are its arguments with their defaults, its docstring is its
documentation. `Table` holds the entries that may stand in one position; a name is read in the table of its position.
The annotations are names of `arguments.KINDS`, which tests a value and says what it should have been.

    class RMSprop(Entry):
        '''...'''

        lr: Hyper = 1e-2
        alpha: Fraction = 0.99
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar, TypeAlias

# Kinds of arguments, as the annotations of an entry name them; `arguments.KINDS` has a test for each.
Int: TypeAlias = int
Count: TypeAlias = int
Natural: TypeAlias = int
Odd: TypeAlias = int
Jitter: TypeAlias = float
MaybeCount: TypeAlias = "int | None"
MaybeInt: TypeAlias = "int | None"
Ints: TypeAlias = "tuple[int, ...]"
Float: TypeAlias = float
Positive: TypeAlias = float
NotNegative: TypeAlias = float
Share: TypeAlias = float
Momentum: TypeAlias = float
Hyper: TypeAlias = float  # a number that may follow a schedule
MaybeFloat: TypeAlias = "float | None"
MaybeShare: TypeAlias = "float | None"
Momenta: TypeAlias = "tuple[float, float]"
Channels: TypeAlias = "float | tuple[float, ...]"
MeanOrName: TypeAlias = "str | float | tuple[float, ...]"
MaybeChannels: TypeAlias = "float | tuple[float, ...] | None"
MaybeFloats: TypeAlias = "tuple[float, ...] | None"
Scale: TypeAlias = "tuple[float, float]"
Ratio: TypeAlias = "tuple[float, float]"
MaybeFactors: TypeAlias = "tuple[float, float] | None"
Bool: TypeAlias = bool
Text: TypeAlias = str
MaybeText: TypeAlias = "str | None"
Path: TypeAlias = str
Names: TypeAlias = "tuple[str, ...]"
Fraction: TypeAlias = float
MaybeFraction: TypeAlias = "float | None"
NameOrFraction: TypeAlias = "str | float | None"
Unit: TypeAlias = str
TokenType: TypeAlias = str
SplitName: TypeAlias = str
Fill: TypeAlias = "str | float"
Average: TypeAlias = str
Time: TypeAlias = "object"  # a duration: `3 epochs`, `rest`
Column: TypeAlias = "str | None"  # a field of the source
Constant: TypeAlias = "object"  # any static value
Constants: TypeAlias = "tuple[object, ...]"
Watch: TypeAlias = "object"  # a figure: `val.acc`


class _Missing:
    def __repr__(self) -> str:
        return "required"


MISSING: Any = _Missing()


class Entry:
    """Base of every entry. `find`, `Table` and the binder read the class; it is never instantiated."""

    name: ClassVar[str] = ""
    #: (argument, annotation, default or MISSING) in order.
    arguments: ClassVar[tuple[tuple[str, str, Any], ...]] = ()
    #: The optional dependency that the runtime needs for it, as `pip install dlc[extra]`.
    extra: ClassVar[str] = ""
    #: An argument that takes any number of positional values (`category("neg", "pos")`).
    variadic: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        own = tuple(
            (name.rstrip("_"), kind, cls.__dict__.get(name, MISSING))
            for name, kind in vars(cls).get("__annotations__", {}).items()
            if not kind.startswith("ClassVar")
        )
        cls.arguments = (*cls.__mro__[1].__dict__.get("arguments", ()), *own)
        cls.name = cls.__dict__.get("name") or cls.spell(cls.__name__)

    @classmethod
    def spell(cls, class_name: str) -> str:
        """The name in the language of a class of this family: snake case."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", class_name).lower()

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        """What is wrong with arguments that are right one by one; None when nothing is."""
        return None


class Table:
    """The entries of one position, by name. `what` is what they are called: `an optimizer`."""

    def __init__(self, what: str, *entries: type[Entry]) -> None:
        self.what = what
        self.entries = {entry.name: entry for entry in entries}

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def __getitem__(self, name: str) -> type[Entry]:
        return self.entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)
