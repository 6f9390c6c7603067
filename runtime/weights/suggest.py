"""A weight map for a foreign checkpoint, proposed from names and shapes: families of names are paired, then written as rules."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from ...compiler.catalogue.ops import is_buffer
from ...compiler.dataclass import dataclass, field
from ...compiler.ir.expand import COUNTER, ParameterEntry
from . import layers, units
from .families import NameFamily, families, likeness, words
from .plan import Shape

#: First segments that only say which class a file was saved from.
WRAPPERS = frozenset({"model", "module", "net", "vit", "bert", "roberta", "distilbert", "transformer", "backbone"})
LEAST = 0.3  # below this, names alone are not enough to pair two families


@dataclass(frozen=True)
class Pair:
    """One family of ours and what it comes from. `joined` are the parts of a `concat`, `rows` a slice. `why` is there where
    names and shapes leave a doubt."""

    ours: NameFamily
    theirs: NameFamily
    transposed: bool = False
    joined: tuple[NameFamily, ...] = ()
    rows: tuple[int, int | None] | None = None
    resized: bool = False
    why: str = ""


@dataclass(frozen=True)
class Proposal:
    """Pairs, what found no place on either side, and foreign families that may be left out; foreign names are without
    `prefix`."""

    prefix: str
    pairs: tuple[Pair, ...]
    unplaced: tuple[NameFamily, ...]
    left: tuple[NameFamily, ...]
    partly: tuple[NameFamily, ...] = ()  # theirs of which ours wants only some: another depth


@dataclass
class _State:
    ours: list[NameFamily]
    theirs: list[NameFamily]
    pairs: list[Pair] = field(default_factory=list)

    def take(self, pair: Pair) -> None:
        self.pairs.append(pair)
        self.ours.remove(pair.ours)
        for family in pair.joined or (pair.theirs,):
            if family in self.theirs:
                self.theirs.remove(family)


def propose(entries: Iterable[ParameterEntry], foreign: Mapping[str, Shape]) -> Proposal:
    """Pairs our parameters with foreign tensors: families of names, or, where these leave something open, that of layers by
    names and shapes, or of parts by what they hold, which places more and leaves fewer doubts."""
    known = list(entries)
    prefix = _prefix([entry.path for entry in known], foreign)
    stripped = {name.removeprefix(prefix): shape for name, shape in foreign.items()}
    wanted = {e.path: e.shape for e in known}
    optional = {e.path for e in known if e.leaf == COUNTER or is_buffer(e.layer)}
    found = _proposed(prefix, wanted, stripped, optional, ())
    if not _open(found):
        return found
    here, there = layers.layers(wanted), layers.layers(stripped)
    for way in (layers.match, units.align):
        pairs = [Pair(p.ours, p.theirs, p.transposed, why=p.why) for p in layers.tensors(way(here, there), wanted)]
        found = min(
            found, _proposed(prefix, wanted, stripped, optional, pairs), key=lambda one: (_open(one), _doubts(one))
        )
    return found


def _doubts(proposal: Proposal) -> int:
    """How many tensors of ours it places on names that are near each other."""
    return sum(len(pair.ours.members) for pair in proposal.pairs if pair.why)


def _open(proposal: Proposal) -> int:
    """How many tensors of ours it does not place, or places with a guess at their size."""
    resized = [pair.ours for pair in proposal.pairs if pair.resized]
    return sum(len(family.members) for family in (*proposal.unplaced, *proposal.partly, *resized))


def _proposed(
    prefix: str,
    wanted: Mapping[str, Shape],
    stripped: Mapping[str, Shape],
    optional: Collection[str],
    given: Sequence[Pair],
) -> Proposal:
    """The proposal with these pairs, and what families of names pair of the rest."""
    taken = {name for pair in given for name in pair.ours.members.values()}
    used = {name for pair in given for name in pair.theirs.members.values()}
    state = _State(
        families({name: shape for name, shape in wanted.items() if name not in taken}),
        families({name: shape for name, shape in stripped.items() if name not in used}),
    )
    order = [family.pattern for family in state.ours]
    _by_name(state)
    _packed(state)
    _sliced(state)
    _by_shape(state)
    _resized(state)
    pairs = [*given, *sorted(_squares(state.pairs), key=lambda pair: order.index(pair.ours.pattern))]
    unplaced = [family for family in state.ours if not set(family.members.values()) <= set(optional)]
    partly = [f for f in state.theirs if any(_overlaps(f, family) for family in unplaced)]
    return Proposal(
        prefix, tuple(pairs), tuple(unplaced), tuple(f for f in state.theirs if f not in partly), tuple(partly)
    )


def _prefix(ours: Iterable[str], foreign: Mapping[str, Shape]) -> str:
    """A first segment that most foreign names have and that only names the class they were saved from, or ""."""
    heads = [name.partition(".")[0] + "." for name in foreign if "." in name]
    prefix = max(set(heads), key=heads.count, default="")
    if prefix[:-1] not in WRAPPERS or 2 * heads.count(prefix) <= len(foreign):
        return ""
    if len({name.removeprefix(prefix) for name in foreign}) < len(foreign):
        return ""
    return "" if any(name.startswith(prefix) for name in ours) else prefix


def _fit(ours: NameFamily, theirs: NameFamily) -> Literal["same", "transposed"] | None:
    if ours.shapes.keys() != theirs.shapes.keys():
        return None
    if all(theirs.shapes[index] == shape for index, shape in ours.shapes.items()):
        return "same"
    if all(len(shape) == 2 and theirs.shapes[index] == shape[::-1] for index, shape in ours.shapes.items()):
        return "transposed"
    return None


def _overlaps(theirs: NameFamily, ours: NameFamily) -> bool:
    """Whether only the numbers keep two families apart: a checkpoint of another depth."""
    return likeness(ours.pattern, theirs.pattern) > 0.9 and ours.shapes.keys() != theirs.shapes.keys()


def _by_name(state: _State) -> None:
    """The likest names first, among those whose shapes fit."""
    scored: list[tuple[float, int, int, NameFamily, NameFamily, bool]] = []
    for i, ours in enumerate(state.ours):
        for j, theirs in enumerate(state.theirs):
            fit = _fit(ours, theirs)
            alike = likeness(ours.pattern, theirs.pattern) if fit else 0.0
            if fit and alike >= LEAST:
                near = 1 - abs(i / len(state.ours) - j / len(state.theirs))  # both list layers in about their order
                scored.append((alike + 0.1 * near, -i, -j, ours, theirs, fit == "transposed"))
    for score, _, _, ours, theirs, transposed in sorted(scored, key=lambda item: item[:3], reverse=True):
        if ours in state.ours and theirs in state.theirs:
            rival = [
                s
                for s, _, _, o, t, _ in scored
                if t is not theirs and o is ours and t in state.theirs and s > score - 0.1
            ]
            why = "another tensor of this shape has a name as near" if rival and score < 2 else ""
            state.take(Pair(ours, theirs, transposed, why=why))


def _packed(state: _State) -> None:
    """Ours is what they have in parts: `qkv` of `q`, `k`, `v`."""
    for ours, parts in _stacks(state.ours, state.theirs):
        if ours in state.ours and all(part in state.theirs for part in parts):
            state.take(Pair(ours, parts[0], joined=tuple(parts), why=_in_order(parts)))


def _sliced(state: _State) -> None:
    """Theirs is what we have in parts: `in_proj` of `q`, `k`, `v`."""
    for theirs, parts in _stacks(state.theirs, state.ours):
        if theirs not in state.theirs or not all(part in state.ours for part in parts):
            continue
        at = 0
        for part in parts:
            stop = at + part.shape[0]
            state.take(Pair(part, theirs, rows=(at, None if part is parts[-1] else stop), why=_in_order(parts)))
            at = stop


def _in_order(parts: Sequence[NameFamily]) -> str:
    return "" if _named(parts) else "the order of the parts is a guess"


def _stacks(
    wholes: Sequence[NameFamily], candidates: Sequence[NameFamily]
) -> list[tuple[NameFamily, list[NameFamily]]]:
    """Tensors with the parts that fill them, those of the likest layers first."""
    found = [
        (likeness(parts[0].parent, whole.parent), whole, parts)
        for whole in wholes
        for parts in _together(candidates, whole)
        if sum(part.shape[0] for part in parts) == whole.shape[0]
    ]
    return [(whole, parts) for _, whole, parts in sorted(found, key=lambda item: item[0], reverse=True)]


def _together(candidates: Sequence[NameFamily], whole: NameFamily) -> Iterator[list[NameFamily]]:
    """Groups of families that belong to one layer and could be stacked on the first axis: named projections in their order,
    or all of the layer."""
    groups: dict[str, list[NameFamily]] = {}
    for family in candidates:
        uniform = len(set(family.shapes.values())) == 1 and len(set(whole.shapes.values())) == 1
        same = family.shapes.keys() == whole.shapes.keys() and uniform and family.shape[1:] == whole.shape[1:]
        if same and whole.shape and words(family.pattern)[-1:] == words(whole.pattern)[-1:]:
            groups.setdefault(family.parent, []).append(family)
    for group in groups.values():
        named = sorted((f for f in group if _letter(f)), key=lambda f: "qkv".index(_letter(f)))
        if len(named) in (2, 3) and _named(named):
            yield named
        elif len(group) in (2, 3):
            yield group


def _letter(family: NameFamily) -> str:
    return next((word for word in words(family.pattern) if word in ("q", "k", "v")), "")


def _named(parts: Sequence[NameFamily]) -> bool:
    letters = "".join(_letter(part) for part in parts)
    return letters in ("qkv", "kv")


def _by_shape(state: _State) -> None:
    """What is left and fits only one of the other side."""
    for ours in list(state.ours):
        fits = [(theirs, fit) for theirs in state.theirs if (fit := _fit(ours, theirs)) and _same_leaf(ours, theirs)]
        if len(fits) == 1:
            theirs, fit = fits[0]
            others = [o for o in state.ours if o is not ours and _fit(o, theirs) and _same_leaf(o, theirs)]
            if not others:
                state.take(Pair(ours, theirs, fit == "transposed", why="only the shape suggests it"))


def _same_leaf(ours: NameFamily, theirs: NameFamily) -> bool:
    return words(ours.pattern)[-1:] == words(theirs.pattern)[-1:]


def _resized(state: _State) -> None:
    """The same tensor in another size: a head of another number of classes, positions of another length."""
    for ours in list(state.ours):
        alike = [
            (likeness(ours.pattern, t.pattern), t)
            for t in state.theirs
            if t.shapes.keys() == ours.shapes.keys() and len(t.shape) == len(ours.shape)
        ]
        score, theirs = max(alike, key=lambda item: item[0], default=(0.0, None))
        if theirs is not None and score >= LEAST:
            state.take(Pair(ours, theirs, resized=True))


def _squares(pairs: Sequence[Pair]) -> Iterator[Pair]:
    """A square matrix looks the same transposed: it is taken to be stored as its neighbours are."""
    for pair in pairs:
        square = (
            not pair.joined
            and pair.rows is None
            and all(len(s) == 2 and s[0] == s[1] for s in pair.ours.shapes.values())
        )
        around = [
            other.transposed
            for other in pairs
            if _area(other.ours) == _area(pair.ours)
            and len(other.ours.shape) == 2
            and other.ours.shape[0] != other.ours.shape[1]
        ]
        if square and around and all(around):
            yield replace(pair, transposed=True, why="square: transposed as its neighbours are")
        else:
            yield pair


def _area(family: NameFamily) -> str:
    """The part of the model around a family: its repeated layer, or the file's top level."""
    return family.pattern.rpartition("*")[0]
