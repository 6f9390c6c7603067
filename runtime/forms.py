"""The forms of JSON that comes from elsewhere: read strictly, and a reason where it has another form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Generic, TypeVar

from ..compiler.ir.record import Record, adapter

T = TypeVar("T")


class Form(Record):
    """Fields by name; what another version adds is left out."""

    __pydantic_config__ = {**Record.__pydantic_config__, "extra": "ignore"}  # noqa: RUF012 - a ClassVar of Record


class NotOfForm(Exception):
    """The text is the reason, with the place in the JSON."""


class FormReader(Generic[T]):
    """Reads JSON as a type. Only a command that reads pays for the library that does it."""

    def __init__(self, kind: type[T] | UnionType) -> None:
        self.kind = kind

    def read(self, text: str) -> T:
        """What a JSON text holds. Raises NotOfForm."""
        from pydantic import ValidationError

        try:
            return adapter(self.kind).validate_json(text, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]).lstrip(".")
            raise NotOfForm((f"at `{place[:80]}`: " if place else "") + first["msg"].lower()) from None

    def convert(self, value: Any) -> T:
        """What dicts and lists hold; raises ValueError for what does not fit."""
        return adapter(self.kind).validate_python(value)


class _Limited:
    """Marks a number with limits of its schema."""

    def __init__(self, **limits: Any) -> None:
        self.limits = limits

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        return {**handler(source), **self.limits}


class Verified:
    """Marks a value that a function looks at: it returns the value, or raises ValueError."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_after_validator_function(self.function, handler(source))


def _numbers(value: Any) -> Any:
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ValueError("not numbers")
    return value


def _learned(value: Any) -> Any:
    texts = value if isinstance(value, list) else [value]
    return value if all(isinstance(text, str) for text in texts) else _numbers(value)


def _plain_name(name: str) -> str:
    if not is_plain_name(name):
        raise ValueError("not the name of a file in the same folder")
    return name


def is_plain_name(name: str) -> bool:
    """Whether it names a file in a folder, and nothing outside."""
    return bool(name) and name == Path(name).name and "\\" not in name and "\0" not in name


NonNegativeInt = Annotated[int, _Limited(ge=0)]
PositiveInt = Annotated[int, _Limited(gt=0)]
FiniteFloat = Annotated[float, _Limited(allow_inf_nan=False)]
#: A number, or lists of equal length of them.
Numbers = Annotated[Any, Verified(_numbers)]
#: The same, a text, or texts.
Learned = Annotated[Any, Verified(_learned)]
PlainName = Annotated[str, Verified(_plain_name)]
