"""The catalogue: layers and functions by name. A module is imported when a spec first names one of its operators.

There is no registry to maintain: an entry is a class in a module of this package, and its name follows from the class
line. `find` reads the class lines of all modules once (a millisecond), and imports the one module it needs.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from .base import Op

_CLASS = re.compile(r"^class (\w+)\((\w+)", re.MULTILINE)
_SNAKE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


_Family: TypeAlias = Literal["Layer", "Function", "Syntax"]


class _Entry(NamedTuple):
    module: str
    class_name: str
    family: _Family


@cache
def _entries() -> dict[str, _Entry]:
    found: dict[str, _Entry] = {}
    for file in sorted(Path(__file__).parent.glob("*.py")):
        families: dict[str, _Family] = {"Layer": "Layer", "Function": "Function", "Syntax": "Syntax"}
        for class_name, base in _CLASS.findall(file.read_text(encoding="utf-8")):
            family = families.get(base)
            if family is None or file.stem == "base":
                continue
            families[class_name] = family
            if class_name.startswith("_"):
                continue
            name = class_name if family == "Layer" else _SNAKE.sub("_", class_name).lower()
            assert name not in found, f"{name} is defined in {found[name].module} and {file.stem}"
            found[name] = _Entry(file.stem, class_name, family)
    return found


@cache
def find(name: str) -> type[Op] | None:
    """The operator called `name`, those with syntax (`plus`, `index`) included; None when there is none."""
    entry = _entries().get(name)
    if entry is None:
        return None
    return getattr(import_module(f".{entry.module}", __package__), entry.class_name)


def names(*, layers: bool = True, functions: bool = True, syntax: bool = False) -> tuple[str, ...]:
    """The names that a spec may write, sorted; with `syntax` also those that stand for signs. Nothing is imported."""
    wanted = {"Layer": layers, "Function": functions, "Syntax": syntax}
    return tuple(name for name, entry in sorted(_entries().items()) if wanted[entry.family])


def module_of(name: str) -> str:
    """The module that defines an operator (`convolution`); its lowerings stand in files of the same name."""
    return _entries()[name].module


__all__ = ["find", "module_of", "names"]
