"""Whether an IR is legal: the rules of `compiler/ir/verify.py` and `verify_recipe.py`, then those that need the catalogue.

operators  exist, take their arguments and inputs, and give the types that `infer` gives for them
layers     own the parameters that the catalogue declares for their arguments and inputs
entries    of a recipe (sources, splits, transforms, optimizers, losses, metrics) exist

    faults = verify(spec)  # [] for every spec that the compiler makes
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ..catalogue import DRAWS, LOSSES, METHODS, METRICS, OPTIMIZERS, SAMPLINGS, SEGMENTS, SPLITS
from ..catalogue.entry import MISSING
from ..catalogue.ops import find
from ..catalogue.ops.base import Op, Operand, Rejected
from ..ir.arguments import EntryUse
from ..ir.faults import Fault, entered, node_place
from ..ir.model import Body, CallNode, ModeNode, OpNode, Parameter, RepeatNode, Scalar, Spec
from ..ir.train import Optimizer, Segment
from ..ir.verify import Structure
from ..ir.verify_recipe import recipe_faults
from ..sizes.dims import Dim, DimOverflow, Size, var
from ..sizes.facts import NO_FACTS, Facts, equal
from ..sizes.types import TensorType
from .verify_data import node_faults
from .verify_entry import wrong_arguments, wrong_use

#: The operator of a recipe whose values are what the applications of a net emit.
EMITTED = "emitted"


def verify(spec: Spec) -> list[Fault]:
    """What is illegal in a spec. References are looked at before types, and types only where those resolve."""
    structure = Structure(spec)
    structure.check()
    if structure.faults:
        return structure.faults
    found = recipe_faults(spec)
    if found:
        return found
    return _Typing(spec, structure).check()


class _Typing:
    def __init__(self, spec: Spec, structure: Structure) -> None:
        self.spec, self.structure = spec, structure
        self.faults: list[Fault] = []
        self.facts = _facts(spec)

    def say(self, place: str, text: str) -> None:
        self.faults.append(Fault(place, text))

    def check(self) -> list[Fault]:
        owners: dict[tuple[int, int], list[tuple[Parameter, ...]]] = {}
        for use in self.structure.instances.uses.values():
            owners.setdefault((use.body, use.node), []).append(use.instance.parameters)
        for index, body in enumerate(self.spec.bodies):
            types = {value.id: value.type for value in body.values()}
            for number, node in enumerate(body.nodes):
                if isinstance(node, OpNode) and node.op == EMITTED:
                    self._emitted(index, number, node)
                elif isinstance(node, OpNode):
                    self._operator(index, number, node, types, owners.get((index, number), []))
        self._entries()
        return self.faults

    # ---- operators -----------------------------------------------------------------------------------------------------

    def _operator(
        self,
        index: int,
        number: int,
        node: OpNode,
        types: Mapping[int, TensorType],
        owners: Iterable[tuple[Parameter, ...]],
    ) -> None:
        place = node_place(self.spec, index, number)
        kind = operator_of(node.op, self.spec.bodies[index].role)
        if kind is None:
            self.say(place, f"the catalogue has no `{node.op}`")
            return
        arguments = {name: value for name, value in node.args.items() if name != "init"}
        if kind.takes_net:
            arguments.pop("body", None)
        wrong = wrong_arguments(kind, arguments)
        if wrong is not None:
            self.say(place, wrong)
            return
        given = [_operand(operand, types) for operand in node.inputs]
        many = any(word == "many" for _, word in kind.tensors)
        needed = sum(word == "one" for _, word in kind.tensors)
        if (len(given) > len(kind.tensors) and not many) or sum(operand is not None for operand in given) < needed:
            self.say(
                place, f"{len(given)} inputs, where it takes {', '.join(name for name, _ in kind.tensors) or 'none'}"
            )
            return
        facts = self.facts.get(index, NO_FACTS)
        inputs = kind.operand_types(given)
        rule = kind(**arguments)
        try:
            outputs = rule.infer(facts, *inputs)
            declared = rule.parameters(*inputs)
        except Rejected as rejected:
            self.say(place, rejected.message)
            return
        except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError) as error:
            # the rule was written for what the elaborator lets through; a damaged file may hold more
            self.say(place, f"its shape rule cannot take this: {error}")
            return
        wanted = (
            [outputs]
            if isinstance(outputs, TensorType)
            else [*(outputs.values() if isinstance(outputs, dict) else outputs)]
        )
        self._outputs(place, [value.type for value in node.outputs], wanted, facts)
        for parameters in owners:
            self._parameters(place, parameters, declared)

    def _outputs(self, place: str, found: list[TensorType], wanted: list[TensorType], facts: Facts) -> None:
        if len(found) != len(wanted):
            self.say(place, f"gives {len(found)} values, where it has {len(wanted)}")
            return
        for position, (have, want) in enumerate(zip(found, wanted, strict=True)):
            if have.dtype != want.dtype or not _same(have.shape, want.shape, facts):
                self.say(place, f"value {position} is `{have}`, the catalogue gives `{want}`")

    def _parameters(self, place: str, found: Iterable[Parameter], wanted: Iterable[Parameter]) -> None:
        have, want = ({p.name: (p.dtype, p.shape, p.buffer) for p in those} for those in (found, wanted))
        for name in want.keys() - have.keys():
            self.say(place, f"its parameter `{name}` is missing")
        for name in have.keys() - want.keys():
            self.say(place, f"it declares no parameter `{name}`")
        for name in have.keys() & want.keys():
            if have[name] != want[name]:
                shown, right = (
                    f"{'buffer ' if buffer else ''}{TensorType(dtype, shape)}"
                    for dtype, shape, buffer in (have[name], want[name])
                )
                self.say(place, f"its parameter `{name}` is `{shown}`, the catalogue declares `{right}`")

    def _emitted(self, index: int, number: int, node: OpNode) -> None:
        """All values that one run of the body emits under a name, stacked."""
        place, name = node_place(self.spec, index, number), node.args.get("name")
        emitted = list(_emits(self.spec, self.spec.bodies[index], name))
        if node.inputs or not emitted or len(node.outputs) != 1:
            self.say(place, f"the body emits no `{name}`")
            return
        wanted = TensorType(emitted[0].dtype, (len(emitted), *emitted[0].shape))
        if node.outputs[0].type != wanted:
            self.say(place, f"`{name}` is `{node.outputs[0].type}`, the body emits `{wanted}`")

    # ---- entries of the recipe -----------------------------------------------------------------------------------------

    def _entries(self) -> None:
        recipe, bodies = self.spec.recipe, self.spec.bodies
        for data in recipe.data:
            place = f"data `{data.name}`"
            self.faults += node_faults(place, data)
            self._use(f"{place}, split", data.split, SPLITS)
        for train in recipe.trains:
            for phase in train.phases:
                if phase.sampling is not None:
                    self._use(f"train `{train.name}`, sampling", phase.sampling, SAMPLINGS)
                for update in phase.updates:
                    place = f"train `{train.name}`, step `{update.name}`"
                    self._use(place, update.optimizer, OPTIMIZERS, scheduled=update.optimizer.schedules)
                    for optimizer in (update.optimizer, *update.groups):
                        for schedule in optimizer.schedules.values():
                            for segment in schedule.segments:
                                self._segment(place, segment)
                    for term in update.terms:
                        self._parts(f"{place}, loss `{term.name}`", bodies[update.body], term.counts, LOSSES, "loss")
            for metric in train.evaluation.metrics:
                place = f"train `{train.name}`, metric `{metric.name}`"
                self._parts(place, bodies[train.evaluation.body], metric.parts, METRICS, "metric")
            for term in train.evaluation.terms:
                place = f"train `{train.name}`, loss `{term.name}`"
                self._parts(place, bodies[train.evaluation.body], term.counts, LOSSES, "loss")
        for search in recipe.searches:
            self._use(f"search `{search.name}`", search.method, METHODS)
            for draw in search.draws:
                for case in draw.cases:
                    self._use(f"search `{search.name}`, draw `{draw.path}`", case.distribution, DRAWS)

    def _segment(self, place: str, segment: Segment) -> None:
        if not self._known(place, segment.kind, SEGMENTS):
            return
        given = {"to": segment.to, "factor": segment.factor, "for": segment.length, "every": segment.length}
        for name, _, default in SEGMENTS[segment.kind].arguments:
            if default is MISSING and given[name] is None:
                self.say(place, f"`{segment.kind}` is without `{name}`")

    def _use(self, place: str, use: EntryUse | Optimizer, table: Any, scheduled: Collection[str] = ()) -> None:
        """A use of an entry of the recipe; what is `scheduled` has a schedule in place of a value."""
        wrong = wrong_use(table, use.name, use.args, scheduled)
        if wrong is not None:
            self.say(place, wrong)

    def _known(self, place: str, name: str, table: Any) -> bool:
        if name in table:
            return True
        self.say(place, f"the catalogue has no `{name}`")
        return False

    def _parts(self, place: str, body: Body, nodes: Iterable[int], table: Any, word: str) -> None:
        for index in nodes:
            node = body.nodes[index]
            if not isinstance(node, OpNode) or node.op not in table:
                self.say(place, f"node {index} of `{body.name}` is not a {word}")


def operator_of(name: str, role: str) -> type[Op] | None:
    """The operator, loss or metric that a node of a body with this role means."""
    if role in ("step", "metrics"):
        return LOSSES.get(name) or METRICS.get(name) or find(name)
    return find(name)


def _operand(operand: int | Scalar | None, types: Mapping[int, TensorType]) -> Operand:
    if isinstance(operand, Scalar):
        return operand.value
    return None if operand is None else types[operand]


def _same(left: tuple[Size, ...], right: tuple[Size, ...], facts: Facts) -> bool:
    try:
        return len(left) == len(right) and all(
            a == b or equal(a, b, facts) is True for a, b in zip(left, right, strict=True)
        )
    except DimOverflow:
        return False


def _emits(spec: Spec, body: Body, name: Any) -> Iterable[TensorType]:
    """The type of every value that one run of a body emits under a name, in training."""
    for result in body.emits:
        if result.name == name:
            yield body.value(result.value).type
    for node in body.nodes:
        match node:
            case CallNode():
                yield from _emits(spec, spec.bodies[node.body], name)
            case RepeatNode():
                for run in node.runs:
                    yield from [*_emits(spec, spec.bodies[run.body], name)] * run.count
            case ModeNode():
                yield from _emits(spec, spec.bodies[node.training], name)
            case _:
                pass


# ---- facts about sizes -----------------------------------------------------------------------------------------------


def _facts(spec: Spec) -> dict[int, Facts]:
    """By body, what is known of its symbolic sizes: from the model or the data that it belongs to, and all that is
    required on the way."""
    roots: list[tuple[int, Facts]] = [(model.body, Facts(model.divisors, model.bounds)) for model in spec.models]
    for train in spec.recipe.trains:
        facts = NO_FACTS
        for name, longest in spec.recipe.dataset(train.data).lengths.items():
            facts = facts.bound(var(name), low=1, high=longest)
        bodies = [train.evaluation.body]
        for phase in train.phases:
            bodies += [body for body in (phase.shared, phase.log.body) if body is not None]
            bodies += [update.body for update in phase.updates]
        roots += [(body, facts) for body in bodies]
    for export in spec.recipe.exports:
        model = spec.models[export.model]
        roots.append((export.tail, Facts(model.divisors, model.bounds)))
    roots += [(index, NO_FACTS) for index in range(len(spec.bodies))]
    found: dict[int, Facts] = {}
    for root, facts in roots:
        reached = _reached(spec, root)
        for index in reached:
            for requirement in spec.bodies[index].requirements:
                facts = _required(facts, requirement.left, requirement.op, requirement.right, requirement.text)
        for index in reached:
            found.setdefault(index, facts)
    return found


def _reached(spec: Spec, root: int) -> list[int]:
    found, pending = dict[int, None](), [root]
    while pending:
        index = pending.pop()
        if index not in found:
            found[index] = None
            pending += [inner for node in spec.bodies[index].nodes for inner, _ in entered(node)]
    return list(found)


def _required(facts: Facts, left: Size, op: str, right: Size, text: str) -> Facts:
    """The facts with a requirement, as the elaborator takes it (`Elaborator.assume`)."""
    name, percent, rest = text.partition(" % ")
    if percent and op == "==":
        number = rest.partition(" ")[0]
        return facts.multiple(name, int(number)) if name.isidentifier() and number.isdigit() else facts
    if isinstance(left, Dim) and isinstance(right, int):
        if op in ("<=", "<"):
            return facts.bound(left, high=right if op == "<=" else right - 1)
        if op in (">=", ">"):
            return facts.bound(left, low=right if op == ">=" else right + 1)
    return facts


__all__ = ["Fault", "verify"]
