"""A model of a checked spec at other values of its statics: what shows which number of it follows from which static.

The typed IR holds numbers, not where they come from: `Linear(4 * d)` with `d = 768` is a weight of 3072 rows. To
write `4 * d` again, a backend compares the model with itself at `d = 960` and `d = 192`. The spec is read again from the
sources that the IR carries, so that a stored IR gives the same answers as a fresh one; where that does not give the
same model (a file is missing, another version of the compiler checked it), there are no others.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .check import paused
from .dataclass import dataclass
from .elaborate.elaborator import Elaborator
from .elaborate.roots import RootUse
from .ir.model import (
    Body,
    CallNode,
    Init,
    Instance,
    Model,
    ModeNode,
    OpNode,
    Parameter,
    RepeatNode,
    RepeatRun,
    Requirement,
    Scalar,
    ScanNode,
    Spec,
    Value,
)
from .ir.record import Record
from .messages.diagnostics import Report
from .resolve.definitions import UNKNOWN, Callable, Definition, ParamSlot, statics_of
from .resolve.project import Project, resolve
from .sizes.dims import Dim
from .sizes.types import TensorType
from .text import syntax
from .text.node import Node

#: How deep below the temporary folder the spec lies, so that imports may climb.
DEPTH = 6

#: How many turns more than the spec's a loop gets whose turns differ: each of them is checked on its own.
MORE = 4


@dataclass(frozen=True)
class Resized:
    """A model at other values of its statics. `spec` holds the bodies of `model`, which is the one of the IR but for places
    in the source, and those of all others: by static or parameter of the file, the model with other values of it alone."""

    spec: Spec
    model: Model
    others: Mapping[str, Sequence[Model]]
    #: Those of `others` that are parameters of the file; in all bodies they are among the statics.
    params: Sequence[str] = ()


def resized(spec: Spec, model: Model) -> Resized | None:
    """The model with, for each static, as many other values of it as were found of a near, a small and a large one; None
    where there is nothing to change.

    Only statics that are numbers and that change no layer, path or operator at any of the values that were tried. A static whose default follows from another one changes with it and has no entry.
    Parameters of the file that the model reads count as statics, but for those that change nothing but the sizes of what
    flows through.
    """
    if not any(map(_is_number, (*model.statics.values(), *spec.params.values()))):
        return None
    with paused():
        again = _again(spec, model)
        if again is None:
            return None
        others = {name: again.others(name) for name in again.free}
        params = again.free_params
        values: list[Mapping[str, int | float]] = [params] * len(again.elaborator.bodies)  # of the parameters, by body
        for name in params:
            others[name] = again.others_of_param(name, params, values)
        bodies = tuple(
            body.model_copy(
                update={"statics": {**body.statics, **{k: v for k, v in more.items() if k not in body.statics}}}
            )
            for body, more in zip(again.elaborator.bodies, values, strict=True)
        )
        whole = spec.model_copy(update={"bodies": bodies})
        return Resized(whole, again.base, {name: found for name, found in others.items() if found}, tuple(params))


class _Again:
    """A project whose model can be elaborated with other statics."""

    def __init__(self, project: Project, definition: Definition, spec: Spec, model: Model) -> None:
        self.definition, self.spec, self.model = definition, spec, model
        # Settings of statics come after written arguments: here they are among the given values.
        kept = {path: s for path, s in project.settings.items() if not path.startswith(f"{model.name}.")}
        self.elaborator = Elaborator(replace(project, settings=kept, used=set(project.used)))
        self.base = model
        self.declared = {decl.name.text: decl for decl in statics_of(definition)}
        self.given = {name: value for name, value in model.statics.items() if _passes(value)}
        self.params = definition.scope.params
        for slot in self.params.values():
            slot.used = False
        self.read: set[ParamSlot] = set()
        #: Whether a model that was compared has another number of turns that differ.
        self.counts_turns = False

    @property
    def free_params(self) -> dict[str, int | float]:
        """Numbers among the parameters of the file that the model reads; without those that follow from others, that a
        static takes its default from, or that a static is called like."""
        defaults = [decl.default for decl in self.declared.values() if decl.default is not None]
        return {
            name: slot.result
            for name, slot in self.params.items()
            if slot in self.read and _is_number(slot.result) and name not in self.declared
            if not _mentions(slot.value, self.params) and not any(_mentions(node, {name: slot}) for node in defaults)
        }

    def others_of_param(
        self, name: str, params: Mapping[str, int | float], values: list[Mapping[str, int | float]]
    ) -> list[Model]:
        """The model with other values of a parameter of the file; empty as for `others`, and where only sizes of what flows
        through change. `values` gets what the parameters are in each body that is added."""
        slot, kept = self.params[name], {slot: slot.result for slot in self.params.values()}
        cache, models, flowing = self.elaborator.cache, list[Model](), True
        self.counts_turns = False
        try:
            for choices in candidates(kept[slot]):
                for value in self.tried(choices, kept[slot]):
                    for other in self.params.values():  # those that follow from it are computed again
                        other.result = UNKNOWN if _mentions(other.value, self.params) else kept[other]
                    slot.result = value
                    self.elaborator.cache = {}
                    found = self.elaborated({})
                    values += [{**params, name: value}] * (len(self.elaborator.bodies) - len(values))
                    if found is None:
                        continue
                    if not self.equal(found, numbers=False):
                        return []
                    flowing = flowing and self.equal(found, numbers=False, loose=_FLOWING)
                    models.append(found)
                    break
        finally:
            self.elaborator.cache = cache
            for other, result in kept.items():
                other.result = result
        return [] if flowing else models

    @property
    def free(self) -> list[str]:
        return [name for name, value in self.given.items() if _is_number(value)]

    def matches(self) -> bool:
        """Whether it gives the model itself; statics that follow from others are left to do so."""
        found = self.elaborated({})
        if found is None or not self.equal(found, numbers=True):
            return False
        self.base = found
        self.read = {slot for slot in self.params.values() if slot.used}
        for name, decl in self.declared.items():
            if name in self.given and decl.default is not None and _mentions(decl.default, self.declared):
                value = self.given.pop(name)
                found = self.elaborated({})
                if found is None or found.statics != self.model.statics:
                    self.given[name] = value
        return True

    def elaborated(self, changed: Mapping[str, int | float]) -> Model | None:
        """The model with these statics; None when it is invalid. Blocks that do not change are checked once."""
        self.elaborator.report = Report()
        arguments = tuple({**self.given, **changed}.items())
        callable = Callable(self.definition, self.definition.name, (), arguments)
        root = self.elaborator.root(RootUse(self.definition, callable, self.definition.node.name.span))
        return None if root is None else self.elaborator.models[root.model]

    def equal(self, other: Model, *, numbers: bool, loose: Collection[tuple[type[Record], str]] | None = None) -> bool:
        """Whether a model equals that of the IR, in all but numbers or in these too. Facts about symbolic sizes have to."""
        mine = self.model
        facts = mine.divisors == other.divisors and mine.bounds.keys() == other.bounds.keys()
        facts = facts and (not numbers or mine.bounds == other.bounds)
        comparison = _Comparison(self.spec.bodies, self.elaborator.bodies, numbers=numbers, loose=loose)
        same = facts and comparison.equal_bodies(mine.body, other.body)
        self.counts_turns = self.counts_turns or comparison.counts_turns
        return same

    def others(self, name: str) -> list[Model]:
        """Empty when a value gives a valid model with other layers: then the static is not only a size."""
        models: list[Model] = []
        self.counts_turns = False
        for choices in candidates(self.given[name]):
            for value in self.tried(choices, self.given[name]):
                found = self.elaborated({name: value})
                if found is None:
                    continue
                if not self.equal(found, numbers=False):
                    return []
                models.append(found)
                break
        return models

    def tried(self, choices: Sequence[int | float], value: float) -> Sequence[int | float]:
        """The values of `choices` that are worth their time, for something that is `value` in the spec."""
        return [choice for choice in choices if not self.counts_turns or choice <= value + MORE]


def _again(spec: Spec, model: Model) -> _Again | None:
    with tempfile.TemporaryDirectory() as folder:
        texts = {source.name: source.text for source in spec.sources}
        arguments = [text for name, text in texts.items() if name.startswith("argument ")]
        files = {name: text for name, text in texts.items() if name.endswith(".dlspec") and not name.startswith("<")}
        root = _written(files, spec.name, Path(folder))
        if root is None:
            return None
        variants: Sequence[str | None] = (None,)
        tried: set[str | None] = set()
        while variants:
            variant, *variants = variants
            if variant in tried:
                continue
            tried.add(variant)
            project = resolve(root, arguments, variant, Path(folder))
            variants += list(project.variants)
            if not project.report.ok:
                continue
            scopes = reversed(project.scopes)  # the spec itself first
            named = (scope.definitions.get(model.name) for scope in scopes)
            definition = next((found for found in named if found is not None and found.kind == "model"), None)
            if definition is None:
                continue
            again = _Again(project, definition, spec, model)
            if again.matches():
                return again
    return None


def _written(files: Mapping[str, str], stem: str, folder: Path) -> Path | None:
    """Puts the sources where they lie around the root; its place, or None when it is not among them."""
    name = next((name for name in files if Path(name).stem == stem), None)
    if name is None:
        return None
    home = folder.joinpath(*["d"] * DEPTH)
    try:
        for other, text in files.items():
            place = home / os.path.relpath(other, os.path.dirname(name) or ".")
            if not place.resolve().is_relative_to(folder.resolve()):
                return None
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
    except (OSError, ValueError):
        return None
    return home / Path(name).name


def candidates(value: float) -> list[list[int | float]]:
    """Other values, each list best first: near ones, near ones below, small ones, large ones. Near ones show rounding
    (`v + 1`); where they divide nothing that they should, a simple share does."""
    if isinstance(value, float):
        if 0 <= value < 1:
            return [[value * 0.75 or 0.25], [value / 2 + 0.5]]
        return [[value * 1.25], [value * 3.0], [value * 0.66]]  # the last shows what is rounded
    if value <= 0:
        return [[value + 1], [value + 3]]
    near = [value + 1, value + 2, value * 5 // 4, value * 3 // 2, value * 7 // 6]
    below = [value - 1, value - 2]
    small = [1, 2, 3, value // 4, value // 2, value // 3]
    large = [value * 64, value * 6, value * 4, value * 3, value * 2]
    taken: set[int] = {value}
    rows: list[list[int | float]] = []
    for row in (near, below, small, large):
        rows.append([n for n in dict.fromkeys(row) if n > 0 and n not in taken])
    return rows


def _mentions(node: Any, names: Mapping[str, Any]) -> bool:
    if isinstance(node, syntax.Ref):
        return node.name in names
    if isinstance(node, Node):
        return any(_mentions(getattr(node, field), names) for field in node.__match_args__)
    return isinstance(node, tuple) and any(_mentions(item, names) for item in node)  # pyright: ignore[reportUnknownVariableType]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _passes(value: Any) -> bool:
    """Whether a static of the IR can be given again: functions and layers are in it by name only."""
    if isinstance(value, tuple):
        items: tuple[Any, ...] = value  # pyright: ignore[reportUnknownVariableType]
        return all(map(_passes, items))
    return value is None or isinstance(value, (bool, int, float))


# ---- comparing -------------------------------------------------------------------------------------------------------


class _Comparison:
    """Of bodies and all they contain, places in the source apart."""

    def __init__(
        self,
        one: Sequence[Body],
        two: Sequence[Body],
        *,
        numbers: bool,
        loose: Collection[tuple[type[Record], str]] | None = None,
    ) -> None:
        self.one, self.two, self.numbers = one, two, numbers
        self.loose = _SIZES if loose is None else loose
        self.known: dict[tuple[int, int], bool] = {}
        self.counts_turns = False

    def equal_bodies(self, a: int, b: int) -> bool:
        if (a, b) not in self.known:
            self.known[a, b] = True
            self.known[a, b] = self.equal(self.one[a], self.two[b])
        return self.known[a, b]

    def equal(self, a: Any, b: Any, *, loose: bool = False) -> bool:
        """`loose`: numbers are here sizes and arguments, not for places or values."""
        if isinstance(a, Record):
            return type(a) is type(b) and all(
                self.field(a, name, value, b.__dict__[name]) for name, value in a.__dict__.items()
            )
        if isinstance(a, TensorType):
            return isinstance(b, TensorType) and a.dtype == b.dtype and self.equal(a.shape, b.shape, loose=loose)
        if isinstance(a, tuple):
            items: tuple[Any, ...] = a  # pyright: ignore[reportUnknownVariableType]
            others: Any = b
            alike = isinstance(b, tuple) and len(items) == len(others)
            return alike and all(self.equal(x, y, loose=loose) for x, y in zip(items, others, strict=True))
        if isinstance(a, dict):
            entries: dict[str, Any] = a  # pyright: ignore[reportUnknownVariableType]
            return list(entries) == list(b) and all(self.equal(v, b[k], loose=loose) for k, v in entries.items())
        if loose and _is_size(a):
            return _is_size(b)
        return type(a) is type(b) and a == b

    def field(self, record: Record, name: str, a: Any, b: Any) -> bool:
        if name in ("span", "places", "text"):
            return True
        if isinstance(a, int) and name in _bodies_of(record):
            return isinstance(b, int) and self.equal_bodies(a, b)
        if not self.numbers and name in ("statics", "dims"):
            return True
        if isinstance(record, RepeatNode) and name == "runs" and not self.numbers:
            return self.equal_runs(a, b)
        return self.equal(a, b, loose=not self.numbers and (type(record), name) in self.loose)

    def equal_runs(self, a: Any, b: Any) -> bool:
        """Whether two loops have equal turns. Where their turns differ by their number, one of them may have more: the first
        turn has to equal the first then, and each later one all later ones."""
        if len(a) == len(b):
            return self.equal(a, b)
        self.counts_turns = True
        if (
            (RepeatRun, "count") not in self.loose
            or not a
            or not b
            or a[0].offsets != b[0].offsets
            or not self.alike(a[0], b[0])
        ):
            return False
        later = [(one, two) for one in a[1:] for two in b[1:2]] + [(one, two) for one in a[1:2] for two in b[2:]]
        return all(self.alike(one, two) for one, two in later)

    def alike(self, a: RepeatRun, b: RepeatRun) -> bool:
        names = ("captures", "instances", "strides")
        return self.equal_bodies(a.body, b.body) and all(getattr(a, name) == getattr(b, name) for name in names)


#: Fields that hold sizes and arguments.
_SIZES = {
    (Value, "type"), (Scalar, "value"), (Parameter, "shape"), (Init, "args"), (Instance, "args"), (OpNode, "args"),
    (RepeatRun, "count"), (Requirement, "left"), (Requirement, "right"),
}  # fmt: skip

#: The one that holds sizes of what flows through.
_FLOWING = {(Value, "type")}


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, float, Dim)) and not isinstance(value, bool)


def _bodies_of(record: Record) -> tuple[str, ...]:
    """The fields that hold the index of a body."""
    match record:
        case ModeNode():
            return ("training", "evaluation")
        case CallNode() | ScanNode() | RepeatRun() | Instance():
            return ("body",)
        case _:
            return ()


__all__ = ["Resized", "resized"]
