"""Two models aligned from the whole to its layers: parts that hold the same layers are the same part.

    ours      stages.1 { head { short first middle se last }  rest.0 { first middle se last }  rest.1 .. }
    theirs    block2 { block2-0 { proj f { a b c se } }  block2-1 { f { a b c se } }  block2-2 .. }

A part that has no counterpart is taken apart (`rest`, `f`) until what is left has one. Repeated parts pair in their order.
Which of several equal layers is which (`short` and `first` have the same shapes as `proj` and `f.a`) follows from other
turns, where it is clear (`last` is `f.c` in the first one, so `first` is `f.a` in the second, so `short` is `proj`), then from
what lies around them (the norm next to the encoder is the one in `encoder`) and from their names.

A layer that only one of several equal turns has, and only on one side, is set apart (T5 keeps the table of distances of all
layers in its first one): otherwise no turn would be the same as those of the other side.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...compiler.dataclass import dataclass, field
from .families import likeness
from .layers import Match, Signature, StoredLayer

_NUMBER = re.compile(r"\d+")


@dataclass
class Unit:
    """A layer, or what lies below a name; `holds` are the signatures of its layers."""

    path: str
    layer: StoredLayer | None = None
    below: dict[str, Unit] = field(default_factory=dict[str, "Unit"])
    holds: tuple[Signature, ...] = ()

    @property
    def parts(self) -> list[Unit]:
        """In order; turns by their numbers."""
        return sorted(self.below.values(), key=lambda part: [int(n) for n in _NUMBER.findall(part.path)])

    @property
    def role(self) -> str:
        return _NUMBER.sub("#", self.path)


def align(ours: Iterable[StoredLayer], theirs: Iterable[StoredLayer]) -> list[Match]:
    """Layers that are the same; some may find no counterpart."""
    here, there = list(ours), list(theirs)
    odd_here, odd_there = _odd(_tree(here)), _odd(_tree(there))
    if Counter(layer.signature for layer in odd_here) == Counter(layer.signature for layer in odd_there):
        odd_here, odd_there = [], []
    work = _Alignment({layer.path: float(at) for at, layer in enumerate(here)})
    work.unit(
        _tree(layer for layer in here if layer not in odd_here),
        _tree(layer for layer in there if layer not in odd_there),
    )
    work.settle_all()
    if odd_here or odd_there:
        done = {id(layer) for match in work.matched for layer in (match.ours, match.theirs)}
        left, right = ([x for x in side if id(x) not in done] for side in (here, there))
        work.unit(_flat(left), _flat(right))
        work.settle_all()
    return work.matched


def _odd(part: Unit) -> list[StoredLayer]:
    """Layers of turns that are otherwise equal to turns without them."""
    found: list[StoredLayer] = []
    turns: dict[str, list[Unit]] = {}
    for inner in part.parts:
        if inner.layer is None:
            turns.setdefault(inner.role, []).append(inner)
    for group in turns.values():
        least = min(group, key=lambda turn: len(turn.holds))
        for turn in group:
            more = Counter(turn.holds) - Counter(least.holds)
            known = Counter(least.holds)
            if more and not known - Counter(turn.holds) and not any(known[signature] for signature in more):
                found += [layer for layer in _layers(turn) if more[layer.signature]]
    for inner in part.below.values():
        found += [layer for layer in _odd(inner) if layer not in found]
    return found


def _layers(part: Unit) -> list[StoredLayer]:
    own = [part.layer] if part.layer is not None else []
    return own + [layer for inner in part.below.values() for layer in _layers(inner)]


def _flat(layers: Iterable[StoredLayer]) -> Unit:
    """Layers as parts of one unit, whatever their paths."""
    root = Unit("")
    for layer in layers:
        root.below[layer.path] = Unit(layer.path, layer, {}, (layer.signature,))
    return root


def _tree(layers: Iterable[StoredLayer]) -> Unit:
    root = Unit("")
    for layer in layers:
        at, segments = root, layer.path.split(".")
        for count, segment in enumerate(segments, 1):
            at = at.below.setdefault(segment, Unit(".".join(segments[:count])))
        at.layer = layer
    _gather(root)
    return root


def _gather(part: Unit) -> None:
    for inner in part.below.values():
        _gather(inner)
    held = [signature for inner in part.below.values() for signature in inner.holds]
    part.holds = tuple(sorted([*held, part.layer.signature] if part.layer is not None else held, key=repr))


@dataclass
class _Open:
    """Parts of a unit that hold the same, under different names."""

    roots: tuple[Unit, Unit]
    ours: list[Unit]
    theirs: list[Unit]


@dataclass
class _Alignment:
    places: Mapping[str, float]  # of our layers, in the order in which they run
    matched: list[Match] = field(default_factory=list[Match])
    pending: list[_Open] = field(default_factory=list[_Open])
    votes: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])

    def unit(self, ours: Unit, theirs: Unit) -> None:
        """The parts of two units that are the same."""
        here, there = _taken_apart(ours.parts, theirs.parts)
        by_content = {
            holds: list(group) for holds, group in groupby(sorted(there, key=_content), key=lambda p: p.holds)
        }
        for holds, group in groupby(sorted(here, key=_content), key=lambda part: part.holds):
            mine, others = list(group), by_content.get(holds, [])
            turns = len({p.role for p in mine}) == 1 == len({p.role for p in others}) and len(mine) == len(others)
            if turns:
                for one, other in zip(mine, others, strict=True):
                    self.accept((ours, theirs), one, other, "")
            elif others:
                self.pending.append(_Open((ours, theirs), mine, others))

    def accept(self, roots: tuple[Unit, Unit], one: Unit, other: Unit, why: str) -> None:
        self.votes[_relative(one, roots[0]), _relative(other, roots[1])] += 1
        if one.layer is not None and other.layer is not None:
            self.matched.append(Match(one.layer, other.layer, False, why))
        if one.below and other.below:
            self.unit(one, other)

    def settle_all(self) -> None:
        while self.pending:
            self.settle()

    def settle(self) -> None:
        """Pairs the parts of the open unit about which other turns say most."""
        scored = [(self._clearness(one), -at, one) for at, one in enumerate(self.pending)]
        clear, _, best = max(scored, key=lambda item: item[:2])
        self.pending.remove(best)
        cost = np.array([[-self._score(best, one, other) for other in best.theirs] for one in best.ours])
        for i, j in zip(*linear_sum_assignment(cost), strict=True):
            rivals = int(np.sum(cost[i] < cost[i, j] + 0.1)) - 1
            why = "another layer of these shapes has a name as near" if rivals and not clear else ""
            self.accept(best.roots, best.ours[i], best.theirs[j], why)

    def _clearness(self, one: _Open) -> float:
        return max(self._share(one, a, b) for a in one.ours for b in one.theirs)

    def _share(self, one: _Open, ours: Unit, theirs: Unit) -> float:
        """How often the two names met in other units, of all that either met."""
        a, b = _relative(ours, one.roots[0]), _relative(theirs, one.roots[1])
        met = sum(count for (x, y), count in self.votes.items() if x == a or y == b)
        return self.votes[a, b] / met if met else 0.0

    def _score(self, one: _Open, ours: Unit, theirs: Unit) -> float:
        names = ours.role.replace("#", "*"), theirs.role.replace("#", "*")
        return 3 * self._share(one, ours, theirs) + likeness(*names) + 0.2 * self._near(one, ours, theirs)

    def _near(self, one: _Open, ours: Unit, theirs: Unit) -> float:
        """1 for a part of ours in the midst of what is matched with the surroundings of theirs, 0 for the farthest; where nothing
        is known of these, by the order of both."""
        middles = [self._around(part) for part in one.theirs]
        middle = self._around(theirs)
        if middle is None or None in middles:
            return 1 - abs(one.ours.index(ours) / len(one.ours) - one.theirs.index(theirs) / len(one.theirs))
        apart = [abs(self._place(a) - b) for a in one.ours for b in middles if b is not None]
        return 1 - abs(self._place(ours) - middle) / (max(apart) or 1)

    def _place(self, part: Unit) -> float:
        places = [self.places[layer.path] for layer in _layers(part)]
        return sum(places) / len(places)

    def _around(self, theirs: Unit) -> float | None:
        """The middle of our layers that are matched with what is nearest around a part of theirs."""
        around = theirs.path
        while "." in around:
            around = around.rpartition(".")[0]
            places = [self.places[m.ours.path] for m in self.matched if m.theirs.path.startswith(f"{around}.")]
            if places:
                return sum(places) / len(places)
        return None


def _content(part: Unit) -> str:
    return repr(part.holds)


def _relative(part: Unit, root: Unit) -> str:
    return _NUMBER.sub("#", part.path[len(root.path) :].lstrip("."))


def _taken_apart(ours: Sequence[Unit], theirs: Sequence[Unit]) -> tuple[list[Unit], list[Unit]]:
    """Both sides with what has no counterpart replaced by its own parts, the largest first."""
    here, there = list(ours), list(theirs)
    while True:
        a, b = Counter(part.holds for part in here), Counter(part.holds for part in there)
        lonely = [part for part in (*here, *there) if a[part.holds] != b[part.holds] and part.below]
        if not lonely:
            return here, there
        size = max(len(part.holds) for part in lonely)
        here, there = _opened(here, lonely, size), _opened(there, lonely, size)


def _opened(parts: Sequence[Unit], lonely: Sequence[Unit], size: int) -> list[Unit]:
    found: list[Unit] = []
    for part in parts:
        if any(part is other for other in lonely) and len(part.holds) == size:
            found += [*([Unit(part.path, part.layer, {}, (part.layer.signature,))] if part.layer else []), *part.parts]
        else:
            found.append(part)
    return found
