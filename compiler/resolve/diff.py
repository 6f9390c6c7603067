"""What differs in meaning between two specs: blocks, settings, models' parameters. Formatting and order do not count.

Both specs are flattened first, so that an `extends` is compared as what it amounts to.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast

from ..dataclass import dataclass
from ..ir.expand import parameters
from ..ir.model import Spec
from ..text import syntax, top_level
from ..text.node import Node, rebuilt
from ..text.printer import print_expression, print_file
from .definitions import statics_in
from .flatten import flatten
from .project import Project

N = TypeVar("N")


@dataclass(frozen=True)
class Change:
    """`before` or `after` is None when the thing is new or gone."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class ModelChange:
    """Trained parameters of a model, and those of its tensors that are new, gone or of another shape.

    Names that differ in numbers alone are one pattern: `h.*.mlp.w1.weight`.
    """

    name: str
    before: int
    after: int
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class Difference:
    """Everything that differs; `settings` by dotted name, `definitions` as canonical text."""

    definitions: tuple[Change, ...]
    settings: tuple[Change, ...]
    models: tuple[ModelChange, ...]

    def __bool__(self) -> bool:
        return bool(self.definitions or self.settings or self.models)


def compare(before: Project, after: Project, specs: tuple[Spec, Spec] | None = None) -> Difference:
    """The difference of two projects without mistakes; with their IR also that of the models' parameters."""
    old, new = _Meaning(flatten(before)), _Meaning(flatten(after))
    return Difference(
        tuple(_changes(old.definitions, new.definitions)),
        tuple(_changes(old.settings, new.settings)),
        tuple(_models(*specs)) if specs is not None else (),
    )


def meaning(file: top_level.File) -> tuple[dict[str, str], dict[str, str]]:
    """Settings by dotted name and definitions by name, of a self-contained spec, as canonical text: texts are equal for
    what means the same."""
    found = _Meaning(file)
    return (
        {name: compared for name, (compared, _) in found.settings.items()},
        {name: compared for name, (compared, _) in found.definitions.items()},
    )


def _changes(old: Mapping[str, tuple[str, str]], new: Mapping[str, tuple[str, str]]) -> Iterator[Change]:
    """Values are (what is compared, what is shown)."""
    for name in dict.fromkeys((*old, *new)):
        one, two = old.get(name), new.get(name)
        if one is None or two is None or one[0] != two[0]:
            yield Change(name, one and one[1], two and two[1])


# ---- trees -----------------------------------------------------------------------------------------------------------


class _Meaning:
    """Definitions and settings of a flattened spec by name, in a form that equals for what means the same."""

    def __init__(self, file: top_level.File) -> None:
        self.definitions: dict[str, tuple[str, str]] = {}
        self.settings: dict[str, tuple[str, str]] = {}
        for item in file.items:
            self._item(item)

    def _item(self, item: top_level.Item) -> None:
        match item:
            case top_level.Param():
                self._set(item.name.text, item.value)
            case top_level.Block() | top_level.BlockSeq():
                self._define(f"block {item.name.text}", item)
            case top_level.Model():
                for decl in statics_in(item):
                    if decl.default is not None:
                        self._set(f"{item.name.text}.{decl.name.text}", decl.default)
                self._define(f"model {item.name.text}", _without_defaults(item))
            case top_level.Set():
                self._set(item.setting.path.text, item.setting.value)
            case top_level.Data() | top_level.Weights():
                self._entries(item.name.text, item.entries)
            case top_level.Train() | top_level.Export() | top_level.Search():
                kind = type(item).__name__.lower()
                self._entries(f"{kind}.{item.name.text}" if item.name is not None else kind, item.entries)
            case _:
                pass

    def _define(self, name: str, item: top_level.Item) -> None:
        self.definitions[name] = (_text(_plain(item)), _text(item))

    def _set(self, name: str, value: Node) -> None:
        self.settings[name] = (print_expression(_plain(value)), print_expression(value))

    def _entries(self, prefix: str, entries: top_level.Entries) -> None:
        if not entries.items:
            self.settings.setdefault(prefix, ("", ""))
        for item in entries.items:
            match item:
                case top_level.Key() | top_level.Let():
                    self._set(f"{prefix}.{item.name.text}", item.value)
                case top_level.Field():
                    compared = f"{print_expression(_plain(item.type))} = {print_expression(_plain(item.value))}"
                    shown = f"{print_expression(item.type)} = {print_expression(item.value)}"
                    self.settings[f"{prefix}.{item.name.text}"] = (compared, shown)
                case top_level.Draw():
                    self._set(f"{prefix}.{item.path.text}", item.value)
                case top_level.Rule():
                    self._set(f'{prefix}."{item.ours.value}"', item.theirs)
                case top_level.Sub():
                    self._entries(f"{prefix}.{item.name.text}", item.entries)
                case top_level.SubFor():
                    chosen = ", ".join(print_expression(_plain(argument)) for argument in item.args)
                    self._entries(
                        f"{prefix}.{item.name.text} {chosen}", item.entries or top_level.Entries(item.span, ())
                    )


def _without_defaults(model: top_level.Model) -> top_level.Model:
    """The model with its statics' defaults, which are settings, left out."""
    statics = statics_in(model)
    if not statics:
        return model
    bare = tuple([syntax.Decl(decl.span, decl.name, decl.type, None) for decl in statics])
    return rebuilt(model, signature=(syntax.Decls(model.signature[0].span, bare), *model.signature[1:]))


def _plain(node: N) -> N:
    """Without what is only spelling: parentheses that change nothing, `10k` for `10000`, the order of named arguments."""
    if isinstance(node, tuple):
        return cast(N, tuple([_plain(item) for item in cast("tuple[Any, ...]", node)]))
    if isinstance(node, syntax.Paren):
        return cast(N, _plain(node.value))
    if isinstance(node, syntax.Number):
        return cast(N, syntax.Number(node.span, node.value, repr(node.value)))
    if isinstance(node, Node):
        return cast(
            N, rebuilt(node, **{name: _plain(getattr(node, name)) for name in node.__match_args__ if name != "span"})
        )
    return node


def _text(item: top_level.Item) -> str:
    return print_file(top_level.File(item.span, None, (item,), ())).rstrip("\n")


# ---- parameters ------------------------------------------------------------------------------------------------------


def _models(old: Spec, new: Spec) -> Iterator[ModelChange]:
    before, after = dict(_tensors(old)), dict(_tensors(new))
    for name in dict.fromkeys((*before, *after)):
        one, two = before.get(name, {}), after.get(name, {})
        counts = [sum(size for _, size in tensors.values()) for tensors in (one, two)]
        changes = tuple(
            Change(pattern, _shapes(one, paths), _shapes(two, paths))
            for pattern, paths in _patterns(path for path in {**one, **two} if _shape(one, path) != _shape(two, path))
        )
        if changes:
            yield ModelChange(name, counts[0], counts[1], changes)


def _tensors(spec: Spec) -> Iterator[tuple[str, dict[str, tuple[tuple[int, ...], int]]]]:
    """Shape and trained elements of every tensor of every model."""
    for model in spec.models:
        yield (
            model.name,
            {entry.path: (entry.shape, 0 if entry.buffer else entry.size) for entry in parameters(spec, model)},
        )


def _shape(tensors: Mapping[str, tuple[tuple[int, ...], int]], path: str) -> tuple[int, ...] | None:
    return tensors[path][0] if path in tensors else None


def _patterns(paths: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for path in paths:
        found.setdefault(re.sub(r"(?<![^.])\d+(?![^.])", "*", path), []).append(path)
    for pattern, group in found.items():
        yield (pattern if len(group) > 1 else group[0]), group


def _shapes(tensors: Mapping[str, tuple[tuple[int, ...], int]], paths: list[str]) -> str | None:
    """The shape of the tensors at these paths, how many there are, or None when there is none."""
    shapes = [tensors[path][0] for path in paths if path in tensors]
    if not shapes:
        return None
    shown = ", ".join(f"[{', '.join(map(str, shape))}]" for shape in dict.fromkeys(shapes))
    return shown if len(shapes) == 1 else f"{len(shapes)} x {shown}"


# ---- output ----------------------------------------------------------------------------------------------------------


def to_text(difference: Difference) -> str:
    """For people; "" when nothing differs."""
    lines: list[str] = []
    for change in difference.definitions:
        if change.before is None or change.after is None:
            lines.append(f"{'+' if change.before is None else '-'} {change.name}")
            continue
        lines.append(f"{change.name}")
        shown = list(difflib.unified_diff(change.before.splitlines(), change.after.splitlines(), lineterm="", n=1))
        lines += [f"  {line}" for line in shown[2:] if not line.startswith("@@")]
    if difference.settings:
        width = max(len(change.name) for change in difference.settings)
        lines += [f"{change.name:{width}}  {_arrow(change)}" for change in difference.settings]
    for model in difference.models:
        lines.append(f"{model.name}  {model.before:,} -> {model.after:,} parameters ({model.after - model.before:+,})")
        for change in model.changes:
            sign = "+" if change.before is None else "-" if change.after is None else "~"
            lines.append(f"  {sign} {change.name}  {_arrow(change) if sign == '~' else change.after or change.before}")
    return "\n".join(lines)


def _arrow(change: Change) -> str:
    return f"{change.before if change.before is not None else '(not there)'} -> " + (
        change.after if change.after is not None else "(not there)"
    )


def to_json(difference: Difference) -> dict[str, Any]:
    def change(item: Change) -> dict[str, Any]:
        return {"name": item.name, "before": item.before, "after": item.after}

    return {
        "equal": not difference,
        "definitions": [change(item) for item in difference.definitions],
        "settings": [change(item) for item in difference.settings],
        "models": [
            {
                "name": model.name,
                "parameters": {"before": model.before, "after": model.after},
                "tensors": [change(item) for item in model.changes],
            }
            for model in difference.models
        ],
    }
