"""One self-contained spec from a resolved project: `dlc build --resolved`.

Imports, `extends`, the variant and the command line are applied; what is left is a file that means the same. Names of
imported files are kept where they are free. The parameters of an imported file become their values, since a parameter
of the same name may exist here; only those that are functions or layers stay parameters, for layers are named after
them. Statics of models stay settings (`set GPT2.depth = 24`), as they beat what is written at a use.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any, cast

from ..catalogue.ops import find
from ..messages import resolve as errors
from ..messages.diagnostics import Failed
from ..messages.source import Span
from ..sizes.statics import Quantity
from ..text import syntax, top_level
from ..text.node import Node, rebuilt
from .definitions import Callable, Definition, FileScope, ParamSlot, snake
from .idle_overrides import words
from .levels import names_of
from .parameters import value_of
from .project import Project
from .settings import SettingValue


def flatten(project: Project) -> top_level.File:
    """The whole spec as one file. The project has no errors.

    Raises Failed when more blocks of one name are used without labels than there are names for.
    """
    assert project.report.ok, "only a spec without mistakes can be flattened"
    return _Flattener(project).file()


def literal(value: Any, span: Span) -> syntax.Pipe:
    """A static value as it is written."""
    if value is None:
        return syntax.NoneLiteral(span)
    if isinstance(value, bool):
        return syntax.Bool(span, value)
    if isinstance(value, (int, float)):
        if value < 0:
            return syntax.Unary(span, "-", literal(-value, span))
        number = value if isinstance(value, int) else float(value)
        return syntax.Number(span, number, repr(number))
    if isinstance(value, str):
        return syntax.String(span, value)
    if isinstance(value, Quantity):
        number = literal(value.number, span)
        if isinstance(number, syntax.Number):
            return syntax.Quantity(span, number, syntax.Name(span, value.unit))
        positive = syntax.Quantity(
            span, cast(syntax.Number, literal(-value.number, span)), syntax.Name(span, value.unit)
        )
        return syntax.Unary(span, "-", positive)
    assert isinstance(value, tuple), f"no static value: {value!r}"
    return syntax.List(span, tuple([literal(item, span) for item in cast("tuple[Any, ...]", value)]))


class _Flattener:
    def __init__(self, project: Project) -> None:
        self.project, self.root = project, project.root
        self.slots = {slot: name for name, slot in self._root_slots()}
        self.carried: dict[ParamSlot, str] = {}  # functions and layers among the parameters of imported files
        self.parts = self._reachable()
        self.taken = self._taken()
        self.copies: dict[tuple[Definition, str], str] = {}
        self.order: list[tuple[Definition, str]] = []
        for definition in self.root.definitions.values():
            self.copies[definition, snake(definition.name)] = definition.name
        self._free_params()

    def _root_slots(self) -> Iterator[tuple[str, ParamSlot]]:
        for name, found in self.root.imported.items():
            if isinstance(found, ParamSlot):
                yield name, found
        yield from self.root.params.items()

    # ---- what belongs to the file, and which names are free ---------------------------------------------------------

    def _reachable(self) -> list[Definition]:
        """The root's definitions and sections, and imported definitions that they name, directly or not."""
        found: dict[Definition, None] = dict.fromkeys((*self.root.definitions.values(), *self.root.sections))
        applied = [part for slot in self.slots for part in _targets(value_of(slot))]
        found |= dict.fromkeys(applied)
        queue = list(found)
        while queue:
            definition = queue.pop(0)
            for name in words(definition.node):
                other = definition.scope.lookup(name)
                parts = [other] if isinstance(other, Definition) else []
                if isinstance(other, ParamSlot) and other not in self.slots and isinstance(value_of(other), Callable):
                    self.carried[other] = name
                    parts = _targets(value_of(other))
                for part in parts:
                    if part not in found:
                        found[part] = None
                        queue.append(part)
        return list(found)

    def _taken(self) -> set[str]:
        taken = {*self.root.definitions, *self.slots.values()}
        for definition in self.parts:
            taken.update(names_of(definition))
        return taken

    def _free_params(self) -> None:
        """A parameter whose name an imported body uses for something of its own gets another."""
        inner = {name for part in self.parts if part.scope is not self.root for name in names_of(part)}
        for slot, name in self.slots.items():
            if name in inner and isinstance(value_of(slot), Callable):
                name = self._free(name, "", True, slot.node.name.span)
            while name in inner:
                name += "_"
            self.slots[slot] = name
        for slot, name in self.carried.items():
            self.slots[slot] = self._free(name, "", True, slot.node.name.span)
            self.taken.add(self.slots[slot])

    def _name(self, definition: Definition, spelled: str, matters: bool) -> str:
        """The name of a definition here. Where a use names a path (`matters`), it has to give the same path."""
        first = next((name for (other, _), name in self.copies.items() if other is definition), None)
        if first is not None and (not matters or snake(first) == snake(spelled)):
            return first
        key = (definition, snake(spelled))
        if key not in self.copies:
            stem = re.sub(r"\W", "", definition.scope.name.rpartition("/")[2].removesuffix(".dlspec").title())
            name = self._free(spelled, stem, matters, definition.place)
            self.copies[key] = name
            self.taken.add(name)
            self.order.append((definition, name))
        return self.copies[key]

    def _free(self, spelled: str, stem: str, matters: bool, place: Span) -> str:
        def free(name: str) -> bool:
            return name not in self.taken and find(name) is None

        if free(spelled):
            return spelled
        for name in _same_path(spelled):
            if snake(name) == snake(spelled) and free(name):
                return name
        if matters:
            raise Failed(errors.too_many_of_a_name(place, spelled))
        return next(
            name for count in itertools.count(1) if free(name := f"{spelled}_{stem}{count if count > 1 else ''}")
        )

    # ---- the file ----------------------------------------------------------------------------------------------------

    def file(self) -> top_level.File:
        file = self.root.file
        sections = [self._definition(part, part.name) for part in self.root.sections]
        own = [self._definition(part, part.name) for part in self.root.definitions.values()]
        settings = [
            self._setting(setting) for setting in self.project.settings.values() if setting.target.kind == "static"
        ]
        imported: list[top_level.Item] = []
        done = 0
        while done < len(self.order):  # an imported definition may name more
            definition, name = self.order[done]
            imported.append(self._definition(definition, name))
            done += 1
        params = [self._param(slot, name) for slot, name in self.slots.items()]
        version = file.version or syntax.Number(Span(file.span.file, 0, 0), 1, "1")
        return top_level.File(file.span, version, (*params, *reversed(imported), *own, *sections, *settings), ())

    def _param(self, slot: ParamSlot, name: str) -> top_level.Item:
        node = slot.node
        kept = slot.origin is None and slot.scope is self.root
        value = self._walk(node.value, slot.scope, False) if kept else self._literal(value_of(slot), node.value.span)
        type = self._walk(node.type, slot.scope, False)
        return top_level.Param(node.span, syntax.Name(node.name.span, name), type, value)

    def _literal(self, value: Any, span: Span) -> syntax.Pipe:
        """A value of a parameter as it is written here."""
        if not isinstance(value, Callable):
            return literal(value, span)
        target = value.target
        name = target.name if isinstance(target, type) else self._name(target, target.name, False)
        callee = syntax.Ref(span, name)
        positional = [self._literal(item, span) for item in value.positional]
        keyword = [syntax.Kwarg(span, syntax.Name(span, key), self._literal(item, span)) for key, item in value.keyword]
        return (
            syntax.Call(span, callee, syntax.Args(span, (*positional, *keyword))) if positional or keyword else callee
        )

    def _definition(self, definition: Definition, name: str) -> Any:
        node = definition.node
        changes: dict[str, object] = {"name": syntax.Name(node.name.span, name) if node.name is not None else None}
        if isinstance(node, (top_level.Block, top_level.BlockSeq)):
            changes["override"] = False
        return rebuilt(self._walk(node, definition.scope, True), **changes)

    def _setting(self, setting: SettingValue) -> top_level.Item:
        owner = setting.target.owner
        assert owner is not None
        span = setting.span
        names = (self._name(owner, owner.name, False), *setting.target.keys)
        path = syntax.Path(span, tuple(syntax.Name(span, name) for name in names))
        return top_level.Set(span, top_level.Setting(span, path, self._walk(setting.node, setting.scope, False)))

    # ---- trees -------------------------------------------------------------------------------------------------------

    def _walk(self, node: Any, scope: FileScope, named: bool) -> Any:
        """The node with the names of `scope` replaced by those they have here.

        `named`: an unlabelled layer at this place gets its path from how it is spelled.
        """
        match node:
            case tuple():
                return tuple([self._walk(item, scope, named) for item in cast("tuple[Any, ...]", node)])
            case syntax.Ref():
                return self._reference(node, scope)
            case syntax.Apply():
                args = self._walk(node.args, scope, named)
                return rebuilt(node, callee=self._path(node.callee, scope, named), args=args)
            case syntax.Labelled() | syntax.LabelledValue():
                return rebuilt(node, unit=self._walk(node.unit, scope, False))
            case top_level.BlockSeq():
                statics, stages = self._walk(node.statics, scope, False), self._walk(node.stages, scope, False)
                return rebuilt(node, statics=statics, stages=stages)
            case syntax.Body():
                return rebuilt(node, statements=self._walk(node.statements, scope, True))
            case syntax.Type():
                name = self._path(node.name, scope, False) if node.name is not None else None
                return rebuilt(
                    node,
                    name=name,
                    args=self._walk(node.args, scope, False),
                    shape=self._walk(node.shape, scope, False),
                )
            case top_level.Weights():
                model = scope.lookup(node.model.text)
                name = self._name(model, node.model.text, False) if isinstance(model, Definition) else node.model.text
                return rebuilt(
                    node, model=syntax.Name(node.model.span, name), entries=self._walk(node.entries, scope, False)
                )
            case top_level.Draw():
                return rebuilt(
                    node, path=self._setting_path(node.path, scope), value=self._walk(node.value, scope, False)
                )
            case top_level.Key():
                return rebuilt(node, value=self._walk(node.value, self._written_in(node, scope), named))
            case syntax.Bind() | syntax.Accum():
                return rebuilt(node, value=self._walk(node.value, scope, named))
            case syntax.Init():
                return rebuilt(node, value=self._walk(node.value, scope, False))
            case Node():
                return rebuilt(
                    node, **{name: self._walk(getattr(node, name), scope, named) for name in node.__match_args__}
                )
            case _:
                return node

    def _written_in(self, node: top_level.Key, scope: FileScope) -> FileScope:
        """The scope that the value of a key is read in: an override of an imported section is read in the root."""
        overrides = (setting for setting in self.project.settings.values() if setting.target.kind == "key")
        return next((setting.scope for setting in overrides if setting.span == node.span), scope)

    def _reference(self, node: syntax.Ref, scope: FileScope) -> syntax.Pipe:
        found = scope.lookup(node.name)
        if isinstance(found, ParamSlot):
            if found in self.slots:
                return syntax.Ref(node.span, self.slots[found])
            value = literal(value_of(found), node.span)
            return syntax.Paren(node.span, value) if isinstance(value, syntax.Unary) else value
        if isinstance(found, Definition) and found in self.parts:
            return syntax.Ref(node.span, self._name(found, node.name, False))
        return node

    def _path(self, path: syntax.Path, scope: FileScope, named: bool) -> syntax.Path:
        found = scope.lookup(path.names[0].text)
        if isinstance(found, ParamSlot) and found in self.slots:
            name = self.slots[found]
        elif isinstance(found, Definition) and found in self.parts:
            name = self._name(found, path.names[0].text, named)
        else:
            return path
        return syntax.Path(path.span, (syntax.Name(path.names[0].span, name), *path.names[1:]))

    def _setting_path(self, path: syntax.Path, scope: FileScope) -> syntax.Path:
        found = scope.lookup(path.names[0].text)
        if isinstance(found, ParamSlot) and found in self.slots:
            name = self.slots[found]
        elif isinstance(found, Definition):
            name = self._name(found, path.names[0].text, False)
        else:
            return path
        return syntax.Path(path.span, (syntax.Name(path.names[0].span, name), *path.names[1:]))


def _targets(value: Any) -> list[Definition]:
    """The blocks that a parameter's value names."""
    if not isinstance(value, Callable):
        return []
    inner = [part for item in (*value.positional, *(item for _, item in value.keyword)) for part in _targets(item)]
    return inner if isinstance(value.target, type) else [value.target, *inner]


def _same_path(name: str) -> Iterator[str]:
    """Other spellings that may give an unlabelled layer the same path: `ConvBN`, `CONV_BN`, `Conv_Bn`."""
    words = [
        word
        for word in re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)).split("_")
    ]
    for joint in ("_", ""):
        for forms in itertools.product(*({word: 0, word.title(): 0, word.upper(): 0} for word in words[:6])):
            yield joint.join((*forms, *words[6:]))
