"""Where the layers of a class live: attributes, containers, `nn.Sequential`s and `nn.ModuleList`s.

The paths of a body are a tree. A numbered group whose stages are a unary chain becomes an `nn.Sequential` with the
same numbers; a labelled repeat becomes an `nn.ModuleList` of equal elements; any other numbered scope an
`nn.ModuleDict`; a dotted label nested plain modules.

    x -> mlp: { Linear(8) -> relu -> Linear(2) } -> outc.conv: Conv(2, 1)    the spec
    mlp.0, mlp.1 (no weights), mlp.2, outc.conv                              the IR's paths
    self.mlp = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))    the source
    self.outc = nn.Module()
    self.outc.conv = nn.Conv2d(8, 2, 1)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

from ...compiler.catalogue.ops import is_buffer
from ...compiler.dataclass import dataclass
from ...compiler.ir.expand import join, turns
from ...compiler.ir.model import AnyNode, Body, CallNode, ModeNode, OpNode, RepeatNode, ScanNode
from .bodies import location, numbered, owns, regions_of, singular, uses
from .chains import Builders, Chain, Chains, only_input
from .constants import ClassNumber, Varies
from .group import BodyGroup
from .optional import Residual
from .python import snake, unique
from .slots import RESERVED, Slot, reach
from .turns import LOOP, by_turn, repeated, scratch


@dataclass
class Loop:
    """A labelled repeat and what its turns are.

    `none`: they own nothing, `for _ in range(n)`; `single`: an instance each; `class`: a class of their own;
    `sequential`: an `nn.Sequential` each. `element` is what the loop calls one.
    """

    kind: Literal["none", "single", "class", "sequential"]
    element: str = ""


class Scopes:
    """The tree of one class, its chains and its loops by node position."""

    def __init__(
        self,
        group: BodyGroup,
        build: Builders,
        strip: str = "",
        optional: Mapping[str, ClassNumber] | None = None,
        residuals: Mapping[Residual, str] | None = None,
    ) -> None:
        self.group, self.build, self.strip = group, build, strip
        #: Residual connections that some of the bodies lack, by position, with the attributes that switch them on.
        self.residuals = {residual.position: (residual, name) for residual, name in (residuals or {}).items()}
        #: Conditions of the parts that some of the bodies lack, by path.
        self.switches = dict(optional or {})
        self.layers = Chains(group, build, self.switches)
        self.root = Slot()
        self.chains: dict[int, Chain] = {}
        self.loops: dict[int, Loop] = {}
        self.whole: Chain | None = None
        self._read = uses(group.first)
        self._find_chains()
        if self.whole is None:
            self._place(group, "", {})
        _prune(self.root)
        self._classify(self.root)
        self._order()
        self.optional = {path: switch for path, switch in self.switches.items() if path not in self.layers.stages}
        for path in self.layers.stages:
            if self.whole is None and self.root.at(self.segments(path)[:-1]).kind != "sequential":
                raise Varies
        for path, switch in self.optional.items():
            slot = self.root.at(self.segments(path))
            if path.split(".")[-1].isdigit():  # the numbers after it would have to shift
                raise Varies
            if slot.kind not in ("leaf", "sequential") or slot.buffer or self.whole is not None:
                raise Varies
            slot.switch = switch

    def _order(self) -> None:
        """Attributes in the order in which the spec names them: layers as placed, scopes where they run."""
        body = self.group.first
        order = [self.segments(instance.path) for instance in body.instances]
        runs: dict[tuple[str, ...], int] = {}
        for position, node in enumerate(body.nodes):
            place = location(self._body, node)
            if place is not None:
                runs.setdefault(self.segments(".".join(place)), position)
        for position, node in enumerate(body.nodes):
            if isinstance(node, RepeatNode) and node.scope:
                later = [i for i, other in enumerate(order) if runs.get(other, -1) > position]
                order.insert(later[0] if later else len(order), self.segments(node.scope))
        rank: dict[tuple[str, ...], int] = {}
        for at, path in enumerate(order):
            for count in range(1, len(path) + 1):
                rank.setdefault(path[:count], at)

        def sort(slot: Slot, path: tuple[str, ...]) -> None:
            def first(name: str) -> int:
                return rank.get((*path, name), len(order))

            names = sorted(slot.children, key=first)
            if all(name.isdigit() for name in names):
                names.sort(key=int)
            slot.children = {name: slot.children[name] for name in names}
            for name, child in slot.children.items():
                sort(child, (*path, name))

        sort(self.root, ())

    # ---- chains ----------------------------------------------------------------------------------------------------

    def _find_chains(self) -> None:
        body = self.group.first
        places = [location(self._body, node) for node in body.nodes]
        if body.role == "sequence" and body.nodes and all(places):
            chain = self.layers.chain(self.group, list(range(len(body.nodes))), body.inputs[0].id, (), self._read)
            if chain is not None and chain[1] == body.outputs[0].value and len(body.inputs) == 1:
                self.whole = Chain("", list(range(len(body.nodes))), body.inputs[0].id, chain[1], chain[0])
                self.root = Slot("sequential", entries=chain[0])
                return
        done: set[int] = set()
        members: dict[tuple[str, ...], list[int]] = {}
        groups: set[tuple[str, ...]] = set()
        for position, place in enumerate(places):
            for count in range(1, len(place or ()) + 1):
                assert place is not None
                if count < len(place) or isinstance(body.nodes[position], RepeatNode):
                    members.setdefault(place[:count], []).append(position)
                if count < len(place) and numbered(place[count]):
                    groups.add(place[:count])
        taken = [self._taken(node) for node in body.nodes]
        for prefix in sorted(groups, key=lambda path: (len(path), members[path][0])):
            inside = members[prefix]
            if self._shared(prefix, inside, taken):
                continue
            if not inside or done & set(inside) or inside != list(range(inside[0], inside[-1] + 1)):
                continue
            start = only_input(body.nodes[inside[0]])
            if start is None:
                continue
            found = self.layers.chain(self.group, inside, start, prefix, self._read)
            if found is None:
                continue
            path = ".".join(prefix)
            self.chains[inside[0]] = Chain(path, inside, start, found[1], found[0])
            slot = self.root.at(self.segments(path))
            slot.kind, slot.entries = "sequential", found[0]
            done |= set(inside)
        for position, node in enumerate(body.nodes):
            if not isinstance(node, RepeatNode) or not node.scope or position in done:
                continue
            if not self._shared(tuple(node.scope.split(".")), [position], taken):
                self._repeat(position, node)

    def _taken(self, node: AnyNode) -> list[tuple[str, ...]]:
        """The paths of what a node applies, those in its regions too, as segments."""
        if isinstance(node, (OpNode, CallNode)):
            place = location(self._body, node)
            return [] if place is None else [place]
        inside = [path for index in regions_of(node) for path in owns(self._body, self._body(index))]
        scope = f"{node.scope}." if isinstance(node, RepeatNode) and node.scope else ""
        return [tuple(f"{scope}{path}".split(".")) for path in inside]

    def _shared(self, prefix: tuple[str, ...], inside: Sequence[int], taken: Sequence[list[tuple[str, ...]]]) -> bool:
        """Whether others than the nodes `inside` have paths that begin with `prefix`, or with which it begins: then they make no list
        by themselves. (A label of what has no weights may be that of a layer, too.)"""
        size, held = len(prefix), set(inside)
        own = {path for position in inside for path in taken[position]}
        others = (path for position, paths in enumerate(taken) if position not in held for path in paths)
        bound = (tuple(instance.path.split(".")) for instance in self.group.first.instances)
        paths = (*others, *(path for path in bound if path not in own))
        return any(path[:size] == prefix[: len(path)] for path in paths)

    def _repeat(self, position: int, node: RepeatNode) -> None:
        """A labelled repeat: a list with a loop, a sequential of all its stages, or nothing special."""
        nodes = self.group.loops(position)
        aligned = self.group.aligned(position)
        owned = [list(owns(self._body, self._body(run.body))) for run in aligned[0].runs]
        if not any(owned):
            self.loops[position] = Loop("none")
            return
        slot = self.root.at(self.segments(node.scope))
        first = node.runs[0].body
        start = only_input(node)
        if len(aligned[0].runs) > 1 and start is not None:
            found = self._spliced(nodes)
            if found is not None:
                self.chains[position] = Chain(node.scope, [position], start, node.outputs[0].id, found[0])
                slot.kind, slot.entries = "sequential", found[0]
                return
        strides = all(run.strides == {"": 1} for n in nodes for run in n.runs)
        layers = all(self._body(run.body).instances for run in node.runs)  # else it is a function
        if strides and layers and all(paths == ["#0"] for paths in owned):
            self.fill(
                slot,
                nodes,
                lambda turn, _: self.layers.construct(turn, turn.instances("#0")),
            )
            (element, *_) = self._body(first).instances
            kind = element.op or self._body(first).name
            if element.op is None and element.body is not None:
                kind = self._body(element.body).name
            if element.body is not None:
                slot.inner = self.build.tree(element.body)
            self.loops[position] = Loop("single", snake(kind))
            return
        if strides and all(path.startswith("#0.") for paths in owned for path in paths):
            if self.layers.are_chains(aligned):
                self.fill(slot, nodes, lambda turn, _: self.layers.turn_chain(turn))
                self.loops[position] = Loop("sequential", singular(node.scope))
                return
            self.fill(slot, nodes, lambda turn, bodies: self.build.construct(bodies, turn, node.span))
            slot.inner = self.build.tree(first)
            self.loops[position] = Loop("class", singular(node.scope))
            return
        entries = None if start is None else self._spliced(nodes)
        if start is not None and entries is not None:
            self.chains[position] = Chain(node.scope, [position], start, node.outputs[0].id, entries[0])
            slot.kind, slot.entries = "sequential", entries[0]

    def _spliced(self, nodes: Sequence[RepeatNode]) -> tuple[list[str], int] | None:
        """The stages of all turns of a labelled repeat; None where they do not form a chain."""
        if len({len(node.runs) for node in nodes}) == 1:
            return self.layers.spliced(self.group, nodes, (), 0)
        with scratch(self.group.constants) as kept:
            try:
                found = self.layers.spliced(self.group, nodes, (), 0)
            except Varies:
                return None
            if found is not None:
                kept.append(True)
            return found

    def fill(self, slot: Slot, nodes: Sequence[RepeatNode], make: Callable[[BodyGroup, Sequence[int]], str]) -> None:
        """Makes a slot a list of the elements: turns that are equal, or differ by their number, as one comprehension. `make`
        writes one from the regions of a turn and their bodies."""
        slot.kind = "list"
        same = len({len(node.runs) for node in nodes}) == 1
        if not same or len(nodes[0].runs) >= LOOP:
            try:
                slot.entries = by_turn(
                    self.group, nodes, self.build.class_of, lambda g, turns: [make(g, [turn.body for turn in turns])]
                )
            except Varies:
                if not same:
                    raise
            else:
                return
        for index in range(len(nodes[0].runs)):
            bodies = [n.runs[index].body for n in nodes]
            count = self.group.number([n.runs[index].count for n in nodes])
            entry = make(self.group.region(bodies), bodies)
            slot.entries.append(entry if count.is_(1) else repeated([entry], "_", str(count)))

    # ---- the tree --------------------------------------------------------------------------------------------------

    def _place(self, group: BodyGroup, prefix: str, offsets: dict[str, int]) -> None:
        """Puts what a body or region owns into the tree; turns outside of a loop are placed one by one."""
        body = group.first
        inside = {position for chain in self.chains.values() for position in chain.positions}
        top = group is self.group
        chained = [chain.path for chain in self.chains.values()]
        for instance in body.instances:
            path = join(prefix, instance.path, offsets)
            if instance.body is not None and self.build.is_function(instance.body):
                continue
            if any(path.startswith(f"{chain}.") for chain in chained):
                continue
            self.leaf(group, instance.path, path)
        for position, node in enumerate(body.nodes):
            if top and (position in inside or position in self.loops):
                continue
            match node:
                case RepeatNode():
                    if not any(list(owns(self._body, self._body(run.body))) for run in node.runs):
                        continue
                    nodes = group.nodes(position)
                    for run in range(len(node.runs)):
                        if len({n.runs[run].count for n in nodes}) > 1:
                            raise Varies
                    for _, scope, shifted, index in turns(node, prefix, offsets):
                        self._place(group.region([n.runs[index].body for n in nodes]), scope, shifted)
                case ModeNode():
                    nodes = group.nodes(position)
                    self._place(group.region([n.training for n in nodes]), prefix, offsets)
                    self._place(group.region([n.evaluation for n in nodes]), prefix, offsets)
                case ScanNode():
                    self._place(group.region([n.body for n in group.nodes(position)]), prefix, offsets)
                case _:
                    pass

    def leaf(self, group: BodyGroup, own: str, path: str) -> None:
        instances = group.instances(own)
        slot = self.root.at(self.segments(path))
        slot.kind = "leaf"
        slot.text = self.layers.construct(group, instances)
        slot.buffer = is_buffer(instances[0].op or "")
        if instances[0].body is not None:
            slot.inner = self.build.tree(instances[0].body)

    def segments(self, path: str) -> tuple[str, ...]:
        parts = tuple(path.split("."))
        return parts[1:] if self.strip else parts  # all paths of such a turn begin with its slot

    def _classify(self, slot: Slot) -> None:
        if slot.kind == "module" and any(name.isdigit() for name in slot.children):
            slot.kind = "dict"
        for child in slot.children.values():
            self._classify(child)

    def buffer(self, name: str, text: str) -> str:
        """Adds a tensor that no checkpoint holds, once for each text; what it is called at last."""
        return self._unlisted(name, Slot("leaf", text=text, buffer=True, persistent=False))

    def held(self, name: str, text: str) -> str:
        """Adds a module that owns nothing that a checkpoint holds, likewise."""
        return self._unlisted(name, Slot("leaf", text=text, persistent=False))

    def _unlisted(self, name: str, slot: Slot) -> str:
        known = next((n for n, other in self.root.children.items() if other == slot), None)
        if known is not None:
            return known
        name = unique(name, {*self.root.children, *RESERVED})
        self.root.children[name] = slot
        return name

    def access(self, root: str, path: str) -> str:
        """Source that reaches a path from the module `root` (`self`): `self.mlp[0]`, `self.cls.predictions.bias`."""
        return reach(root, self.root, self.segments(path))

    def _body(self, index: int) -> Body:
        return self.group.spec.bodies[index]


def _prune(slot: Slot) -> None:
    """Leaves out the places of labels in which nothing is."""
    for name, child in [*slot.children.items()]:
        _prune(child)
        if child == Slot():
            del slot.children[name]


__all__ = ["Loop", "Scopes"]
