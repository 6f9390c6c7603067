"""What an optimizer updates, as a function of its nets: groups of parameters with their hyperparameters.

The lines of a spec, what the IR holds of them, and the function that comes out:

    optimizer = AdamW(lr = 1e-3 -> cosine(0, rest), weight_decay = 0.1)     Optimizer("AdamW", {..}, {"lr": Schedule})
    group rank < 2 { weight_decay = 0 }                                     ParameterGroup([rank "< 2"], {weight_decay: 0})

    def parameter_groups(model: nn.Module) -> dict[str, list[dict]]:
        decay = [p for p in model.parameters() if p.ndim >= 2]
        no_decay = [p for p in model.parameters() if p.ndim < 2]
        common = {"lr": lr, "betas": (0.9, 0.999), "eps": 1e-8}
        return {
            "AdamW": [
                {"params": decay, "weight_decay": 0.1, **common},
                {"params": no_decay, "weight_decay": 0.0, **common},
            ],
        }

Groups that overlap, so that there would be many lists, are collected by their options in one loop instead.

Which parameters a selector chooses is known here, by name and shape; `parameter_rules` finds the shortest condition that
chooses the same ones. Groups are listed under the name of their optimizer (Muon leaves what is not a matrix to AdamW). A
hyperparameter is a number or a function of the step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from ...compiler.catalogue import OPTIMIZERS
from ...compiler.catalogue.clock import clock_of, length_of
from ...compiler.catalogue.ops import find
from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import parameters
from ...compiler.ir.model import Selector, Spec
from ...compiler.ir.train import Phase, Schedule, Train, Update
from .authored import Authored
from .lines import Line
from .parameter_rules import by_name, by_rank, chosen
from .python import WIDTH, identifier, literal, quoted, unique
from .recipe_function import definition
from .schedules import Schedules
from .signatures import NetFunction

#: Definitions of schedules, and of the groups of each update.
_Definitions: TypeAlias = tuple[list[list[Line]], list[list[Line]]]


def optimization(
    spec: Spec, train: Train, records: int, variables: Mapping[str, str], taken: set[str]
) -> tuple[tuple[tuple[NetFunction, ...], ...], list[list[Line]]]:
    """The function of every update, by phase, and the definitions: schedules, then parameter groups.

    `variables` are the arguments of nets, `taken` names of the file. Updates whose functions are equal share one. Where all
    of them are (the two nets of a GAN under equal optimizers), its argument is any `net`.
    """
    updates = [
        (phase, update, moving(spec, train, phase, update)) for phase in train.phases for update in phase.updates
    ]
    reserved = {
        *taken,
        *variables.values(),
        "group",
        "groups",
        "math",
        "name",
        "net",
        "options",
        "p",
        "parameter_groups",
    }
    reserved |= {"re", "step"}
    values = Authored(spec).values(train.span.file)

    def written(words: Sequence[Sequence[str]], variables: Mapping[str, str], names: Sequence[str]) -> _Definitions:
        schedules = Schedules({*reserved, *names}, values)
        found = [
            _Groups(spec, train, *row, records, variables, schedules, own).lines(name)
            for row, own, name in zip(updates, words, names, strict=True)
        ]
        return schedules.functions, found

    def by_phase(names: Sequence[str]) -> tuple[tuple[NetFunction, ...], ...]:
        found = iter([NetFunction(name, nets) for name, (_, _, nets) in zip(names, updates, strict=True)])
        return tuple(tuple(next(found) for _ in phase.updates) for phase in train.phases)

    different = {nets for _, _, nets in updates}
    if len(different) == 1 or all(len(nets) == 1 for nets in different):
        names = ["parameter_groups"] * len(updates)
        arguments = variables if len(different) == 1 else dict.fromkeys(variables, "net")
        schedules, functions = written([()] * len(updates), arguments, names)
        if all(lines == functions[0] for lines in functions):
            return by_phase(names), [*schedules, functions[0]]
    words = [[word for word in (phase.name, update.name) if word] for phase, update, _ in updates]
    names = list[str]()
    for own in words:
        names.append(unique("_".join([*map(identifier, own), "parameter_groups"]).lower(), {*taken, *names}))
    schedules, functions = written(words, variables, names)
    texts = [repr((nets, lines[1:])) for lines, (_, _, nets) in zip(functions, updates, strict=True)]
    first = [names[texts.index(text)] for text in texts]
    kept = [lines for lines, name in zip(functions, names, strict=True) if name in first]
    return by_phase(first), [*schedules, *kept]


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


#: Parameters in more groups are collected by their options, without a list for each.
MOST_LISTS = 3


@dataclass(frozen=True)
class _Rule:
    """A condition on a parameter; `paths` meet it."""

    text: str
    paths: frozenset[str]
    word: str


@dataclass(frozen=True)
class _Group:
    """Some parameters' optimizer, with its options for them."""

    kind: str
    args: Mapping[str, Any]
    schedules: Mapping[str, Schedule]

    def items(self) -> list[str]:
        return [name for name, _, _ in OPTIMIZERS[self.kind].arguments if name in self.args]

    def key(self) -> str:
        """Equal for groups with equal options."""
        items = [
            (n, self.schedules[n].model_dump_json() if n in self.schedules else self.args[n]) for n in self.items()
        ]
        return repr((self.kind, items))


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
        words: Sequence[str],
    ) -> None:
        clock = clock_of(phase, records)
        self.phase, self.update, self.schedules = phase, update, schedules
        self.clock, self.total = clock.of_updates(update), length_of(phase, clock) * update.repeat
        self.words = words  # distinguishes its schedules from those of other updates
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
        tables = {entry.path for entry in matrices if (layer := find(entry.layer)) is not None and layer.is_table}
        text = "p.ndim == 2" + (f" and {negated(by_name(tables, self.known))}" if tables else "")
        return _Rule(text, frozenset({entry.path for entry in matrices} - tables), "matrices")

    def group(self, signature: frozenset[int], muon: bool) -> _Group:
        """The optimizer and the options of parameters that meet these rules; later groups win."""
        base = self.update.optimizer
        kind, args, schedules = base.name, dict(base.args), dict(base.schedules)
        if muon and 0 not in signature:
            kind = OPTIMIZERS[kind].others
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
        muon = bool(OPTIMIZERS[self.update.optimizer.name].others)
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
            keys[signature] = group.key()
            groups.setdefault(group.key(), group)
        about = "Parameters by optimizer, with optimizer options for each group."
        arguments = [f"{argument}: nn.Module" for argument in self.arguments]
        if len(groups) > MOST_LISTS and not muon:
            return definition(name, arguments, "dict[str, list[dict]]", about, self.collected(rules, frozen))
        names = self.list_names(groups, keys, rules)
        body = self.divided(names, keys, rules, frozen) if len(groups) > 1 else self.all_but(frozen)
        listed = bool(body)
        options = {key: self.options(group, names[key]) for key, group in groups.items()}
        first, *others = options.values()
        common = {n: text for n, text in first.items() if all(items.get(n) == text for items in others)}
        if not others and len(self.returned([("", {"params": self.params(listed), **common})])) + 4 <= WIDTH:
            common = {}  # a single group fits on one line
        word = "common" if others else "options"
        if common:
            body.append(Line(f"{word} = {{{_items(common)}}}", 1))
        rows: list[tuple[str, dict[str, str]]] = []
        for key, group in groups.items():
            own = {name: text for name, text in options[key].items() if name not in common}
            params = names[key] if others else self.params(listed)
            rows.append((group.kind, {"params": params, **own}))
        body.append(Line(self.returned(rows, f", **{word}" if common else ""), 1))
        return definition(name, arguments, "dict[str, list[dict]]", about, body)

    def params(self, listed: bool) -> str:
        """The parameters of the one group there is."""
        if listed:
            return "params"
        if self.single:
            return f"list({self.arguments[0]}.parameters())"
        return f"[{', '.join(f'*{argument}.parameters()' for argument in self.arguments)}]"

    def returned(self, rows: Sequence[tuple[str, Mapping[str, str]]], more: str = "") -> str:
        """The statement that returns the groups under the names of their optimizers."""
        kinds: dict[str, list[str]] = {}
        for kind, items in rows:
            kinds.setdefault(kind or self.update.optimizer.name, []).append(f"{{{_items(items)}{more}}}")
        texts = [f"{quoted(kind)}: [{', '.join(items)}]" for kind, items in kinds.items()]
        return f"return {{{', '.join(texts)}}}"

    def options(self, group: _Group, word: str) -> dict[str, str]:
        """Hyperparameters as source."""
        base = self.update.optimizer.schedules
        found: dict[str, str] = {}
        for name in group.items():
            schedule = group.schedules.get(name)
            if schedule is None:
                value = group.args[name]
                found[name] = self.schedules.number(value) if isinstance(value, float) else literal(value)
            else:
                own = [] if base.get(name) == schedule else [word]
                found[name] = self.schedules.name(schedule, self.clock, self.total, self.words, own, name)
        return found

    def all_but(self, frozen: _Rule) -> list[Line]:
        """Nothing, or the list of the one group without what is frozen."""
        if not frozen.paths:
            return []
        moves = min(negated(frozen.text), by_name(set(self.known) - frozen.paths, self.known), key=len)
        each = self.each(moves)
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
        if len(chain) == 2 and not frozen.paths and len(chain[0]) == 1:
            condition = rules[next(iter(chain[0]))].text
            opposite = negated(condition)
            tests = {names[keys[chain[0]]]: condition, names[keys[chain[1]]]: opposite}
            short = [f"{name} = [p for {self.each(tests[name])} if {tests[name]}]" for name in lists]
            if " or " not in condition and all(len(line) + 4 <= WIDTH for line in short):
                return [Line(line, 1) for line in short]
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

    def collected(self, rules: Sequence[_Rule], frozen: _Rule) -> list[Line]:
        """Rules that overlap: a loop that changes the options of each parameter by one rule after the other, and collects
        what has equal options."""
        base = self.update.optimizer
        options = self.options(_Group(base.name, base.args, base.schedules), "")
        changes: list[tuple[str, dict[str, str]]] = []
        for rule, group in zip(rules, self.update.groups, strict=True):
            if not rule.paths.isdisjoint(self.known):
                own = _Group(base.name, {**group.args, **dict.fromkeys(group.schedules)}, group.schedules)
                changes.append((rule.text, self.options(own, rule.word)))
        lines = [Line("groups = {}", 1)]
        lines.append(Line(f"for {self.each(' '.join([frozen.text, *(condition for condition, _ in changes)]))}:", 1))
        if frozen.paths:
            lines += [Line(f"if {frozen.text}:  # frozen", 2), Line("continue", 3)]
        lines.append(Line(f"options = {{{_items(options)}}}", 2))
        for condition, changed in changes:
            lines.append(Line(f"if {condition}:", 2))
            lines += [Line(f"options[{quoted(key)}] = {text}", 3) for key, text in changed.items()]
        lines.append(Line('group = groups.setdefault(tuple(options.values()), {"params": [], **options})', 2))
        lines += [
            Line('group["params"].append(p)', 2),
            Line(f"return {{{quoted(base.name)}: list(groups.values())}}", 1),
        ]
        return lines

    def list_names(
        self, groups: Mapping[str, _Group], keys: Mapping[frozenset[int], str], rules: Sequence[_Rule]
    ) -> dict[str, str]:
        """A name for each group by its key."""
        taken = {*self.arguments, *self.schedules.taken, "common"}
        decays = [group.args.get("weight_decay") for group in groups.values()]
        rest = {replace(group, args={**group.args, "weight_decay": 0.0}).key() for group in groups.values()}
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
    if condition.startswith("p.ndim "):
        sign, number = condition.removeprefix("p.ndim ").split()
        opposites = {"<": ">=", ">=": "<", "<=": ">", ">": "<=", "==": "!=", "!=": "=="}
        return f"p.ndim {opposites[sign]} {number}"
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
    words = list(dict.fromkeys(words))
    return "_".join(words) if len(words) <= 2 else f"{words[0]}_to_{words[-1]}"


__all__ = ["optimization"]
