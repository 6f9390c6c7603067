"""What the outputs of a net mean, read off the data flow of the loss.

A loss compares outputs with fields of the data. Where it does so element by element, an output *is* the field, as the model
sees it: `huber(y_hat, y)` and `mean(((y_hat - y) / 2) ** 2)` both make `y_hat` the value of `y`, and `cross_entropy(logits,
label)` makes `logits` the scores of the classes of `label`. Nothing here goes by the name of an output.

The body of a loss is walked once, in order. Each value is one of

- a *sum*: numbers times outputs and fields, plus a number. `(2 * y_hat - y) / 3` is 2/3 of `y_hat` less 1/3 of `y`. An
  output or field in it may have gone through functions: `log1p(y_hat) - log1p(y)`;
- a *ratio* of an output and a field: `y_hat / y - 1`;
- a *blend*: computed from outputs and fields in some other way. Nothing can be read off it.

A sum of one output and one field that goes into anything else (`** 2`, `abs`, `mean`) is a comparison: training makes it
small, so the field is the value of the sum at zero. A loss with a target is a comparison by definition. An output that meets a
field in a blend only (`label * score`) is unknown, and so is one that is compared with several fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..catalogue import LOSSES, METRICS
from ..catalogue.losses import Loss
from ..catalogue.ops import find
from ..ir.model import Body, CallNode, ModeNode, Operand, OpNode, Scalar, Spec
from ..ir.train import Train
from ..sizes.dims import Size
from ..sizes.types import TensorType, is_float
from .flow import (
    NOTHING,
    Atom,
    Blend,
    Contacts,
    Flow,
    Output,
    Ratio,
    Step,
    Sum,
    View,
    blended,
    constant_of,
    number_of,
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


def metric_units(spec: Spec, train: Train) -> dict[str, tuple[str, float]]:
    """Of the metrics of a section whose figure has units: the field, and the factor on it. `rmse(pred / 50, y / 50)` gives a figure
    in units of `y` times 1/50."""
    body = spec.bodies[train.evaluation.body]
    reader = _Reader(spec, train, Contacts())
    flows = reader.walk(body, reader.fields(body, {}), [metric.value for metric in train.evaluation.metrics])
    found: dict[str, tuple[str, float]] = {}
    for metric in train.evaluation.metrics:
        node = next((node for node in body.nodes if any(value.id == metric.value for value in node.outputs)), None)
        operator = METRICS.get(node.op) if isinstance(node, OpNode) else None
        if node is None or operator is None or not operator.in_units:
            continue
        target = node.inputs[Loss.against]
        flow = flows.get(target, NOTHING) if isinstance(target, int) else NOTHING
        atom = flow.single if isinstance(flow, Sum) else None
        if isinstance(flow, Sum) and atom is not None and atom.kind == "field" and atom.plain:
            found[metric.name] = atom.name, abs(flow.terms[0][1])
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
            self.settle(flows.get(term, NOTHING))

    def results(self, body: Body, lets: Mapping[str, Flow]) -> dict[str, Flow]:
        """What flows out of a body, by name."""
        flows = self.walk(body, self.fields(body, lets), [result.value for result in body.outputs])
        return {result.name: flows.get(result.value, NOTHING) for result in body.outputs}

    @staticmethod
    def fields(body: Body, lets: Mapping[str, Flow]) -> dict[int, Flow]:
        """The inputs of a body: fields of the data, and what was computed before."""
        return {
            value.id: lets.get(value.name) or Sum(((Atom("field", "", value.name, value.type), 1.0),))
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
                    flows[value.id] = Sum(((Atom("output", net, name, value.type), 1.0),))
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
            return Sum(constant=float(operand.value))
        return NOTHING

    # ---- operators -------------------------------------------------------------------------------------------------------

    def operator(self, node: OpNode, given: list[Flow], types: list[TensorType | None]) -> Flow:
        loss, operator = LOSSES.get(node.op), find(node.op)
        if loss is not None:
            return self.loss(node, loss, given)
        if node.op == "stop_grad":
            return constant_of(given[0])
        if node.op in ("plus", "minus", "add") and same_shape(given, types):
            found: Flow = given[0]
            for other in given[1:]:
                found = self.added(found, other, -1.0 if node.op == "minus" else 1.0)
            return found
        if node.op == "negative":
            return self.multiplied(given[0], -1.0)
        if node.op in ("times", "divide") and len(given) == 2:
            made = self.product(given[0], given[1], node.op == "divide", same_shape(given, types))
            if made is not None:
                return made
        first = given[0] if given else NOTHING
        atom = first.single if isinstance(first, Sum) else None
        if atom is not None and isinstance(first, Sum) and first.constant is not None:
            view = view_of(node, types[0])
            factor = first.terms[0][1]
            if view is not None:
                moved = replace(atom, views=(*atom.views, step_of(node)), reshaped=atom.reshaped and view == "reshaped")
                return Sum(((moved, factor),), first.constant)
            alone = all(isinstance(flow, Sum) and not flow.terms for flow in given[1:])
            if alone and operator is not None and (operator.elementwise or node.op in ("softmax", "log_softmax")):
                before: tuple[Step, ...] = ()
                if (factor, first.constant) != (1.0, 0.0):
                    before = (Step("affine", f"{factor} {first.constant}"),)
                step = replace(step_of(node), elementwise=operator.elementwise)
                return Sum(((replace(atom, steps=(*atom.steps, *before, step)), 1.0),))
        if isinstance(first, Ratio) and node.op == "log" and first.constant == 0:
            return replace(first, constant=-1.0)  # log is zero where the ratio is 1
        return self.blend(given, f"`{written(node)}`")

    def added(self, left: Flow, right: Flow, sign: float) -> Flow:
        if isinstance(left, Sum) and isinstance(right, Sum):
            terms = dict(left.terms)
            for atom, factor in right.terms:
                terms[atom] = terms.get(atom, 0.0) + sign * factor
            known = left.constant is not None and right.constant is not None
            constant = (left.constant or 0.0) + sign * (right.constant or 0.0) if known else None
            return Sum(tuple((atom, factor) for atom, factor in terms.items() if factor), constant)
        for one, other, factor in ((left, right, sign), (right, left, 1.0)):
            if isinstance(one, Ratio) and isinstance(other, Sum) and not other.terms and other.constant is not None:
                if one is left:
                    return replace(one, constant=one.constant + factor * other.constant)
                return Ratio(one.top, one.bottom, sign * one.factor, sign * one.constant + other.constant)
            if isinstance(one, Sum) and one.terms and other == NOTHING:
                return replace(one, constant=None)
        return self.blend([left, right], "`-`" if sign < 0 else "`+`")

    def multiplied(self, flow: Flow, factor: float) -> Flow:
        if isinstance(flow, Sum):
            constant = None if flow.constant is None else factor * flow.constant
            return Sum(tuple((atom, factor * each) for atom, each in flow.terms if factor), constant)
        if isinstance(flow, Ratio):
            return replace(flow, factor=factor * flow.factor, constant=factor * flow.constant)
        return flow

    def product(self, left: Flow, right: Flow, divided: bool, aligned: bool) -> Flow | None:
        """A product or quotient with a number, or a ratio of an output and a field; None for any other."""
        number = number_of(right)
        if number is not None and not (divided and number == 0):
            return self.multiplied(left, 1 / number if divided else number)
        number = number_of(left)
        if number is not None and not divided:
            return self.multiplied(right, number)
        if not divided or not aligned or not isinstance(left, Sum) or not isinstance(right, Sum):
            return None
        top, bottom = left.single, right.single
        if top is None or bottom is None or left.constant != 0 or right.constant != 0 or top.kind == bottom.kind:
            return None
        return Ratio(top, bottom, left.terms[0][1] / right.terms[0][1])

    # ---- comparisons -----------------------------------------------------------------------------------------------------

    def blend(self, given: Iterable[Flow], through: str) -> Blend:
        """Something computed from these: comparisons among them are settled, and what else meets is noted."""
        outputs, fields = set[Output](), set[str]()
        for flow in given:
            if self.settle(flow):
                continue
            part = blended(flow)
            outputs |= part.outputs
            fields |= part.fields
        if outputs and fields:
            listed = " and ".join(f"`{name}`" for name in sorted(fields))
            self.contacts.meet(outputs, [f"it meets {listed} through {through}, which has no units to go by"])
        return Blend(frozenset(outputs), frozenset(fields))

    def settle(self, flow: Flow) -> bool:
        """Notes the comparison that a value is, if it is one."""
        if isinstance(flow, Ratio):
            if flow.constant:
                # factor * top / bottom + constant = 0
                self.value(flow.top, flow.factor, flow.bottom, flow.constant, 0.0)
            else:
                self._unclear(flow, "a ratio")
            return True
        if not isinstance(flow, Sum) or not flow.compares:
            return False
        if len(flow.terms) == 2 and flow.constant is not None:
            (one, factor), (other, weight) = flow.terms
            self.value(one, factor, other, weight, flow.constant)
        else:
            self._unclear(flow, "a sum" if len(flow.terms) > 2 else "a sum with a number that is computed")
        return True

    def _unclear(self, flow: Flow, what: str) -> None:
        part = blended(flow)
        listed = " and ".join(f"`{name}`" for name in sorted(part.fields))
        self.contacts.meet(part.outputs, [f"it meets {listed} in {what}"])

    def value(self, one: Atom, factor: float, other: Atom, weight: float, constant: float) -> None:
        """factor * one + weight * other + constant is near 0; one of them is an output, the other a field."""
        if one.kind == "field":
            one, factor, other, weight = other, weight, one, factor
        # rounded, so that two comparisons which say the same are the same; + 0.0 takes the sign off a zero
        scale, shift = round(-factor / weight, 12) + 0.0, round(-constant / weight, 12) + 0.0
        output = [(one.owner, one.name)]
        if one.views != other.views and not (one.reshaped and other.reshaped):
            why = f"only a part of it, or its elements in another order, is compared with `{other.name}`"
            self.contacts.compare(one, Meaning("unknown", other.name, why=why))
        elif one.plain and other.plain:
            self.contacts.compare(one, Meaning("value", other.name, scale=scale, shift=shift))
        elif one.steps == other.steps and (scale, shift) == (1.0, 0.0) and all(s.elementwise for s in one.steps):
            self.contacts.compare(one, Meaning("value", other.name))
        else:
            gone = next((atom.steps[-1].op for atom in (one, other) if atom.steps), "")
            self.contacts.meet(output, [f"it is compared with `{other.name}` only after `{gone}`"])

    def loss(self, node: OpNode, loss: type[Loss], given: list[Flow]) -> Flow:
        """A loss of the catalogue, which defines what its target means."""
        if loss.target is None or len(given) <= max(loss.prediction, loss.against):
            return self.blend(given, f"`{node.op}`")
        predicted, target = given[loss.prediction], given[loss.against]
        means = loss.target
        labels = target.single if isinstance(target, Sum) else None
        if means == "class" and labels is not None and is_float(labels.type.dtype):
            means = "share"  # a loss that takes both reads numbers as shares of one class
        if means == "value":
            difference = self.added(predicted, target, -1.0)
            if isinstance(difference, Sum) and difference.compares:
                self.settle(difference)
            else:
                self.blend([predicted, target], f"`{node.op}`")
            return NOTHING
        scores = predicted.single if isinstance(predicted, Sum) else None
        if (
            not isinstance(predicted, Sum)
            or not isinstance(target, Sum)
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
            meaning = _of_classes(scores, labels, predicted.terms[0][1], node.args.get("axis", -1))
        else:
            meaning = _of_shares(scores, labels, predicted.terms[0][1], predicted.constant)
        if meaning is None:
            gone = scores.steps[-1].op if scores.steps else node.op
            self.contacts.meet(
                [(scores.owner, scores.name)], [f"it is compared with `{labels.name}` only after `{gone}`"]
            )
        else:
            self.contacts.compare(scores, meaning)
        return NOTHING


def _of_classes(scores: Atom, labels: Atom, factor: float, axis: int) -> Meaning | None:
    """What class scores are before the functions between the output and the loss; None if unknown."""
    ops = [step.op for step in scores.steps]
    place = _class_axis(scores, axis)
    if place is None or factor <= 0:
        return None
    if not ops:
        return Meaning("scores", labels.name, place, factor)
    if factor != 1:
        return None
    if ops in (["log_softmax"], ["softmax", "log"]):
        return Meaning("scores", labels.name, place)
    return Meaning("probabilities", labels.name, place) if ops == ["log"] else None


def _of_shares(scores: Atom, labels: Atom, factor: float, shift: float) -> Meaning | None:
    if scores.steps or (scores.views != labels.views and not (scores.reshaped and labels.reshaped)):
        return None
    return Meaning("logit", labels.name, scale=factor, shift=shift)


def _class_axis(scores: Atom, axis: int) -> int | None:
    """The class axis in the output itself, counted from the end."""
    shape = scores.type.shape
    if not scores.views:
        return axis if axis < 0 else axis - len(shape)
    size = _size_after(scores, axis)
    places = [at - len(shape) for at, each in enumerate(shape) if each == size]
    if len(places) == 1:
        return places[0]
    return -1 if -1 in places and axis == -1 else None


def _size_after(scores: Atom, axis: int) -> Size | None:
    last = scores.views[-1]
    return last.shape[axis] if isinstance(last, View) and -len(last.shape) <= axis < len(last.shape) else None
