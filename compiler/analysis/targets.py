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
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from ..catalogue import LOSSES
from ..catalogue.losses import Loss
from ..catalogue.ops import find
from ..ir.model import Body, CallNode, ModeNode, Operand, OpNode, Scalar, Spec
from ..ir.train import Train
from ..sizes.dims import Size
from ..sizes.types import TensorType, is_float, is_integer

Kind: TypeAlias = Literal["scores", "probabilities", "class", "logit", "chance", "value", "unknown"]


@dataclass(frozen=True)
class Meaning:
    """What an output stands for.

    - `scores`: `scale` times it is a logit for each class of `field`, along `axis` of the output;
    - `probabilities`: one for each class of `field`, along `axis`;
    - `class`: a class number of `field`;
    - `logit`: the sigmoid of `scale * output + shift` is the mean of `field`, which lies between 0 and 1;
    - `chance`: that sigmoid;
    - `value`: `scale * output + shift` is `field`, after the transforms of the data;
    - `unknown`: `why` is the reason.
    """

    kind: Kind
    field: str = ""
    axis: int = -1
    scale: float = 1.0
    shift: float = 0.0
    why: str = ""


#: An output of a net: the net's name, and that of the output, tap or emit.
Output: TypeAlias = tuple[str, str]


def output_meanings(spec: Spec, train: Train, net: str) -> dict[str, Meaning]:
    """The meaning of each declared output of a net, by name (`output` where it has none)."""
    body = spec.body_of(spec.models[train.net(net).model])
    found = through(body, seeds(spec, train, net))
    nothing = _no_comparison(train)
    return {result.name or "output": found.get(result.value, nothing) for result in body.outputs}


def seeds(spec: Spec, train: Train, net: str) -> dict[int, Meaning]:
    """What the losses of a section imply about the values of a net, by their number in the body of its model."""
    body = spec.body_of(spec.models[train.net(net).model])
    known = {**body.taps, **{result.name or "output": result.value for result in body.outputs}}
    said: dict[int, Meaning] = {}
    for phase in train.phases:
        contacts = _Contacts()
        shared: dict[str, _Flow] = {}
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


def _no_comparison(train: Train) -> Meaning:
    return Meaning("unknown", why="the loss compares it with no field of the data")


# ---- what flows ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """A function that an output or field went through; its arguments and scalar operands as text."""

    op: str
    text: str = ""
    elementwise: bool = True


@dataclass(frozen=True)
class _Atom:
    """An output or field with what happened to it: `steps` changed its values, `views` their places."""

    kind: Literal["output", "field"]
    owner: str
    name: str
    type: TensorType
    steps: tuple[_Step, ...] = ()
    views: tuple[_Step, ...] = ()
    reshaped: bool = True  # the views keep all elements in their order

    @property
    def plain(self) -> bool:
        return not self.steps


@dataclass(frozen=True)
class _Sum:
    """The sum of factor * atom, plus a number; None: of a number that is not known here."""

    terms: tuple[tuple[_Atom, float], ...] = ()
    constant: float | None = 0.0

    @property
    def single(self) -> _Atom | None:
        return self.terms[0][0] if len(self.terms) == 1 else None

    @property
    def compares(self) -> bool:
        kinds = {atom.kind for atom, _ in self.terms}
        return kinds == {"output", "field"}


@dataclass(frozen=True)
class _Ratio:
    """factor * top / bottom + constant."""

    top: _Atom
    bottom: _Atom
    factor: float
    constant: float = 0.0


@dataclass(frozen=True)
class _Blend:
    outputs: frozenset[Output] = frozenset()
    fields: frozenset[str] = frozenset()


_Flow: TypeAlias = "_Sum | _Ratio | _Blend"
_NOTHING = _Blend()


@dataclass
class _Contacts:
    """Which outputs were compared with which fields, and which only met them."""

    compared: dict[Output, dict[Meaning, None]] = field(default_factory=dict[Output, "dict[Meaning, None]"])
    met: dict[Output, dict[str, None]] = field(default_factory=dict[Output, "dict[str, None]"])

    def compare(self, output: _Atom, meaning: Meaning) -> None:
        self.compared.setdefault((output.owner, output.name), {})[meaning] = None

    def meet(self, outputs: Iterable[Output], why: Iterable[str]) -> None:
        for output in outputs:
            self.met.setdefault(output, {}).update(dict.fromkeys(why))

    def meanings(self) -> dict[Output, Meaning]:
        found: dict[Output, Meaning] = {}
        for output in {**self.compared, **self.met}:
            several = list(self.compared.get(output, ()))
            if len(several) == 1:
                found[output] = several[0]
            elif several:
                fields = list(dict.fromkeys(meaning.field for meaning in several))
                listed = " and ".join(f"`{name}`" for name in fields)
                how = f"with {listed}" if len(fields) > 1 else f"with {listed} in more than one way"
                found[output] = Meaning("unknown", why=f"the loss compares it {how}")
            else:
                found[output] = Meaning("unknown", why=next(iter(self.met[output])))
        return found


# ---- reading a loss --------------------------------------------------------------------------------------------------


class _Reader:
    """Walks bodies of a recipe, and of blocks that they call."""

    def __init__(self, spec: Spec, train: Train, contacts: _Contacts) -> None:
        self.spec, self.contacts = spec, contacts
        self.nets = {net.name or "model": net.name for net in train.nets}

    def losses(self, body: Body, terms: Sequence[int], lets: Mapping[str, _Flow]) -> None:
        """Notes what the terms of a loss compare."""
        flows = self.walk(body, self._fields(body, lets), terms)
        for term in terms:
            self.settle(flows.get(term, _NOTHING))

    def results(self, body: Body, lets: Mapping[str, _Flow]) -> dict[str, _Flow]:
        """What flows out of a body, by name."""
        flows = self.walk(body, self._fields(body, lets), [result.value for result in body.outputs])
        return {result.name: flows.get(result.value, _NOTHING) for result in body.outputs}

    @staticmethod
    def _fields(body: Body, lets: Mapping[str, _Flow]) -> dict[int, _Flow]:
        return {
            value.id: lets.get(value.name) or _Sum(((_Atom("field", "", value.name, value.type), 1.0),))
            for value in body.inputs
        }

    def walk(self, body: Body, flows: dict[int, _Flow], targets: Iterable[int]) -> dict[int, _Flow]:
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
                    flows[value.id] = _Sum(((_Atom("output", net, name, value.type), 1.0),))
            elif isinstance(node, (CallNode, ModeNode)):
                inner = self.spec.bodies[node.body if isinstance(node, CallNode) else node.training]
                inside: dict[int, _Flow] = {value.id: flow for value, flow in zip(inner.inputs, given, strict=False)}
                made = self.walk(inner, inside, [result.value for result in inner.outputs])
                for value, result in zip(node.outputs, inner.outputs, strict=False):
                    flows[value.id] = made.get(result.value, _NOTHING)
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
    def _given(operand: Operand, flows: Mapping[int, _Flow]) -> _Flow:
        if isinstance(operand, int):
            return flows.get(operand, _NOTHING)
        if isinstance(operand, Scalar) and isinstance(operand.value, (int, float)):
            return _Sum(constant=float(operand.value))
        return _NOTHING

    # ---- operators -------------------------------------------------------------------------------------------------------

    def operator(self, node: OpNode, given: list[_Flow], types: list[TensorType | None]) -> _Flow:
        loss, operator = LOSSES.get(node.op), find(node.op)
        if loss is not None:
            return self.loss(node, loss, given)
        if node.op == "stop_grad":
            return _constant(given[0])
        if node.op in ("plus", "minus", "add") and _same_shape(given, types):
            found: _Flow = given[0]
            for other in given[1:]:
                found = self.added(found, other, -1.0 if node.op == "minus" else 1.0)
            return found
        if node.op == "negative":
            return self.multiplied(given[0], -1.0)
        if node.op in ("times", "divide") and len(given) == 2:
            made = self.product(given[0], given[1], node.op == "divide", _same_shape(given, types))
            if made is not None:
                return made
        first = given[0] if given else _NOTHING
        atom = first.single if isinstance(first, _Sum) else None
        if atom is not None and isinstance(first, _Sum) and first.constant is not None:
            view = view_of(node, types[0])
            factor = first.terms[0][1]
            if view is not None:
                moved = replace(atom, views=(*atom.views, _step(node)), reshaped=atom.reshaped and view == "reshaped")
                return _Sum(((moved, factor),), first.constant)
            alone = all(isinstance(flow, _Sum) and not flow.terms for flow in given[1:])
            if alone and operator is not None and (operator.elementwise or node.op in ("softmax", "log_softmax")):
                before: tuple[_Step, ...] = ()
                if (factor, first.constant) != (1.0, 0.0):
                    before = (_Step("affine", f"{factor} {first.constant}"),)
                step = replace(_step(node), elementwise=operator.elementwise)
                return _Sum(((replace(atom, steps=(*atom.steps, *before, step)), 1.0),))
        if isinstance(first, _Ratio) and node.op == "log" and first.constant == 0:
            return replace(first, constant=-1.0)  # log is zero where the ratio is 1
        return self.blend(given, f"`{_written(node)}`")

    def added(self, left: _Flow, right: _Flow, sign: float) -> _Flow:
        if isinstance(left, _Sum) and isinstance(right, _Sum):
            terms = dict(left.terms)
            for atom, factor in right.terms:
                terms[atom] = terms.get(atom, 0.0) + sign * factor
            known = left.constant is not None and right.constant is not None
            constant = (left.constant or 0.0) + sign * (right.constant or 0.0) if known else None
            return _Sum(tuple((atom, factor) for atom, factor in terms.items() if factor), constant)
        for one, other, factor in ((left, right, sign), (right, left, 1.0)):
            if isinstance(one, _Ratio) and isinstance(other, _Sum) and not other.terms and other.constant is not None:
                if one is left:
                    return replace(one, constant=one.constant + factor * other.constant)
                return _Ratio(one.top, one.bottom, sign * one.factor, sign * one.constant + other.constant)
            if isinstance(one, _Sum) and one.terms and other == _NOTHING:
                return replace(one, constant=None)
        return self.blend([left, right], "`-`" if sign < 0 else "`+`")

    def multiplied(self, flow: _Flow, factor: float) -> _Flow:
        if isinstance(flow, _Sum):
            constant = None if flow.constant is None else factor * flow.constant
            return _Sum(tuple((atom, factor * each) for atom, each in flow.terms if factor), constant)
        if isinstance(flow, _Ratio):
            return replace(flow, factor=factor * flow.factor, constant=factor * flow.constant)
        return flow

    def product(self, left: _Flow, right: _Flow, divided: bool, aligned: bool) -> _Flow | None:
        """A product or quotient with a number, or a ratio of an output and a field; None for any other."""
        number = _number(right)
        if number is not None and not (divided and number == 0):
            return self.multiplied(left, 1 / number if divided else number)
        number = _number(left)
        if number is not None and not divided:
            return self.multiplied(right, number)
        if not divided or not aligned or not isinstance(left, _Sum) or not isinstance(right, _Sum):
            return None
        top, bottom = left.single, right.single
        if top is None or bottom is None or left.constant != 0 or right.constant != 0 or top.kind == bottom.kind:
            return None
        return _Ratio(top, bottom, left.terms[0][1] / right.terms[0][1])

    # ---- comparisons -----------------------------------------------------------------------------------------------------

    def blend(self, given: Iterable[_Flow], through: str) -> _Blend:
        """Something computed from these: comparisons among them are settled, and what else meets is noted."""
        outputs, fields = set[Output](), set[str]()
        for flow in given:
            if self.settle(flow):
                continue
            part = _blended(flow)
            outputs |= part.outputs
            fields |= part.fields
        if outputs and fields:
            listed = " and ".join(f"`{name}`" for name in sorted(fields))
            self.contacts.meet(outputs, [f"it meets {listed} through {through}, which has no units to go by"])
        return _Blend(frozenset(outputs), frozenset(fields))

    def settle(self, flow: _Flow) -> bool:
        """Notes the comparison that a value is, if it is one."""
        if isinstance(flow, _Ratio):
            if flow.constant:
                # factor * top / bottom + constant = 0
                self.value(flow.top, flow.factor, flow.bottom, flow.constant, 0.0)
            else:
                self._unclear(flow, "a ratio")
            return True
        if not isinstance(flow, _Sum) or not flow.compares:
            return False
        if len(flow.terms) == 2 and flow.constant is not None:
            (one, factor), (other, weight) = flow.terms
            self.value(one, factor, other, weight, flow.constant)
        else:
            self._unclear(flow, "a sum" if len(flow.terms) > 2 else "a sum with a number that is computed")
        return True

    def _unclear(self, flow: _Flow, what: str) -> None:
        part = _blended(flow)
        listed = " and ".join(f"`{name}`" for name in sorted(part.fields))
        self.contacts.meet(part.outputs, [f"it meets {listed} in {what}"])

    def value(self, one: _Atom, factor: float, other: _Atom, weight: float, constant: float) -> None:
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

    def loss(self, node: OpNode, loss: type[Loss], given: list[_Flow]) -> _Flow:
        """A loss of the catalogue, which defines what its target means."""
        if loss.target is None or len(given) <= max(loss.prediction, loss.against):
            return self.blend(given, f"`{node.op}`")
        predicted, target = given[loss.prediction], given[loss.against]
        means = loss.target
        labels = target.single if isinstance(target, _Sum) else None
        if means == "class" and labels is not None and is_float(labels.type.dtype):
            means = "share"  # a loss that takes both reads numbers as shares of one class
        if means == "value":
            difference = self.added(predicted, target, -1.0)
            if isinstance(difference, _Sum) and difference.compares:
                self.settle(difference)
            else:
                self.blend([predicted, target], f"`{node.op}`")
            return _NOTHING
        scores = predicted.single if isinstance(predicted, _Sum) else None
        if (
            not isinstance(predicted, _Sum)
            or not isinstance(target, _Sum)
            or scores is None
            or labels is None
            or (scores.kind, labels.kind) != ("output", "field")
            or not labels.plain
            or target.constant != 0
            or target.terms[0][1] != 1
            or predicted.constant is None
        ):
            self.blend(given, f"`{node.op}`")
            return _NOTHING
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
        return _NOTHING


def _of_classes(scores: _Atom, labels: _Atom, factor: float, axis: int) -> Meaning | None:
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


def _of_shares(scores: _Atom, labels: _Atom, factor: float, shift: float) -> Meaning | None:
    if scores.steps or (scores.views != labels.views and not (scores.reshaped and labels.reshaped)):
        return None
    return Meaning("logit", labels.name, scale=factor, shift=shift)


def _class_axis(scores: _Atom, axis: int) -> int | None:
    """The class axis in the output itself, counted from the end."""
    shape = scores.type.shape
    if not scores.views:
        return axis if axis < 0 else axis - len(shape)
    size = _size_after(scores, axis)
    places = [at - len(shape) for at, each in enumerate(shape) if each == size]
    if len(places) == 1:
        return places[0]
    return -1 if -1 in places and axis == -1 else None


def _size_after(scores: _Atom, axis: int) -> Size | None:
    last = scores.views[-1]
    return last.shape[axis] if isinstance(last, _View) and -len(last.shape) <= axis < len(last.shape) else None


@dataclass(frozen=True)
class _View(_Step):
    """A change of places, and the shape after it."""

    shape: tuple[Size, ...] = field(default=(), compare=False)


# ---- through a model -------------------------------------------------------------------------------------------------


def through(body: Body, known: Mapping[int, Meaning]) -> dict[int, Meaning]:
    """The meanings of further values of a body, of a model or of a part of one, that follow from those known."""
    found = dict(known)
    types = {value.id: value.type for value in body.values()}
    for node in body.nodes:
        if not isinstance(node, OpNode) or len(node.outputs) != 1 or node.outputs[0].id in found:
            continue
        sources = [operand for operand in node.inputs if isinstance(operand, int) and operand in found]
        if sources:
            first = sources[0]
            made = _derived(node, found[first], first, types[first])
            found[node.outputs[0].id] = made or Meaning("unknown", why=f"it is computed with `{_written(node)}`")
    return found


def _derived(node: OpNode, meaning: Meaning, source: int, type: TensorType) -> Meaning | None:
    """The meaning after one function; None where it is lost."""
    if meaning.kind == "unknown":
        return meaning
    others = [operand for operand in node.inputs if operand != source]
    rank = len(type.shape)
    axis = node.args.get("axis", -1)
    at = axis if isinstance(axis, int) and axis < 0 else axis - rank if isinstance(axis, int) else None
    one = meaning.scale == 1 and meaning.shift == 0
    if not others:
        match node.op, meaning.kind:
            case "softmax", "scores" if at == meaning.axis and one:
                return replace(meaning, kind="probabilities")
            case "log_softmax", "scores" if at == meaning.axis and one:
                return meaning
            case "argmax", "scores" | "probabilities" if at == meaning.axis:
                return Meaning("class", meaning.field)
            case "sigmoid", "logit" if one:
                return Meaning("chance", meaning.field)
            case _:
                pass
        view = view_of(node, type)
        if view is not None:
            return _viewed(node, meaning, view, type)
    if meaning.kind in ("value", "logit") or (meaning.kind == "scores" and node.op in ("times", "divide")):
        return _affine(node, meaning, source)
    return None


def _viewed(node: OpNode, meaning: Meaning, view: str, type: TensorType) -> Meaning | None:
    if meaning.kind not in ("scores", "probabilities"):
        return meaning if view == "reshaped" or meaning.kind == "class" else None
    atom = _Atom("output", "", "", node.outputs[0].type)
    size = type.shape[meaning.axis]
    places = [at - len(atom.type.shape) for at, each in enumerate(atom.type.shape) if each == size]
    if meaning.axis in places and node.outputs[0].type.shape[meaning.axis :] == type.shape[meaning.axis :]:
        return meaning
    return replace(meaning, axis=places[0]) if len(places) == 1 else None


def _affine(node: OpNode, meaning: Meaning, source: int) -> Meaning | None:
    """After x * k, x / k, x + k, x - k, k - x or -x, with numbers k."""
    numbers = [_plain_number(operand) for operand in node.inputs if operand != source]
    if node.op == "negative":
        factor, added = -1.0, 0.0
    elif len(node.inputs) != 2 or len(numbers) != 1 or numbers[0] is None:
        return None
    else:
        k, first = numbers[0], node.inputs[0] == source
        match node.op:
            case "times":
                factor, added = k, 0.0
            case "divide" if first and k:
                factor, added = 1 / k, 0.0
            case "plus":
                factor, added = 1.0, k
            case "minus":
                factor, added = (1.0, -k) if first else (-1.0, k)
            case _:
                return None
    if factor == 0 or (meaning.kind == "scores" and factor < 0):
        return None
    # y = factor * x + added, and scale * x + shift is the field
    scale = meaning.scale / factor
    return replace(meaning, scale=scale, shift=meaning.shift - scale * added)


# ---- facts of operators ----------------------------------------------------------------------------------------------


def view_of(node: OpNode, type: TensorType | None) -> Literal["reshaped", "moved"] | None:
    """Whether a function hands its first input on: `reshaped`, all elements in their order, or `moved`, others are left out or
    stand elsewhere. None for a function that computes."""
    if type is None:
        return None
    match node.op:
        case "identity" | "squeeze" | "flatten" | "dropout":
            return "reshaped"
        case "cast":
            dtype = node.args["dtype"]
            same = is_float(type.dtype) == is_float(dtype) or (is_integer(type.dtype) and is_float(dtype))
            return "reshaped" if same or type.dtype == "bool" else None
        case "index":
            whole = all(item is None or item == "..." or item == ("slice", None, None) for item in node.args["items"])
            return "reshaped" if whole else "moved"
        case "rearrange":
            order = tuple(node.args["order"])
            return "reshaped" if order == tuple(range(len(order))) else "moved"
        case "transpose" | "take" | "split_heads" | "merge_heads":
            return "moved"
        case _:
            return None


def _step(node: OpNode) -> _Step:
    beside = [operand.value for operand in node.inputs if isinstance(operand, Scalar)]
    text = f"{sorted(node.args.items(), key=str)} {beside}"
    return _View(node.op, text, shape=node.outputs[0].type.shape)


def _written(node: OpNode) -> str:
    operator = find(node.op)
    return (operator.syntax if operator is not None else "") or node.op


def _same_shape(given: Sequence[_Flow], types: Sequence[TensorType | None]) -> bool:
    """Whether outputs and fields are compared element by element: none is broadcast."""
    shapes = {
        type.shape
        for flow, type in zip(given, types, strict=True)
        if type is not None and flow != _Sum(constant=0) and _blended(flow) != _NOTHING
    }
    return len(shapes) <= 1


def _blended(flow: _Flow) -> _Blend:
    """The outputs and fields of a value."""
    if isinstance(flow, _Blend):
        return flow
    atoms = [atom for atom, _ in flow.terms] if isinstance(flow, _Sum) else [flow.top, flow.bottom]
    return _Blend(
        frozenset((atom.owner, atom.name) for atom in atoms if atom.kind == "output"),
        frozenset(atom.name for atom in atoms if atom.kind == "field"),
    )


def _constant(flow: _Flow) -> _Flow:
    """What no gradient flows through: the outputs in it are not trained by it, so it does not define what they mean."""
    part = _blended(flow)
    if not part.outputs:
        return flow
    return _Blend(fields=part.fields)


def _number(flow: _Flow) -> float | None:
    return flow.constant if isinstance(flow, _Sum) and not flow.terms else None


def _plain_number(operand: Any) -> float | None:
    value = operand.value if isinstance(operand, Scalar) else None
    return float(value) if isinstance(value, (int, float)) else None
