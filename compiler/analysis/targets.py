"""What the outputs of a net mean, read off the data flow of the loss.

A loss compares outputs with fields of the data. Where it does so element by element, an output *is* the field, as the model
sees it: `huber(y_hat, y)` and `mean(((y_hat - y) / 2) ** 2)` both make `y_hat` the value of `y`, and `cross_entropy(logits,
label)` makes `logits` the scores of the classes of `label`. Nothing here goes by the name of an output.

The body of a loss is walked once, in order. Each value is one of

- a *sum*: numbers times outputs and fields, plus a number. `(2 * y_hat - y) / 3` is 2/3 of `y_hat` less 1/3 of `y`. An
  output or field in it may have gone through functions: `log1p(y_hat) - log1p(y)`;
- a *ratio* of an output and a field: `y_hat / y - 1`;
- a *blend*: computed from outputs and fields in some other way. Nothing can be read off it.

The difference of one output and one field, or a ratio less a number, is a *rest*. Its square or magnitude is a comparison:
training makes it small, so the output is what makes the rest 0. A multiple or a part of a rest is one too; anything else that is
done with it (`exp(rate - offset)`) means nothing. A loss with a target is a comparison by definition. An output that meets a
field in a blend only (`label * score`) is unknown, and so is one that is compared with several fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..catalogue import LOSSES, METRICS
from ..catalogue.losses import Loss
from ..catalogue.ops import find
from ..dataclass import dataclass
from ..ir.model import Body, CallNode, ModeNode, Operand, OpNode, Scalar, Spec
from ..ir.train import Train
from ..sizes.types import TensorType, is_float
from .flow import (
    NOTHING,
    Atom,
    Blend,
    Contacts,
    Flow,
    FlowRatio,
    FlowStep,
    FlowSum,
    Output,
    Rest,
    blended,
    constant_of,
    number_of,
    of_classes,
    of_shares,
    same_shape,
    step_of,
)
from .meaning import NOT_COMPARED, Meaning, through, view_of, written


def output_meanings(spec: Spec, train: Train, net: str) -> dict[str, Meaning]:
    """The meaning of each declared output of a net, by name (`output` where it has none)."""
    body = spec.body_of(spec.models[train.net(net).model])
    found = through(body, seeds(spec, train, net))
    return {result.name or "output": found.get(result.value, NOT_COMPARED) for result in body.outputs}


def seeds(spec: Spec, train: Train, net: str) -> dict[int, Meaning]:
    """What the losses of a section imply about the values of a net, by their number in the body of its model."""
    body = spec.body_of(spec.models[train.net(net).model])
    known = {**body.taps, **{result.name or "output": result.value for result in body.outputs}}
    said: dict[int, Meaning] = {}
    for phase in train.phases:
        contacts = Contacts()
        shared: dict[str, Flow] = {}
        if phase.shared is not None:
            shared = _Reader(spec, train, contacts).results(spec.bodies[phase.shared], {})
        for update in phase.updates:
            _Reader(spec, train, contacts).losses(
                spec.bodies[update.body],
                [term.value for term in update.terms],
                {name: shared[name] for name in update.lets if name in shared},
            )
        for (owner, name), meaning in contacts.meanings().items():
            number = known.get(name)
            if owner != net or number is None:
                continue
            # a later phase takes precedence over an earlier one, unless its meaning is unknown
            if meaning.kind != "unknown" or number not in said:
                said[number] = meaning
    return said


@dataclass(frozen=True)
class MetricTarget:
    """What a metric compares a prediction with: `scale * field + shift`, all elements of a field in their order."""

    field: str
    scale: float
    shift: float


def measured_fields(spec: Spec, train: Train) -> dict[str, MetricTarget]:
    """Of the metrics of a section whose figure depends on the units of values: `rmse(pred / 50, y / 50)` compares with `y` times
    1/50."""
    body = spec.bodies[train.evaluation.body]
    reader = _Reader(spec, train, Contacts())
    flows = reader.walk(body, reader.fields(body, {}), [metric.value for metric in train.evaluation.metrics])
    found: dict[str, MetricTarget] = {}
    for metric in train.evaluation.metrics:
        node = next((node for node in body.nodes if any(value.id == metric.value for value in node.outputs)), None)
        operator = METRICS.get(node.op) if isinstance(node, OpNode) else None
        if node is None or operator is None or operator.unit not in ("target", "relative"):
            continue
        target = node.inputs[Loss.against]
        flow = flows.get(target, NOTHING) if isinstance(target, int) else NOTHING
        atom = flow.single if isinstance(flow, FlowSum) else None
        if not isinstance(flow, FlowSum) or atom is None or flow.constant is None:
            continue
        if atom.kind == "field" and atom.plain and (not atom.views or atom.reshaped):
            found[metric.name] = MetricTarget(atom.name, flow.terms[0][1], flow.constant)
    return found


# ---- reading a loss --------------------------------------------------------------------------------------------------


class _Reader:
    """Walks bodies of a recipe, and of blocks that they call."""

    def __init__(self, spec: Spec, train: Train, contacts: Contacts) -> None:
        self.spec, self.contacts = spec, contacts
        self.nets = {net.name or "model": net.name for net in train.nets}

    def losses(self, body: Body, terms: Sequence[int], lets: Mapping[str, Flow]) -> None:
        """Notes what the terms of a loss compare."""
        flows = self.walk(body, self.fields(body, lets), terms)
        for term in terms:
            self.blend([flows.get(term, NOTHING)], "the loss")

    def results(self, body: Body, lets: Mapping[str, Flow]) -> dict[str, Flow]:
        """What flows out of a body, by name."""
        flows = self.walk(body, self.fields(body, lets), [result.value for result in body.outputs])
        return {result.name: flows.get(result.value, NOTHING) for result in body.outputs}

    @staticmethod
    def fields(body: Body, lets: Mapping[str, Flow]) -> dict[int, Flow]:
        """The inputs of a body: fields of the data, and what was computed before."""
        return {
            value.id: lets.get(value.name) or FlowSum(((Atom("field", "", value.name, value.type), 1.0),))
            for value in body.inputs
        }

    def walk(self, body: Body, flows: dict[int, Flow], targets: Iterable[int]) -> dict[int, Flow]:
        """Flows by value, of the nodes that the targets need."""
        types = {value.id: value.type for value in body.values()}
        wanted = set(targets)
        needed = set[int]()
        for at in range(len(body.nodes) - 1, -1, -1):
            node = body.nodes[at]
            if any(value.id in wanted for value in node.outputs):
                needed.add(at)
                wanted.update(operand for operand in node.inputs if isinstance(operand, int))
        for at, node in enumerate(body.nodes):
            if at not in needed:
                continue
            given = [self._given(operand, flows) for operand in node.inputs]
            shapes = [types[operand] if isinstance(operand, int) else None for operand in node.inputs]
            if isinstance(node, CallNode) and node.instance in self.nets:
                net = self.nets[node.instance]
                for value, name in zip(node.outputs, self._names(node), strict=True):
                    flows[value.id] = FlowSum(((Atom("output", net, name, value.type), 1.0),))
            elif isinstance(node, (CallNode, ModeNode)):
                inner = self.spec.bodies[node.body if isinstance(node, CallNode) else node.training]
                inside: dict[int, Flow] = {value.id: flow for value, flow in zip(inner.inputs, given, strict=False)}
                made = self.walk(inner, inside, [result.value for result in inner.outputs])
                for value, result in zip(node.outputs, inner.outputs, strict=False):
                    flows[value.id] = made.get(result.value, NOTHING)
            elif isinstance(node, OpNode) and len(node.outputs) == 1:
                flows[node.outputs[0].id] = self.operator(node, given, shapes)
            else:
                made_of = self.blend(given, "a part of the loss that is not followed")
                flows.update((value.id, made_of) for value in node.outputs)
        return flows

    def _names(self, node: CallNode) -> list[str]:
        """The outputs of a net that is applied: the declared ones by the names of its signature, then taps and emits."""
        declared = self.spec.bodies[node.body].outputs
        return [
            (declared[at].name or "output") if at < len(declared) else value.name
            for at, value in enumerate(node.outputs)
        ]

    @staticmethod
    def _given(operand: Operand, flows: Mapping[int, Flow]) -> Flow:
        if isinstance(operand, int):
            return flows.get(operand, NOTHING)
        if isinstance(operand, Scalar) and isinstance(operand.value, (int, float)):
            return FlowSum(constant=float(operand.value))
        return NOTHING

    # ---- operators -------------------------------------------------------------------------------------------------------

    def operator(self, node: OpNode, given: list[Flow], types: list[TensorType | None]) -> Flow:
        loss, operator = LOSSES.get(node.op), find(node.op)
        if loss is not None:
            return self.loss(node, loss, given)
        if operator is not None and operator.flat and operator.keeps:
            return constant_of(given[0])
        if operator is not None and operator.linear in ("sum", "difference") and same_shape(given, types):
            found: Flow = given[0]
            for other in given[1:]:
                found = self.added(found, other, -1.0 if operator.linear == "difference" else 1.0)
            return found
        if node.op == "negative":
            return self.multiplied(given[0], -1.0)
        if node.op in ("times", "divide") and len(given) == 2:
            made = self.product(given[0], given[1], node.op == "divide", same_shape(given, types))
            if made is not None:
                return made
        rest = self.compared(node, given, types)
        if rest is not None:
            return rest
        first = given[0] if given else NOTHING
        atom = first.single if isinstance(first, FlowSum) else None
        if atom is not None and isinstance(first, FlowSum) and first.constant is not None:
            view = view_of(node, types[0])
            factor = first.terms[0][1]
            if view is not None:
                moved = replace(atom, views=(*atom.views, step_of(node)), reshaped=atom.reshaped and view == "reshaped")
                return FlowSum(((moved, factor),), first.constant)
            alone = all(isinstance(flow, FlowSum) and not flow.terms for flow in given[1:])
            same = types[0] is not None and types[0].shape == node.outputs[0].type.shape
            if alone and operator is not None and (operator.elementwise or (operator.turns and same)):
                before: tuple[FlowStep, ...] = ()
                if (factor, first.constant) != (1.0, 0.0):
                    before = (FlowStep("affine", f"{factor} {first.constant}"),)
                step = replace(step_of(node), elementwise=operator.elementwise)
                return FlowSum(((replace(atom, steps=(*atom.steps, *before, step)), 1.0),))
        root = operator.root if operator is not None else None
        if isinstance(first, FlowRatio) and root is not None and first.constant == 0:
            return self.rest(replace(first, constant=-root)) or self.blend(given, f"`{written(node)}`")
        return self.blend(given, f"`{written(node)}`")

    def added(self, left: Flow, right: Flow, sign: float) -> Flow:
        if isinstance(left, FlowSum) and isinstance(right, FlowSum):
            terms = dict(left.terms)
            for atom, factor in right.terms:
                terms[atom] = terms.get(atom, 0.0) + sign * factor
            known = left.constant is not None and right.constant is not None
            constant = (left.constant or 0.0) + sign * (right.constant or 0.0) if known else None
            return FlowSum(tuple((atom, factor) for atom, factor in terms.items() if factor), constant)
        for one, other, factor in ((left, right, sign), (right, left, 1.0)):
            if (
                isinstance(one, FlowRatio)
                and isinstance(other, FlowSum)
                and not other.terms
                and other.constant is not None
            ):
                if one is left:
                    return replace(one, constant=one.constant + factor * other.constant)
                return FlowRatio(one.top, one.bottom, sign * one.factor, sign * one.constant + other.constant)
            if isinstance(one, FlowSum) and one.terms and other == NOTHING:
                return replace(one, constant=None)
        return self.blend([left, right], "`-`" if sign < 0 else "`+`")

    def multiplied(self, flow: Flow, factor: float) -> Flow:
        if isinstance(flow, FlowSum):
            constant = None if flow.constant is None else factor * flow.constant
            return FlowSum(tuple((atom, factor * each) for atom, each in flow.terms if factor), constant)
        if isinstance(flow, FlowRatio):
            return replace(flow, factor=factor * flow.factor, constant=factor * flow.constant)
        if isinstance(flow, Rest) and flow.rises is not None:
            return replace(flow, rises=flow.rises == (factor > 0))
        return flow

    def product(self, left: Flow, right: Flow, divided: bool, aligned: bool) -> Flow | None:
        """A product or quotient with a number, or a ratio of an output and a field; None for any other."""
        number = number_of(right)
        if number is not None and not (divided and number == 0):
            return self.multiplied(left, 1 / number if divided else number)
        number = number_of(left)
        if number is not None and not divided:
            return self.multiplied(right, number)
        if not divided or not aligned or not isinstance(left, FlowSum) or not isinstance(right, FlowSum):
            return None
        top, bottom = left.single, right.single
        if top is None or bottom is None or left.constant != 0 or right.constant != 0 or top.kind == bottom.kind:
            return None
        return FlowRatio(top, bottom, left.terms[0][1] / right.terms[0][1])

    # ---- comparisons -----------------------------------------------------------------------------------------------------

    def blend(self, given: Iterable[Flow], through: str) -> Blend:
        """Something computed from these in a way from which nothing can be read; what meets there is noted."""
        outputs, fields = set[Output](), set[str]()
        for flow in given:
            rest = self.rest(flow)
            if rest is not None and rest.meaning is None:
                self.contacts.meet(rest.outputs, [rest.why])
            part = blended(flow)
            outputs |= part.outputs
            fields |= part.fields
        if outputs and fields:
            listed = " and ".join(f"`{name}`" for name in sorted(fields))
            self.contacts.meet(outputs, [f"it meets {listed} through {through}, which has no units to go by"])
        return Blend(frozenset(outputs), frozenset(fields))

    def compared(self, node: OpNode, given: Sequence[Flow], types: Sequence[TensorType | None]) -> Flow | None:
        """What becomes of a difference: its magnitude is a comparison, and a multiple or a part of it is 0 where it is. None where
        there is no difference, or something else is done with it."""
        rests = [self.rest(flow) for flow in given]
        operator = find(node.op)
        first = rests[0] if rests else None
        if operator is not None and operator.chooses:
            return self._chosen(given, rests)
        if node.op == "times" and rests[0] is None:
            first = rests[1]
        if first is None or operator is None:
            return None
        even = node.op == "power" and (number_of(given[1]) or 1) % 2 == 0
        if operator.magnitude or even or (node.op == "times" and given[0] == given[1]):
            self.contacts.settle(first)
            return NOTHING
        if node.op in ("times", "divide") and None in rests:
            return replace(first, rises=None)
        if operator.one_sided:
            self.contacts.bound(first)
            return NOTHING
        return first if view_of(node, types[0]) is not None else None

    def _chosen(self, given: Sequence[Flow], rests: Sequence[Rest | None]) -> Flow | None:
        """`where(c, a, b)` of one difference: as it is or 0, or with one sign here and the other there, which is a magnitude."""
        (_, a, b), (_, one, other) = given, rests
        if one is None or other is None:
            kept, left = (one, b) if one is not None else (other, a)
            return kept if kept is not None and number_of(left) == 0 else None
        if replace(one, rises=None) != replace(other, rises=None):
            return None
        if one.rises is not None and one.rises != other.rises:
            self.contacts.settle(one)
            return NOTHING
        return one

    def rest(self, flow: Flow, *, declared: bool = False) -> Rest | None:
        """The difference that a value is, if it is one. `declared`: a loss defines it, whatever the signs."""
        if isinstance(flow, Rest):
            return flow
        if isinstance(flow, FlowRatio):
            if flow.constant * flow.factor >= 0:
                return None
            # factor * top / bottom + constant = 0
            return replace(self.zero(flow.top, flow.factor, flow.bottom, flow.constant, 0.0), rises=None)
        if not isinstance(flow, FlowSum) or not flow.compares:
            return None
        part = blended(flow)
        listed = " and ".join(f"`{name}`" for name in sorted(part.fields))
        if len(flow.terms) > 2:
            return Rest(part.outputs, part.fields, None, f"it meets {listed} in a sum")
        if flow.constant is None:
            return Rest(part.outputs, part.fields, None, f"it meets {listed} in a sum with a number that is computed")
        (one, factor), (other, weight) = list(flow.terms)
        if factor * weight > 0 and not declared:
            return Rest(part.outputs, part.fields, None, f"it is added to {listed}")
        return self.zero(one, factor, other, weight, flow.constant)

    def zero(self, one: Atom, factor: float, other: Atom, weight: float, constant: float) -> Rest:
        """What factor * one + weight * other + constant = 0 implies; one of them is an output, the other a field."""
        if one.kind == "field":
            one, factor, other, weight = other, weight, one, factor
        # rounded, so that two comparisons which say the same are the same; + 0.0 takes the sign off a zero
        scale, shift = round(-factor / weight, 12) + 0.0, round(-constant / weight, 12) + 0.0
        meaning, why = None, ""
        if one.views != other.views and not (one.reshaped and other.reshaped):
            part = f"only a part of it, or its elements in another order, is compared with `{other.name}`"
            meaning = Meaning("unknown", other.name, why=part)
        elif one.plain and other.plain:
            meaning = Meaning("value", other.name, scale=scale, shift=shift)
        elif one.steps == other.steps and (scale, shift) == (1.0, 0.0) and all(s.elementwise for s in one.steps):
            meaning = Meaning("value", other.name)
        else:
            gone = next((atom.steps[-1].op for atom in (one, other) if atom.steps), "")
            why = f"it is compared with `{other.name}` only after `{gone}`"
        return Rest(frozenset([(one.owner, one.name)]), frozenset([other.name]), meaning, why, factor > 0)

    def loss(self, node: OpNode, loss: type[Loss], given: list[Flow]) -> Flow:
        """A loss of the catalogue, which defines what its target means."""
        if loss.target is None or len(given) <= max(loss.prediction, loss.against):
            return self.blend(given, f"`{node.op}`")
        predicted, target = given[loss.prediction], given[loss.against]
        means = loss.target
        labels = target.single if isinstance(target, FlowSum) else None
        if means == "class" and labels is not None and is_float(labels.type.dtype):
            means = "share"  # a loss that takes both reads numbers as shares of one class
        if means == "value":
            difference = predicted if number_of(target) == 0 else self.added(predicted, target, -1.0)
            rest = self.rest(difference, declared=True)
            if rest is not None:
                self.contacts.settle(rest)
            else:
                self.blend([predicted, target], f"`{node.op}`")
            return NOTHING
        scores = predicted.single if isinstance(predicted, FlowSum) else None
        if (
            not isinstance(predicted, FlowSum)
            or not isinstance(target, FlowSum)
            or scores is None
            or labels is None
            or (scores.kind, labels.kind) != ("output", "field")
            or not labels.plain
            or target.constant != 0
            or target.terms[0][1] != 1
            or predicted.constant is None
        ):
            self.blend(given, f"`{node.op}`")
            return NOTHING
        meaning: Meaning | None
        if means == "class":
            meaning = of_classes(scores, labels, predicted.terms[0][1], node.args.get("axis", -1))
        else:
            meaning = of_shares(scores, labels, predicted.terms[0][1], predicted.constant)
        if meaning is None:
            gone = scores.steps[-1].op if scores.steps else node.op
            self.contacts.meet(
                [(scores.owner, scores.name)], [f"it is compared with `{labels.name}` only after `{gone}`"]
            )
        else:
            self.contacts.compare((scores.owner, scores.name), meaning)
        return NOTHING
