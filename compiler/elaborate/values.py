"""What an expression can be while a body is run symbolically.

Static values are plain Python (int, float, bool, str, None, tuple, Dim, Quantity); everything else is a class here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from ..catalogue.ops.base import Function, Op
from ..ir.model import Parameter
from ..messages.source import Span
from ..sizes.types import TensorType

if TYPE_CHECKING:
    from ..resolve.project import Definition
    from .builder import Builder
    from .elaborator import Checked


class Tensor:
    """A value of a body under construction."""

    __slots__ = ("builder", "id", "type")

    def __init__(self, builder: Builder, id: int, type: TensorType) -> None:
        self.builder, self.id, self.type = builder, id, type


@dataclass(frozen=True, eq=False)
class Outputs:
    """Several named tensors (`r.y`, `r.h`)."""

    tensors: dict[str, Tensor]
    of: str


@dataclass(frozen=True)
class Callable:
    """Something that can stand in a stage: a function, a layer kind, a block, each maybe with arguments.

    `target` is the operator class or the block's definition. As a `layer` parameter (`RMSNorm(1e-5)`) it is a recipe,
    fresh at each use; as an `fn` parameter it is the function itself.
    """

    target: type[Op] | Definition
    spelled: str
    positional: tuple[Any, ...] = ()
    keyword: tuple[tuple[str, Any], ...] = ()

    @property
    def is_function(self) -> bool:
        if isinstance(self.target, type):
            return issubclass(self.target, Function)
        return self.target.name[:1].islower()

    def __str__(self) -> str:
        given = [*map(text, self.positional), *(f"{name} = {text(value)}" for name, value in self.keyword)]
        return f"{self.spelled}({', '.join(given)})" if given else self.spelled


class Instance:
    """A named owner of weights: made by a label or a binding, applied (and sized) later, maybe several times."""

    __slots__ = (
        "args", "body", "builder", "callable", "emits", "parameters", "path", "span", "statics", "types", "used"
    )  # fmt: skip

    def __init__(self, builder: Builder, path: str, callable: Callable, span: Span) -> None:
        self.builder, self.path, self.callable, self.span = builder, path, callable, span
        self.args: dict[str, Any] | None = None  # bound arguments of a catalogue layer
        self.statics: dict[str, Any] | None = None  # bound statics of a block
        self.parameters: tuple[Parameter, ...] | None = None
        self.types: tuple[TensorType | None, ...] | None = None  # of the first application
        self.body: int | None = None
        self.used = False
        self.emits: Emits | None = None  # of a net of a recipe whose emits are read

    @property
    def signature(self) -> tuple[Any, ...]:
        """What a body that takes this instance as a parameter depends on."""
        return (self.callable, self.path, id(self.builder))


class Emits(Protocol):
    """What applications of a net emit (`gen.load`)."""

    def widen(self, checked: Checked) -> Checked:
        """The body with further outputs, those emitted."""
        ...

    def applied(self, outputs: list[tuple[str, Tensor]]) -> None:
        """Takes the further outputs of one application."""
        ...

    def read(self, name: str, span: Span) -> Tensor | None:
        """The values emitted under a name, stacked on the first axis; None when the net emits no such thing."""
        ...


@dataclass(frozen=True)
class SubInstance:
    """A layer inside an instance (`bert.embeddings.word_embeddings`), on the way to one of its parameters."""

    instance: Instance
    names: tuple[str, ...]


@dataclass
class Poison:
    """Stands for a value whose computation was reported as a mistake; using it is silent."""


POISON = Poison()


@dataclass
class Binding:
    """A name in a body: its value, its place and whether anything read it."""

    value: Any
    span: Span
    read: bool = False
    is_input: bool = False
    is_size: bool = False


@dataclass(frozen=True)
class InitValue:
    """An entry of the init table with its arguments."""

    name: str
    args: tuple[tuple[str, Any], ...] = field(default=())


#: What flows through a pipe: one value, or several fed as several arguments.
Flow: TypeAlias = Any


def text(value: Any) -> str:
    """A static value as the language writes it, for messages."""
    if value is True or value is False:
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return f"[{', '.join(map(text, value))}]"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(value, Tensor):
        return str(value.type)
    if isinstance(value, Instance):
        return value.path
    return str(value)
