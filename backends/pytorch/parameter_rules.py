"""Selectors of parameters as conditions that one would write: by rank, or by what the names begin or end with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from ...compiler.ir.arguments import Selector
from ...compiler.ir.expand import ParameterEntry, selects
from .python import quoted

#: Up to this many names are listed if no simpler rule selects them.
FEW = 6


def chosen(selectors: Iterable[Selector], prefix: str, entries: Sequence[ParameterEntry]) -> set[str]:
    """Paths (without the net's `prefix`) that any of the selectors chooses."""
    selectors = tuple(selectors)
    return {
        e.path for e in entries if any(selects(s, prefix + e.path, e.layer, e.leaf, len(e.shape)) for s in selectors)
    }


def by_rank(selectors: Iterable[Selector]) -> list[str]:
    return list(dict.fromkeys(f"p.ndim {selector.text}" for selector in selectors if selector.kind == "rank"))


def by_name(wanted: set[str], known: Sequence[str]) -> str:
    """A condition on `name` that holds for these of the known names and no others."""
    names = [name for name in known if name in wanted]
    for condition, holds in _candidates(names):
        if all(holds(name) == (name in wanted) for name in known):
            return condition
    patterns = list(dict.fromkeys(_pattern(name) for name in names))
    pattern = re.compile("|".join(patterns))
    if len(patterns) < len(names) and all(bool(pattern.fullmatch(name)) == (name in wanted) for name in known):
        return f're.fullmatch(r"{pattern.pattern}", name)'
    return f"name in {_strings(names)}"


def _candidates(names: Sequence[str]) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """Conditions from plain to particular, as source and as a function."""
    if len(names) == 1:
        yield f"name == {quoted(names[0])}", lambda name: name == names[0]
    for depth in (1, 2, 3):
        heads = tuple(dict.fromkeys(".".join(name.split(".")[:depth]) + "." for name in names))
        if len(heads) <= FEW:
            yield f"name.startswith({_strings(heads)})", lambda name, some=heads: name.startswith(some)
    for depth in (1, 2):
        tails = tuple(dict.fromkeys("." + ".".join(name.split(".")[-depth:]) for name in names))
        if len(tails) <= FEW:
            yield f"name.endswith({_strings(tails)})", lambda name, some=tails: name.endswith(some)
    if len(names) <= FEW:
        yield f"name in {_strings(names)}", lambda name: name in names


def _pattern(name: str) -> str:
    return r"\.".join(r"\d+" if part.isdigit() else re.escape(part) for part in name.split("."))


def _strings(items: Sequence[str]) -> str:
    return quoted(items[0]) if len(items) == 1 else f"({', '.join(map(quoted, items))})"


__all__ = ["by_name", "by_rank", "chosen"]
