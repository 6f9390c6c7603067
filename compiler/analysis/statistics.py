"""Batch statistics over a single number, which no step of training can use: its deviation from the mean is 0."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..catalogue.ops import find
from ..catalogue.token_batches import plan
from ..elaborate.instances import reachable
from ..ir.data import DataFacts
from ..ir.expand import parameters, selects
from ..ir.model import CallNode, OpNode, Spec
from ..ir.train import Phase, Train
from ..messages import batches as errors
from ..messages.diagnostics import Diagnostic
from ..sizes.dims import evaluate, variables
from .batch_sizes import batch_axis, steps
from .gradient import Visit


def alone(spec: Spec, train: Train, facts: DataFacts | None) -> Iterator[Diagnostic]:
    """E0206 where a micro-batch would have one number for each statistic; with `facts` it is known how many records there
    are. A layer whose weights are frozen uses its running statistics."""
    records = facts.records.get("train") if facts is not None else None
    for phase in train.phases:
        least = _least_of_tokens(phase, facts) if phase.batch.unit == "tokens" else _least(phase, records)
        found = list(_alone(spec, phase, least)) if least is not None else []
        if found and phase.freeze:
            found = _moving(spec, train, phase, found)
        if found and least is not None:
            node, batch = found[0], phase.batch.amount
            yield errors.single_statistic(node.span, node.op, phase.span, least, batch, records)
            return


def _least(phase: Phase, records: int | None) -> int:
    """Examples in the smallest micro-batch."""
    size = min(phase.batch.amount, records or phase.batch.amount)
    micro = phase.batch.micro
    return size if micro is None or micro >= size else size % micro or micro


def _least_of_tokens(phase: Phase, facts: DataFacts | None) -> int | None:
    """Examples in the smallest batch of tokens, which is known with the data; a micro-batch may have one."""
    if facts is None or not facts.lengths:
        return None
    return 1 if phase.batch.micro else min(plan(facts.lengths, phase.batch.amount).sizes)


def _alone(spec: Spec, phase: Phase, examples: int) -> Iterator[OpNode]:
    """The layers that would have one number for a statistic."""
    bodies = list(spec.bodies)
    for call in (node for index in steps(phase) for node in bodies[index].nodes if isinstance(node, CallNode)):
        net = bodies[call.body]
        batch = batch_axis(net)
        for index in reachable(bodies, call.body) if batch else ():
            body = bodies[index]
            for node in body.nodes:
                operator = find(node.op) if isinstance(node, OpNode) else None
                if operator is None or not isinstance(node, OpNode):
                    continue
                first = node.inputs[0] if node.inputs else None
                count = operator.batch_statistics(body.value(first).type) if isinstance(first, int) else None
                if count is not None and variables(count) <= {batch} and evaluate(count, {batch: examples}) == 1:
                    yield node


def _moving(spec: Spec, train: Train, phase: Phase, nodes: list[OpNode]) -> list[OpNode]:
    """Those of which a use has a weight that the phase does not freeze to its end."""
    frozen: dict[str, bool] = {}  # by the path of each weight
    selectors = [selector for freeze in phase.freeze if freeze.until is None for selector in freeze.selectors]
    for net in train.nets:
        for entry in parameters(spec, spec.models[net.model]):
            path = f"{net.name}.{entry.path}" if net.name else entry.path
            if not entry.buffer:
                frozen[path] = any(selects(s, path, entry.layer, entry.leaf, len(entry.shape)) for s in selectors)
    uses = [used for index in steps(phase) for used in _uses(Visit(spec, index), nodes)]
    return [node for node, path in uses if not all(_below(frozen, path))]


def _uses(visit: Visit, nodes: list[OpNode]) -> Iterator[tuple[OpNode, str]]:
    """Where layers are used: each with its full path."""
    for at, node in enumerate(visit.body.nodes):
        if isinstance(node, OpNode) and node.instance is not None and any(node is each for each in nodes):
            yield node, visit.path(node.instance)
        for inside in visit.inside(at):
            yield from _uses(inside, nodes)


def _below(values: Mapping[str, bool], path: str) -> list[bool]:
    return [value for name, value in values.items() if name.startswith(f"{path}.")]
