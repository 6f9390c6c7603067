"""A proposal as a weight map: few rules, each checked to say no more than the pairs it stands for; and as text."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from ...compiler.dataclass import dataclass
from ...compiler.ir.globs import glob
from ...compiler.ir.weights import Foreign, WeightMap, WeightRule
from .mapping import NOWHERE
from .suggest import Pair, Proposal


@dataclass(frozen=True)
class ProposedRule:
    """`"ours" <- theirs` for these of our paths; `why` explains what names and shapes leave open."""

    ours: str
    theirs: Foreign
    paths: frozenset[str]
    why: str = ""


def weight_map(
    proposal: Proposal, name: str, model: str, ours: Collection[str], foreign: Collection[str]
) -> tuple[WeightMap, Mapping[str, str]]:
    """The map, and doubts by our side of the rule."""
    rules = [_rule(pair) for pair in proposal.pairs]
    same = [rule for rule in rules if rule.theirs == _tensor(rule.ours)]
    told = _merged([rule for rule in rules if rule not in same], ours)
    if same or not told:
        told.append(ProposedRule("**", _tensor("**"), frozenset()))
    stripped = {path.removeprefix(proposal.prefix) for path in foreign}
    left = {member for family in proposal.left for member in family.members.values()}
    made = WeightMap(
        name=name,
        model=model,
        strip=proposal.prefix,
        ignore=tuple(_ignored(left, stripped)),
        span=NOWHERE,
        rules=tuple(WeightRule(ours=rule.ours, theirs=rule.theirs, span=NOWHERE) for rule in told),
    )
    return made, {rule.ours: rule.why for rule in told if rule.why}


def text(made: WeightMap, doubts: Mapping[str, str]) -> str:
    """The `weights` section, in the layout of `dlc fmt`."""
    lines = [f"weights {made.name} for {made.model} {{"]
    keys = [("strip", f'"{made.strip}"')] if made.strip else []
    if made.ignore:
        keys.append(("ignore", "[" + ", ".join(f'"{pattern}"' for pattern in made.ignore) + "]"))
    pad = max((len(key) for key, _ in keys), default=0)
    lines += [f"  {key:<{pad}} = {value}" for key, value in keys]
    wide = max(len(rule.ours) for rule in made.rules) + 2
    for rule in made.rules:
        if rule.ours in doubts:
            lines.append(f"  # {doubts[rule.ours]}")
        quoted = f'"{rule.ours}"'
        lines.append(f"  {quoted:<{wide}} <- {written(rule.theirs)}")
    return "\n".join([*lines, "}"]) + "\n"


def written(theirs: Foreign) -> str:
    """The right side of a rule as the language has it."""
    if theirs.kind == "tensor":
        return f'"{theirs.pattern}"'
    inner = [written(item) for item in theirs.items]
    if theirs.kind == "transpose":
        return f"{inner[0]}.T"
    if theirs.kind == "slice":
        return f"{inner[0]}[{theirs.start or ''}:{'' if theirs.stop is None else theirs.stop}]"
    return f"concat({', '.join(inner)}, axis = {theirs.axis})"


def _tensor(pattern: str) -> Foreign:
    return Foreign(kind="tensor", pattern=pattern)


def _rule(pair: Pair) -> ProposedRule:
    theirs = _tensor(pair.theirs.pattern)
    if pair.joined:
        theirs = Foreign(kind="concat", items=tuple(_tensor(part.pattern) for part in pair.joined))
    elif pair.rows is not None:
        theirs = Foreign(kind="slice", items=(theirs,), start=pair.rows[0] or None, stop=pair.rows[1])
    elif pair.transposed:
        theirs = Foreign(kind="transpose", items=(theirs,))
    return ProposedRule(pair.ours.pattern, theirs, frozenset(pair.ours.members.values()), pair.why)


# ---- fewer rules ---------------------------------------------------------------------------------------------------------------


def _merged(rules: Sequence[ProposedRule], ours: Collection[str]) -> list[ProposedRule]:
    """Rules that differ in one segment, which both sides have, become one with a wildcard there."""
    made = _paired(list(rules), ours)
    while (group := _numbered(made, ours)) is not None:
        first, both = group
        made = [both if rule is first else rule for rule in made if rule is first or not rule.paths <= both.paths]
    return _paired(made, ours)


def _paired(made: list[ProposedRule], ours: Collection[str]) -> list[ProposedRule]:
    while (found := _mergeable(made, ours)) is not None:
        first, second, both = found
        made[first] = both
        del made[second]
    return made


def _numbered(rules: Sequence[ProposedRule], ours: Collection[str]) -> tuple[ProposedRule, ProposedRule] | None:
    """The first of rules that differ in a number, and all of them as one: their numbers are ours, or ours plus 1."""
    groups: dict[tuple[str, str], list[tuple[ProposedRule, Foreign]]] = {}
    for rule in rules:
        for pattern, theirs in _counted(rule):
            groups.setdefault((pattern, written(theirs)), []).append((rule, theirs))
    for (pattern, _), found in sorted(groups.items(), key=lambda item: -len(item[1])):
        paths = frozenset(path for rule, _ in found for path in rule.paths)
        if len(found) > 1 and _matched(pattern, ours) == paths:
            why = "; ".join(dict.fromkeys(rule.why for rule, _ in found if rule.why))
            return found[0][0], ProposedRule(pattern, found[0][1], paths, why)
    return None


def _counted(rule: ProposedRule) -> Iterable[tuple[str, Foreign]]:
    """The rule with a `*` for one of the numbers in its path, in each way in which a number of theirs may follow it."""
    segments = rule.ours.split(".")
    for at, segment in enumerate(segments):
        if not segment.isdigit():
            continue
        before = ".".join(segments[:at]).count("*")
        pattern = ".".join([*segments[:at], "*", *segments[at + 1 :]])
        for more in (0, 1):
            for theirs in _following(rule.theirs, int(segment) + more, f"*+{more}" if more else "*", before):
                yield pattern, theirs


def _following(theirs: Foreign, number: int, star: str, before: int) -> list[Foreign]:
    """Theirs with the star for one occurrence of the number, as the wildcard after `before` others."""
    if theirs.kind != "tensor":
        ways = [_following(item, number, star, before) for item in theirs.items]
        return [theirs.model_copy(update={"items": items}) for items in zip(*ways, strict=False)]
    found = re.finditer(rf"(?<![\d+]){number}(?!\d)", theirs.pattern)
    places = [match.span() for match in found if theirs.pattern.count("*", 0, match.start()) == before]
    return [_tensor(theirs.pattern[:start] + star + theirs.pattern[end:]) for start, end in places]


def _mergeable(rules: Sequence[ProposedRule], ours: Iterable[str]) -> tuple[int, int, ProposedRule] | None:
    for first, one in enumerate(rules):
        for second in range(first + 1, len(rules)):
            both = _both(one, rules[second])
            if both is not None and _matched(both.ours, ours) == both.paths:
                return first, second, both
    return None


def _both(one: ProposedRule, other: ProposedRule) -> ProposedRule | None:
    here = _wild(one.ours, other.ours)
    if here is None:
        return None
    theirs = _both_foreign(one.theirs, other.theirs, here[1:])
    if theirs is None:
        return None
    why = "; ".join(dict.fromkeys(filter(None, (one.why, other.why))))
    return ProposedRule(here[0], theirs, one.paths | other.paths, why)


def _both_foreign(one: Foreign, other: Foreign, texts: tuple[str, str, int]) -> Foreign | None:
    """Two right sides as one, their tensors differing as ours do: in the same texts, at the same wildcard."""
    if (one.kind, one.start, one.stop, one.axis, len(one.items)) != (
        other.kind,
        other.start,
        other.stop,
        other.axis,
        len(other.items),
    ):
        return None
    if one.kind == "tensor":
        found = _wild(one.pattern, other.pattern)
        return _tensor(found[0]) if found is not None and found[1:] == texts else None
    items = [_both_foreign(a, b, texts) for a, b in zip(one.items, other.items, strict=True)]
    kept = tuple(item for item in items if item is not None)
    return one.model_copy(update={"items": kept}) if len(kept) == len(items) else None


def _wild(one: str, other: str) -> tuple[str, str, str, int] | None:
    """Two patterns that differ in one segment: the pattern with `*` there, what it stands for in each, and which of the
    wildcards it is."""
    a, b = one.split("."), other.split(".")
    apart = [index for index, (x, y) in enumerate(zip(a, b, strict=False)) if x != y]
    if len(a) != len(b) or len(apart) != 1:
        return None
    at = apart[0]
    first, second = ("" if segment == "*" else segment for segment in (a[at], b[at]))
    return ".".join([*a[:at], "*", *a[at + 1 :]]), first, second, ".".join(a[:at]).count("*")


def _matched(pattern: str, paths: Iterable[str]) -> frozenset[str]:
    return frozenset(path for path in paths if glob(pattern).matches(path))


def _ignored(left: Collection[str], foreign: Collection[str]) -> list[str]:
    """Globs of what is left out: layers, and never a branch of several, whose name would not show what is in it."""
    found: dict[str, None] = {}
    for name in sorted(left):
        parts = ["*" if part.isdigit() else part for part in name.split(".")]
        layer = ".".join([*parts[:-1], "*"])
        matched = _matched(layer, foreign)
        whole = len({match.rpartition(".")[2] for match in matched}) > 1 and matched <= set(left)
        found[layer if whole else _narrow(parts, name, left, foreign)] = None
    return list(found)


def _narrow(parts: Sequence[str], name: str, left: Collection[str], foreign: Collection[str]) -> str:
    pattern = ".".join(parts)
    return pattern if _matched(pattern, foreign) <= set(left) else name
