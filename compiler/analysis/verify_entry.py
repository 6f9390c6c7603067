"""Whether what the IR gives to an entry of the catalogue is what the entry takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..catalogue.arguments import read
from ..catalogue.entry import Entry
from ..messages.statics import StaticError


def wrong_arguments(kind: type[Entry], given: Mapping[str, Any], apart: Collection[str] = ()) -> str | None:
    """What is wrong with the static arguments of an entry, defaults included; None when nothing is. `init` and chains of
    transforms are elsewhere in the IR. Those that are set `apart` may hold anything."""
    declared = {name: annotation for name, annotation, _ in kind.arguments if name != "init" and annotation != "Chain"}
    for name in given:
        if name not in declared:
            return f"`{kind.name}` has no argument `{name}`"
    for name, annotation in declared.items():
        if name not in given:
            return f"the argument `{name}` is missing"
        elif name not in apart:
            try:
                read(annotation, given[name])
            except (ValueError, StaticError) as error:
                return f"the argument `{name}` is `{given[name]}`: {error}"
    return None


def wrong_use(
    table: Mapping[str, type[Entry]], name: str, args: Mapping[str, Any], apart: Collection[str] = ()
) -> str | None:
    """What is wrong with a use of an entry in a recipe, which has all its arguments; those set `apart` may hold anything."""
    if name not in table:
        return f"the catalogue has no `{name}`"
    return wrong_arguments(table[name], args, apart) or table[name].check(dict(args))
