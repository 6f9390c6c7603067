"""Layers of two models matched by names, shapes and turns, where families of names do not pair up.

    ours      stages.0.0.dw .. stages.3.2.dw                        role `stages.#.#.dw`: 18 layers in their order
    theirs    stages.0.blocks.0.conv_dw .. stages.3.blocks.2.conv_dw    role `stages.#.blocks.#.conv_dw`: the same 18 shapes

A role is a layer's name without the numbers of the repeated parts around it. Roles with the same shapes turn by turn may
be the same; which one is which is an assignment that makes the names as alike as possible. Models whose parts are cut in
other ways (a first block with a name of its own) have no equal roles: `units.py`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
from scipy.optimize import linear_sum_assignment

from ...compiler.dataclass import dataclass, field
from ...compiler.ir.expand import COUNTER, glob
from .families import NameFamily, likeness
from .plan import Shape

#: The shapes of a layer's tensors by their names, without counters.
Signature: TypeAlias = tuple[Shape, ...]

_NUMBER = re.compile(r"\d+")
_LEAF = re.compile(r"weight|bias|running_mean|running_var|num_batches_tracked|(?:weight|bias)_[ih]h_l\d+(?:_reverse)?")
_APART = 1e3  # the cost of a pair that cannot be one


@dataclass(frozen=True)
class StoredLayer:
    """A layer and its tensors; a tensor without a layer is one by itself, under the leaf ""."""

    path: str
    leaves: Mapping[str, Shape]

    @property
    def signature(self) -> Signature:
        """The shapes of what must be found in both."""
        return tuple(shape for leaf, shape in sorted(self.leaves.items()) if leaf != COUNTER)

    @property
    def flipped(self) -> Signature:
        """The signature with matrices transposed."""
        return tuple(shape[::-1] if len(shape) == 2 else shape for shape in self.signature)

    @property
    def numbers(self) -> tuple[str, ...]:
        return tuple(_NUMBER.findall(self.path.rpartition(".")[0]))

    @property
    def role(self) -> str:
        around, dot, own = self.path.rpartition(".")
        return _NUMBER.sub("#", around) + dot + own

    def name(self, leaf: str) -> str:
        return f"{self.path}.{leaf}" if leaf else self.path


@dataclass
class Role:
    """Layers of one name, in the order of their numbers."""

    pattern: str
    layers: list[StoredLayer] = field(default_factory=list[StoredLayer])

    @property
    def shapes(self) -> list[Signature]:
        return [layer.signature for layer in self.layers]


@dataclass(frozen=True)
class Match:
    ours: StoredLayer
    theirs: StoredLayer
    transposed: bool
    why: str


def layers(shapes: Mapping[str, Shape]) -> list[StoredLayer]:
    """In the order of their first tensors."""
    found: dict[str, dict[str, Shape]] = {}
    for name, shape in shapes.items():
        path, _, leaf = name.rpartition(".")
        at, key = (path, leaf) if path and _LEAF.fullmatch(leaf) else (name, "")
        found.setdefault(at, {})[key] = shape
    return [StoredLayer(path, leaves) for path, leaves in found.items()]


def roles(of: Iterable[StoredLayer], *, numbered: bool = False) -> list[Role]:
    """With `numbered`, layers whose own names are numbers are turns of one role too: `layer_norm.0`, `layer_norm.1`."""
    found: dict[str, Role] = {}
    for layer in of:
        role = _NUMBER.sub("#", layer.path) if numbered else layer.role
        found.setdefault(role, Role(role)).layers.append(layer)
    for role in found.values():
        role.layers.sort(key=lambda layer: [int(number) for number in _NUMBER.findall(layer.path)])
    return list(found.values())


def match(ours: Iterable[StoredLayer], theirs: Iterable[StoredLayer]) -> list[Match]:
    """Layers that are the same, by their roles; others are left out."""
    here, there = list(ours), list(theirs)
    matched: list[Match] = []
    for numbered in (False, True):
        for one, other, why in _assigned(roles(here, numbered=numbered), roles(there, numbered=numbered)):
            transposed = one.shapes != other.shapes
            matched += [Match(a, b, transposed, why) for a, b in zip(one.layers, other.layers, strict=True)]
        mine, others = {one.ours.path for one in matched}, {one.theirs.path for one in matched}
        here = [layer for layer in here if layer.path not in mine]
        there = [layer for layer in there if layer.path not in others]
    return matched


def _roles_fit(one: Role, other: Role) -> bool:
    return len(one.layers) == len(other.layers) and (
        one.shapes == other.shapes or one.shapes == [layer.flipped for layer in other.layers]
    )


def _assigned(ours: Sequence[Role], theirs: Sequence[Role]) -> list[tuple[Role, Role, str]]:
    """Pairs that fit, their names as alike as possible, those in the same order before others; with what leaves a doubt."""
    cost = np.full((len(ours), len(theirs)), _APART)
    for i, one in enumerate(ours):
        for j, other in enumerate(theirs):
            if _roles_fit(one, other):
                near = 1 - abs(i / len(ours) - j / len(theirs))
                names = one.pattern.replace("#", "*"), other.pattern.replace("#", "*")
                cost[i, j] = -likeness(*names) - 0.2 * near
    found: list[tuple[Role, Role, str]] = []
    for i, j in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, j] < _APART:
            rivals = int(np.sum(cost[i] < cost[i, j] + 0.1)) - 1
            why = "another layer of these shapes has a name as near" if rivals and cost[i, j] > -2 else ""
            found.append((ours[i], theirs[j], why))
    return found


# ---- as families with the patterns of rules ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tensors:
    """Tensors of ours that one rule gets from theirs."""

    ours: NameFamily
    theirs: NameFamily
    transposed: bool
    why: str


def tensors(matched: Iterable[Match], paths: Iterable[str]) -> list[Tensors]:
    """Few rules for all tensors of matched layers; `paths` are all of ours."""
    known = list(paths)
    groups: dict[tuple[str, str], list[Match]] = defaultdict(list)
    for one in matched:
        groups[one.ours.role, one.theirs.role].append(one)
    made = [one for group in groups.values() for part in _parts(group) for one in _rules(part, known)]
    place = {path: at for at, path in enumerate(known)}
    return sorted(made, key=lambda one: place[next(iter(one.ours.members.values()))])


def _parts(group: Sequence[Match]) -> list[list[Match]]:
    """The matches of two roles by the numbers that a rule must write out, because the two sides count differently."""
    for kept in (lambda m: m.numbers, lambda m: m.numbers[-1:]):
        if all(kept(m.ours) == kept(m.theirs) for m in group):
            found: dict[tuple[str, str], list[Match]] = defaultdict(list)
            for m in group:
                count = len(kept(m.ours))
                found[_starred(m.ours.path, count), _starred(m.theirs.path, count)].append(m)
            return list(found.values())
    return [[m] for m in group]


def _starred(path: str, count: int) -> str:
    """The path with its last `count` numbers around the layer as `*`."""
    around, dot, own = path.rpartition(".")
    total = len(_NUMBER.findall(around))
    seen = iter(range(total))
    return _NUMBER.sub(lambda match: "*" if next(seen) >= total - count else match[0], around) + dot + own


def _rules(part: Sequence[Match], known: Sequence[str]) -> list[Tensors]:
    first = part[0]
    count = next((n for n in range(len(first.ours.numbers), 0, -1) if len(part) > 1 and _counted_alike(part, n)), 0)
    here, there = _starred(first.ours.path, count), _starred(first.theirs.path, count)
    leaves = [leaf for leaf in first.ours.leaves if leaf in first.theirs.leaves or leaf != COUNTER]
    same = all(leaf in first.theirs.leaves for leaf in leaves)
    names = {leaf: leaf if same else next(iter(first.theirs.leaves)) for leaf in leaves}
    whole = same and not first.transposed and "" not in leaves
    wanted = {m.ours.name(leaf) for m in part for leaf in m.ours.leaves}
    star = whole and {path for path in known if glob(f"{here}.*").matches(path)} == wanted
    if star and all(leaf in m.theirs.leaves for m in part for leaf in m.ours.leaves):
        ours = {m.ours.name(leaf): m.ours.leaves[leaf] for m in part for leaf in leaves}
        theirs = {m.theirs.name(leaf): m.theirs.leaves[leaf] for m in part for leaf in leaves}
        return [Tensors(_family(f"{here}.*", ours), _family(f"{there}.*", theirs), False, first.why)]
    made: list[Tensors] = []
    for leaf in leaves:
        other = names[leaf]
        ours = {m.ours.name(leaf): m.ours.leaves[leaf] for m in part}
        theirs = {m.theirs.name(other): m.theirs.leaves[other] for m in part}
        patterns = f"{here}.{leaf}" if leaf else here, f"{there}.{other}" if other else there
        flip = first.transposed and len(first.ours.leaves[leaf]) == 2
        made.append(Tensors(_family(patterns[0], ours), _family(patterns[1], theirs), flip, first.why))
    return made


def _counted_alike(part: Sequence[Match], count: int) -> bool:
    """Whether one pattern with its last `count` numbers as `*` covers each side, the numbers being the same on both."""
    patterns = ({_starred(m.ours.path, count) for m in part}, {_starred(m.theirs.path, count) for m in part})
    return all(len(found) == 1 for found in patterns) and all(
        m.ours.numbers[-count:] == m.theirs.numbers[-count:] for m in part
    )


def _family(pattern: str, shapes: Mapping[str, Shape]) -> NameFamily:
    members = {(name,): name for name in shapes}
    return NameFamily(pattern, members, {(name,): shape for name, shape in shapes.items()})
