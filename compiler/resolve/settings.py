"""Settings: `param`, `Model.static`, `section.key`, given by `set`, a variant or the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Literal

from ..catalogue import CLIPS, KEEPS, OPTIMIZERS, STOPS
from ..catalogue.entry import Entry
from ..dataclass import dataclass
from ..messages import resolve as errors
from ..messages.diagnostics import Abandoned, Diagnostic, Failed
from ..messages.names import nearest
from ..messages.source import Span
from ..text import syntax, top_level
from ..text.node import rebuilt
from .definitions import Definition, FileScope, ParamSlot, statics_of

SECTIONS = ("train", "export", "search")

#: Keys of `train` that a bare name on the command line may mean (`seed=7`).
TRAIN_KEYS = (
    "model", "data", "inputs", "loss", "metrics", "optimizer", "group", "freeze", "step", "phase", "weights", "batch",
    "micro_batch", "duration", "validate", "keep", "stop", "clip", "precision", "seed", "ema", "mixup", "log", "runtime",
)  # fmt: skip


#: What a key of a section may name with arguments, which are settings too (`train.optimizer.lr=1e-3`).
ENTRIES = (OPTIMIZERS, CLIPS, KEEPS, STOPS)


@dataclass(frozen=True)
class Target:
    """What a setting's path means: `path` is its full form (`train.gpt.batch` when the section is named)."""

    kind: Literal["param", "static", "key"]
    path: str
    slot: ParamSlot | None = None
    owner: Definition | None = None
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class SettingValue:
    """A static of a model or a key of a section with the value that is in force."""

    path: str
    node: syntax.Pipe
    span: Span
    scope: FileScope
    origin: Literal["set", "variant", "command line"]
    target: Target
    written: str = ""


class Finder:
    """Resolves what the paths of settings mean in one spec."""

    def __init__(self, scope: FileScope) -> None:
        self.scope = scope

    def find(self, path: syntax.Path, *, bare: bool = False) -> Target:
        """The setting at `path`; with `bare` (on the command line) one name may also be a static or a train key.

        Raises Failed with E0301, and Abandoned when the name's import failed or it may be what could not be read.
        """
        try:
            return self._find(path, bare)
        except Failed:
            if self.scope.damaged or any(self.scope.hides(name.text) for name in path.names[-1:]):
                raise Abandoned from None
            raise

    def _find(self, path: syntax.Path, bare: bool) -> Target:
        first, rest = path.names[0], tuple(name.text for name in path.names[1:])
        if not rest:
            return self._single(first, bare)
        found = self.scope.lookup(first.text)
        if isinstance(found, Definition) and found.kind == "model":
            return self._static(found, path)
        if isinstance(found, Definition) and found.kind in ("data", "weights"):
            return Target("key", f"{found.name}.{'.'.join(rest)}", owner=found, keys=rest)
        if isinstance(found, Definition):
            raise Failed(errors.not_a_key(path.span, path.text, f"in a {found.kind}"))
        if first.text in SECTIONS:
            return self._key(first.text, rest, path)
        raise Failed(self._unknown(path))

    def _single(self, name: syntax.Name, bare: bool) -> Target:
        found = self.scope.lookup(name.text)
        if isinstance(found, ParamSlot):
            return Target("param", name.text, slot=found)
        fits = [target for target in self._bare(name.text)] if bare else []
        if len(fits) == 1:
            return fits[0]
        if fits:
            raise Failed(errors.ambiguous_setting(name.span, name.text, [target.path for target in fits]))
        raise Failed(self._unknown(syntax.Path(name.span, (name,))))

    def _bare(self, name: str) -> Iterator[Target]:
        for model in self.models():
            if any(decl.name.text == name for decl in statics_of(model)):
                yield Target("static", f"{model.name}.{name}", owner=model, keys=(name,))
        if name in TRAIN_KEYS:
            for section in self.sections("train"):
                yield Target("key", ".".join((*_prefix(section), name)), owner=section, keys=(name,))

    def _static(self, model: Definition, path: syntax.Path) -> Target:
        names = [decl.name.text for decl in statics_of(model)]
        wanted = path.names[1].text
        if len(path.names) > 2 or wanted not in names:
            near = nearest(wanted, names)
            raise Failed(
                errors.unknown_setting(
                    path.span, path.text, f"{model.name}.{near}" if near else None, [f"{model.name}.{n}" for n in names]
                )
            )
        return Target("static", f"{model.name}.{wanted}", owner=model, keys=(wanted,))

    def _key(self, kind: str, rest: tuple[str, ...], path: syntax.Path) -> Target:
        sections = self.sections(kind)
        if not sections:
            raise Failed(errors.no_section(path.span, kind))
        named = next((section for section in sections if section.name == rest[0]), None)
        if named is not None and len(rest) > 1:
            return Target("key", f"{kind}.{'.'.join(rest)}", owner=named, keys=rest[1:])
        plain = [section for section in sections if not section.name] or sections
        if len(plain) > 1:
            fits = [".".join((*_prefix(section), *rest)) for section in plain]
            raise Failed(errors.ambiguous_setting(path.span, path.text, fits))
        return Target("key", ".".join((*_prefix(plain[0]), *rest)), owner=plain[0], keys=rest)

    def models(self) -> list[Definition]:
        found = [*self.scope.definitions.values(), *self.scope.imported.values()]
        return [item for item in found if isinstance(item, Definition) and item.kind == "model"]

    def sections(self, kind: str) -> list[Definition]:
        return [section for section in self.scope.sections if section.kind == kind]

    def has(self) -> list[str]:
        """Every setting by its shortest name, for messages: parameters, statics, keys that are written."""
        names = [slot.name for slot in self.scope.params.values()]
        names += [name for name, found in self.scope.imported.items() if isinstance(found, ParamSlot)]
        for model in self.models():
            names += [f"{model.name}.{decl.name.text}" for decl in statics_of(model)]
        for section in self.scope.sections:
            prefix = ".".join(_prefix(section))
            names += [
                f"{prefix}.{item.name.text}" for item in section.node.entries.items if isinstance(item, top_level.Key)
            ]
        return names

    def _unknown(self, path: syntax.Path) -> Diagnostic:
        has = self.has()
        last: dict[str, str] = {}
        for name in has:
            last.setdefault(name.rpartition(".")[2], name)
        for key in TRAIN_KEYS if self.sections("train") else ():
            last.setdefault(key, f"train.{key}")
        for section in self.sections("train"):
            prefix = ".".join(_prefix(section))
            for name in _arguments(section):
                last.setdefault(name, f"{prefix}.{name}")  # `optimizer.lr`
                last.setdefault(name.partition(".")[2], f"{prefix}.{name}")  # `lr`
        near = last.get(path.text) or nearest(path.text, has) or nearest(path.text, last)
        return errors.unknown_setting(path.span, path.text, last.get(near, near) if near else None, has)


def _prefix(section: Definition) -> tuple[str, ...]:
    return (section.kind, section.name) if section.name else (section.kind,)


# ---- keys of sections ------------------------------------------------------------------------------------------------


def with_key(definition: Definition, keys: tuple[str, ...], setting: SettingValue, path: syntax.Path) -> Definition:
    """The section with one key set; a subsection that is not there yet is added. Raises Failed (E0301)."""
    names = path.names[-len(keys) :]
    entries = _set_entry(definition.node.entries, names, setting)
    return replace(definition, node=rebuilt(definition.node, entries=entries))


def _set_entry(entries: top_level.Entries, names: tuple[syntax.Name, ...], setting: SettingValue) -> top_level.Entries:
    first, rest = names[0], names[1:]
    items = list(entries.items)
    new = top_level.Key(setting.span, first, setting.node)
    for index, item in enumerate(items):
        if isinstance(item, (top_level.Rule, top_level.Draw)) or item.name.text != first.text:
            continue
        if isinstance(item, (top_level.Field, top_level.Let)):
            raise Failed(
                errors.not_a_key(first.span, first.text, "a field" if isinstance(item, top_level.Field) else "a `let`")
            )
        if isinstance(item, top_level.SubFor):
            if not (len(rest) > 1 and len(item.args) == 1 and _is_name(item.args[0], rest[0].text)):
                continue
            inner = item.entries or top_level.Entries(item.span, ())
            items[index] = top_level.SubFor(item.span, item.name, item.args, _set_entry(inner, rest[1:], setting))
        elif isinstance(item, top_level.Sub) and rest:
            items[index] = top_level.Sub(item.span, item.name, _set_entry(item.entries, rest, setting))
        elif rest:
            value = _with_argument(item.value, rest, setting) if isinstance(item, top_level.Key) else None
            if value is None:
                raise Failed(errors.no_keys(first.span, first.text))
            items[index] = top_level.Key(item.span, item.name, value)
        else:
            items[index] = new
        return top_level.Entries(entries.span, tuple(items))
    if not rest:
        return top_level.Entries(entries.span, (*items, new))
    if first.text in ("step", "phase"):
        known = [
            _name(item.args[0]) for item in items if isinstance(item, top_level.SubFor) and item.name.text == first.text
        ]
        raise Failed(
            errors.unknown_setting(rest[0].span, f"{first.text}.{rest[0].text}", nearest(rest[0].text, known), known)
        )
    inner = _set_entry(top_level.Entries(setting.span, ()), rest, setting)
    return top_level.Entries(entries.span, (*items, top_level.Sub(setting.span, first, inner)))


def _with_argument(value: syntax.Pipe, names: tuple[syntax.Name, ...], setting: SettingValue) -> syntax.Pipe | None:
    """`AdamW(1e-2)` with `lr=1e-3` is `AdamW(1e-3)`: an argument of the entry that a key names; None where it names none."""
    callee = value.callee if isinstance(value, syntax.Call) else value
    args = value.args if isinstance(value, syntax.Call) else syntax.Args(value.span, ())
    if not isinstance(callee, syntax.Ref) or len(names) != 1:
        return None
    entry: type[Entry] | None = next((family[callee.name] for family in ENTRIES if callee.name in family), None)
    if entry is None:
        return None
    new = syntax.Kwarg(setting.span, names[0], setting.node)
    order = [argument for argument, _, _ in entry.arguments]
    at = order.index(new.name.text) if new.name.text in order else len(args.items)
    items = list(args.items)
    for place, item in enumerate(items):
        if isinstance(item, syntax.Kwarg) and item.name.text == new.name.text:
            items[place] = new
        elif place == at and not isinstance(item, syntax.Kwarg):
            items[place] = setting.node
    if items == list(args.items):
        items.append(new)
    return syntax.Call(value.span, callee, syntax.Args(args.span, tuple(items)))


def _arguments(section: Definition) -> Iterator[str]:
    """`optimizer.lr`: what is a setting because a key of the section names an entry that takes it."""
    for item in section.node.entries.items:
        value = item.value if isinstance(item, top_level.Key) else None
        callee = value.callee if isinstance(value, syntax.Call) else value
        name = callee.name if isinstance(callee, syntax.Ref) else ""
        for family in ENTRIES:
            if name in family:
                yield from (f"{item.name.text}.{argument}" for argument, _, _ in family[name].arguments)


def _is_name(node: syntax.Pipe, name: str) -> bool:
    return isinstance(node, syntax.Ref) and node.name == name


def _name(node: syntax.Pipe) -> str:
    return node.name if isinstance(node, syntax.Ref) else ""


def twice(settings: Iterable[tuple[str, Span]]) -> Iterator[Diagnostic]:
    """E0408 for each setting that one place gives twice."""
    first: dict[str, Span] = {}
    for path, span in settings:
        if path in first:
            yield errors.setting_twice(span, path, first[path])
        first.setdefault(path, span)
