"""What a legal IR is: the rules that need nothing but the IR.

The compiler makes only legal IRs, which the tests check after every stage; a file may contain anything. The rules:

bodies     every index of a body exists, no body contains itself, and a body plays the role it was made for
values     each is bound once, by an input or by a node, and read only after that; outputs, taps and emits are bound
regions    what goes into a call, a repeat, a mode or a scan, and what comes out, has the types of the bodies they run
instances  each is a layer or a block; a reference names one that the body owns or is handed (`@name`), and it is used as
           what it is; a weight has the type of the parameter that it reads
paths      no two instances of a body have one path, turns and branches included, and none lies inside another's
spans      lie inside of the sources

Instances and paths are in `verify_instances.py`, the recipe's own rules in `verify_recipe.py`, those that need the
catalogue in `compiler/analysis/verify.py`, which is the one to call. A fault names the body, the node and what is wrong;
faults of one rule may hide those of the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..messages.source import Span
from ..sizes.types import TensorType, is_dtype
from ..text.syntax import COMPARISONS
from .faults import Fault, body_place, entered, node_place
from .model import (
    AnyNode,
    Body,
    CallNode,
    ModeNode,
    RepeatNode,
    ScanNode,
    Spec,
)
from .record import Record
from .verify_instances import Instances

#: The roles of the bodies that a kind of node may enter.
ROLES: Mapping[type[Record], tuple[str, ...]] = {
    CallNode: ("block", "sequence", "model"), RepeatNode: ("turn",), ModeNode: ("branch",), ScanNode: ("scan",)
}  # fmt: skip


class Structure:
    """The faults of the bodies and models of a spec, and the layers that its nodes apply."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.faults: list[Fault] = []
        self.instances = Instances(spec, self.faults)

    def check(self) -> None:
        self._bodies()
        if self.faults:  # what follows goes from body to body
            return
        for index, body in enumerate(self.spec.bodies):
            self._values(index, body)
            self.instances.declared(index, body)
        self._spans()
        if self.faults:  # what follows looks values and instances up
            return
        for index, body in enumerate(self.spec.bodies):
            for number, node in enumerate(body.nodes):
                self._region(index, number, node)
        handed = {index for body in self.spec.bodies for node in body.nodes for index, _ in entered(node)}
        for index in range(len(self.spec.bodies)):
            if index not in handed:
                self.instances.visit(index, {})

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


def input_types(body: Body) -> list[TensorType]:
    return [value.type for value in body.inputs]


def output_types(body: Body) -> list[TensorType]:
    types = {value.id: value.type for value in body.values()}
    return [types[result.value] for result in body.outputs]


def is_rank(text: str) -> bool:
    """`< 2`."""
    sign, _, number = text.partition(" ")
    return sign in COMPARISONS and number.isdigit()
