"""Chains of layers as the entries of an `nn.Sequential`, and the constructor calls in them.

x -> mlp: { Linear(8) -> repeat 3 { relu -> Linear(8) } }      the spec
mlp.0, then mlp.1 .. mlp.6 in a repeat                         the IR
nn.Sequential(
    nn.Linear(4, 8),                                           the source
    *[m for _ in range(3) for m in (nn.ReLU(), nn.Linear(8, 8))],
)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from ...compiler.dataclass import dataclass
from ...compiler.ir.model import AnyNode, Body, CallNode, Instance, OpNode, RepeatNode
from ...compiler.messages.source import Span
from .bodies import location, regions_of, uses
from .constants import ClassNumber, Symbolic, Varies
from .expressions import Expression
from .fitting import Absent, alike
from .function_stages import function_stage
from .group import BodyGroup, handed
from .lowering import Construction, SharedType, lowering
from .slots import Slot
from .stages import has_optional, optional_stage
from .turns import LOOP, Turn, by_turn, repeated, scratch, turns_of


@dataclass
class Chain:
    """Nodes that one `nn.Sequential` at `path` replaces: from the value `start` to the value `end`."""

    path: str
    positions: list[int]
    start: int
    end: int
    entries: list[str]


@dataclass(frozen=True)
class Builders:
    """What the tree of a class asks about the classes that are written already.

    `construct` gives the constructor call of the class of a body (one body for each of the group) at a place of the spec,
    `tree` where the layers of a body's class live, `class_of` the number of its class, `emitting` the wanted `emit` names of
    a body, `is_function` whether a body is written as a function, which has no place in the tree.
    """

    construct: Callable[[Sequence[int], BodyGroup, Span], str]
    tree: Callable[[int], Slot]
    class_of: Callable[[int], int]
    emitting: Callable[[int], Sequence[str]]
    is_function: Callable[[int], bool]


class NoChain(Exception):
    """Nodes do not form a chain."""


class Chains:
    """The entries of a class's sequentials. `switches` are conditions of what some of the bodies lack, by path; those that
    turn out to be stages of a chain are in `stages` in the end."""

    def __init__(self, group: BodyGroup, build: Builders, switches: Mapping[str, ClassNumber]) -> None:
        self.group, self.build, self.switches = group, build, switches
        self.stages: set[str] = set()

    def chain(
        self, group: BodyGroup, positions: list[int], start: int, prefix: tuple[str, ...], read: Counter[int]
    ) -> tuple[list[str], int, int] | None:
        """Entries of an `nn.Sequential` for these nodes, the value they end in, and how many stages that are (an entry may
        make several); None when they do not form a chain."""
        body = group.first
        entries: list[str] = []
        flow, number, index, depth = start, 0, 0, len(prefix)
        while index < len(positions):
            position = positions[index]
            node = body.nodes[position]
            place = location(self._body_of, node)
            within = isinstance(node, RepeatNode) and node.scope == ".".join(prefix) != ""
            if place is None or place[:depth] != prefix or (len(place) <= depth and not within):
                return None
            segment = "" if within else place[depth].removeprefix("#")
            if isinstance(node, RepeatNode) and (within or not node.scope):
                found = self.spliced(group, group.loops(position), () if within else prefix, number)
                if found is None or only_input(node) != flow:
                    return None
                entries += found[0]
                number += found[1]
                flow, index = node.outputs[0].id, index + 1
            elif segment != str(number):
                return None
            elif len(place) == depth + 1 and not isinstance(node, RepeatNode):
                text = self.entry(group, position) if only_input(node) == flow else None
                if text is None or len(node.outputs) != 1:
                    return None
                entries.append(self.stage(group, place, text))
                flow, number, index = node.outputs[0].id, number + 1, index + 1
            else:
                inside: list[int] = []
                while index < len(positions):
                    other = location(self._body_of, body.nodes[positions[index]])
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
        self, group: BodyGroup, nodes: Sequence[RepeatNode], prefix: tuple[str, ...], number: int
    ) -> tuple[list[str], int] | None:
        """Entries for all turns of a repeat, and how many numbers they take."""
        same = len({len(node.runs) for node in nodes}) == 1
        if not same or len(nodes[0].runs) >= LOOP:
            try:
                return self.looped(group, nodes, prefix, number)
            except Varies:
                if not same:
                    raise
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
            elif len(found[0]) > 1 and (turns_.is_(2) or turns_.is_(3)):  # plainer than a loop
                entries += (2 if turns_.is_(2) else 3) * found[0]
            else:
                entries.append(repeated(found[0], "_", str(turns_)))
            count += run.count * run.strides[""]
        return entries, count

    def looped(
        self, group: BodyGroup, nodes: Sequence[RepeatNode], prefix: tuple[str, ...], number: int
    ) -> tuple[list[str], int]:
        """The same where turns differ by their number: all in one comprehension, or all but the first."""
        first = nodes[0].runs[0]
        if any(node.runs[0].offsets.get("", 0) != number for node in nodes):
            raise Varies
        if any(
            r.captures or r.instances or r.strides != first.strides or set(r.strides) != {""}
            for n in nodes
            for r in n.runs
        ):
            raise Varies

        def make(region: BodyGroup, turns: Sequence[Turn]) -> list[str]:
            body = region.first
            if len(body.inputs) != 1 or len(body.outputs) != 1:
                raise Varies
            found = self.chain(region, list(range(len(body.nodes))), body.inputs[0].id, prefix, uses(body))
            if found is None or found[1] != body.outputs[0].value or found[2] != first.strides[""]:
                raise Varies
            return found[0]

        return by_turn(group, nodes, self.build.class_of, make), first.strides[""] * (
            max(turn.number for turn in turns_of(nodes)) + 1
        )

    def stage(self, group: BodyGroup, place: tuple[str, ...], text: str) -> str:
        """An entry of a sequential, with its condition where some of the bodies lack it."""
        path = ".".join(place)
        if group is not self.group or path not in self.switches:
            return text
        self.stages.add(path)
        return optional_stage(self.switches[path], text)

    def entry(self, group: BodyGroup, position: int) -> str | None:
        """The constructor of one stage of a sequential."""
        nodes = group.nodes(position)
        node = nodes[0]
        try:
            if isinstance(node, CallNode):
                if self.build.emitting(node.body) or self.build.is_function(node.body):
                    return None
                if node.instance.startswith("@") or node.instances or len(self._body_of(node.body).inputs) != 1:
                    return None
                return self.build.construct([n.body for n in nodes], group, node.span)
            if not isinstance(node, OpNode):
                return None
            if node.instance is not None:
                lowered = lowering(node.op, node.span)
                called = lowered.forward is None or (lowered.plain_call is not None and lowered.plain_call(node.args))
                if len(node.outputs) != 1 or not called or lowered.constructor is None:
                    return None
                return self.construct(group, group.instances(node.instance))
            return function_stage(group, nodes)
        except Symbolic:
            return None

    def are_chains(self, nodes: Sequence[RepeatNode]) -> bool:
        """Whether all turns of a repeat are numbered chains `{ .. -> .. }`."""
        with scratch(self.group.constants):
            try:
                for index, run in enumerate(nodes[0].runs):  # all nodes have equally many runs
                    region = self.group.region([n.runs[index].body for n in nodes])
                    if run.captures or run.instances or len(region.first.inputs) != 1:
                        return False
                    self.turn_chain(region)
            except NoChain:
                return False
        return True

    def turn_chain(self, turn: BodyGroup) -> str:
        """The `nn.Sequential` of a turn; NoChain where it is not a numbered chain."""
        body = turn.first
        found = self.chain(turn, list(range(len(body.nodes))), body.inputs[0].id, ("#0",), uses(body))
        if found is None or len(body.outputs) != 1 or found[1] != body.outputs[0].value:
            raise NoChain
        return f"nn.Sequential({', '.join(found[0])})"

    def construct(self, group: BodyGroup, instances: Sequence[Instance]) -> str:
        """The constructor call of an instance."""
        first = instances[0]
        if first.op is None:
            assert all(i.body is not None for i in instances), f"`{first.path}` was never applied"
            return self.build.construct([i.body for i in instances if i.body is not None], group, first.span)
        build = lowering(first.op, first.span).constructor
        assert build is not None, f"{first.op} has no constructor"
        weights = {
            p.name: tuple(map(group.number, zip(*(i.parameters[at].shape for i in instances), strict=True)))
            for at, p in enumerate(first.parameters)
        }
        dtypes = {p.name: p.dtype for p in first.parameters}
        inputs = self.inputs_of(group, first.path)
        args = group.args([i.args for i in instances], first.span)
        channels = [size for type in inputs[:1] if type is not None for size in type.sizes]
        for name, shape in weights.items():
            inner = 0 if len(shape) == 1 else 1  # the axis of weights that the input has too
            weights[name] = tuple(_inner(size, channels) if at == inner else size for at, size in enumerate(shape))
        return build(Construction(args, weights, dtypes, inputs))

    def inputs_of(self, group: BodyGroup, path: str) -> list[SharedType | None]:
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

    def _body_of(self, index: int) -> Body:
        return self.group.spec.bodies[index]


def _inner(size: ClassNumber, channels: Sequence[ClassNumber]) -> ClassNumber:
    """A size that the input of a layer has. Where it is the same in all bodies that have the layer, one of `channels` that it is
    there, else the only static of the block that has its value."""
    if not size.same:
        return size
    if any(isinstance(value, Absent) for value in size.values):
        return next((have for have in channels if not have.same and alike(have.values, size.values)), size)
    constants = size.constants
    found = [(name, values) for name, values in constants.statics.items() if alike(values, size.values)]
    if len(found) != 1:
        return size
    [(name, values)] = found
    return ClassNumber(size.values, constants, Expression(name, (name,), values))


def only_input(node: AnyNode) -> int | None:
    """The value that a node reads, if it reads nothing else."""
    operands = [operand for operand in node.inputs if operand is not None]
    return operands[0] if len(operands) == 1 and isinstance(operands[0], int) else None


__all__ = ["Builders", "Chain", "Chains", "only_input"]
