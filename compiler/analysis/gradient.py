"""Whether an update trains anything: a gradient has to lead from its loss to a weight that it moves.

    loss = mean(cast(logits > 0, f32))      `logits > 0` is bool, which carries no gradient: E0413

The search goes from the loss against the flow of the data, into the bodies of nets and blocks with the full paths of their
weights, and ends at the first weight that it finds: a loss of the usual kind costs a few nodes. A gradient goes through a node
whose result is floating point and whose operator is not `flat`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

from ..catalogue import LOSSES
from ..catalogue.ops import find
from ..catalogue.ops.operators import Minus, Plus
from ..catalogue.penalties import selected
from ..dataclass import dataclass, field
from ..ir.expand import ParameterEntry, join, parameters, selects, turns
from ..ir.faults import entered
from ..ir.globs import glob
from ..ir.model import AnyNode, Body, CallNode, ModeNode, Operand, OpNode, RepeatNode, ScanNode, Spec, WeightNode
from ..ir.train import Phase, Train, Update
from ..messages import gradients as errors
from ..messages.diagnostics import Diagnostic, Label
from ..sizes.types import is_float

#: The value of a body where it is entered, by its id.
Place: TypeAlias = "tuple[Visit, int]"


@dataclass(eq=False)
class Visit:
    """A body where it is entered: at a path, with the values that its inputs hold (by their ids) and the full paths of the
    instances that it is handed."""

    spec: Spec
    index: int
    prefix: str = ""
    offsets: Mapping[str, int] = field(default_factory=dict[str, int])
    sources: dict[int, list[Place]] = field(default_factory=dict[int, "list[Place]"])
    handed: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> Body:
        return self.spec.bodies[self.index]

    @cached_property
    def makers(self) -> Mapping[int, tuple[int, int]]:
        """The node that makes a value, and its place among the node's outputs."""
        return {value.id: (at, i) for at, node in enumerate(self.body.nodes) for i, value in enumerate(node.outputs)}

    @cached_property
    def dtypes(self) -> Mapping[int, str]:
        return {value.id: value.type.dtype for value in self.body.values()}

    @cached_property
    def _inside(self) -> dict[int, list[Visit]]:
        return {}

    def path(self, reference: str) -> str:
        """The full path of an instance that a node names."""
        if reference.startswith("@"):
            name, _, rest = reference[1:].partition(".")
            return join(self.handed[name], rest)
        if self.body.role in ("step", "metrics"):
            return "" if reference == "model" else reference  # a net: its paths begin with its own name, if it has one
        return join(self.prefix, reference, self.offsets)

    def results(self) -> list[Place]:
        return [(self, result.value) for result in self.body.outputs]

    def inside(self, at: int) -> list[Visit]:
        """The bodies that a node runs, in order: each turn of a repeat; one of anything else, none of an operator."""
        if at not in self._inside:
            self._inside[at] = list(self._enter(self.body.nodes[at]))
        return self._inside[at]

    def _enter(self, node: AnyNode) -> Iterator[Visit]:
        match node:
            case CallNode():
                yield self._frame(node.body, self.path(node.instance), {}, self._places(node.inputs), node.instances)
            case OpNode() if "body" in node.args and node.instance is not None:  # a loss that runs a whole net
                sources = [[place for given in self._places(node.inputs) for place in given]]
                yield self._frame(_number(node.args["body"]), self.path(node.instance), {}, sources, {})
            case ModeNode():
                sources = self._places(node.inputs)
                yield self._frame(node.training, self.prefix, self.offsets, sources, node.instances)
            case ScanNode():
                sources = self._places(node.inputs)
                made = self._frame(node.body, self.prefix, self.offsets, sources, node.instances)
                for value, result in zip(
                    made.body.inputs[node.sequences :], made.results()[: node.carries], strict=False
                ):
                    made.sources[value.id].append(result)
                yield made
            case RepeatNode():
                carried = self._places(node.inputs)
                for index, prefix, offsets, run in turns(node, self.prefix, self.offsets):
                    sources = [*carried, *self._places(node.runs[run].captures)]
                    made = self._frame(index, prefix, offsets, sources, node.runs[run].instances)
                    carried = [[result] for result in made.results()]
                    yield made
            case _:
                return

    def _frame(
        self,
        index: int,
        prefix: str,
        offsets: Mapping[str, int],
        sources: Sequence[list[Place]],
        instances: Mapping[str, str],
    ) -> Visit:
        inputs = self.spec.bodies[index].inputs
        handed = {name: self.path(reference) for name, reference in instances.items()}
        held = {value.id: list(places) for value, places in zip(inputs, sources, strict=False)}
        return Visit(self.spec, index, prefix, offsets, held, handed)

    def _places(self, operands: Sequence[Operand]) -> list[list[Place]]:
        return [[(self, operand)] if isinstance(operand, int) else [] for operand in operands]


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


@dataclass
class GradientSearch:
    """What is looked for, a weight that is `trained` or an input of the visit `aim`, and what was in the way."""

    weights: Mapping[str, Mapping[str, bool]] = field(default_factory=dict[str, "dict[str, bool]"])  # below: Weights
    aim: Visit | None = None
    blocked: list[Label] = field(default_factory=list[Label])
    fixed: dict[str, None] = field(default_factory=dict[str, None])

    def reaches(self, start: Sequence[Place]) -> bool:
        stack, seen = list(reversed(start)), set[Place]()
        while stack:
            place = stack.pop()
            if place in seen:
                continue
            seen.add(place)
            visit, value = place
            at, position = visit.makers.get(value, (-1, 0))
            if not is_float(visit.dtypes[value]):
                if at >= 0:
                    self.blocked.append(
                        Label(visit.body.nodes[at].span, f"`{visit.dtypes[value]}` carries no gradient")
                    )
            elif at >= 0:
                if self._reads(visit, visit.body.nodes[at]):
                    return True
                stack += self._before(visit, at, position)
            elif visit is self.aim:
                return True
            else:
                stack += visit.sources.get(value, ())
        return False

    def _reads(self, visit: Visit, node: AnyNode) -> bool:
        """Whether a node reads a weight that is trained."""
        found: list[str] = []
        layer = ""
        if isinstance(node, WeightNode):
            layer = visit.path(node.instance)
            found = [join(layer, node.name)]
        elif isinstance(node, OpNode) and (chosen := selected(node.op, node.args)) is not None:
            pattern = glob(chosen)
            return any(on and pattern.matches(p) for owned in self.weights.values() for p, on in owned.items())
        elif isinstance(node, OpNode) and node.instance is not None and node.op not in LOSSES:
            layer = visit.path(node.instance)
            found = list(self.weights.get(layer, ()))
        trained = [path for path in found if self.weights.get(layer, {}).get(path)]
        if not trained:
            self.fixed.update(dict.fromkeys(found))
        return bool(trained)

    def _before(self, visit: Visit, at: int, position: int) -> list[Place]:
        """The values from which a gradient comes to an output of a node."""
        node = visit.body.nodes[at]
        match node:
            case OpNode() if node.op == "emitted":
                return list(_emitted(visit, str(node.args["name"])))
            case OpNode():
                operator = find(node.op) or LOSSES.get(node.op)
                if operator is not None and operator.flat:
                    self.blocked.append(Label(node.span, f"`{operator.syntax or node.op}` passes no gradient on"))
                    return []
                runs = visit.inside(at)
                if runs:
                    return [place for run in runs for place in run.results()]
                return [(visit, operand) for operand in node.inputs if isinstance(operand, int)]
            case WeightNode():
                return []
            case ScanNode():
                results = visit.inside(at)[0].results()
                return [results[position - 1]]  # the stacked value is the node's first output and the body's last
            case RepeatNode() if not visit.inside(at):
                return [
                    (visit, operand) for operand in node.inputs[position : position + 1] if isinstance(operand, int)
                ]
            case _:
                return [visit.inside(at)[-1].results()[position]]


def _emitted(visit: Visit, name: str) -> Iterator[Place]:
    """What is emitted under a name in the bodies that a visit runs."""
    for at in range(len(visit.body.nodes)):
        for run in visit.inside(at):
            yield from ((run, result.value) for result in run.body.emits if result.name == name)
            yield from _emitted(run, name)


# ---- sections ----------------------------------------------------------------------------------------------------------


def untrained(spec: Spec, train: Train) -> Iterator[Diagnostic]:
    """E0413 for each update whose loss does not lead to a weight that it moves, and for each penalty on a gradient that does
    not exist; W0414 for a summand of a loss from which none leads to a weight."""
    entries: dict[str, ParameterEntry] = {}
    for net in train.nets:
        prefix = f"{net.name}." if net.name else ""
        entries |= {
            prefix + entry.path: entry for entry in parameters(spec, spec.models[net.model]) if not entry.buffer
        }
    for phase in train.phases:
        for update in phase.updates:
            visit = _opened(spec, phase, update)
            weights = _weights(phase, update, entries)
            search = GradientSearch(weights)
            terms = [(visit, term.value) for term in update.terms]
            if search.reaches(terms):
                yield from _idle(weights, terms)
            else:
                at, _ = visit.makers.get(update.terms[0].value, (-1, 0))
                span = visit.body.nodes[at].span if at >= 0 else update.span
                yield errors.trains_nothing(span, search.blocked, list(search.fixed))
            yield from _penalties(visit)


def _opened(spec: Spec, phase: Phase, update: Update) -> Visit:
    """The body of an update, with the lets that it shares with others."""
    visit = Visit(spec, update.body)
    if phase.shared is not None:
        shared = Visit(spec, phase.shared)
        given = {result.name: (shared, result.value) for result in shared.body.outputs}
        visit.sources |= {v.id: [given[v.name]] for v in visit.body.inputs if v.name in update.lets and v.name in given}
    return visit


def _weights(phase: Phase, update: Update, entries: Mapping[str, ParameterEntry]) -> dict[str, dict[str, bool]]:
    """By layer its weights, and whether the update moves them from its first step on."""
    found: dict[str, dict[str, bool]] = {}
    frozen = [selector for item in phase.freeze for selector in item.selectors]
    for path, entry in entries.items():
        moved = any(not net or path.startswith(f"{net}.") for net in update.nets)
        still = any(selects(selector, path, entry.layer, entry.leaf, len(entry.shape)) for selector in frozen)
        found.setdefault(path.removesuffix(f".{entry.leaf}"), {})[path] = moved and not still
    return found


def _idle(weights: Mapping[str, Mapping[str, bool]], terms: Sequence[Place]) -> Iterator[Diagnostic]:
    """W0414 for the summands of a loss, itself sound, from which a gradient is kept by what computes them."""
    for visit, value in (summand for term in terms for summand in _summands(*term)):
        search = GradientSearch(weights)
        if not search.reaches([(visit, value)]) and search.blocked and not search.fixed:
            yield errors.idle_term(visit.body.nodes[visit.makers[value][0]].span, search.blocked)


def _summands(visit: Visit, value: int) -> Iterator[Place]:
    """What a value is a sum or a difference of; the value itself, where it is neither."""
    at, _ = visit.makers.get(value, (-1, 0))
    node = visit.body.nodes[at] if at >= 0 else None
    if isinstance(node, OpNode) and find(node.op) in (Plus, Minus):
        for operand in node.inputs:
            if isinstance(operand, int):
                yield from _summands(visit, operand)
    elif at >= 0:
        yield visit, value


def _penalties(visit: Visit) -> Iterator[Diagnostic]:
    """A penalty on the gradient of a net needs one, from the net's output to its input, that has a gradient in turn."""
    for at, node in enumerate(visit.body.nodes):
        if isinstance(node, OpNode) and "body" in node.args:
            (run,) = visit.inside(at)
            search = GradientSearch(aim=run)
            if not search.reaches(run.results()):
                yield errors.no_gradient_of_net(node.span, node.instance or "", search.blocked)
            for inner in _once(visit.spec, run.index, set()):
                entry = find(inner.op)
                assert entry is not None
                yield errors.no_second_gradient(node.span, entry.name, entry.twice_as, inner.span)


def _once(spec: Spec, index: int, seen: set[int]) -> Iterator[OpNode]:
    """The operators of a body, and of all that it runs in training, whose gradient has no derivative."""
    if index in seen:
        return
    seen.add(index)
    for node in spec.bodies[index].nodes:
        if isinstance(node, OpNode):
            entry = find(node.op)
            if entry is not None and entry.twice_as:
                yield node
        inner = [node.training] if isinstance(node, ModeNode) else [body for body, _ in entered(node)]
        for body in inner:
            yield from _once(spec, body, seen)


__all__ = ["untrained"]
