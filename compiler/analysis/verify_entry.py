"""Whether what the IR gives to an entry of the catalogue is what the entry takes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ..catalogue.arguments import read
from ..catalogue.entry import MISSING, Entry
from ..messages.statics import StaticError


def wrong_arguments(kind: type[Entry], given: Mapping[str, Any], *, complete: bool = False) -> str | None:
    """What is wrong with the static arguments of an entry, `init` apart; None when nothing is. `complete`: defaults are
    written down too."""
    declared = {name: (annotation, default) for name, annotation, default in kind.arguments if name != "init"}
    for name in given:
        if name not in declared:
            return f"`{kind.name}` has no argument `{name}`"
    for name, (annotation, default) in declared.items():
        if name not in given:
            if complete or default is MISSING:
                return f"the argument `{name}` is missing"
            continue
        try:
            read(annotation, given[name])
        except (ValueError, StaticError) as error:
            return f"the argument `{name}` is `{given[name]}`: {error}"
    return None


def wrong_use(
    table: Mapping[str, type[Entry]], name: str, args: Mapping[str, Any], scheduled: Collection[str] = ()
) -> str | None:
    """What is wrong with a use of an entry in a recipe, with all its arguments; what is `scheduled` is no value."""
    if name not in table:
        return f"the catalogue has no `{name}`"
    entry = table[name]
    given = {key: value for key, value in args.items() if key not in scheduled}
    defaults = {key: default for key, _, default in entry.arguments if key in scheduled}
    wrong = wrong_arguments(entry, {**given, **defaults}, complete=True)
    return wrong or entry.check(dict(args))
