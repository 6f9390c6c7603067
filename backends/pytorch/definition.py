"""The definition of a class or function as lines: signature, attributes, constructor, `forward`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ...compiler.dataclass import dataclass, field
from .constants import ClassArgument, Constants, ModuleClass, Scalar, Varies, marks, resolve
from .fitting import Absent, equal
from .functions import renamed, words
from .lines import Line
from .python import NAME, TAKEN, literal, unique
from .rows import ClassSignature, with_rows
from .scopes import Scopes
from .shared_tables import Given
from .sizes import Sizes
from .slots import RESERVED
from .stages import LAYERS

CLASS_MARK = re.compile("\x03(\\d+)\x04")


@dataclass(eq=False)
class Class:
    """A class of the generated file, for the bodies that share it."""

    number: int
    base_name: str
    bodies: tuple[int, ...]
    parameters: list[ClassArgument]
    scopes: Scopes
    lines: list[Line] = field(default_factory=list[Line])
    defaults: dict[str, Scalar] = field(default_factory=dict[str, "Scalar"])
    base: str = "nn.Module"
    is_function: bool = False
    tables: list[Given] = field(default_factory=list[Given])
    name: str = ""
    uses: list[int] = field(default_factory=list[int])

    @property
    def mark(self) -> str:
        return f"\x03{self.number}\x04"

    @property
    def signature(self) -> ClassSignature:
        defaults = {n: v.text if isinstance(v, ModuleClass) else literal(v) for n, v in self.defaults.items()}
        return ClassSignature(self.base_name, [parameter.name for parameter in self.parameters], defaults)


@dataclass
class ClassDefinition:
    """What a class is written from: the statements of its constructor and of `forward`, with markers of varying numbers.

    `is_model`: its arguments default to the spec's values. `statics` are those of each body, `declared` the defaults that
    the block declares, `others` the classes that are written already.
    """

    cls: Class
    constants: Constants
    constructor: list[Line]
    forward: list[Line]
    sizes: Sizes
    is_model: bool
    statics: Sequence[Mapping[str, Any]]
    declared: Mapping[str, object]
    others: Sequence[Class]

    def write(self) -> None:
        """Settles the constructor's arguments and writes the lines of the class."""
        cls, constants, constructor, forward = self.cls, self.constants, self.constructor, self.forward
        read = set[int]().union(*(marks(line.text) for line in forward))
        parameters, texts = constants.fit()
        if not self.is_model:
            cls.defaults = self._defaults(parameters)
            parameters.sort(key=lambda parameter: parameter.name in cls.defaults)  # arguments with a default come last
        cls.parameters = parameters
        names = [p.name for p in parameters]
        if cls.is_function:
            cls.lines = self._function(parameters, texts)
            return
        if LAYERS in names and any(line.text.startswith(f"{LAYERS}:") for line in constructor):
            raise Varies
        attributes: dict[str, str] = {}
        for name in names:
            taken = {*cls.scopes.root.children, *RESERVED, *(n for _, n in cls.scopes.residuals.values())}
            attributes[name] = unique(name, taken)
        stored = {n for i in read for n in names if re.search(rf"\b{re.escape(n)}\b", texts[i])}
        inside = [_on_self(text, attributes) for text in texts]
        lines: list[Line] = []
        for table in cls.tables:
            table.name = unique(table.name, names)
            constructor = [replace(line, text=line.text.replace(table.mark, table.name)) for line in constructor]
        owns_nothing = [line.text for line in constructor] == ["super().__init__()"] and not names
        if not owns_nothing:
            if self.is_model:
                given = [f"{p.name}={literal(p.values[0])}" for p in parameters]
            else:
                defaults = cls.signature.defaults
                given = [f"{name}={defaults[name]}" if name in defaults else name for name in names]
            if not self.is_model:
                required = len(names) - len(cls.defaults)
                given[required:required] = [table.name for table in cls.tables if not table.optional]
                given += [f"{table.name}=None" for table in cls.tables if table.optional]
            arguments = ["self", *given]
            lines.append(Line(f"def __init__({', '.join(arguments)}):"))
            lines += constructor[:1]
            lines += [Line(f"self.{attributes[name]} = {name}", 1) for name in names if name in stored]
            lines += constructor[1:]
        if lines and forward:
            lines.append(Line(""))
        lines += forward
        resolved = [Line(resolve(line.text, texts, inside), line.indent + 1, line.shapes, line.names) for line in lines]
        self._show_shapes(resolved, texts)
        signatures = {other.mark: other.signature for other in self.others}
        cls.lines = with_rows(resolved, signatures, {*RESERVED, *TAKEN, *names, *(table.name for table in cls.tables)})

    def _function(self, parameters: list[ClassArgument], texts: list[str]) -> list[Line]:
        """The statements of a function; its numbers are arguments after the tensors."""
        cls, forward = self.cls, self.forward
        taken = words(forward)
        free = {p.name: unique(p.name, taken) for p in parameters}
        given = [f"{free[p.name]}: {type(p.values[0]).__name__}" for p in parameters]
        defaults = [cls.defaults.get(p.name) for p in parameters]
        given = [g if d is None else f"{g} = {literal(d)}" for g, d in zip(given, defaults, strict=True)]
        cls.parameters = [ClassArgument(free[p.name], p.values) for p in parameters]
        cls.defaults = {free[name]: value for name, value in cls.defaults.items()}
        texts = [renamed(text, free) for text in texts]
        head, _, result = forward[0].text.removeprefix("def forward(self, ").partition(")")
        signature = f"def {cls.mark}({', '.join([head, *given])}){result}"
        lines = [Line(signature, 0, forward[0].shapes, forward[0].names), *forward[1:]]
        lines = [Line(resolve(line.text, texts, texts), line.indent, line.shapes, line.names) for line in lines]
        self._show_shapes(lines, texts)
        return lines

    def _show_shapes(self, lines: Sequence[Line], texts: Sequence[str]) -> None:
        """Adds comments with shapes."""
        spelled = dict(zip(self.constants.varying, texts, strict=True))
        spelled |= {parameter.values: parameter.name for parameter in self.cls.parameters}
        for line in lines:
            shapes = [self.sizes.shape([n.values for n in shape], spelled) for shape in line.shapes if shape]
            known = [word for word in shapes if word is not None]
            if known and len(known) == len(shapes):
                named = [f"{name}: {w}" if name else w for name, w in zip(line.names, known, strict=False)]
                line.text += f"\x05{', '.join(named)}"

    def _defaults(self, parameters: Sequence[ClassArgument]) -> dict[str, Scalar]:
        """Default values of arguments: those that the block declares, and false for a switch."""
        declared = self.declared
        found: dict[str, Scalar] = {}
        for parameter in parameters:
            if parameter.is_switch:
                found[parameter.name] = False
            if any(isinstance(value, Absent) for value in parameter.values):
                found[parameter.name] = ModuleClass("None")
            for statics, value in zip(self.statics, parameter.values, strict=True):
                own = statics.get(parameter.name)
                if isinstance(value, Absent):
                    continue
                if parameter.name in declared and equal(own, declared[parameter.name]):
                    found[parameter.name] = value
                    break
        return found


def _on_self(text: str, attributes: Mapping[str, str]) -> str:
    """An expression of the constructor's arguments as one of attributes."""
    return NAME.sub(lambda m: f"self.{attributes[m[0]]}" if m[0] in attributes else m[0], text)


__all__ = ["CLASS_MARK", "Class", "ClassDefinition"]
