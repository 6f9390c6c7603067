"""How lists, near names and values are worded in messages.

Messages lie at the bottom of the compiler, so they know of sizes, types and layers only what they print.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

#: A size of an axis, an int or a symbolic one: printed by `str`.
Size: TypeAlias = object


class PrintedType(Protocol):
    """The type of a tensor, printed by `str` (`f32[B, 256]`)."""

    @property
    def dtype(self) -> str: ...
    @property
    def shape(self) -> Sequence[Size]: ...
    @property
    def rank(self) -> int: ...


@runtime_checkable
class InWords(Protocol):
    """A value that is shown by what it is instead of by itself: a layer, an instance, several outputs."""

    def in_words(self) -> str: ...


def meant(near: str | None) -> tuple[str, ...]:
    return (f"did you mean `{near}`?",) if near else ()


def listed(names: Iterable[str], most: int = 8) -> str:
    known = list(names)
    if not known:
        return "nothing"
    shown = ", ".join(f"`{name}`" for name in known[:most])
    return shown + (f" and {len(known) - most} more" if len(known) > most else "")


def computed_from(names: Mapping[str, Any], plain: str) -> str:
    """The help for a number that is wrong: the settings and sizes that it is computed from; `plain` where there are none."""
    listed = values(names)
    return f"it is computed from {listed}: change {'one of them' if ', ' in listed else 'it'}" if listed else plain


def values(names: Mapping[str, Any]) -> str:
    """`` `width = 8`, `heads = 3` ``; a size that only the input knows has no value."""
    known = {name: describe(value) for name, value in names.items()}
    return ", ".join(f"`{name} = {value}`" for name, value in known.items() if value != name)


def describe(value: Any) -> str:
    """A value as the language writes it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
        return f'"{escaped}"'
    if isinstance(value, tuple):
        items = ", ".join(map(describe, cast("tuple[Any, ...]", value)))
        return f"[{items}]"
    return str(value)


def kind(value: Any) -> str:
    """What a value is: itself, unless its class describes it in words (`an instance of ..`)."""
    return value.in_words() if isinstance(value, InWords) else f"`{describe(value)}`"
