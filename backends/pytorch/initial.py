"""`init_weights` of a model: the first values that differ from those PyTorch's own constructors give.

    init Linear.weight, Embedding.weight = normal(0.02)        the spec
    init Linear.bias = zeros
    init "**.c_proj.weight" = normal(0.02 / sqrt(2 * depth))

    for module in self.modules():                              the source
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.02)
    for name, parameter in self.named_parameters():
        if name.endswith("c_proj.weight"):
            nn.init.normal_(parameter, std=0.02 / (2 * self.depth) ** 0.5)

The rules of a spec name what they choose. Here they are derived from the init that each parameter ended up with, so that
rules of blocks, overruled rules and rules that repeat PyTorch's defaults need no special care. Training does not use the
method: there each first value follows from the seed and the path alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ...compiler.catalogue.ops import find
from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import ParameterEntry, instances, join, parameters, turns
from ...compiler.ir.model import Init, Instance, Model, ModeNode, Parameter, RepeatNode, ScanNode, Spec
from .constants import Constants, Varies
from .initial_statements import InitialStatements
from .lines import Line
from .lowering import module_classes
from .python import quoted

#: Up to this many parameters are named one by one; more are matched by the ends of their names.
FEW = 4


@dataclass(frozen=True)
class ParametersAlike:
    """Parameters with one init. `kind` and `leaf`: of all modules of a class; `endings`: of their names; `paths`: each."""

    inits: tuple[Init, ...]  # at each size of the model
    kind: str = ""
    leaf: str = ""
    endings: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()

    def chooses(self, entry: ParameterEntry) -> bool:
        if self.kind:
            return (entry.layer, entry.leaf) == (self.kind, self.leaf)
        return entry.path.endswith(self.endings) if self.endings else entry.path in self.paths


class InitialValues:
    """The rules of a model that is known at one or more sizes."""

    def __init__(self, spec: Spec, models: Sequence[Model]) -> None:
        self.sizes = [
            [entry for entry in parameters(spec, model, first_turns=at > 0) if not entry.buffer]
            for at, model in enumerate(models)
        ]
        self.entries = self.sizes[0]
        self.by_path = [{entry.path: entry for entry in entries} for entries in self.sizes]
        self.defaults = [_defaults(spec, model, first_turns=at > 0) for at, model in enumerate(models)]
        self.special = {entry.path: entry for entry in self.entries if entry.init != self.defaults[0][entry.path]}
        #: Scopes with different numbers of turns at different sizes.
        self.counted = tuple(_differing([_turns(spec, model) for model in models]))
        by_kind = self._by_kind()
        self.rules = [*by_kind, *self._by_name(by_kind)]

    def _by_kind(self) -> list[ParametersAlike]:
        groups: dict[tuple[str, str], list[ParameterEntry]] = {}
        for entry in self.entries:
            groups.setdefault((entry.layer, entry.leaf), []).append(entry)
        inside = {held for entry in self.entries for held in module_classes(entry.layer)[1]}
        found: list[ParametersAlike] = []
        for (kind, leaf), entries in groups.items():
            module, _ = module_classes(kind)
            if not module or module in inside or len(entries) < 2:
                continue
            if not all(entry.path in self.special for entry in entries):
                continue
            count = Counter(repr(entry.init) for entry in entries)
            chosen = max(entries, key=lambda entry: count[repr(entry.init)])
            modules = {entry.path.rpartition(".")[0] for entry in self.entries if entry.layer == kind}
            if 2 * len(entries) <= len(modules) and chosen.init != Init(name="zeros"):
                continue
            found.append(ParametersAlike(self._at_each_size([chosen, *entries]), kind=kind, leaf=leaf))
        return found

    def _by_name(self, by_kind: Sequence[ParametersAlike]) -> list[ParametersAlike]:
        """Statements for parameters that their class does not initialise, or not as the spec wants."""
        kinds = {(rule.kind, rule.leaf): rule.inits[0] for rule in by_kind}
        left: dict[str, list[ParameterEntry]] = {}
        for entry in self.special.values():
            if kinds.get((entry.layer, entry.leaf)) != entry.init:
                left.setdefault(repr(entry.init), []).append(entry)
        found: list[ParametersAlike] = []
        for entries in left.values():
            paths = {entry.path for entry in entries}
            numbered = any(part.isdigit() for path in paths for part in path.split("."))
            init = self._at_each_size(entries)
            counted = any(path.startswith(self.counted) for path in paths)
            if len(paths) <= (FEW // 2 if numbered else FEW) and not counted:
                found.append(ParametersAlike(init, paths=tuple(entry.path for entry in entries)))
                continue
            alone: dict[str, bool] = {}
            endings = dict.fromkeys(self._ending(entry.path, paths, alone) for entry in entries)
            found.append(ParametersAlike(init, endings=tuple(endings)))
        return found

    def _ending(self, path: str, paths: set[str], alone: dict[str, bool]) -> str:
        """The shortest end of a path, in whole segments, that only these paths have."""
        parts = path.split(".")
        for count in range(1, len(parts) + 1):
            ending = ".".join(parts[-count:])
            if ending not in alone:
                alone[ending] = all(e.path in paths for e in self.entries if e.path.endswith(ending))
            if alone[ending]:
                return ending
        return path

    def _at_each_size(self, entries: Sequence[ParameterEntry]) -> tuple[Init, ...]:
        """The init of the first entry, or of one that equals it and is there at every size."""
        init = entries[0].init
        alike = (entry.path for entry in entries if entry.init == init)
        path = next((path for path in alike if all(path in known for known in self.by_path)), "")
        found = [known[path].init if path else None for known in self.by_path]
        if init is None or any(other is None or other.name != init.name for other in found):
            raise Varies
        return tuple(other for other in found if other is not None)

    def holds(self) -> bool:
        """Whether the rules give each parameter its init, at every size."""
        for at, (entries, defaults) in enumerate(zip(self.sizes, self.defaults, strict=True)):
            for entry in entries:
                said = [rule for rule in self.rules if rule.chooses(entry)]
                if entry.init != (said[-1].inits[at] if said else defaults[entry.path]):
                    return False
        return True

    def lines(self, constants: Constants, access: Callable[[str], str], source: str) -> list[Line]:
        """The method; none when PyTorch does all of it. `source` shows which modules there are."""
        if not self.rules:
            return []
        if not self.holds():
            if len(self.sizes) > 1:
                raise Varies
            self.rules = [
                ParametersAlike((e.init,), paths=(path,)) for path, e in self.special.items() if e.init is not None
            ]
        write = InitialStatements(constants)
        body: list[Line] = []
        by_kind: dict[tuple[str, ...], list[str]] = {}
        for rule in self.rules:
            if rule.kind:
                by_kind.setdefault((rule.kind,), []).extend(self._module_lines(rule, write))
        merged: dict[tuple[str, ...], list[str]] = {}
        for kinds, texts in by_kind.items():
            same = next((other for other, lines in merged.items() if lines == texts), None)
            if same is None:
                merged[kinds] = texts
            else:
                merged = {(*other, *kinds) if other == same else other: lines for other, lines in merged.items()}
        if merged:
            body.append(Line("for module in self.modules():"))
        for at, (kinds, texts) in enumerate(merged.items()):
            classes = [
                name for kind in kinds for name in sorted(set(re.findall(module_classes(kind)[0] + r"\b", source)))
            ]
            given = classes[0] if len(classes) == 1 else f"({', '.join(classes)})"
            body.append(Line(f"{'if' if at == 0 else 'elif'} isinstance(module, {given}):", 1))
            for text in texts:
                body.append(Line(text.strip(), 2 + (len(text) - len(text.lstrip())) // 4))
        named = [rule for rule in self.rules if rule.endings]
        if named:
            body.append(Line("for name, parameter in self.named_parameters():"))
        for at, rule in enumerate(named):
            ends = [quoted(ending) for ending in rule.endings]
            given = ends[0] if len(ends) == 1 else f"({', '.join(ends)})"
            body.append(Line(f"{'if' if at == 0 else 'elif'} name.endswith({given}):", 1))
            body += [Line(text, 2) for text in write(rule.inits, "parameter")]
        for rule in self.rules:
            for path in rule.paths:
                body += [Line(text) for text in write(rule.inits, access(path))]
        head = [Line("@torch.no_grad()")] if write.plain else []
        say = Line('"""Initial values that differ from PyTorch\'s defaults."""', 1)
        return [*head, Line("def init_weights(self) -> None:"), say, *(Line(x.text, x.indent + 1) for x in body)]

    def _module_lines(self, rule: ParametersAlike, write: InitialStatements) -> list[str]:
        place = f"module.{rule.leaf}"
        texts = write(rule.inits, place)
        owners = {entry.path.rpartition(".")[0] for entry in self.entries if entry.layer == rule.kind}
        have = {entry.path.rpartition(".")[0] for entry in self.entries if rule.chooses(entry)}
        if have == owners:
            return texts
        return [f"if {place} is not None:", *(f"    {text}" for text in texts)]


def _defaults(spec: Spec, model: Model, *, first_turns: bool) -> dict[str, Init | None]:
    """What PyTorch fills each parameter with, as an init; None where no constructor of PyTorch makes the parameter."""
    return {
        join(found.path, p.name): None if _stated(found.instance, p) else p.init
        for found in instances(spec, model, first_turns=first_turns)
        for p in found.instance.parameters
    }


def _turns(spec: Spec, model: Model) -> dict[str, int]:
    """How many turns there are in each scope of a model; of equal turns only the first is looked into."""
    found: Counter[str] = Counter()

    def walk(index: int, prefix: str, offsets: Mapping[str, int]) -> None:
        body = spec.bodies[index]
        for node in body.nodes:
            match node:
                case RepeatNode():
                    scope = join(prefix, node.scope, offsets)
                    found[f"{scope}." if scope else ""] += sum(run.count for run in node.runs)
                    last = -1
                    for inner, place, shifted, run in turns(node, prefix, offsets):
                        if run != last:
                            walk(inner, place, shifted)
                        last = run
                case ModeNode():
                    walk(node.training, prefix, offsets)
                    walk(node.evaluation, prefix, offsets)
                case ScanNode():
                    walk(node.body, prefix, offsets)
                case _:
                    pass
        for instance in body.instances:
            if instance.body is not None:
                walk(instance.body, join(prefix, instance.path, offsets), {})

    walk(model.body, "", {})
    return found


def _differing(counts: Sequence[Mapping[str, int]]) -> Iterator[str]:
    """The scopes that have not as many turns everywhere."""
    for scope in dict.fromkeys(scope for found in counts for scope in found):
        if len({found.get(scope, 0) for found in counts}) > 1:
            yield scope


def _stated(layer: Instance, parameter: Parameter) -> bool:
    """Whether a layer gives the init of its parameter itself, as `Linear(4, init = zeros)` and every `Param` do."""
    given: Any = layer.args.get("init")
    operator = find(layer.op or "")
    return (operator is not None and operator.bare == "parameter") or (
        given is not None and parameter.init is not None and given[0] == parameter.init.name
    )


__all__ = ["InitialValues"]
