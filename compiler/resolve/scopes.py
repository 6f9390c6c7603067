"""Names of a file: its definitions, parameters and imports, and the values of the parameters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from ..catalogue.ops import find
from ..elaborate.values import Callable
from ..messages import resolve as errors
from ..messages.diagnostics import Abandoned, Failed, Report
from ..messages.names import nearest
from ..messages.source import Span
from ..sizes import statics
from ..text import syntax
from .callables import APPLIED, applied_kind, evaluate_callable
from .callables import kind_of as callable_kind
from .evaluate import evaluate_static

Kind: TypeAlias = Literal["block", "model", "data", "weights", "train", "export", "search"]

#: Where a value comes from, weakest first.
DEFAULT, FILE_SET, IMPORT_ARGUMENT, SET, VARIANT, COMMAND_LINE = range(6)

PARAM_TYPES = ("int", "float", "bool", "string", "one_of", "fn", "layer")


@dataclass(frozen=True, eq=False)
class Definition:
    """A block, model or section with the scope that its body sees.

    `override_of` is the block of the extended spec that this one replaces.
    """

    kind: Kind
    name: str
    node: Any  # syntax.Block | syntax.BlockSeq | syntax.Model | syntax.Data | ...
    scope: FileScope
    override_of: Definition | None = None

    @property
    def place(self) -> Span:
        """Where its name stands, or the whole section when it has none."""
        return self.node.name.span if self.node.name is not None else self.node.span


class ParamSlot:
    """A `param` and the value it has in this run: its default, or the strongest override.

    `value` is the expression in force, read in `value_scope`; `origin` is the place of the override, or None.
    """

    def __init__(self, node: syntax.Param, scope: FileScope) -> None:
        self.node, self.scope, self.position = node, scope, len(scope.params)
        self.value: syntax.Pipe = node.value
        self.value_scope = scope
        self.origin: Span | None = None
        self.strength = DEFAULT
        self.used = False
        self.reads: set[ParamSlot] = set()
        self._default: Any = _UNKNOWN
        self._result: Any = _UNKNOWN

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
            self._result = _UNKNOWN

    def mark_used(self) -> None:
        """Something that is built reads it, and so what it was computed from."""
        waiting: list[ParamSlot] = [self]
        while waiting:
            slot = waiting.pop()
            if not slot.used:
                slot.used = True
                waiting += slot.reads

    def result(self) -> Any:
        """The value, computed once; a mistake is reported once and raises Abandoned ever after."""
        if self._result is _UNKNOWN:
            self._result = _PENDING
            try:
                self._result = self._evaluate()
            except Failed as failure:
                self.scope.report.add(failure.diagnostic)
                self._result = _FAILED
            except Abandoned:
                self._result = _FAILED
            except RecursionError:  # a chain of a thousand parameters, read from its end by an imported file
                self.scope.report.add(errors.too_deep(self.value.span))
                self._result = _FAILED
        if self._result is _FAILED:
            raise Abandoned
        if self._result is _PENDING:
            raise Failed(errors.param_cycle(self.node.name.span, [self.name, self.name]))
        return self._result

    def default(self) -> Any:
        """The value written at the declaration."""
        if self.origin is None:
            return self.result()
        if self._default is _UNKNOWN:
            self._default = _PENDING
            self._default = self._checked(self._value(self.node.value, self.scope, True), self.node.value.span, None)
        return self._default

    @property
    def applied(self) -> str:
        """`fn` or `layer` when the parameter is something to apply, by its type or by its default, else ""."""
        declared = self.node.type
        if declared is None:
            return applied_kind(self.node.value, self.scope)
        name = declared.name.text if declared.name is not None and declared.shape is None else ""
        return name if name in APPLIED else ""

    def _value(self, node: syntax.Pipe, scope: FileScope, above: bool) -> Any:
        kind = self.applied

        def lookup(ref: syntax.Ref) -> Any:
            return scope.value(ref, self, above)

        return evaluate_callable(node, scope, lookup, kind) if kind else evaluate_static(node, lookup)

    def _evaluate(self) -> Any:
        own = self.origin is None
        value = self._value(self.value, self.value_scope, own)
        inferred = None if own or self.node.type is not None else self.default()
        return self._checked(value, self.value.span, inferred)

    def _checked(self, value: Any, span: Span, inferred: Any) -> Any:
        """`value` as the declared type demands, or as the default's."""
        declared = self.node.type
        if declared is not None:
            if declared.shape is not None or declared.name is None or declared.name.text not in PARAM_TYPES:
                text = declared.name.text if declared.name is not None and declared.shape is None else "[..]"
                raise Failed(errors.param_type_unknown(declared.span, text, nearest(text, PARAM_TYPES)))
            kind = declared.name.text
            if kind == "one_of":
                return self._one_of(value, span, declared)
        elif inferred is None:
            return value
        else:
            kind = kind_of(inferred)
        try:
            return convert(value, kind, self.name)
        except statics.StaticError as error:
            default = statics.describe(self.default()) if self.origin is not None else None
            place = self.node.name.span if self.origin is not None else None
            found = f"`{statics.describe(value)}`"
            raise Failed(
                errors.wrong_value(span, self.name, EXPECTED[kind], found, place, default, error.code)
            ) from None

    def _one_of(self, value: Any, span: Span, declared: syntax.Type) -> Any:
        items = declared.args.items if declared.args is not None else ()
        allowed = [
            evaluate_static(item, lambda ref: self.scope.value(ref, self))
            for item in items
            if not isinstance(item, syntax.Kwarg)
        ]
        if not any(type(value) is type(item) and value == item for item in allowed):
            expected = "one of " + ", ".join(map(statics.describe, allowed))
            near = (
                nearest(value, [item for item in allowed if isinstance(item, str)]) if isinstance(value, str) else None
            )
            diagnostic = errors.wrong_value(
                span, self.name, expected, f"`{statics.describe(value)}`", declared.span if self.origin else None, None
            )
            if near is not None:
                diagnostic = errors.with_near(diagnostic, near)
            raise Failed(diagnostic)
        return value


def is_table_name(name: str) -> bool:
    """Whether the language itself has something of the name."""
    return name in statics.STATIC_FUNCTIONS or name in statics.CONSTANTS or find(name) is not None


_UNKNOWN, _PENDING, _FAILED = object(), object(), object()

EXPECTED = {
    "int": "an integer",
    "float": "a number",
    "bool": "`true` or `false`",
    "string": "a string",
    "list": "a list",
    "quantity": "a number with a unit",
    **APPLIED,
}


def kind_of(value: Any) -> str:
    """The static type of a value by its name in a spec, or ""."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "string"
    if isinstance(value, statics.Quantity):
        return "quantity"
    if isinstance(value, Callable):
        return callable_kind(value)
    return "list" if isinstance(value, tuple) else ""


def convert(value: Any, kind: str, name: str) -> Any:
    """`value` as a static type named in a spec; int to float is the only conversion. Raises StaticError."""
    what = f"`{name}`"
    match kind:
        case "int":
            return statics.as_int(value, what)
        case "float":
            return statics.as_float(value, what)
        case "bool":
            return statics.as_bool(value, what)
        case "string":
            return statics.as_string(value, what)
        case "list" if not statics.is_list(value):
            raise statics.StaticError("E0304", f"{what} is a list")
        case "quantity" if not isinstance(value, statics.Quantity):
            raise statics.StaticError("E0403", f"{what} has no unit")
        case "fn" | "layer" if kind_of(value) != kind:
            raise statics.StaticError("E0304", f"{what} is {APPLIED[kind]}")
        case _:
            return value


@dataclass(eq=False)
class FileScope:
    """What the bodies of one file see. With `extends`, one scope holds the names of both files.

    A file imported with other arguments is another scope.
    """

    name: str
    file: syntax.File
    report: Report
    params: dict[str, ParamSlot] = field(default_factory=dict[str, ParamSlot])
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])
    imported: dict[str, Definition | ParamSlot] = field(default_factory=dict[str, "Definition | ParamSlot"])
    sections: list[Definition] = field(default_factory=list[Definition])  # train, export and search, in order
    variants: dict[str, syntax.Variant] = field(default_factory=dict[str, syntax.Variant])
    settings: list[syntax.Setting] = field(default_factory=list[syntax.Setting])  # of `set`, in order
    #: Names that would be here if their import had not failed; it was reported.
    broken: set[str] = field(default_factory=set[str])
    #: The spec it extends could not be read, so that names may be missing.
    incomplete: bool = False
    #: Items are missing, for they have mistakes of syntax; what they may define is in `broken`.
    damaged: bool = False
    nameless: bool = False  # one of them has a name that could not be read
    places: dict[str, Span] = field(default_factory=dict[str, Span])

    def lookup(self, name: str) -> Definition | ParamSlot | None:
        """What a name of the file means; Abandoned when the file it would come from could not be read."""
        found = self.definitions.get(name) or self.params.get(name) or self.imported.get(name)
        if found is None and (self.incomplete or name in self.broken or (self.nameless and not is_table_name(name))):
            raise Abandoned
        return found

    def param(self, name: str) -> Any:
        """The value of a parameter of this file; Abandoned when its mistake was reported."""
        slot = self.lookup(name)
        assert isinstance(slot, ParamSlot), f"{name} is no parameter"
        slot.mark_used()
        return slot.result()

    def candidates(self) -> list[str]:
        """All names of the file, for suggestions."""
        return [*self.params, *self.definitions, *self.imported]

    def slots(self) -> Iterator[ParamSlot]:
        """The parameters that this file can set: its own and the imported ones."""
        yield from self.params.values()
        yield from (found for found in self.imported.values() if isinstance(found, ParamSlot))

    def value(self, ref: syntax.Ref, reader: ParamSlot | None = None, above: bool = True) -> Any:
        """The value of a name in an expression of the file's own level, e.g. the default of a parameter (`reader`).

        With `above` a parameter sees only those declared before it.
        """
        found = self.lookup(ref.name)
        if isinstance(found, Definition):
            raise Failed(errors.not_a_value(ref.span, ref.name, found.kind))
        if found is None:
            if ref.name in statics.CONSTANTS:
                return statics.CONSTANTS[ref.name]
            if reader is not None and reader.strength == COMMAND_LINE and reader.takes_strings:
                raise Failed(errors.without_quotes(ref.span, ref.name, reader.name))
            near = nearest(ref.name, [*(slot.name for slot in self.slots()), *statics.CONSTANTS])
            raise Failed(errors.unknown_name(ref.span, ref.name, near))
        if reader is not None:
            own = found.scope is reader.scope and ref.name in self.params
            if found is reader and above and own:
                raise Failed(errors.param_cycle(ref.span, [ref.name, ref.name]))
            if above and own and found.position >= reader.position:
                raise Failed(errors.param_below(ref.span, ref.name, found.node.name.span))
            reader.reads.add(found)
            if reader.used:
                found.mark_used()
        else:
            found.mark_used()  # a section reads it
        try:
            return found.result()
        except Failed:
            chain = [ref.name] if reader is found or reader is None else [ref.name, reader.name]
            raise Failed(errors.param_cycle(ref.span, [*chain, ref.name])) from None
