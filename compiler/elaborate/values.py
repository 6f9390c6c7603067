"""What an expression can be while a body is run symbolically.

Static values are plain Python (int, float, bool, str, None, tuple, Dim, Quantity); everything else is a class here.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeAlias

from ..dataclass import dataclass, field
from ..ir.model import Parameter
from ..messages.source import Span
from ..resolve.definitions import Callable
from ..sizes.types import TensorType


class Owner(Protocol):
    """The body that a value belongs to (`builder.Builder`), as far as its values know it."""

    names: list[str]


class SymbolicTensor:
    """A value of a body under construction."""

    __slots__ = ("builder", "id", "type")

    def __init__(self, builder: Owner, id: int, type: TensorType) -> None:
        self.builder, self.id, self.type = builder, id, type

    def __str__(self) -> str:
        return str(self.type)


@dataclass(frozen=True, eq=False)
class Outputs:
    """Several named tensors (`r.y`, `r.h`)."""

    tensors: dict[str, SymbolicTensor]
    of: str

    def in_words(self) -> str:
        return f"the outputs of `{self.of}`"


class WeightOwner:
    """A named owner of weights: made by a label or a binding, applied (and sized) later, maybe several times."""

    __slots__ = (
        "args", "body", "builder", "callable", "emits", "parameters", "path", "span", "statics", "types", "used"
    )  # fmt: skip

    def __init__(self, builder: Owner, path: str, callable: Callable, span: Span) -> None:
        self.builder, self.path, self.callable, self.span = builder, path, callable, span
        self.args: dict[str, Any] | None = None  # bound arguments of a catalogue layer
        self.statics: dict[str, Any] | None = None  # bound statics of a block
        self.parameters: tuple[Parameter, ...] | None = None
        self.types: tuple[TensorType | None, ...] | None = None  # of the first application
        self.body: int | None = None
        self.used = False
        self.emits: Emits | None = None  # of a net of a recipe whose emits are read

    def __str__(self) -> str:
        return self.path

    def in_words(self) -> str:
        return f"an instance of `{self.callable.spelled}`"

    @property
    def signature(self) -> tuple[Any, ...]:
        """What a body that takes this instance as a parameter depends on."""
        return (self.callable, self.path, id(self.builder))


class CheckedBody(NamedTuple):
    """A body in the cache: its index, its outputs in order, and the instances it takes from outside."""

    body: int
    outputs: tuple[tuple[str, TensorType], ...]
    instances: dict[str, WeightOwner]


class Emits(Protocol):
    """What applications of a net emit (`gen.load`)."""

    def widen(self, checked: CheckedBody) -> CheckedBody:
        """The body with further outputs, those emitted."""
        ...

    def applied(self, outputs: list[tuple[str, SymbolicTensor]]) -> None:
        """Takes the further outputs of one application."""
        ...

    def read(self, name: str, span: Span) -> SymbolicTensor | None:
        """The values emitted under a name, stacked on the first axis; None when the net emits no such thing."""
        ...


@dataclass(frozen=True)
class SubInstance:
    """A layer inside an instance (`bert.embeddings.word_embeddings`), on the way to one of its parameters."""

    instance: WeightOwner
    names: tuple[str, ...]


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
