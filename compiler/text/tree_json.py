"""The syntax tree as JSON and back (`dlc build --emit ast`): objects with a `type`, fields by name, spans as pairs.

The type of a declaration is under `annotation`, because `type` is the type of the node.
"""

from __future__ import annotations

import types
from functools import cache
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

from ..messages.source import Span
from . import node, syntax, top_level
from .node import Node

FORMAT = 1  # grows when a tree written before could not be read any more
_KEYS = {"type": "annotation"}
_NAMES = {**vars(node), **vars(syntax), **vars(top_level)}
_CLASSES: dict[str, type[Node]] = {
    name: value
    for name, value in _NAMES.items()
    if isinstance(value, type)
    and issubclass(value, Node)
    and value not in (Node, syntax.Gap)  # a mistake is not written
}


def ast_to_json(file: top_level.File) -> dict[str, Any]:
    """Plain data for `json.dumps`; the name of the file is given once, at the top."""
    return {"format": FORMAT, "file": file.span.file, "tree": _encode(file)}


def ast_from_json(data: dict[str, Any]) -> top_level.File:
    """The tree again. Raises ValueError for anything else (a wrong type too: this is data)."""
    if data.get("format") != FORMAT:
        raise ValueError(f"not a syntax tree of format {FORMAT}")
    name = data.get("file")
    if not isinstance(name, str):
        raise ValueError("the tree does not name its file")  # noqa: TRY004 - as above
    tree = _decode(data.get("tree"), name)
    if not isinstance(tree, top_level.File):
        raise ValueError("the tree is not that of a file")  # noqa: TRY004 - as above
    return tree


def _key(field: str) -> str:
    return _KEYS.get(field, field)


def _encode(value: Any) -> Any:
    if isinstance(value, Span):
        return [value.start, value.end]
    if isinstance(value, Node):
        fields = {_key(name): _encode(getattr(value, name)) for name in value.__match_args__}
        return {"type": type(value).__name__, **fields}
    if isinstance(value, tuple):
        return [_encode(item) for item in cast(tuple[Any, ...], value)]
    return value


def _decode(data: Any, file: str) -> Node:
    if not isinstance(data, dict):
        raise ValueError("expected a node")  # noqa: TRY004 - as above
    fields = cast(dict[str, Any], data)
    cls = _CLASSES.get(str(fields.get("type")))
    if cls is None:
        raise ValueError(f"unknown node type {fields.get('type')!r}")
    keys = [_key(name) for name in cls.__match_args__]
    if fields.keys() != {"type", *keys}:
        raise ValueError(f"fields of {cls.__name__} are {', '.join(keys)}")
    values = [_field(hint, fields[_key(name)], file, f"{cls.__name__}.{name}") for name, hint in _hints(cls).items()]
    return cls(*values)


def _field(hint: Any, data: Any, file: str, where: str) -> Any:
    items = cast(list[Any], data) if isinstance(data, list) else None
    kind = cast(dict[str, Any], data).get("type") if isinstance(data, dict) else None
    if hint is Span:
        if items is None or len(items) != 2 or not all(type(offset) is int for offset in items):
            raise ValueError(f"{where} is a pair of offsets")
        return Span(file, items[0], items[1])
    for option in _options(hint):
        if get_origin(option) is tuple and items is not None:
            return tuple(_field(get_args(option)[0], item, file, where) for item in items)
        if option in _PLAIN and type(cast(object, data)) is option:
            return cast(object, data)
        if kind is not None and kind == getattr(option, "__name__", None):
            return _decode(data, file)
    raise ValueError(f"{where} cannot be {kind or type(cast(object, data)).__name__}")


@cache
def _hints(cls: type[Node]) -> dict[str, Any]:
    hints = get_type_hints(cls, _NAMES)
    return {name: hints[name] for name in cls.__match_args__}


@cache
def _options(hint: Any) -> tuple[Any, ...]:
    """The members of a union, of unions in it too."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(option for part in get_args(hint) for option in _options(part))
    return (hint,) if hint is not syntax.Gap else ()


def ast_schema() -> dict[str, Any]:
    """JSON Schema of what `ast_to_json` writes."""
    definitions = {
        name: {
            "type": "object",
            "properties": {"type": {"const": name}, **{_key(f): _schema(h) for f, h in _hints(cls).items()}},
            "required": ["type", *map(_key, cls.__match_args__)],
            "additionalProperties": False,
        }
        for name, cls in sorted(_CLASSES.items())
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dlspec syntax tree",
        "type": "object",
        "properties": {"format": {"const": FORMAT}, "file": {"type": "string"}, "tree": {"$ref": "#/$defs/File"}},
        "required": ["format", "file", "tree"],
        "additionalProperties": False,
        "$defs": definitions,
    }


_PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _schema(hint: Any) -> dict[str, Any]:
    if hint is Span:
        return {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2}
    options = _options(hint)
    if len(options) > 1:
        return {"anyOf": [_schema(option) for option in options]}
    option: Any = options[0] if options else None
    if get_origin(option) is tuple:
        return {"type": "array", "items": _schema(get_args(option)[0])}
    if option in _PLAIN:
        return {"type": _PLAIN[option]}
    return {"$ref": f"#/$defs/{option.__name__}"}
