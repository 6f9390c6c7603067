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

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from ...compiler.ir.expand import join, turns
from ...compiler.ir.model import AnyNode, Body, CallNode, Instance, ModeNode, OpNode, RepeatNode, ScanNode
from .constants import Number, Symbolic, Varies
from .group import Group, handed
from .lowering import Construction, SharedType, lowering
from .optional import Residual
from .python import quoted, snake, unique
from .stages import has_optional, optional_stage

Kind: TypeAlias = Literal["leaf", "module", "sequential", "list", "dict"]

#: Attributes of a module that a tensor can't have the name of.
RESERVED = frozenset(
    ("training", "forward", "train", "eval", "to", "half", "float", "double", "type", "apply", "buffers", "children",
     "compile", "cpu", "cuda", "modules", "parameters", "register_buffer", "share_memory", "state_dict", "bfloat16")
)  # fmt: skip


@dataclass
class Slot:
    """A place in the tree: a layer, a tensor, or a container. `text` constructs it (leaves and filled containers)."""

    kind: Kind = "module"
    children: dict[str, Slot] = field(default_factory=dict[str, "Slot"])
    text: str = ""
    entries: list[str] = field(default_factory=list[str])
    buffer: bool = False
    persistent: bool = True  # whether a checkpoint holds the buffer
    switch: Number | None = None  # whether it is there; else the attribute is None
    inner: Slot | None = None  # the tree of the block or of the elements of the list

    def at(self, segments: Sequence[str]) -> Slot:
        slot = self
        for segment in segments:
            slot = slot.children.setdefault(segment, Slot())
        return slot


@dataclass
class Chain:
    """Nodes that one `nn.Sequential` at `path` replaces: from the value `start` to the value `end`."""

    path: str
    positions: list[int]
    start: int
    end: int
    entries: list[str]


@dataclass
class Loop:
    """A labelled repeat and what its turns are.

    `none`: they own nothing, `for _ in range(n)`; `single`: an instance each; `class`: a class of their own;
    `sequential`: an `nn.Sequential` each. `element` is what the loop calls one.
    """

    kind: Literal["none", "single", "class", "sequential"]
    element: str = ""


def location(spec_body: Callable[[int], Body], node: AnyNode) -> tuple[str, ...] | None:
    """The path a node takes in its body, as segments; for spliced turns that of their first stage."""
    match node:
        case OpNode() | CallNode():
            path = node.instance if node.instance is not None else getattr(node, "path", None)
            return None if path is None or path.startswith("@") else tuple(path.split("."))
        case RepeatNode():
            if node.scope:
                return tuple(node.scope.split("."))
            for inner in spec_body(node.runs[0].body).nodes:
                found = location(spec_body, inner)
                if found is not None:
                    return found
            return None
        case _:
            return None


def uses(body: Body) -> Counter[int]:
    """How often each value of a body is read."""
    count: Counter[int] = Counter()
    for node in body.nodes:
        operands = [*node.inputs]
        if isinstance(node, RepeatNode):
            for run in node.runs:
                operands += run.captures
        count.update(operand for operand in operands if isinstance(operand, int))
    count.update(result.value for result in (*body.outputs, *body.emits))
    return count


@dataclass(frozen=True)
class Builders:
    """What the tree of a class asks about the classes that are written already.

    `construct` gives the constructor call of the class of a body (one body for each of the group), `stage` that of a
    function's module, `tree` where the layers of a body's class live, `emitting` the wanted `emit` names of a body,
    `is_function` whether a body is written as a function, which has no place in the tree.
    """

    construct: Callable[[Sequence[int], Group], str]
    stage: Callable[[Group, Sequence[OpNode]], str | None]
    tree: Callable[[int], Slot]
    emitting: Callable[[int], Sequence[str]]
    is_function: Callable[[int], bool]


class Scopes:
    """The tree of one class, its chains and its loops by node position."""

    def __init__(
        self,
        group: Group,
        build: Builders,
        strip: str = "",
        optional: Mapping[str, Number] | None = None,
        residuals: Mapping[Residual, str] | None = None,
    ) -> None:
        self.group, self.build, self.strip = group, build, strip
        #: Residual connections that some of the bodies lack, by position; and the attributes that hold whether they are made.
        self.residuals = {residual.position: (residual, name) for residual, name in (residuals or {}).items()}
        #: Paths of what some of the bodies lack: stages of a chain, then what is an attribute.
        self.switches = dict(optional or {})
        self.stages: set[str] = set()
        self.root = Slot()
        self.chains: dict[int, Chain] = {}
        self.loops: dict[int, Loop] = {}
        self.whole: Chain | None = None
        self._read = uses(group.first)
        self._find_chains()
        if self.whole is None:
            self._place(group, "", {})
        self._classify(self.root)
        self._order()
        self.optional = {path: switch for path, switch in self.switches.items() if path not in self.stages}
        for path in self.stages:
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
            chain = self.chain(self.group, list(range(len(body.nodes))), body.inputs[0].id, (), self._read)
            if chain is not None and chain[1] == body.outputs[0].value and len(body.inputs) == 1:
                self.whole = Chain("", list(range(len(body.nodes))), body.inputs[0].id, chain[1], chain[0])
                self.root = Slot("sequential", entries=chain[0])
                return
        done: set[int] = set()
        members: dict[tuple[str, ...], list[int]] = {}
        groups: set[tuple[str, ...]] = set()
        for position, place in enumerate(places):
            for count in range(1, len(place or ())):
                assert place is not None
                members.setdefault(place[:count], []).append(position)
                if numbered(place[count]):
                    groups.add(place[:count])
        for prefix in sorted(groups, key=lambda path: (len(path), members[path][0])):
            inside = members[prefix]
            if not inside or done & set(inside) or inside != list(range(inside[0], inside[-1] + 1)):
                continue
            start = self._only_input(body.nodes[inside[0]])
            if start is None:
                continue
            found = self.chain(self.group, inside, start, prefix, self._read)
            if found is None:
                continue
            path = ".".join(prefix)
            self.chains[inside[0]] = Chain(path, inside, start, found[1], found[0])
            slot = self.root.at(self.segments(path))
            slot.kind, slot.entries = "sequential", found[0]
            done |= set(inside)
        for position, node in enumerate(body.nodes):
            if isinstance(node, RepeatNode) and node.scope and position not in done:
                self._repeat(position, node)

    def _repeat(self, position: int, node: RepeatNode) -> None:
        """A labelled repeat: a list with a loop, a sequential of all its stages, or nothing special."""
        nodes = self.group.nodes(position)
        owned = [list(owns(self._body, self._body(run.body))) for run in node.runs]
        if not any(owned):
            self.loops[position] = Loop("none")
            return
        slot = self.root.at(self.segments(node.scope))
        first = node.runs[0].body
        start = self._only_input(node)
        if len(node.runs) > 1 and start is not None:
            found = self.spliced(self.group, nodes, (), 0)
            if found is not None:
                self.chains[position] = Chain(node.scope, [position], start, node.outputs[0].id, found[0])
                slot.kind, slot.entries = "sequential", found[0]
                return
        strides = all(run.strides == {"": 1} for n in nodes for run in n.runs)
        if strides and all(paths == ["#0"] for paths in owned):
            texts = [self.single(nodes, index, slot) for index in range(len(node.runs))]
            (element, *_) = self._body(first).instances
            kind = element.op or self._body(first).name
            if element.op is None and element.body is not None:
                kind = self._body(element.body).name
            self.fill(slot, nodes, texts)
            self.loops[position] = Loop("single", snake(kind))
            return
        if strides and all(path.startswith("#0.") for paths in owned for path in paths):
            texts = self.turn_chains(nodes)
            if texts is not None:
                self.fill(slot, nodes, texts)
                self.loops[position] = Loop("sequential", singular(node.scope))
                return
            bodies = [[n.runs[index].body for n in nodes] for index in range(len(node.runs))]
            self.fill(slot, nodes, [self.build.construct(b, self.group) for b in bodies])
            slot.inner = self.build.tree(bodies[0][0])
            self.loops[position] = Loop("class", singular(node.scope))
            return
        entries = None if start is None else self.spliced(self.group, nodes, (), 0)
        if start is not None and entries is not None:
            self.chains[position] = Chain(node.scope, [position], start, node.outputs[0].id, entries[0])
            slot.kind, slot.entries = "sequential", entries[0]

    def single(self, nodes: Sequence[RepeatNode], index: int, slot: Slot) -> str:
        """The constructor of turns that are one instance each."""
        region = self.group.region([n.runs[index].body for n in nodes])
        instances = region.instances("#0")
        if instances[0].body is not None:
            slot.inner = self.build.tree(instances[0].body)
        return self.construct(region, instances)

    def turn_chains(self, nodes: Sequence[RepeatNode]) -> list[str] | None:
        """`nn.Sequential`s for turns `{ .. -> .. }` that are numbered chains; None when one is not."""
        texts: list[str] = []
        for index, run in enumerate(nodes[0].runs):
            region = self.group.region([n.runs[index].body for n in nodes])
            body = region.first
            if run.captures or run.instances or len(body.inputs) != 1 or len(body.outputs) != 1:
                return None
            found = self.chain(region, list(range(len(body.nodes))), body.inputs[0].id, ("#0",), uses(body))
            if found is None or found[1] != body.outputs[0].value:
                return None
            texts.append(f"nn.Sequential({', '.join(found[0])})")
        return texts

    def fill(self, slot: Slot, nodes: Sequence[RepeatNode], texts: Sequence[str]) -> None:
        """Makes a slot a list of the elements, equal turns as one comprehension."""
        slot.kind = "list"
        for index, text in enumerate(texts):
            slot.entries.append(repeated(text, self.group.number([n.runs[index].count for n in nodes])))

    def chain(
        self, group: Group, positions: list[int], start: int, prefix: tuple[str, ...], read: Counter[int]
    ) -> tuple[list[str], int, int] | None:
        """Entries of an `nn.Sequential` for these nodes, the value they end in, and how many stages that are (an entry may
        make several); None when they do not form a chain."""
        body = group.first
        entries: list[str] = []
        flow, number, index, depth = start, 0, 0, len(prefix)
        while index < len(positions):
            position = positions[index]
            node = body.nodes[position]
            place = location(self._body, node)
            if place is None or place[:depth] != prefix or len(place) <= depth:
                return None
            segment = place[depth].removeprefix("#")
            if isinstance(node, RepeatNode) and not node.scope:
                found = self.spliced(group, group.nodes(position), prefix, number)
                if found is None or self._only_input(node) != flow:
                    return None
                entries += found[0]
                number += found[1]
                flow, index = node.outputs[0].id, index + 1
            elif segment != str(number):
                return None
            elif len(place) == depth + 1 and not isinstance(node, RepeatNode):
                text = self.entry(group, position) if self._only_input(node) == flow else None
                if text is None or len(node.outputs) != 1:
                    return None
                entries.append(self.stage(group, place, text))
                flow, number, index = node.outputs[0].id, number + 1, index + 1
            else:
                inside: list[int] = []
                while index < len(positions):
                    other = location(self._body, body.nodes[positions[index]])
                    if other is None or other[: depth + 1] != place[: depth + 1]:
                        break
                    inside.append(positions[index])
                    index += 1
                nested = self.chain(group, inside, flow, place[: depth + 1], read)
                if nested is None:
                    return None
                if has_optional(nested[0]):
                    raise Varies
                entries.append(self.stage(group, place[: depth + 1], f"nn.Sequential({', '.join(nested[0])})"))
                flow, number = nested[1], number + 1
            if index < len(positions) and read[flow] != 1:
                return None
        return entries, flow, number

    def spliced(
        self, group: Group, nodes: Sequence[RepeatNode], prefix: tuple[str, ...], number: int
    ) -> tuple[list[str], int] | None:
        """Entries for all turns of a repeat, and how many numbers they take."""
        entries: list[str] = []
        count = 0
        for index, run in enumerate(nodes[0].runs):
            if run.captures or run.instances or set(run.strides) != {""}:
                return None
            region = group.region([n.runs[index].body for n in nodes])
            body = region.first
            if len(body.inputs) != 1 or len(body.outputs) != 1:
                return None
            if (
                all(n.runs[index].offsets.get("", 0) == run.offsets.get("", 0) for n in nodes)
                and run.offsets.get("", 0) != number + count
            ):
                return None
            found = self.chain(region, list(range(len(body.nodes))), body.inputs[0].id, prefix, uses(body))
            if found is None or found[1] != body.outputs[0].value or found[2] != run.strides[""]:
                return None
            turns_ = group.number([n.runs[index].count for n in nodes])
            if turns_.is_(1):
                entries += found[0]
            elif len(found[0]) == 1 and found[2] == 1:
                entries.append(repeated(found[0][0], turns_))
            elif turns_.is_(2) or turns_.is_(3):  # plainer than a loop
                entries += (2 if turns_.is_(2) else 3) * found[0]
            else:
                stages = f"({', '.join(found[0])})" if len(found[0]) > 1 else f"({found[0][0]},)"
                entries.append(f"*[m for _ in range({turns_}) for m in {stages}]")
            count += run.count * run.strides[""]
        return entries, count

    def stage(self, group: Group, place: tuple[str, ...], text: str) -> str:
        """An entry of a sequential, with its condition where some of the bodies lack it."""
        path = ".".join(place)
        if group is not self.group or path not in self.switches:
            return text
        self.stages.add(path)
        return optional_stage(self.switches[path], text)

    def entry(self, group: Group, position: int) -> str | None:
        """The constructor of one stage of a sequential."""
        nodes = group.nodes(position)
        node = nodes[0]
        try:
            if isinstance(node, CallNode):
                if self.build.emitting(node.body) or self.build.is_function(node.body):
                    return None
                if node.instance.startswith("@") or node.instances or len(self._body(node.body).inputs) != 1:
                    return None
                return self.build.construct([n.body for n in nodes], group)
            if not isinstance(node, OpNode):
                return None
            if node.instance is not None:
                lowered = lowering(node.op, node.span)
                called = lowered.forward is None or (lowered.plain_call is not None and lowered.plain_call(node.args))
                if len(node.outputs) != 1 or not called or lowered.constructor is None:
                    return None
                return self.construct(group, group.instances(node.instance))
            return self.build.stage(group, nodes)
        except Symbolic:
            return None

    @staticmethod
    def _only_input(node: AnyNode) -> int | None:
        operands = [operand for operand in node.inputs if operand is not None]
        return operands[0] if len(operands) == 1 and isinstance(operands[0], int) else None

    # ---- the tree --------------------------------------------------------------------------------------------------

    def _place(self, group: Group, prefix: str, offsets: dict[str, int]) -> None:
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

    def leaf(self, group: Group, own: str, path: str) -> None:
        instances = group.instances(own)
        slot = self.root.at(self.segments(path))
        slot.kind = "leaf"
        slot.text = self.construct(group, instances)
        slot.buffer = instances[0].op == "Buffer"
        if instances[0].body is not None:
            slot.inner = self.build.tree(instances[0].body)

    def segments(self, path: str) -> tuple[str, ...]:
        parts = tuple(path.split("."))
        return parts[1:] if self.strip else parts  # all paths of such a turn begin with its slot

    def construct(self, group: Group, instances: Sequence[Instance]) -> str:
        """The constructor call of an instance."""
        first = instances[0]
        if first.op is None:
            assert all(i.body is not None for i in instances), f"`{first.path}` was never applied"
            return self.build.construct([i.body for i in instances if i.body is not None], group)
        build = lowering(first.op, first.span).constructor
        assert build is not None, f"{first.op} has no constructor"
        weights = {
            p.name: tuple(map(group.number, zip(*(i.parameters[at].shape for i in instances), strict=True)))
            for at, p in enumerate(first.parameters)
        }
        dtypes = {p.name: p.dtype for p in first.parameters}
        inputs = self.inputs_of(group, first.path)
        return build(Construction(group.args([i.args for i in instances]), weights, dtypes, inputs))

    def inputs_of(self, group: Group, path: str) -> list[SharedType | None]:
        """Types of what a layer is applied to first, here, in a region or in a block that takes it."""
        position = group.applied.get(path)
        if position is None:
            return []
        nodes = group.nodes(position)
        first = nodes[0]
        if isinstance(first, OpNode):
            return [group.type(value) if isinstance(value, int) else None for value in first.inputs]
        name = next(name for name, reference in handed(first).items() if reference == path)
        for regions in zip(*map(regions_of, nodes), strict=True):
            inputs = self.inputs_of(group.region(regions), f"@{name}")
            if inputs:
                return inputs
        return []

    def _classify(self, slot: Slot) -> None:
        if slot.kind == "module" and any(name.isdigit() for name in slot.children):
            slot.kind = "dict"
        for child in slot.children.values():
            self._classify(child)

    def buffer(self, name: str, text: str) -> str:
        """Adds a tensor that no checkpoint holds, once for each text; what it is called at last."""
        known = next((n for n, slot in self.root.children.items() if not slot.persistent and slot.text == text), None)
        if known is not None:
            return known
        name = unique(name, {*self.root.children, *RESERVED})
        self.root.children[name] = Slot("leaf", text=text, buffer=True, persistent=False)
        return name

    def access(self, root: str, path: str) -> str:
        """Source that reaches a path from the module `root` (`self`): `self.mlp[0]`, `self.cls.predictions.bias`."""
        return reach(root, self.root, self.segments(path))

    def _body(self, index: int) -> Body:
        return self.group.spec.bodies[index]


def owns(body_of: Callable[[int], Body], body: Body) -> Iterator[str]:
    """Paths that a region takes: its instances, and the numbers of its functions."""
    for instance in body.instances:
        yield instance.path
    for node in body.nodes:
        if isinstance(node, OpNode) and node.instance is None and node.path is not None:
            yield node.path
        elif isinstance(node, RepeatNode):
            for run in node.runs:
                inner = list(owns(body_of, body_of(run.body)))
                yield from ((f"{node.scope}.{path}" for path in inner) if node.scope else inner)
        elif isinstance(node, ModeNode):
            yield from owns(body_of, body_of(node.training))
            yield from owns(body_of, body_of(node.evaluation))
        elif isinstance(node, ScanNode):
            yield from owns(body_of, body_of(node.body))


def reach(root: str, slot: Slot | None, segments: Sequence[str]) -> str:
    """Source for a path below a slot; below a block's instance it continues in the block's own tree."""
    text = root
    for segment in segments:
        if slot is not None and slot.inner is not None and slot.kind == "leaf":
            slot = slot.inner
        kind = slot.kind if slot is not None else "module"
        if kind in ("sequential", "list"):
            text += f"[{segment}]"
        elif kind == "dict":
            text += f"[{quoted(segment)}]"
        else:
            text += f".{segment}"
        if slot is not None:
            slot = slot.inner if kind == "list" and slot.inner is not None else slot.children.get(segment)
    return text


def regions_of(node: AnyNode, *, calls: bool = True) -> list[int]:
    """Bodies that a node runs; without `calls` only those that are written in place."""
    match node:
        case RepeatNode():
            return [run.body for run in node.runs]
        case ModeNode():
            return [node.training, node.evaluation]
        case CallNode():
            return [node.body] if calls else []
        case ScanNode():
            return [node.body]
        case _:
            return []


def singular(scope: str) -> str:
    """What one element of `layers` is called."""
    name = scope.split(".")[-1]
    return name[:-1] if name.endswith("s") and len(name) > 2 else f"{name}_part" if len(name) < 2 else name


def repeated(text: str, count: Number) -> str:
    """An entry of a list, once or for each of equal turns."""
    if count.is_(1):
        return text
    return f"*[{text} for _ in range({count})]"


def numbered(segment: str) -> bool:
    """Whether a segment of a path is a stage or a turn."""
    return segment.isdigit() or segment.startswith("#")
