"""Bodies that lack a part of another: one class with that part optional, instead of near copies.

    shortcut = x -> if stride != 1 { downsample: { Conv(..) -> BatchNorm } }      the spec
    bodies with the nodes downsample.0 and downsample.1, and bodies without        the IR
    self.downsample = None                                                         the source
    if downsample:
        self.downsample = nn.Sequential(nn.Conv2d(..), nn.BatchNorm2d(..))
    ..
    shortcut = x if self.downsample is None else self.downsample(x)

Such a part is a layer or a group of layers under a name of its own, as here; a stage of a numbered group, after which
the other numbers shift (stages.py); or a residual connection (`return x + y if self.residual else y`). A loop that has
no turn in some of the bodies needs no condition: it runs over `range(0)` there.

A body without the part is filled up with it, so that both have the same nodes; the numbers of what is filled in are
`Free`: whatever the others need. Which nodes of two bodies correspond is seen from their places in the spec.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ...compiler.catalogue.ops import find
from ...compiler.dataclass import dataclass
from ...compiler.ir.model import AnyNode, Body, CallNode, Instance, ModeNode, OpNode, RepeatNode, ScanNode, Value
from ...compiler.sizes.types import TensorType
from .constants import free
from .fitting import Free


@dataclass(frozen=True)
class Residual:
    """An addition at a position of the nodes, without which the value `kept` stays as it is. `inner` are values that only
    the addition reads."""

    position: int
    kept: int
    inner: tuple[int, ...] = ()


#: What may be absent: a layer, group or stage by its path, or a residual connection.
Part: TypeAlias = "str | Residual"


def filled(full: Body, lacking: Body, same: Callable[[AnyNode, AnyNode], bool]) -> tuple[frozenset[Part], Body] | None:
    """What `full` has beyond `lacking`, and `lacking` with it; None where the two differ in anything else.

    `same` decides whether two nodes are equal except for numbers and values. In the result paths and values are those of
    `full`.
    """
    if len(full.nodes) <= len(lacking.nodes) or len(full.inputs) != len(lacking.inputs):
        return None
    if full.emits or lacking.emits:
        return None
    return _Filling(full, lacking, same).run()


class _Filling:
    def __init__(self, full: Body, lacking: Body, same: Callable[[AnyNode, AnyNode], bool]) -> None:
        self.full, self.lacking, self.same = full, lacking, same
        #: Values of the full body -> values of the lacking one; an absent layer passes its input through.
        self.known = {a.id: b.id for a, b in zip(full.inputs, lacking.inputs, strict=True)}
        self.types = {value.id: value.type for value in lacking.values()}
        self.wide = {value.id: value.type for value in full.values()}
        #: The order in which the lacking body computes its values.
        self.order = {value.id: at for at, value in enumerate(lacking.values())}
        #: Prefixes of paths in the full body by those in the lacking one, and the other way round.
        self.moved: dict[str, str] = {}
        self.back: dict[str, str] = {}
        self.present: list[str] = []
        self.absent: list[str] = []
        self.residuals: list[Residual] = []
        self.pending: dict[int, int] = {}  # functions that wait for their addition: result -> operand

    def run(self) -> tuple[frozenset[Part], Body] | None:
        nodes: list[AnyNode] = []
        at = 0
        for position, node in enumerate(self.full.nodes):
            other = self.lacking.nodes[at] if at < len(self.lacking.nodes) else None
            matched = None if other is None else self._matched(node, other)
            if matched is not None:
                at += 1
                nodes.append(matched)
                continue
            if isinstance(node, RepeatNode):
                missing = self._unturned(node)
            else:
                missing = self._missing(node) if _place(node) else self._added(position, node)
            if missing is None:
                return None
            nodes.append(missing)
        full, lacking = self.full, self.lacking
        results = [self.known.get(result.value) for result in full.outputs]
        if at < len(lacking.nodes) or self.pending or results != [result.value for result in lacking.outputs]:
            return None
        paths = [self._part(path) for path in self.absent]
        if not all(paths):
            return None
        parts: frozenset[Part] = frozenset((*paths, *self.residuals))
        own = {self.moved.get(i.path, i.path): i for i in lacking.instances}
        if len(own) != len(lacking.instances) or not own.keys() <= {i.path for i in full.instances}:
            return None
        instances: list[Instance] = []
        for instance in full.instances:
            mine = own.get(instance.path)
            if mine is None and not any(f"{instance.path}.".startswith(f"{part}.") for part in parts):
                return None
            instances.append(_freed(instance) if mine is None else mine.model_copy(update={"path": instance.path}))
        inputs = tuple(
            Value(id=a.id, type=b.type, name=a.name) for a, b in zip(full.inputs, lacking.inputs, strict=True)
        )
        update: dict[str, Any] = {
            "inputs": inputs,
            "nodes": tuple(nodes),
            "outputs": full.outputs,
            "instances": tuple(instances),
            "taps": {},
        }
        return parts, lacking.model_copy(update=update)

    def _matched(self, node: AnyNode, other: AnyNode) -> AnyNode | None:
        """The other node in the place of the first, if they correspond."""
        renamed = self._renamed(other, node) if node.span == other.span else None
        if renamed is None or not self.same(node, renamed):
            return None
        mapped = tuple(self.known.get(v, -1) if isinstance(v, int) else v for v in node.inputs)
        if not _inputs_match(mapped, other.inputs) or any(v in self.pending for v in node.inputs):
            return None
        outputs = tuple(
            Value(id=a.id, type=b.type, name=a.name) for a, b in zip(node.outputs, other.outputs, strict=True)
        )
        self.known |= {a.id: b.id for a, b in zip(node.outputs, other.outputs, strict=True)}
        inputs = tuple(a if isinstance(a, int) else b for a, b in zip(node.inputs, other.inputs, strict=True))
        place = _place(node)
        if place:
            self.present.append(place)
        for mine, full in zip(_prefixes(_place(other)), _prefixes(place), strict=True):
            self.moved[mine], self.back[full] = full, mine
        return renamed.model_copy(update={"inputs": inputs, "outputs": outputs})

    def _renamed(self, other: AnyNode, node: AnyNode) -> AnyNode | None:
        """The other node with the path of the first; None where more than numbers would have to shift."""
        here, there = _place(node), _place(other)
        if here.count(".") != there.count("."):
            return None
        for mine, full in zip(_prefixes(there), _prefixes(here), strict=True):
            if self.moved.get(mine, full) != full or self.back.get(full, mine) != mine:
                return None
        pairs = zip(here.split("."), there.split("."), strict=True)
        if any(a != b and not (a.isdigit() and b.isdigit()) for a, b in pairs):
            return None
        if here == there:
            return other
        if isinstance(node, OpNode) and isinstance(other, OpNode):
            if (node.instance is None, node.path is None) != (other.instance is None, other.path is None):
                return None
            return other.model_copy(update={"instance": node.instance, "path": node.path})
        if isinstance(node, CallNode) and isinstance(other, CallNode):
            return other.model_copy(update={"instance": node.instance})
        return None

    def _missing(self, node: AnyNode) -> AnyNode | None:
        """A layer or stage that the lacking body has not."""
        if not isinstance(node, (OpNode, CallNode)) or len(node.inputs) != 1 or len(node.outputs) != 1:
            return None
        operand = node.inputs[0]
        kept = self.known.get(operand) if isinstance(operand, int) and operand not in self.pending else None
        if kept is None or _place(node).startswith("@") or (isinstance(node, CallNode) and node.instances):
            return None
        if not _alike(node.outputs[0].type, self.types[kept]):
            return None
        self.absent.append(_place(node))
        return self._empty(node, kept)

    def _unturned(self, node: RepeatNode) -> AnyNode | None:
        """A loop that the lacking body has no turn of: its values stay as they are."""
        kept = [self.known.get(operand) if isinstance(operand, int) else None for operand in node.inputs]
        if self.pending or not node.runs or any(capture not in self.known for capture in node.runs[0].captures):
            return None
        outputs: list[Value] = []
        for output, value in zip(node.outputs, kept, strict=True):
            if value is None or not _alike(output.type, self.types[value]):
                return None
            self.known[output.id] = value
            outputs.append(Value(id=output.id, type=self.types[value], name=output.name))
        run = node.runs[0].model_copy(update={"body": Free(node.runs[0].body), "count": 0})
        return node.model_copy(update={"outputs": tuple(outputs), "runs": (run,)})

    def _added(self, position: int, node: AnyNode) -> AnyNode | None:
        """An addition of two values of which the lacking body has one, or a function before it."""
        if not isinstance(node, OpNode) or len(node.outputs) != 1:
            return None
        operands = [operand for operand in node.inputs if isinstance(operand, int)]
        if len(operands) != len(node.inputs) or any(operand not in self.known for operand in operands):
            return None
        output = node.outputs[0]
        if any(self.wide[operand] != output.type for operand in operands) or len(operands) not in (1, 2):
            return None
        if len(operands) == 1:
            if self.pending:
                return None
            self.pending[output.id] = operands[0]
            return self._empty(node, self.known[operands[0]])
        operator = find(node.op)
        if operator is None or operator.linear != "sum" or any(value not in operands for value in self.pending):
            return None
        reads = [v for n in self.full.nodes for v in n.inputs] + [result.value for result in self.full.outputs]
        if any(reads.count(value) != 1 for value in self.pending):
            return None
        latest = max(operands, key=lambda value: self.order[self.known[value]])
        kept = self.pending.get(latest, latest)
        self.residuals.append(Residual(position, kept, tuple(self.pending)))
        self.pending.clear()
        return self._empty(node, self.known[kept])

    def _empty(self, node: OpNode | CallNode, kept: int) -> AnyNode:
        (output,) = node.outputs
        self.known[output.id] = kept
        update: dict[str, Any] = {"outputs": (Value(id=output.id, type=self.types[kept], name=output.name),)}
        if isinstance(node, CallNode):
            return node.model_copy(update={**update, "body": Free(node.body)})
        return node.model_copy(update={**update, "args": {name: free(value) for name, value in node.args.items()}})

    def _part(self, path: str) -> str:
        """The largest group around a path that is absent as a whole; empty for a layer that is applied elsewhere."""
        held = {prefix for place in self.present for prefix in _prefixes(place)}
        return next((prefix for prefix in _prefixes(path) if prefix not in held), "")


def _place(node: AnyNode) -> str:
    if isinstance(node, OpNode):
        return node.instance or node.path or ""
    return node.instance if isinstance(node, CallNode) else ""


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


def _alike(one: TensorType, two: TensorType) -> bool:
    return one.rank == two.rank and one.dtype == two.dtype


def _inputs_match(mapped: tuple[Any, ...], inputs: tuple[Any, ...]) -> bool:
    return len(mapped) == len(inputs) and all(
        a == b if isinstance(b, int) else not isinstance(a, int) for a, b in zip(mapped, inputs, strict=True)
    )


def freed(body: Body) -> Body:
    """A turn that no body of the class runs: its numbers are whatever the others need."""
    return body.model_copy(
        update={
            "inputs": tuple(map(_freed_value, body.inputs)),
            "nodes": tuple(map(_freed_node, body.nodes)),
            "instances": tuple(map(_freed, body.instances)),
        }
    )


def _freed_value(value: Value) -> Value:
    return value.model_copy(update={"type": value.type.with_shape(*free(value.type.shape))})


def _freed_node(node: AnyNode) -> AnyNode:
    update: dict[str, Any] = {"outputs": tuple(map(_freed_value, node.outputs))}
    if isinstance(node, OpNode):
        update["args"] = {name: free(value) for name, value in node.args.items()}
    elif isinstance(node, CallNode):
        update["body"] = Free(node.body)
    elif isinstance(node, RepeatNode):
        runs = (run.model_copy(update={"body": Free(run.body), "count": Free(run.count)}) for run in node.runs)
        update["runs"] = tuple(runs)
    elif isinstance(node, ModeNode):
        update |= {"training": Free(node.training), "evaluation": Free(node.evaluation)}
    elif isinstance(node, ScanNode):
        update["body"] = Free(node.body)
    return node.model_copy(update=update)


def _freed(instance: Instance) -> Instance:
    return instance.model_copy(
        update={
            "args": {name: free(value) for name, value in instance.args.items()},
            "parameters": tuple(p.model_copy(update={"shape": free(p.shape)}) for p in instance.parameters),
            "body": None if instance.body is None else Free(instance.body),
        }
    )


__all__ = ["Part", "Residual", "filled", "freed"]
