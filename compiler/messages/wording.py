"""How lists, near names and values are worded in messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def meant(near: str | None) -> tuple[str, ...]:
    return (f"did you mean `{near}`?",) if near else ()


def listed(names: Iterable[str], most: int = 8) -> str:
    known = list(names)
    shown = ", ".join(f"`{name}`" for name in known[:most])
    return shown + (f" and {len(known) - most} more" if len(known) > most else "")


def shown(value: Any) -> str:
    from ..elaborate.values import text

    return text(value)


def kind(value: Any) -> str:
    from ..elaborate.values import Callable, Instance, Outputs, Tensor

    if isinstance(value, Tensor):
        return f"`{value.type}`"
    if isinstance(value, Outputs):
        return f"the outputs of `{value.of}`"
    if isinstance(value, Instance):
        return f"an instance of `{value.callable.spelled}`"
    if isinstance(value, Callable):
        return f"the {'function' if value.is_function else 'layer'} `{value.spelled}`"
    return f"`{shown(value)}`"


def spaced(names: Iterable[str], most: int = 24) -> str:
    shown = list(names)
    return " ".join(shown[:most]) + (" …" if len(shown) > most else "")
