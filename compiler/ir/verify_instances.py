"""Instances of a legal IR: what a body owns and is handed, its paths, and what its nodes use each as."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ..sizes.types import TensorType
from .expand import join, parameters, turns
from .faults import Fault, body_place, entered, node_place
from .model import (
    Body,
    CallNode,
    Instance,
    Model,
    ModeNode,
    OpNode,
    RepeatNode,
    ScanNode,
    Spec,
    WeightNode,
)


class InstanceUse(NamedTuple):
    """A node that applies a layer: the node in its body, and the instance that its reference means there."""

    body: int
    node: int
    instance: Instance


#: What a body is handed: its names for them, each with the instance (None: there is none, which was reported).
_Handed = Mapping[str, "Instance | None"]


class Instances:
    """Looks at what bodies own and refer to; `uses` are the layers that nodes apply."""

    def __init__(self, spec: Spec, faults: list[Fault]) -> None:
        self.spec, self.faults = spec, faults
        self.uses: dict[tuple[int, int, int], InstanceUse] = {}
        self.tables: dict[int, dict[str, tuple[int, ...]]] = {}
        self.visited: set[tuple[int, tuple[int, ...]]] = set()

    def say(self, place: str, text: str) -> None:
        self.faults.append(Fault(place, text))

    def declared(self, index: int, body: Body) -> None:
        """What a body owns, and the paths of it."""
        place = body_place(self.spec, index)
        for instance in body.instances:
            if instance.op is not None and instance.body is not None:
                self.say(place, f"instance `{instance.path}` is a layer `{instance.op}` and body {instance.body}")
            names = [parameter.name for parameter in instance.parameters]
            for name in {name for name in names if names.count(name) > 1}:
                self.say(place, f"instance `{instance.path}` has two parameters `{name}`")
        if body.role not in ("turn", "branch", "scan"):
            found: dict[str, tuple[str, ...]] = {}
            for path, branch in self._paths(body, "", {}, ()):
                before = found.setdefault(path, branch)
                if before is not branch and not _exclusive(before, branch):
                    self.say(place, f"two instances have the path `{path}`")
            for path in found:
                parts = path.split(".")
                for count in range(1, len(parts)):
                    if ".".join(parts[:count]) in found:
                        self.say(
                            place, f"the instance at `{path}` lies inside of the one at `{'.'.join(parts[:count])}`"
                        )

    def _paths(
        self, body: Body, prefix: str, offsets: Mapping[str, int], branch: tuple[str, ...]
    ) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Paths of a body's instances with those of its regions, and the branches of modes that they lie in. Turns number
        evenly, so that two of equal ones show whether they meet."""
        for instance in body.instances:
            yield join(prefix, instance.path, offsets), (*branch, "")
        for number, node in enumerate(body.nodes):
            match node:
                case RepeatNode():
                    few = tuple(run.model_copy(update={"count": min(run.count, 2)}) for run in node.runs)
                    for inner, scope, shifted, _ in turns(node.model_copy(update={"runs": few}), prefix, offsets):
                        yield from self._paths(self.spec.bodies[inner], scope, shifted, branch)
                case ModeNode():
                    for word, inner in (("training", node.training), ("evaluation", node.evaluation)):
                        there = (*branch, f"{number} {word}")
                        yield from self._paths(self.spec.bodies[inner], prefix, offsets, there)
                case ScanNode():
                    yield from self._paths(self.spec.bodies[node.body], prefix, offsets, branch)
                case _:
                    pass

    def visit(self, index: int, handed: _Handed) -> None:
        """Looks every reference up that is made from a body on, once for each choice of what it is handed."""
        body = self.spec.bodies[index]
        key = (index, tuple(id(handed.get(name)) for name in body.instance_inputs))
        if key in self.visited:
            return
        self.visited.add(key)
        for number, node in enumerate(body.nodes):
            place = node_place(self.spec, index, number)
            if isinstance(node, (OpNode, WeightNode, CallNode)) and node.instance is not None:
                found = self._find(place, body, handed, node.instance)
                if found is not None:
                    self._used(place, node, found)
                    if isinstance(node, OpNode) and found.op is not None:
                        self.uses[index, number, id(found)] = InstanceUse(index, number, found)
            for inner, references in entered(node):
                wanted = self.spec.bodies[inner].instance_inputs
                if set(references) != set(wanted):
                    hands, needs = (", ".join(sorted(names)) or "none" for names in (references, wanted))
                    self.say(place, f"hands body {inner} the instances {hands}, it needs {needs}")
                there = {name: self._find(place, body, handed, text) for name, text in references.items()}
                self.visit(inner, there)

    def _find(self, place: str, body: Body, handed: _Handed, reference: str) -> Instance | None:
        """The instance that a reference means: one of the body, one it is handed, or one inside of these."""
        found: Instance | None = None
        if reference.startswith("@"):
            name, _, rest = reference[1:].partition(".")
            if name in handed:
                found = handed[name]
                if found is None:
                    return None
                found = self._inside(found, rest)
        else:
            found = self._among(body, reference)
        if found is None:
            self.say(place, f"there is no instance `{reference}`")
        return found

    def _among(self, body: Body, path: str) -> Instance | None:
        for instance in body.instances:
            if f"{path}.".startswith(f"{instance.path}."):
                return self._inside(instance, path[len(instance.path) + 1 :])
        return None

    def _inside(self, instance: Instance, path: str) -> Instance | None:
        if not path:
            return instance
        return None if instance.body is None else self._among(self.spec.bodies[instance.body], path)

    def _used(self, place: str, node: OpNode | WeightNode | CallNode, found: Instance) -> None:
        """The node uses the instance as what it is."""
        what = (
            f"a layer `{found.op}`" if found.op else f"body {found.body}" if found.body is not None else "never applied"
        )
        applied = node.body if isinstance(node, CallNode) else None
        if isinstance(node, WeightNode):
            parameter = next((p for p in found.parameters if p.name == node.name), None)
            if parameter is None:
                self.say(place, f"instance `{node.instance}` has no parameter `{node.name}`")
            elif [value.type for value in node.outputs] != [TensorType(parameter.dtype, parameter.shape)]:
                has = TensorType(parameter.dtype, parameter.shape)
                self.say(place, f"the parameter `{node.name}` of `{node.instance}` is `{has}`")
        elif isinstance(node, OpNode) and not isinstance(node.args.get("body"), int):
            if found.op != node.op:
                self.say(place, f"instance `{node.instance}` is {what}, and not `{node.op}`")
            elif found.args != node.args:
                self.say(place, f"instance `{node.instance}` has other arguments than the node")
        elif isinstance(node, OpNode):
            applied = node.args["body"]
        if applied is None:
            return
        if found.body is None:
            self.say(place, f"instance `{node.instance}` is {what}, and not body {applied}")
        elif found.body != applied and self._owned(found.body) != self._owned(applied):
            self.say(place, f"instance `{node.instance}` is {what}; body {applied} owns other parameters")

    def _owned(self, index: int) -> dict[str, tuple[int, ...]]:
        if index not in self.tables:
            model = Model(name="", statics={}, body=index)
            entries = parameters(self.spec, model, first_turns=True)
            self.tables[index] = {entry.path: entry.shape for entry in entries}
        return self.tables[index]


def _exclusive(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """Whether two places lie in the two branches of one mode: a layer there may be the same."""
    for left, right in zip(one, two, strict=False):
        if left != right:
            return left.partition(" ")[0] == right.partition(" ")[0] != ""
    return False
