"""What the names of a file refer to: definitions, parameters, imports, and what can be applied in a stage.

These classes name each other (a definition has the scope that its body sees, a scope holds definitions), so they lie in
one file. They hold what was read; `parameters.py` computes the values of parameters, `settings.py` finds and overrides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

from ..catalogue.ops import find
from ..catalogue.ops.base import Function, Op
from ..dataclass import dataclass, field
from ..messages.diagnostics import Abandoned, Report
from ..messages.source import Span
from ..messages.wording import describe
from ..sizes import static_functions, statics
from ..sizes.types import DTYPES
from ..text import syntax, top_level

Kind: TypeAlias = Literal["block", "model", "data", "weights", "train", "export", "search"]

#: Where a value comes from, weakest first.
DEFAULT, FILE_SET, IMPORT_ARGUMENT, SET, VARIANT, COMMAND_LINE = range(6)

#: In place of a parameter's value that was not computed yet.
UNKNOWN = object()


@dataclass(frozen=True, eq=False)
class Definition:
    """A block, model or section with the scope that its body sees.

    `override_of` is the block of the extended spec that this one replaces.
    """

    kind: Kind
    name: str
    node: Any  # top_level.Block | top_level.BlockSeq | top_level.Model | top_level.Data | ...
    scope: FileScope
    override_of: Definition | None = None

    @property
    def place(self) -> Span:
        """The span of its name, or of the whole section if it has none."""
        return self.node.name.span if self.node.name is not None else self.node.span


def snake(name: str) -> str:
    """The name of an unlabelled layer after its kind: `RMSNorm` -> `rms_norm`, `ConvBN` -> `conv_bn`."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name).lower()


@dataclass(frozen=True)
class Callable:
    """Something that can be a stage: a function, a layer kind or a block, optionally with arguments.

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
        given = [*map(describe, self.positional), *(f"{name} = {describe(value)}" for name, value in self.keyword)]
        return f"{self.spelled}({', '.join(given)})" if given else self.spelled

    def in_words(self) -> str:
        return f"the {'function' if self.is_function else 'layer'} `{self.spelled}`"


class ParamSlot:
    """A `param` and the value it has in this run: its default, or the strongest override.

    `value` is the expression in force, read in `value_scope`; `origin` is the place of the override, or None.
    """

    def __init__(self, node: top_level.Param, scope: FileScope) -> None:
        self.node, self.scope, self.position = node, scope, len(scope.params)
        self.value: syntax.Pipe = node.value
        self.value_scope = scope
        self.origin: Span | None = None
        self.strength = DEFAULT
        self.used = False
        self.reads: set[ParamSlot] = set()
        self.default: Any = UNKNOWN  # the written default and the value in force, once `parameters.py` computed them
        self.result: Any = UNKNOWN

    @property
    def name(self) -> str:
        return self.node.name.text

    @property
    def takes_strings(self) -> bool:
        declared = self.node.type
        if declared is not None and declared.name is not None:
            return declared.name.text in ("string", "one_of")
        return isinstance(self.node.value, syntax.String)

    def override(self, value: syntax.Pipe, scope: FileScope, origin: Span, strength: int) -> None:
        """Gives another value, unless a stronger one was given."""
        if strength >= self.strength:
            self.value, self.value_scope, self.origin, self.strength = value, scope, origin, strength
            self.result = UNKNOWN

    def mark_used(self) -> None:
        """Something that is built reads it, and so what it was computed from."""
        waiting: list[ParamSlot] = [self]
        while waiting:
            slot = waiting.pop()
            if not slot.used:
                slot.used = True
                waiting += slot.reads


def is_table_name(name: str) -> bool:
    """Whether the language itself has something of the name."""
    return name in static_functions.STATIC_FUNCTIONS or name in statics.CONSTANTS or find(name) is not None


@dataclass(eq=False)
class FileScope:
    """What the bodies of one file see. With `extends`, one scope holds the names of both files.

    A file imported with other arguments is another scope.
    """

    name: str
    file: top_level.File
    report: Report
    params: dict[str, ParamSlot] = field(default_factory=dict[str, ParamSlot])
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])
    imported: dict[str, Definition | ParamSlot] = field(default_factory=dict[str, "Definition | ParamSlot"])
    sections: list[Definition] = field(default_factory=list[Definition])  # train, export and search, in order
    variants: dict[str, top_level.Variant] = field(default_factory=dict[str, top_level.Variant])
    settings: list[top_level.Setting] = field(default_factory=list[top_level.Setting])  # of `set`, in order
    #: Names that would be here if their import had not failed; it was reported.
    broken: set[str] = field(default_factory=set[str])
    #: The spec it extends could not be read, so that names may be missing.
    incomplete: bool = False
    #: Items are missing, for they have mistakes of syntax; what they may define is in `broken`.
    damaged: bool = False
    unread: frozenset[str] = frozenset()  # the words of what could not be read
    cracked: frozenset[int] = frozenset()  # the places of the items that lack a part
    keyless: bool = False  # the name of a key or binding could not be read
    nameless: bool = False  # one of the items has a name that could not be read
    places: dict[str, Span] = field(default_factory=dict[str, Span])

    def lookup(self, name: str) -> Definition | ParamSlot | None:
        """What a name of the file means; Abandoned when the file it would come from could not be read."""
        found = self.definitions.get(name) or self.params.get(name) or self.imported.get(name)
        nameless = (self.nameless or self.keyless or self._fused(name)) and not is_table_name(name)
        if found is None and (self.incomplete or name in self.broken or nameless):
            raise Abandoned
        return found

    def _fused(self, name: str) -> bool:
        """Whether a header that could not be read has this name with what followed it: `block Downchannels: int)`."""
        return self.damaged and len(name) > 1 and any(word.startswith(name) for word in self.broken)

    def hides(self, name: str) -> bool:
        """Whether a key or field of that name may be in what could not be read."""
        return self.keyless or name in self.unread

    def candidates(self) -> list[str]:
        """All names of the file, for suggestions."""
        return [*self.params, *self.definitions, *self.imported]

    def slots(self) -> Iterator[ParamSlot]:
        """The parameters that this file can set: its own and the imported ones."""
        yield from self.params.values()
        yield from (found for found in self.imported.values() if isinstance(found, ParamSlot))


# ---- statics of a definition -----------------------------------------------------------------------------------------


def statics_of(definition: Definition) -> tuple[syntax.Decl, ...]:
    """The static parameters of a block or model."""
    return statics_in(definition.node)


def statics_in(node: top_level.Block | top_level.BlockSeq | top_level.Model) -> tuple[syntax.Decl, ...]:
    """The static parameters as written: with one list, tensor types make it the inputs."""
    if isinstance(node, top_level.BlockSeq):
        return node.statics.items if node.statics is not None else ()
    if len(node.signature) == 2:
        return node.signature[0].items
    only = node.signature[0].items if node.signature else ()
    return () if any(decl.type is not None and _is_tensor(decl.type) for decl in only) else only


def _is_tensor(type: syntax.Type) -> bool:
    return type.shape is not None or (type.name is not None and type.name.text in DTYPES)
