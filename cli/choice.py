"""An option with a fixed set of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import click

from .misused import Misused


class OneOf(click.ParamType):
    """One of some names; another one is refused with the nearest. A function gives names that take time to load."""

    name = "choice"

    def __init__(self, names: Sequence[str] | Callable[[], Sequence[str]]) -> None:
        self._names = names

    @property
    def names(self) -> Sequence[str]:
        return self._names() if callable(self._names) else self._names

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        return f"[{'|'.join(self.names)}]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return value if value in self.names else self._refuse(str(value), param, ctx)

    def _refuse(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> NoReturn:
        from ..compiler.messages.names import nearest

        near = nearest(value, self.names)
        hint = f"did you mean `{near}`?" if near is not None else f"use {', '.join(f'`{one}`' for one in self.names)}"
        option = f" for `{param.opts[-1]}`" if param is not None else ""
        raise Misused(f"unknown value `{value}`{option}", hint, ctx)
