"""The base of all IR classes: frozen, equal by value, with a JSON round trip.

A record is made of keyword arguments and trusts them, and writes itself as JSON. JSON that is read is checked by pydantic,
which is loaded when it is first asked for: that takes longer than a check of a spec, and commands that only write do not.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import math
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar, NoReturn, Self, cast, dataclass_transform

_MISSING = dataclasses.MISSING
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def field(*, default_factory: Callable[[], Any]) -> Any:
    """A field whose default is created for each record."""
    return dataclasses.field(default_factory=default_factory)


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(field,))
class Record:
    """`class Value(Record): id: int; name: str = ""` is made with `Value(id=1)`."""

    # What is unknown in JSON is a mistake; infinities are written as strings, since JSON has none.
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid", "ser_json_inf_nan": "strings"}
    __defaults: ClassVar[dict[str, Any]] = {}  # all fields in order, _MISSING for what has none
    __factories: ClassVar[dict[str, Any]] = {}
    __required: ClassVar[frozenset[str]] = frozenset()
    __arguments: ClassVar[frozenset[str]] = frozenset()  # fields that hold static values (`Argument`)

    def __init_subclass__(cls) -> None:
        defaults, factories = dict(cls.__defaults), dict(cls.__factories)
        annotations = inspect.get_annotations(cls)
        for name in annotations:
            default = cls.__dict__.get(name, _MISSING)
            if isinstance(default, dataclasses.Field):
                factories[name] = default.default_factory  # pyright: ignore[reportUnknownMemberType]
                default = _MISSING
            defaults[name] = default
        cls.__defaults, cls.__factories = defaults, factories
        cls.__arguments |= {name for name, kind in annotations.items() if "Argument" in str(kind)}
        cls.__required = frozenset(name for name, value in defaults.items() if value is _MISSING) - factories.keys()

    def __init__(self, **values: Any) -> None:
        cls, given = type(self), values.keys()
        assert given <= cls.__defaults.keys(), f"{cls.__name__} has no {sorted(given - cls.__defaults.keys())}"
        assert given >= cls.__required, f"{cls.__name__} needs {sorted(cls.__required - given)}"
        here = self.__dict__
        here.update(cls.__defaults)
        for name, factory in cls.__factories.items():
            if name not in values:
                here[name] = factory()
        here.update(values)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        return self.__dict__ == other.__dict__ if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash((type(self), *self.__dict__.values()))

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={value!r}" for name, value in self.__dict__.items())
        return f"{type(self).__name__}({values})"

    def model_copy(self, *, update: dict[str, Any]) -> Self:
        """The same with other values for some fields."""
        return type(self)(**{**self.__dict__, **update})

    def model_dump(self, *, mode: str = "json", exclude: set[str] | None = None) -> dict[str, Any]:
        """What JSON holds, as dicts and lists."""
        assert mode == "json"
        return {
            name: _as_json(value, name in self.__arguments)
            for name, value in self.__dict__.items()
            if exclude is None or name not in exclude
        }

    def model_dump_json(self, *, indent: int | None = None) -> str:
        separators = (",", ":") if indent is None else (",", ": ")
        return json.dumps(self.model_dump(), indent=indent, separators=separators, ensure_ascii=False, allow_nan=False)

    @classmethod
    def model_validate(cls, value: Any) -> Self:
        """From dicts and lists; raises pydantic's ValidationError (a ValueError) for what does not fit."""
        return adapter(cls).validate_python(value)

    @classmethod
    def model_validate_json(cls, text: str | bytes) -> Self:
        return adapter(cls).validate_json(text)


def _as_json(value: Any, argument: bool) -> Any:
    """A value of a field. An `argument` may be a text, so a symbolic size among them is marked as one."""
    if value is None or isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else _NOT_FINITE[str(value)]
    if isinstance(value, Record):
        return value.model_dump()
    if isinstance(value, (tuple, list)):
        return [_as_json(item, argument) for item in cast("Sequence[Any]", value)]
    if isinstance(value, dict):
        return {str(key): _as_json(item, argument) for key, item in cast("dict[Any, Any]", value).items()}
    return {"dim": value.as_json()} if argument else value.as_json()


@cache
def adapter(kind: Any) -> Any:
    """What reads a type, records among it."""
    from pydantic import TypeAdapter

    as_dataclasses(Record)
    return TypeAdapter(kind)


def json_schema(cls: type[Record], title: str) -> dict[str, Any]:
    """JSON Schema of what `model_dump_json` writes for a class."""
    schema = adapter(cls).json_schema(mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def as_dataclasses(cls: type[Record]) -> None:
    """Makes a class and all under it dataclasses, which pydantic knows: only what they lack, so nothing else changes."""
    if "__dataclass_fields__" not in cls.__dict__:
        setter, deleter = cls.__dict__.get("__setattr__"), cls.__dict__.get("__delattr__")
        dataclasses.dataclass(init=False, repr=False, eq=False, kw_only=True, match_args=False)(cls)
        assert (cls.__dict__.get("__setattr__"), cls.__dict__.get("__delattr__")) == (setter, deleter)
    for below in cls.__subclasses__():
        as_dataclasses(below)


__all__ = ["Record", "adapter", "field"]
