"""What an optimizer updates, as a function of its nets: groups of parameters with their hyperparameters.

    def parameter_groups(model):
        decay, no_decay = [], []
        for p in model.parameters():
            if p.ndim < 2:
                no_decay.append(p)
            else:
                decay.append(p)
        common = {"lr": lr, "betas": (0.9, 0.95), "eps": 1e-8}
        return {
            "AdamW": [
                {"params": decay, "weight_decay": 0.1, **common},
                {"params": no_decay, "weight_decay": 0.0, **common},
            ],
        }

Groups stand under the name of their optimizer (Muon leaves what is no matrix to AdamW). A hyperparameter is a number or a
function of the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...compiler.catalogue.clock import clock_of, length_of
from ...compiler.catalogue.optimizers import OPTIMIZERS
from ...compiler.ir.expand import parameters
from ...compiler.ir.model import Selector, Spec
from ...compiler.ir.train import Phase, Schedule, Train, Update
from .lines import Line
from .parameter_rules import by_name, by_rank, chosen
from .python import WIDTH, identifier, literal, quoted, unique
from .schedules import Schedules


@dataclass(frozen=True)
class GroupFunction:
    """The function of one update and the nets it takes."""

    name: str
    nets: tuple[str, ...]


def group_functions(spec: Spec, train: Train) -> list[list[GroupFunction]]:
    """Functions of every update, by phase."""
    single = len(train.phases) == 1 and len(train.phases[0].updates) == 1
    taken: set[str] = set()
    found: list[list[GroupFunction]] = []
    for phase in train.phases:
        row: list[GroupFunction] = []
        for update in phase.updates:
            words = [] if single else _words(phase, update)
            name = identifier("_".join([*words, "parameter_groups"]).lower(), taken)
            taken.add(name)
            row.append(GroupFunction(name, moving(spec, train, phase, update)))
        found.append(row)
    return found


def optimization(
    spec: Spec, train: Train, records: int, variables: Mapping[str, str], taken: set[str]
) -> list[list[Line]]:
    """Schedules, then parameter groups, of all updates. `variables` are the arguments of nets, `taken` names of the file."""
    rows = group_functions(spec, train)
    names = {function.name for row in rows for function in row}
    schedules = Schedules({*taken, *names, *variables.values(), "math", "name", "p", "re", "step"})
    found: list[list[Line]] = []
    for phase, row in zip(train.phases, rows, strict=True):
        for update, function in zip(phase.updates, row, strict=True):
            groups = _Groups(spec, train, phase, update, function.nets, records, variables, schedules)
            found.append(groups.lines(function.name))
    return [*schedules.functions, *found]


def moving(spec: Spec, train: Train, phase: Phase, update: Update) -> tuple[str, ...]:
    """The nets of an update that the phase does not freeze whole."""
    frozen = [selector for freeze in phase.freeze if freeze.until is None for selector in freeze.selectors]
    if not frozen:
        return update.nets
    found: list[str] = []
    for net in train.nets:
        prefix = f"{net.name}." if net.name else ""
        entries = [entry for entry in parameters(spec, spec.models[net.model]) if not entry.buffer]
        if net.name in update.nets and len(chosen(frozen, prefix, entries)) < len(entries):
            found.append(net.name)
    return tuple(found) or update.nets


def _words(phase: Phase, update: Update) -> list[str]:
    return [word for word in (phase.name, update.name) if word]


@dataclass(frozen=True)
class _Rule:
    """A condition on a parameter; `paths` meet it."""

    text: str
    paths: frozenset[str]
    word: str


@dataclass(frozen=True)
class _Group:
    """What one optimizer is told of some parameters."""

    kind: str
    args: Mapping[str, Any]
    schedules: Mapping[str, Schedule]

    def items(self) -> list[str]:
        return [name for name, _, _ in OPTIMIZERS[self.kind].arguments if name in self.args]

    def same(self) -> str:
        """Equal for groups that are told the same."""
        told = [(n, self.schedules[n].model_dump_json() if n in self.schedules else self.args[n]) for n in self.items()]
        return repr((self.kind, told))


class _Groups:
    """Writes the function of one update."""

    def __init__(
        self,
        spec: Spec,
        train: Train,
        phase: Phase,
        update: Update,
        nets: tuple[str, ...],
        records: int,
        variables: Mapping[str, str],
        schedules: Schedules,
    ) -> None:
        clock = clock_of(phase, records)
        self.phase, self.update, self.schedules = phase, update, schedules
        self.clock, self.total = clock.of_updates(update), length_of(phase, clock) * update.repeat
        self.words = [] if len(train.phases) == len(phase.updates) == 1 else _words(phase, update)
        self.nets, self.arguments = nets, [variables[net or "model"] for net in nets]
        alone = len(nets) == 1
        self.prefix = f"{nets[0]}." if alone and nets[0] else ""
        self.entries = [
            entry if alone else replace(entry, path=f"{net.name}.{entry.path}")
            for net in train.nets
            if net.name in nets
            for entry in parameters(spec, spec.models[net.model])
            if not entry.buffer
        ]
        self.known = [entry.path for entry in self.entries]
        self.single = alone

    # ---- rules -----------------------------------------------------------------------------------------------------

    def rule(self, selectors: Sequence[Selector]) -> _Rule:
        paths = chosen(selectors, self.prefix, self.entries)
        texts = by_rank(selectors)
        named = chosen([s for s in selectors if s.kind != "rank"], self.prefix, self.entries)
        if named:
            texts.append(by_name(named, self.known))
        return _Rule(" or ".join(texts), frozenset(paths), _word(selectors, self.prefix))

    def matrices(self) -> _Rule:
        """What Muon updates."""
        matrices = [entry for entry in self.entries if len(entry.shape) == 2]
        tables = {entry.path for entry in matrices if entry.layer == "Embedding"}
        text = "p.ndim == 2" + (f" and {negated(by_name(tables, self.known))}" if tables else "")
        return _Rule(text, frozenset({entry.path for entry in matrices} - tables), "matrices")

    def group(self, signature: frozenset[int], muon: bool) -> _Group:
        """What parameters are told that meet these rules; later groups win."""
        base = self.update.optimizer
        kind, args, schedules = base.name, dict(base.args), dict(base.schedules)
        if muon and 0 not in signature:
            kind = "AdamW"
            args = {**{name: default for name, _, default in OPTIMIZERS[kind].arguments}, **args}
        for number, group in enumerate(self.update.groups, int(muon)):
            if number in signature:
                for name, value in group.args.items():
                    args[name] = value
                    schedules.pop(name, None)
                schedules.update(group.schedules)
        return _Group(kind, args, schedules)

    # ---- the function ----------------------------------------------------------------------------------------------

    def lines(self, name: str) -> list[Line]:
        muon = self.update.optimizer.name == "Muon"
        rules = ([self.matrices()] if muon else []) + [self.rule(group.selectors) for group in self.update.groups]
        frozen = self.rule([s for freeze in self.phase.freeze if freeze.until is None for s in freeze.selectors])
        met = {
            path: frozenset(at for at, rule in enumerate(rules) if path in rule.paths)
            for path in self.known
            if path not in frozen.paths
        }
        frozen = frozen if not frozen.paths.isdisjoint(self.known) else _Rule("", frozenset(), "")
        signatures = sorted(dict.fromkeys(met.values()), key=len) or [frozenset[int]()]
        groups: dict[str, _Group] = {}
        keys: dict[frozenset[int], str] = {}
        for signature in signatures:
            group = self.group(signature, muon)
            keys[signature] = group.same()
            groups.setdefault(group.same(), group)
        names = self.list_names(groups, keys, rules)
        body = self.divided(names, keys, rules, frozen) if len(groups) > 1 else self.all_but(frozen)
        told = {key: self.told(group, names[key]) for key, group in groups.items()}
        common = {
            name: value
            for name, value in next(iter(told.values())).items()
            if len(told) > 1 and all(items.get(name) == value for items in told.values())
        }
        if common:
            body.append(Line(f"common = {{{_items(common)}}}", 1))
        kinds: dict[str, list[str]] = {}
        for key, group in groups.items():
            params = names[key] if body else self.all()
            own = {name: value for name, value in told[key].items() if name not in common}
            text = _items({"params": params, **own}) + (", **common" if common else "")
            kinds.setdefault(group.kind, []).append(f"{{{text}}}")
        result = ", ".join(f"{quoted(kind)}: [{', '.join(items)}]" for kind, items in kinds.items())
        say = '"""The parameters in groups, with what the optimizer is told of each."""'
        return [Line(f"def {name}({', '.join(self.arguments)}):"), Line(say, 1), *body, Line(f"return {{{result}}}", 1)]

    def told(self, group: _Group, word: str) -> dict[str, str]:
        """Hyperparameters as source."""
        base = self.update.optimizer.schedules
        found: dict[str, str] = {}
        for name in group.items():
            schedule = group.schedules.get(name)
            if schedule is None:
                found[name] = literal(group.args[name])
            else:
                own = [] if base.get(name) == schedule else [word]
                found[name] = self.schedules.name(schedule, self.clock, self.total, self.words, own, name)
        return found

    def all(self) -> str:
        if self.single:
            return f"list({self.arguments[0]}.parameters())"
        return f"[{', '.join(f'*{argument}.parameters()' for argument in self.arguments)}]"

    def all_but(self, frozen: _Rule) -> list[Line]:
        """Nothing, or the list of the one group without what is frozen."""
        if not frozen.paths:
            return []
        each, moves = self.each(frozen.text), negated(frozen.text)
        short = f"params = [p for {each} if {moves}]"
        if len(short) + 4 <= WIDTH:
            return [Line(short, 1)]
        return [Line("params = []", 1), Line(f"for {each}:", 1), Line(f"if {moves}:", 2), Line("params.append(p)", 3)]

    def each(self, conditions: str) -> str:
        """`name, p in model.named_parameters()`, without the names where none is looked at."""
        if "name" not in conditions:
            calls = [f"{argument}.parameters()" for argument in self.arguments]
            head = "p"
        else:
            calls = [
                f"{argument}.named_parameters({'' if self.single else quoted(net)})"
                for argument, net in zip(self.arguments, self.nets, strict=True)
            ]
            head = "name, p"
        return f"{head} in {calls[0] if self.single else '[' + ', '.join(f'*{call}' for call in calls) + ']'}"

    def divided(
        self, names: Mapping[str, str], keys: Mapping[frozenset[int], str], rules: Sequence[_Rule], frozen: _Rule
    ) -> list[Line]:
        """The loop that puts each parameter into its list."""
        chain = _shortest(sorted(keys, key=len, reverse=True), keys)
        lists = list(dict.fromkeys(names.values()))
        if len(lists) == 2:
            lines = [Line(f"{', '.join(lists)} = [], []", 1)]
        else:
            lines = [Line(f"{name} = []", 1) for name in lists]
        conditions = [_all([rules[at].text for at in sorted(signature)]) for signature in chain]
        lines.append(Line(f"for {self.each(' '.join([*conditions[:-1], frozen.text]))}:", 1))
        if frozen.paths:
            lines += [Line(f"if {frozen.text}:  # frozen", 2), Line("continue", 3)]
        for at, (signature, condition) in enumerate(zip(chain, conditions, strict=True)):
            head = "else:" if at == len(chain) - 1 else f"{'el' if at else ''}if {condition}:"
            lines += [Line(head, 2), Line(f"{names[keys[signature]]}.append(p)", 3)]
        return lines

    def list_names(
        self, groups: Mapping[str, _Group], keys: Mapping[frozenset[int], str], rules: Sequence[_Rule]
    ) -> dict[str, str]:
        """A name for each group by its key."""
        taken = {*self.arguments, *self.schedules.taken, "common"}
        decays = [group.args.get("weight_decay") for group in groups.values()]
        rest = {replace(group, args={**group.args, "weight_decay": 0.0}).same() for group in groups.values()}
        if len(groups) == 1:
            return dict.fromkeys(groups, "params")
        if len(groups) == 2 and len(rest) == 1 and 0 in decays:
            words = ["no_decay" if decay == 0 else "decay" for decay in decays]
            return {key: unique(word, taken) for key, word in zip(groups, words, strict=True)}
        found: dict[str, str] = {}
        for signature, key in keys.items():
            if key not in found:
                word = "_".join(rules[at].word for at in sorted(signature)) or "others"
                found[key] = identifier(word, {*taken, *found.values()})
        return found


def _shortest(chain: list[frozenset[int]], keys: Mapping[frozenset[int], str]) -> list[frozenset[int]]:
    """A chain of tests without those that a later one of it decides as well."""

    def right(tests: Sequence[frozenset[int]]) -> bool:
        return all(
            keys[next((test for test in tests[:-1] if test <= signature), tests[-1])] == key
            for signature, key in keys.items()
        )

    for test in list(chain):
        fewer = [other for other in chain if other != test]
        if fewer and right(fewer):
            chain = fewer
    return chain


def _items(values: Mapping[str, str]) -> str:
    return ", ".join(f"{quoted(name)}: {value}" for name, value in values.items())


def _all(conditions: Sequence[str]) -> str:
    if len(conditions) == 1:
        return conditions[0]
    return " and ".join(f"({condition})" if " or " in condition else condition for condition in conditions)


def negated(condition: str) -> str:
    """The opposite of a condition on a parameter."""
    if " or " in condition or " and " in condition:
        return f"not ({condition})"
    if condition.startswith("name == "):
        return condition.replace("==", "!=", 1)
    if condition.startswith("name in "):
        return condition.replace(" in ", " not in ", 1)
    return f"not {condition}"


def _word(selectors: Sequence[Selector], prefix: str) -> str:
    """A name for what the selectors choose."""
    words: list[str] = []
    for selector in selectors:
        if selector.kind == "rank":
            words.append({"< 2": "vectors", "<= 1": "vectors"}.get(selector.text, "ranks"))
        else:
            text = selector.text.removeprefix(prefix)
            words.append("_".join(part for part in text.lower().split(".") if "*" not in part) or "some")
    return "_".join(dict.fromkeys(words[:2])) + ("_and_more" if len(words) > 2 else "")


__all__ = ["GroupFunction", "group_functions", "optimization"]
