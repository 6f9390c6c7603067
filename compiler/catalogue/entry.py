"""What an entry of the catalogue is, and how entries are found.

An entry is one class. Its annotated fields are its arguments with their defaults (the annotations are kinds of
`arguments.py`), its docstring is its documentation, and what other rooms must know of it is a fact in it: a class
variable. Operators, losses, metrics, optimizers, schedules, initial values, sources, splits, transforms and the entries of
a search are all entries; `Op` in `ops/base.py` adds tensors.

    class RMSprop(Optimizer):
        '''...'''

        lr: Hyper = 1e-2
        alpha: float = 0.99

        example = "optimizer = RMSprop(1e-3, alpha = 0.9)"

There is no registry to maintain. A `Family` (the entries allowed in one position) reads the class lines of its
files once and imports a file when one of its entries is first asked for, so that checking a spec loads what it names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from importlib import import_module
from inspect import get_annotations
from pathlib import Path
from typing import Any, ClassVar, Generic, NamedTuple, TypeVar

_CLASS = re.compile(r"^class (\w+)\((\w+)", re.MULTILINE)
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class _Missing:
    def __repr__(self) -> str:
        return "required"


#: The default of an argument that has none.
MISSING: Any = _Missing()


def spelled(class_name: str, *, capitals: bool = False) -> str:
    """The name in the language of an entry's class: `MaxPool` -> `max_pool`, or as it is where the family has capitals."""
    return class_name if capitals else _SNAKE.sub("_", class_name).lower()


class Entry:
    """Base of every entry. A field whose name is a keyword of Python, or taken in its class, ends in `_` (`for_`)."""

    #: The name in the language, from the class name.
    name: ClassVar[str] = ""
    #: (argument, kind, default or MISSING) in order.
    arguments: ClassVar[tuple[tuple[str, str, Any], ...]] = ()
    #: Written under its class name, not in snake case.
    capitals: ClassVar[bool] = False
    #: One use as written in a spec; `examples.py` puts it into a whole one, which the tests check.
    example: ClassVar[str] = ""
    #: The optional dependency that the runtime needs for it, as `pip install dlc[extra]`.
    extra: ClassVar[str] = ""
    #: An argument that takes any number of positional values (`category("neg", "pos")`).
    variadic: ClassVar[str] = ""

    def __init_subclass__(cls) -> None:
        inherited = [entry for base in reversed(cls.__mro__[1:]) for entry in base.__dict__.get("_own", ())]
        own = tuple(
            (name.rstrip("_"), kind, cls.__dict__.get(name, MISSING))
            for name, kind in get_annotations(cls).items()
            if not kind.startswith("ClassVar")
        )
        cls._own = own  # pyright: ignore[reportAttributeAccessIssue]
        cls.arguments = (*inherited, *own)
        cls.name = spelled(cls.__name__, capitals=cls.capitals)

    @classmethod
    def check(cls, args: dict[str, Any]) -> str | None:
        """What is wrong with arguments that are right one by one; None when nothing is."""
        return None


E = TypeVar("E", bound=Entry)


class _Place(NamedTuple):
    module: str
    class_name: str


@cache
def _class_lines(folder: str) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """(module, (class, first base)..) of a file or folder of the catalogue. `base.py` holds what entries derive from."""
    at = Path(__file__).parent / folder
    files = sorted(at.glob("*.py")) if at.is_dir() else [at.with_suffix(".py")]
    return tuple(
        (file.stem, tuple(_CLASS.findall(file.read_text(encoding="utf-8")))) for file in files if file.stem != "base"
    )


class Family(Mapping[str, type[E]], Generic[E]):
    """The entries of one position by name, in the order of their files: classes whose first base is `root`, or a private
    class (`_Sequence`) of the same file that derives from it."""

    def __init__(self, root: str, folder: str, what: str, where: str, *, capitals: bool = False) -> None:
        self.root, self.folder, self.capitals = root, folder, capitals
        #: What one is called (`an optimizer`), and where one is used (`` `optimizer` of train``).
        self.what, self.where = what, where

    @cached_property
    def _places(self) -> dict[str, _Place]:
        found: dict[str, _Place] = {}
        for module, classes in _class_lines(self.folder):
            bases = {self.root}
            for class_name, base in classes:
                if base not in bases:
                    continue
                if class_name.startswith("_"):
                    bases.add(class_name)
                    continue
                name = spelled(class_name, capitals=self.capitals)
                assert name not in found, f"{name} is defined in {found[name].module} and {module}"
                found[name] = _Place(module, class_name)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> type[E]:
        module, class_name = self._places[name]
        package = f"{__package__}.{self.folder}"
        return getattr(import_module(package if module == self.folder else f"{package}.{module}"), class_name)

    def module_of(self, name: str) -> str:
        """The file that defines an entry (`convolution`); what runs it is in files of the same name."""
        return self._places[name].module
