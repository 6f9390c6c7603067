"""What models and recipes are both written with: static arguments, uses of catalogue entries, selectors of parameters."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from ..messages.source import Span
from ..sizes.dims import from_text
from .record import Record, field


def _argument_from_json(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_argument_from_json(item) for item in value)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, dict) and set(value) == {"dim"}:  # pyright: ignore[reportUnknownArgumentType]
        return from_text(value["dim"])  # pyright: ignore[reportUnknownArgumentType]
    return value  # pyright: ignore[reportUnknownVariableType]


class _Argument:
    """How an argument is read from JSON; a record writes it."""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_before_validator_function(_argument_from_json, core_schema.any_schema())

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: Any, _handler: Any) -> dict[str, Any]:
        return {"description": 'a static value; a symbolic size is {"dim": its text}'}


#: A static value: None, bool, int, float, str, a symbolic size, or a tuple of these.
Argument: TypeAlias = Annotated[Any, _Argument]


class Selector(Record):
    """Chooses parameters: `path` (a glob, `*` one segment, `**` any), `layer` (`Linear.weight`: kind and leaf name), or
    `rank` (a comparison of the number of axes, `rank < 2`)."""

    kind: Literal["path", "layer", "rank"]
    text: str  # the glob; "Linear.weight"; "< 2"
    span: Span


class EntryUse(Record):
    """A use of an entry of a recipe table: its name and all its arguments, defaults included."""

    name: str
    args: dict[str, Argument] = field(default_factory=dict)
    span: Span
