"""What all nodes of the syntax tree share: fields in order, a span, equality by value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, TypeVar, cast, dataclass_transform

from ..messages.source import Span

N = TypeVar("N")


class _NodeType(type):
    """Gives a class of fields its slots and `__init__`. Sixty dataclasses would take 20 ms of every start of `dlc`."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> type:
        fields = tuple(name for name in namespace.get("__annotations__", ()) if not name.startswith("_"))
        namespace["__slots__"] = namespace["__match_args__"] = fields
        if fields:
            code = f"def __init__(self, {', '.join(fields)}):\n" + "".join(f"  self.{f} = {f}\n" for f in fields)
            exec(code, namespace)  # noqa: S102 - field names of this module only
            namespace.pop("__builtins__")
        return super().__new__(mcs, name, bases, namespace)


@dataclass_transform(frozen_default=True)
class Node(metaclass=_NodeType):
    """What all nodes share: equality, hash and repr by value. Frozen for the type checker, which costs nothing."""

    __match_args__: ClassVar[tuple[str, ...]]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and all(
            getattr(self, name) == getattr(other, name) for name in self.__match_args__
        )

    def __hash__(self) -> int:
        return hash((type(self).__name__, *(getattr(self, name) for name in self.__match_args__)))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__match_args__)})"


def rebuilt(node: N, **changes: object) -> N:
    """A copy of a node with some fields changed."""
    values = {name: getattr(node, name) for name in cast(Node, node).__match_args__}
    return type(node)(**(values | changes))


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below, in the order of the fields."""
    for name in node.__match_args__:
        value: Any = getattr(node, name)
        if isinstance(value, Node):
            yield value
        elif isinstance(value, tuple) and not isinstance(value, Span):
            yield from (item for item in cast(tuple[Any, ...], value) if isinstance(item, Node))
