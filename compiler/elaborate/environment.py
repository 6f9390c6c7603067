"""Names while a body is run: bindings and sizes of the body, its statics, the file, the tables, innermost first."""

from __future__ import annotations

from typing import Any

from ..catalogue.ops import find
from ..catalogue.ops import names as catalogue_names
from ..messages import application as application_errors
from ..messages import control as control_errors
from ..messages import lookup as lookup_errors
from ..messages import sections as sections_errors
from ..messages.diagnostics import Abandoned, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..resolve.definitions import Callable, Definition, FileScope, ParamSlot
from ..resolve.parameters import value_of_param
from ..sizes.dims import Size
from ..sizes.static_functions import STATIC_FUNCTIONS
from ..sizes.statics import CONSTANTS
from ..text import syntax
from ..text.node import Node, children
from .values import POISON, Binding, WeightOwner


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


class Environment:
    """The names of one body or region; a region has the environment around it as `parent`."""

    __slots__ = ("bindings", "file", "left", "outputs", "parent", "statics", "training")

    def __init__(
        self, file: FileScope, statics: dict[str, Any] | None = None, parent: Environment | None = None
    ) -> None:
        self.file, self.parent = file, parent
        self.statics: dict[str, Any] = statics or {}
        self.bindings: dict[str, Binding] = {}
        #: Names that stayed inside a branch of an `if`, and that `if`.
        self.left: dict[str, Span] = {}
        #: What the body is to define.
        self.outputs: frozenset[str] = parent.outputs if parent else frozenset()
        #: What `training` is here: None while a body is run for both modes.
        self.training: bool | None = parent.training if parent else None

    def inner(self, *, own_body: bool = False) -> Environment:
        """The names of a region inside; `own_body`: it is run as a body, once for each turn or mode."""
        return Environment(self.file, parent=self)

    # ---- writing ---------------------------------------------------------------------------------------------------

    def bind(
        self, name: str, value: Any, span: Span, *, is_input: bool = False, is_size: bool = False
    ) -> Binding | None:
        """Binds a name; returns the binding it replaces in this very body."""
        before = self.bindings.get(name)
        self.bindings[name] = Binding(value, span, is_input=is_input, is_size=is_size)
        return before

    def bind_size(self, name: str, size: Size, span: Span) -> None:
        self.bind(name, size, span, is_size=True)

    def dims(self) -> dict[str, Size]:
        """The sizes that this very body named."""
        return {name: binding.value for name, binding in self.bindings.items() if binding.is_size}

    def mark_read(self, node: Node) -> None:
        """Counts what a branch that is not taken reads as read: it is not superfluous."""
        stack = [node]
        while stack:
            part = stack.pop()
            name = part.name if isinstance(part, syntax.Ref) else ""
            if isinstance(part, syntax.Apply):
                name = part.callee.names[0].text
            binding = self.binding(name) if name else None
            if binding is not None:
                binding.read = True
            stack += children(part)

    # ---- reading ---------------------------------------------------------------------------------------------------

    def binding(self, name: str) -> Binding | None:
        environment: Environment | None = self
        while environment is not None:
            found = environment.bindings.get(name)
            if found is not None:
                return found
            environment = environment.parent
        return None

    def static(self, name: str) -> tuple[bool, Any]:
        environment: Environment | None = self
        while environment is not None:
            if name in environment.statics:
                return True, environment.statics[name]
            environment = environment.parent
        return False, None

    def lookup(self, name: str, span: Span) -> Any:
        """The value of a name read in an expression; E0301 if it is not defined."""
        binding = self.binding(name)
        if binding is not None:
            binding.read = True
            return binding.value
        known, value = self.static(name)
        if known:
            return value
        found = self.file.lookup(name)
        if isinstance(found, ParamSlot):
            return value_of_param(self.file, name)
        if isinstance(found, Definition):
            if found.kind not in ("block", "model"):
                raise Failed(sections_errors.section_as_value(span, name, found.kind))
            return Callable(found, name)
        if name in CONSTANTS:
            return CONSTANTS[name]
        operator = find(name)
        if operator is not None and not operator.syntax:
            return Callable(operator, name)
        if name == "training":
            raise Failed(control_errors.training_as_value(span))
        inside = self._left_in(name)
        if inside is not None:
            raise Failed(lookup_errors.left_in_branch(name, span, inside))
        near = nearest(name, self.candidates())
        self._body().bind(name, POISON, span, is_input=True)  # one message for all places that read it
        raise Failed(lookup_errors.unknown_name(name, span, near))

    def _body(self) -> Environment:
        """The names of the body around this region."""
        environment = self
        while environment.parent is not None:
            environment = environment.parent
        return environment

    def callable(self, name: str, span: Span) -> Callable | WeightOwner:
        """What a name means in a stage or before an argument list: tensors and numbers don't hide functions there."""
        environment: Environment | None = self
        while environment is not None:
            binding = environment.bindings.get(name)
            if binding is not None and isinstance(binding.value, (WeightOwner, Callable)):
                binding.read = True
                return binding.value
            value = environment.statics.get(name)
            if isinstance(value, (WeightOwner, Callable)):
                return (
                    Callable(value.target, name, value.positional, value.keyword)
                    if isinstance(value, Callable)
                    else value
                )
            environment = environment.parent
        found = self.file.lookup(name)
        if isinstance(found, Definition):
            if found.kind not in ("block", "model"):
                raise Failed(sections_errors.section_as_value(span, name, found.kind))
            return Callable(found, name)
        if isinstance(found, ParamSlot):
            value = value_of_param(self.file, name)
            if isinstance(value, Callable):  # an unlabelled layer is named after the parameter
                return Callable(value.target, name, value.positional, value.keyword)
        operator = find(name)
        if operator is not None and not operator.syntax:
            return Callable(operator, name)
        binding = self.binding(name)
        if binding is not None:
            binding.read = True
            if binding.value is POISON:
                raise Abandoned
            raise Failed(application_errors.not_applicable(name, binding.value, span))
        stages = [n for n in (*self.file.candidates(), *catalogue_names(), *self._callables())]
        raise Failed(lookup_errors.unknown_stage(name, span, nearest(name, stages), is_output=name in self.outputs))

    def knows(self, name: str) -> bool:
        """Whether a name means something in an expression here."""
        return (
            self.binding(name) is not None
            or self.static(name)[0]
            or self.file.lookup(name) is not None
            or name in CONSTANTS
            or name == "training"
            or find(name) is not None
        )

    def _left_in(self, name: str) -> Span | None:
        environment: Environment | None = self
        while environment is not None:
            if name in environment.left:
                return environment.left[name]
            environment = environment.parent
        return None

    def sizes(self) -> list[str]:
        """The sizes, whole statics and parameters that a shape may name here, innermost first."""
        names: dict[str, None] = {}
        environment: Environment | None = self
        while environment is not None:
            names |= dict.fromkeys(n for n, b in environment.bindings.items() if b.is_size or is_whole(b.value))
            names |= dict.fromkeys(n for n, value in environment.statics.items() if is_whole(value))
            environment = environment.parent
        return [*names, *self.file.params]

    def _callables(self) -> list[str]:
        names: list[str] = []
        environment: Environment | None = self
        while environment is not None:
            names += [n for n, b in environment.bindings.items() if isinstance(b.value, WeightOwner)]
            names += [n for n, v in environment.statics.items() if isinstance(v, Callable)]
            environment = environment.parent
        return names

    def candidates(self) -> list[str]:
        """Every name that could be read here, for suggestions."""
        names: list[str] = []
        environment: Environment | None = self
        while environment is not None:
            names += [*environment.bindings, *environment.statics]
            environment = environment.parent
        return [*names, *self.file.candidates(), *STATIC_FUNCTIONS, *CONSTANTS, *catalogue_names()]
