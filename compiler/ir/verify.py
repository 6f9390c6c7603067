"""What a legal IR is: the rules that need nothing but the IR.

The compiler makes only legal IRs, which the tests check after every stage; a file may contain anything. The rules:

bodies     every index of a body exists, no body contains itself, and a body plays the role it was made for
values     each is bound once, by an input or by a node, and read only after that; outputs, taps and emits are bound
regions    what goes into a call, a repeat, a mode or a scan, and what comes out, has the types of the bodies they run
instances  each is a layer or a block; a reference names one that the body owns or is handed (`@name`), and it is used as
           what it is; a weight has the type of the parameter that it reads
paths      no two instances of a body have one path, turns and branches included, and none lies inside another's
spans      lie inside of the sources

The recipe's own rules are in `verify_recipe.py`, those that need the catalogue in `compiler/analysis/verify.py`, which is
the one to call. A fault names the body, the node and what is wrong; faults of one rule may hide those of the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ..messages.source import Span
from ..sizes.types import TensorType, is_dtype
from .expand import join, parameters, turns
from .model import (
    AnyNode,
    Body,
    CallNode,
    Instance,
    Model,
    ModeNode,
    OpNode,
    RepeatNode,
    Run,
    ScanNode,
    Spec,
    WeightNode,
)
from .record import Record

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")

#: The roles of the bodies that a kind of node may enter.
ROLES: Mapping[type[Record], tuple[str, ...]] = {
    CallNode: ("block", "sequence", "model"), RepeatNode: ("turn",), ModeNode: ("branch",), ScanNode: ("scan",)
}  # fmt: skip


class Fault(NamedTuple):
    """Something illegal: where it is, and what is wrong."""

    place: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class Use(NamedTuple):
    """A node that applies a layer: the node in its body, and the instance that its reference means there."""

    body: int
    node: int
    instance: Instance


#: What a body is handed: its names for them, each with the instance (None: there is none, which was reported).
_Handed = Mapping[str, "Instance | None"]


def body_place(spec: Spec, index: int) -> str:
    return f"body {index} `{spec.bodies[index].name}`"


def node_place(spec: Spec, index: int, number: int) -> str:
    node = spec.bodies[index].nodes[number]
    return f"{body_place(spec, index)}, node {number} `{node.op if isinstance(node, OpNode) else node.kind}`"


def entered(node: AnyNode) -> list[tuple[int, Mapping[str, str]]]:
    """The bodies that a node enters in either mode, with what it hands them."""
    match node:
        case CallNode() | ScanNode():
            return [(node.body, node.instances)]
        case RepeatNode():
            return [(run.body, run.instances) for run in node.runs]
        case ModeNode():
            return [(node.training, node.instances), (node.evaluation, node.instances)]
        case OpNode() if isinstance(node.args.get("body"), int):
            return [(node.args["body"], {})]  # a loss that applies a net itself
        case _:
            return []


class Structure:
    """The faults of the bodies and models of a spec, and the layers that its nodes apply."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.faults: list[Fault] = []
        self.uses: dict[tuple[int, int, int], Use] = {}
        self.tables: dict[int, dict[str, tuple[int, ...]]] = {}
        self.visited: set[tuple[int, tuple[int, ...]]] = set()

    def check(self) -> None:
        self._bodies()
        if self.faults:  # what follows goes from body to body
            return
        for index, body in enumerate(self.spec.bodies):
            self._values(index, body)
            self._instances(index, body)
        self._spans()
        if self.faults:  # what follows looks values and instances up
            return
        for index, body in enumerate(self.spec.bodies):
            for number, node in enumerate(body.nodes):
                self._region(index, number, node)
        handed = {index for body in self.spec.bodies for node in body.nodes for index, _ in entered(node)}
        for index in range(len(self.spec.bodies)):
            if index not in handed:
                self._visit(index, {})

    def say(self, place: str, text: str) -> None:
        self.faults.append(Fault(place, text))

    # ---- bodies --------------------------------------------------------------------------------------------------------

    def _bodies(self) -> None:
        bodies = self.spec.bodies
        below: list[list[int]] = []
        for index, body in enumerate(bodies):
            found: list[int] = []
            for number, node in enumerate(body.nodes):
                place = node_place(self.spec, index, number)
                for inner, _ in entered(node):
                    if self._exists(place, inner):
                        found.append(inner)
                        allowed = ROLES.get(type(node), ())
                        if allowed and bodies[inner].role not in allowed:
                            words = " or ".join(allowed)
                            self.say(place, f"enters body {inner}, a {bodies[inner].role}, where a {words} is needed")
            for instance in body.instances:
                if instance.body is not None:
                    place = f"{body_place(self.spec, index)}, instance `{instance.path}`"
                    if self._exists(place, instance.body):
                        found.append(instance.body)
            below.append(found)
        for number, model in enumerate(self.spec.models):
            place = f"model {number} `{model.name}`"
            if self._exists(place, model.body) and bodies[model.body].role != "model":
                self.say(place, f"is body {model.body}, a {bodies[model.body].role}")
        self._circles(below)

    def _exists(self, place: str, index: int) -> bool:
        if 0 <= index < len(self.spec.bodies):
            return True
        self.say(place, f"there is no body {index}")
        return False

    def _circles(self, below: Sequence[Sequence[int]]) -> None:
        done: set[int] = set()
        for root in range(len(below)):
            trail, stack = dict[int, None](), [(root, iter(below[root]))] if root not in done else []
            trail[root] = None
            while stack:
                index, rest = stack[-1]
                inner = next(rest, None)
                if inner is None:
                    stack.pop()
                    done.add(index)
                    del trail[index]
                elif inner in trail:
                    circle = [*list(trail)[list(trail).index(inner) :], inner]
                    self.say(body_place(self.spec, inner), f"contains itself: {' > '.join(map(str, circle))}")
                    return
                elif inner not in done:
                    trail[inner] = None
                    stack.append((inner, iter(below[inner])))

    # ---- values --------------------------------------------------------------------------------------------------------

    def _values(self, index: int, body: Body) -> None:
        place = body_place(self.spec, index)
        bound: set[int] = set()

        def bind(where: str, value: Any) -> None:
            if value.id in bound:
                self.say(where, f"value {value.id} is bound twice")
            bound.add(value.id)
            if not is_dtype(value.type.dtype):
                self.say(where, f"value {value.id} has the dtype `{value.type.dtype}`, which is none")
            if any(isinstance(size, int) and size < 0 for size in value.type.shape):
                self.say(where, f"value {value.id} has a negative size: `{value.type}`")

        def read(where: str, operand: Any, what: str) -> None:
            if isinstance(operand, int) and operand not in bound:
                self.say(where, f"{what} value {operand}, which is not bound before")

        for value in body.inputs:
            bind(place, value)
        for number, node in enumerate(body.nodes):
            where = node_place(self.spec, index, number)
            captures = (
                [operand for run in node.runs for operand in run.captures] if isinstance(node, RepeatNode) else []
            )
            for operand in (*node.inputs, *captures):
                read(where, operand, "reads")
            for value in node.outputs:
                bind(where, value)
        for result in body.outputs:
            read(place, result.value, f"output `{result.name}` is")
        for result in body.emits:
            read(place, result.value, f"emit `{result.name}` is")
        for name, id in body.taps.items():
            read(place, id, f"tap `{name}` is")
        for requirement in body.requirements:
            if requirement.op not in COMPARISONS:
                self.say(place, f"the requirement `{requirement.text}` compares with `{requirement.op}`")
        for selector in (selector for rule in body.init_rules for selector in rule.selectors):
            if selector.kind == "rank" and not is_rank(selector.text):
                self.say(place, f"the init rule's selector `{selector.text}` is not a comparison of a rank")

    def types(self, body: Body) -> dict[int, TensorType]:
        return {value.id: value.type for value in body.values()}

    # ---- what runs in a region -----------------------------------------------------------------------------------------

    def _region(self, index: int, number: int, node: AnyNode) -> None:
        place, bodies = node_place(self.spec, index, number), self.spec.bodies
        types = self.types(bodies[index])

        def given(operands: Sequence[Any]) -> list[TensorType | None]:
            return [types[i] if isinstance(i, int) else None for i in operands if i is not None]

        made = [value.type for value in node.outputs]
        match node:
            case CallNode():
                inner = bodies[node.body]
                self._alike(place, f"goes into body {node.body}", given(node.inputs), input_types(inner))
                self._alike(place, f"comes out of body {node.body}", made, output_types(inner))
            case RepeatNode():
                if not node.runs:
                    self.say(place, "has no turns")
                carried = given(node.inputs)
                for run in node.runs:
                    if run.count < 1:
                        self.say(place, f"runs body {run.body} {run.count} times")
                    inner = bodies[run.body]
                    inputs = [*carried, *given(run.captures)]
                    self._alike(place, f"goes into body {run.body}", inputs, input_types(inner))
                    turn = list(output_types(inner))
                    if run.count > 1:
                        self._alike(place, f"goes from turn to turn of body {run.body}", turn, carried)
                    carried = turn
                self._alike(place, "comes out of the last turn", made, carried)
            case ModeNode():
                for branch in (node.training, node.evaluation):
                    self._alike(place, f"goes into body {branch}", given(node.inputs), input_types(bodies[branch]))
                    self._alike(place, f"comes out of body {branch}", made, output_types(bodies[branch]))
            case ScanNode():
                self._scan(place, node, given(node.inputs), made)
            case _:
                pass

    def _scan(self, place: str, node: ScanNode, given: list[TensorType | None], made: list[TensorType]) -> None:
        inner = self.spec.bodies[node.body]
        sequences, rest = given[: node.sequences], given[node.sequences :]
        if len(sequences) < max(node.sequences, 1) or len(rest) < node.carries:
            self.say(place, f"{len(given)} inputs for {node.sequences} sequences and {node.carries} carries")
            return
        slices: list[TensorType | None] = []
        lengths: set[Any] = set()
        for sequence in sequences:
            if sequence is None or not -sequence.rank <= node.axis < sequence.rank:
                self.say(place, f"`{sequence}` has no axis {node.axis}")
                return
            at = node.axis % sequence.rank
            lengths.add(sequence.shape[at])
            slices.append(sequence.with_shape(*sequence.shape[:at], *sequence.shape[at + 1 :]))
        if len(lengths) > 1:
            self.say(place, "the sequences have different lengths")
        self._alike(place, f"goes into body {node.body}", [*slices, *rest], input_types(inner))
        *carries, stacked = [*output_types(inner)] or [None]
        if stacked is not None:
            at = min(node.axis % (stacked.rank + 1), stacked.rank)
            stacked = stacked.with_shape(*stacked.shape[:at], *lengths, *stacked.shape[at:])
        self._alike(place, "is carried on", carries, rest[: node.carries])
        self._alike(place, f"comes out of body {node.body}", made, [stacked, *rest[: node.carries]])

    def _alike(
        self, place: str, what: str, found: Sequence[TensorType | None], wanted: Sequence[TensorType | None]
    ) -> None:
        if len(found) != len(wanted):
            self.say(place, f"what {what}: {len(found)} values for {len(wanted)}")
            return
        for position, (have, want) in enumerate(zip(found, wanted, strict=True)):
            if have != want:
                self.say(place, f"what {what}: value {position} is `{have}` where `{want}` is needed")

    # ---- instances -----------------------------------------------------------------------------------------------------

    def _instances(self, index: int, body: Body) -> None:
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

    def _visit(self, index: int, handed: _Handed) -> None:
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
                        self.uses[index, number, id(found)] = Use(index, number, found)
            for inner, references in entered(node):
                wanted = self.spec.bodies[inner].instance_inputs
                if set(references) != set(wanted):
                    hands, needs = (", ".join(sorted(names)) or "none" for names in (references, wanted))
                    self.say(place, f"hands body {inner} the instances {hands}, it needs {needs}")
                there = {name: self._find(place, body, handed, text) for name, text in references.items()}
                self._visit(inner, there)

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

    # ---- spans ---------------------------------------------------------------------------------------------------------

    def _spans(self) -> None:
        lengths = {source.name: len(source.text) for source in self.spec.sources}
        if len(lengths) < len(self.spec.sources):
            self.say("sources", "two have one name")
        wrong: dict[tuple[str, Span], None] = {}

        def visit(place: str, value: Any) -> None:
            if isinstance(value, Span):
                if not 0 <= value.start <= value.end <= lengths.get(value.file, -1):
                    wrong[place, value] = None
            elif isinstance(value, Record):
                for part in value.__dict__.values():
                    visit(place, part)
            elif isinstance(value, tuple):
                for part in value:  # pyright: ignore[reportUnknownVariableType]
                    visit(place, part)
            elif isinstance(value, dict):
                for part in value.values():  # pyright: ignore[reportUnknownVariableType]
                    visit(place, part)

        for index, body in enumerate(self.spec.bodies):
            visit(body_place(self.spec, index), body)
        visit("recipe", self.spec.recipe)
        for place, span in wrong:
            known = "" if span.file in lengths else ", a source that there is not"
            self.say(place, f"the span {span.start} to {span.end} lies outside of `{span.file}`{known}")


def _exclusive(one: tuple[str, ...], two: tuple[str, ...]) -> bool:
    """Whether two places lie in the two branches of one mode: a layer there may be the same."""
    for left, right in zip(one, two, strict=False):
        if left != right:
            return left.partition(" ")[0] == right.partition(" ")[0] != ""
    return False


def input_types(body: Body) -> list[TensorType]:
    return [value.type for value in body.inputs]


def output_types(body: Body) -> list[TensorType]:
    types = {value.id: value.type for value in body.values()}
    return [types[result.value] for result in body.outputs]


def is_rank(text: str) -> bool:
    """`< 2`."""
    sign, _, number = text.partition(" ")
    return sign in COMPARISONS and number.isdigit()


__all__ = ["Fault", "Run", "Structure", "Use", "body_place", "node_place"]
