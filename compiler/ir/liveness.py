"""Which values of a body evaluation needs: what only a training branch reads is neither lowered, asked for, nor random."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from .model import AnyNode, Body, CallNode, ModeNode, Operand, RepeatNode, ScanNode


class Liveness:
    """Answers for the bodies of one spec, which do not change; each is looked at once."""

    def __init__(self, bodies: Sequence[Body]) -> None:
        self.bodies = bodies
        self._inputs: dict[int, frozenset[int]] = {}

    def inputs(self, index: int) -> frozenset[int]:
        """Positions of the inputs that the outputs of a body depend on."""
        if index not in self._inputs:
            body = self.bodies[index]
            wanted, _ = self._reach(body, (), [result.value for result in body.outputs])
            self._inputs[index] = frozenset(at for at, value in enumerate(body.inputs) if value.id in wanted)
        return self._inputs[index]

    def nodes(self, body: Body, known: Collection[int], targets: Sequence[int]) -> list[AnyNode]:
        """The nodes that the targets need, in order, without those already computed."""
        return self._reach(body, known, targets)[1]

    def operands(self, node: AnyNode) -> list[int]:
        """The values that evaluation of a node reads."""
        found: list[Operand] = []
        match node:
            case CallNode():
                found = self._live(node.inputs, node.body)
            case ModeNode():
                found = self._live(node.inputs, node.evaluation)
            case RepeatNode():
                # a carried value may matter in a later turn only: all of them are kept
                found = list(node.inputs)
                for run in node.runs:
                    live = self.inputs(run.body)
                    carried = len(node.inputs)
                    found += [operand for at, operand in enumerate(run.captures) if carried + at in live]
            case ScanNode():
                found = list(node.inputs)
            case _:
                found = list(node.inputs)
        return [operand for operand in found if isinstance(operand, int)]

    def _live(self, inputs: Sequence[Operand], index: int) -> list[Operand]:
        live = self.inputs(index)
        return [operand for at, operand in enumerate(inputs) if at in live]

    def _reach(self, body: Body, known: Collection[int], targets: Sequence[int]) -> tuple[set[int], list[AnyNode]]:
        wanted = {target for target in targets if target not in known}
        found: list[AnyNode] = []
        for node in reversed(body.nodes):
            if any(value.id in wanted for value in node.outputs):
                found.append(node)
                wanted.update(operand for operand in self.operands(node) if operand not in known)
        return wanted, found[::-1]


def entered(node: AnyNode) -> tuple[int, ...]:
    """The bodies that evaluation enters from a node."""
    match node:
        case CallNode() | ScanNode():
            return (node.body,)
        case RepeatNode():
            return tuple({run.body for run in node.runs})
        case ModeNode():
            return (node.evaluation,)
        case _:
            return ()


def reached(bodies: Sequence[Body], index: int) -> Iterator[Body]:
    """A body and those that evaluation enters from it, each once."""
    pending, seen = [index], set[int]()
    while pending:
        at = pending.pop()
        if at in seen:
            continue
        seen.add(at)
        yield bodies[at]
        pending += [inner for node in bodies[at].nodes for inner in entered(node)]
